"""Readers that miss nothing: everything that is stored, in the order in which it was, from a position on.

One task reads what is new in the store and keeps the newest part in memory for everybody; a reader that is
further behind reads the store itself, at its own pace. So there is no queue for each reader, a slow one loses
nothing, and memory is bounded whatever their number. The store is the only source: what is announced
(services/tail.py) merely wakes the task up, and another control plane's events are found by looking again.

Where the store cannot say what came after a position, the reader is told so and goes on from now.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.errors import ControlError, PositionLost, TooManyStreams
from seawall_control.domain.events import Event
from seawall_control.domain.filters import Node, matches
from seawall_control.domain.positions import START, Position
from seawall_control.services.tail import Hub
from seawall_control.store.port import EventStore

READERS: Final = 256
RING: Final = 2000
"""Events kept for everybody."""
PAGE: Final = 500
LOOK_S: Final = 1.0
"""How often the store is looked at without being told of anything."""
GATHER_S: Final = 0.05
"""How long news is gathered, so that a burst is a few reads and not thousands."""

_log = logging.getLogger("seawall.control.feed")


@dataclass(frozen=True, slots=True)
class Step:
    """What a reader is given: where it stands now, and the events that it wants on the way there."""

    position: Position
    events: tuple[tuple[Position, Event], ...] = ()
    lost: PositionLost | None = None
    """Set when events may have been left out before this step."""


class Feed:
    """Hands what is stored to readers."""

    def __init__(self, store: EventStore, hub: Hub) -> None:
        self._store = store
        self._hub = hub
        self._ring: deque[tuple[Position, Event]] = deque()
        self._numbers: list[int] = []
        self._before = self._last = START
        self._readers = 0
        self._wanted = asyncio.Event()
        self._moved = asyncio.Event()
        self._closed: Exception | None = None

    def __len__(self) -> int:
        return self._readers

    # ---------------------------------------------------------------------------------------------- the task

    async def run(self) -> None:
        """Read what is new while somebody wants it. Ends by cancellation."""
        while True:
            await self._wanted.wait()
            try:
                self._start_at(await self._store.newest_position())
                while self._readers:
                    await self._look()
                self._wanted.clear()
            except ControlError as error:
                _log.warning("stored events cannot be read", extra={"fields": {"reason": str(error)}})
                await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        self._hub.published.clear()
        try:
            found = await self._store.stored_after(self._last, limit=PAGE)
        except PositionLost:
            self._start_at(await self._store.newest_position())
            return
        if found:
            self._extend(found)
        if len(found) == PAGE:
            return
        try:
            async with asyncio.timeout(LOOK_S):
                await self._hub.published.wait()
            await asyncio.sleep(GATHER_S)
        except TimeoutError:
            pass

    def _start_at(self, position: Position) -> None:
        self._ring.clear()
        self._numbers = []
        self._before = self._last = position
        self._move()

    def _extend(self, found: Sequence[tuple[Position, Event]]) -> None:
        self._ring.extend(found)
        while len(self._ring) > RING:
            self._before = self._ring.popleft()[0]
        self._numbers = [position.number for position, _ in self._ring]
        self._last = found[-1][0]
        self._move()

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    # ----------------------------------------------------------------------------------------------- readers

    def close(self, error: Exception) -> None:
        """End all readers with an error."""
        self._closed = error
        self._move()

    async def follow(self, wanted: Node, *, after: Position | None = None) -> AsyncGenerator[Step, None]:
        """Yield steps from a position on (None: from now), the first at once. Raise `TooManyStreams` over the
        bound, and what ended the feed.
        """
        if self._readers >= READERS:
            raise TooManyStreams(f"{READERS} readers follow stored events already; close one")
        self._readers += 1
        self._wanted.set()
        try:
            position = await self._store.newest_position() if after is None else after
            yield Step(position)
            while True:
                moved = self._moved
                if self._closed is not None:
                    raise self._closed
                found = self._kept_after(position)
                if found is None:
                    try:
                        found = await self._store.stored_after(position, limit=PAGE)
                    except PositionLost as lost:
                        position = await self._store.newest_position()
                        yield Step(position, lost=lost)
                        continue
                if found:
                    position = found[-1][0]
                    chosen = tuple((at, event) for at, event in found if matches(wanted, event))
                    yield Step(position, chosen)
                elif not moved.is_set():
                    await moved.wait()
        finally:
            self._readers -= 1

    def _kept_after(self, position: Position) -> Sequence[tuple[Position, Event]] | None:
        """Return what memory has after a position; None when it does not go back as far."""
        if position == self._last:
            return ()
        if position != self._before:
            at = bisect_right(self._numbers, position.number)
            if at == 0 or self._ring[at - 1][0] != position:
                return None
        else:
            at = 0
        return [self._ring[i] for i in range(at, min(at + PAGE, len(self._ring)))]
