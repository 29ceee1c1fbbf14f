"""What waits for the one connection that writes, in two lanes: changes that somebody waits for, and upkeep.

Theory: whoever comes while a transaction runs waits for the rest of it, whatever the order of those behind.
So upkeep (clean-up, bulk changes) comes in short transactions of its own, never in one with other changes; it
goes when nobody else waits; and while others write it stays away for as long as it has just taken, so that it
has half of the writer at most. It is not forgotten: a piece that has waited for `PATIENCE_S` goes before what
came later, so that a flood of events cannot keep a full store from being cleaned.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final, Generic, Protocol, TypeVar

MAX_QUEUED: Final = 256
"""Changes that wait in a lane; who brings more waits for a place."""
PATIENCE_S: Final = 0.25
"""So long upkeep lets others go first."""
LATELY_S: Final = 1.0
"""Others write if one of them did within this time."""


class Weighed(Protocol):
    """A change."""

    @property
    def weight(self) -> int:
        """How many events it is about."""
        ...


J = TypeVar("J", bound=Weighed)


class LanesClosed(Exception):
    """Nothing is taken any more."""


class _Lane(Generic[J]):
    """Changes in the order in which they came, with the time of that."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[float, J]] = deque()
        self.room = asyncio.Semaphore(MAX_QUEUED)

    def take(self) -> J:
        """Return the first one."""
        self.room.release()
        return self.waiting.popleft()[1]


class Lanes(Generic[J]):
    """The two lanes."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """`clock` tells seconds."""
        self._clock = clock
        self._first: _Lane[J] = _Lane()
        self._upkeep: _Lane[J] = _Lane()
        self._came = asyncio.Event()
        self._closed = False
        self._others_s = float("-inf")
        self._upkeep_from_s = float("-inf")
        self._taken = (False, 0.0)

    def __len__(self) -> int:
        """Return how many changes wait."""
        return len(self._first.waiting) + len(self._upkeep.waiting)

    async def put(self, job: J, *, upkeep: bool = False) -> None:
        """Add a change; wait while its lane is full. Raise `LanesClosed`."""
        lane = self._upkeep if upkeep else self._first
        await lane.room.acquire()
        if self._closed:
            lane.room.release()
            raise LanesClosed
        lane.waiting.append((self._clock(), job))
        self._came.set()

    def close(self) -> None:
        """Take nothing any more; what waits is still given out."""
        self._closed = True
        self._came.set()

    async def group(self, most: int) -> list[J]:
        """Wait for changes; return those of the next transaction: events up to `most` in all, a first change
        that has more by itself, or one piece of upkeep. Nothing once the lanes are closed and empty.
        """
        while True:
            now = self._clock()
            if self._is_upkeeps_turn(now):
                self._taken = (True, now)
                return [self._upkeep.take()]
            if self._first.waiting:
                self._others_s = now
                self._taken = (False, now)
                return self._together(most)
            if self._closed:
                return []
            self._came.clear()
            wait_s = max(0.0, self._upkeep_from_s - now) if self._upkeep.waiting else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._came.wait()

    def done(self) -> None:
        """Tell that the transaction of the last group has ended."""
        was_upkeep, since_s = self._taken
        now = self._clock()
        if was_upkeep and (self._first.waiting or now - self._others_s < LATELY_S):
            self._upkeep_from_s = now + (now - since_s)

    def _is_upkeeps_turn(self, now: float) -> bool:
        if not self._upkeep.waiting:
            return False
        if self._closed:
            return not self._first.waiting
        if now < self._upkeep_from_s:
            return False
        return not self._first.waiting or now - self._upkeep.waiting[0][0] >= PATIENCE_S

    def _together(self, most: int) -> list[J]:
        found = [self._first.take()]
        weight = found[0].weight
        while weight < most and self._first.waiting:
            found.append(self._first.take())
            weight += found[-1].weight
        return found
