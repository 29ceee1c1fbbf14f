"""Live followers of new events: each has a bounded queue, and is told how much it missed.

A slow reader costs a bounded amount of memory and nobody else anything: the oldest waiting event goes, and is
counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from seawall_control.domain.errors import TooManyStreams
from seawall_control.domain.events import Event
from seawall_control.domain.filters import Node
from seawall_control.domain.matching import Question, question

QUEUE: Final = 1000
FOLLOWERS: Final = 256

Tap: TypeAlias = Callable[[Sequence[Event]], None]


class Follower:
    """One reader of the live stream."""

    def __init__(self, wanted: Node) -> None:
        self.wanted = wanted
        self._waiting: deque[Event] = deque()
        self._missed = 0
        self._something = asyncio.Event()
        self._closed: Exception | None = None

    def offer(self, events: Sequence[Event]) -> int:
        """Queue events that it wants; return how many were dropped for them."""
        self._waiting.extend(events)
        self._something.set()
        dropped = max(0, len(self._waiting) - QUEUE)
        for _ in range(dropped):
            self._waiting.popleft()
        self._missed += dropped
        return dropped

    def close(self, error: Exception) -> None:
        """End the stream with an error once the queue is empty."""
        self._closed = error
        self._something.set()

    async def next(self) -> tuple[Event, int]:
        """Return the next event and how many were left out before it. Raise what closed the stream."""
        while not self._waiting:
            if self._closed is not None:
                raise self._closed
            self._something.clear()
            await self._something.wait()
        missed, self._missed = self._missed, 0
        return self._waiting.popleft(), missed


class Hub:
    """Hands new events to all followers."""

    def __init__(self) -> None:
        self._followers: dict[Node, set[Follower]] = {}
        """By what they want: readers of one view ask the same, and it is found out once for all of them."""
        self._questions: dict[Node, Question] = {}
        self._taps: list[Tap] = []
        self.skipped = 0
        self.published = asyncio.Event()
        """Set whenever something was stored; whoever waits for it clears it (services/feed.py)."""

    def __len__(self) -> int:
        return sum(map(len, self._followers.values()))

    def tap(self, tap: Tap) -> None:
        """Call `tap` with all new events, as they come. For parts of this process that must miss none; it
        returns at once and never raises.
        """
        self._taps.append(tap)

    def follow(self, wanted: Node) -> Follower:
        """Add a follower. Raise `TooManyStreams` over the bound."""
        if len(self) >= FOLLOWERS:
            raise TooManyStreams(f"{FOLLOWERS} readers follow events already; close one")
        follower = Follower(wanted)
        if wanted not in self._questions:
            self._questions[wanted] = question(wanted)
        self._followers.setdefault(wanted, set()).add(follower)
        return follower

    def leave(self, follower: Follower) -> None:
        """Remove a follower."""
        alike = self._followers.get(follower.wanted, set())
        alike.discard(follower)
        if not alike:
            self._followers.pop(follower.wanted, None)
            self._questions.pop(follower.wanted, None)

    def publish(self, events: Iterable[Event]) -> None:
        """Offer events to everybody; never waits."""
        self.published.set()
        events = tuple(events)
        for tap in self._taps:
            tap(events)
        for wanted, alike in self._followers.items():
            if chosen := list(filter(self._questions[wanted], events)):
                for follower in alike:
                    self.skipped += follower.offer(chosen)

    def close(self, error: Exception) -> None:
        """End all streams."""
        for alike in self._followers.values():
            for follower in alike:
                follower.close(error)
