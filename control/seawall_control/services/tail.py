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
from seawall_control.domain.filters import Node, matches

QUEUE: Final = 1000
FOLLOWERS: Final = 256

Tap: TypeAlias = Callable[[Sequence[Event]], None]


class Follower:
    """One reader of the live stream."""

    def __init__(self, wanted: Node) -> None:
        self._wanted = wanted
        self._waiting: deque[Event] = deque()
        self._missed = 0
        self._something = asyncio.Event()
        self._closed: Exception | None = None

    def offer(self, event: Event) -> int:
        """Queue an event if it is wanted; return how many were dropped for it."""
        if not matches(self._wanted, event):
            return 0
        self._waiting.append(event)
        self._something.set()
        if len(self._waiting) <= QUEUE:
            return 0
        self._waiting.popleft()
        self._missed += 1
        return 1

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
        self._followers: set[Follower] = set()
        self._taps: list[Tap] = []
        self.skipped = 0
        self.published = asyncio.Event()
        """Set whenever something was stored; whoever waits for it clears it (services/feed.py)."""

    def __len__(self) -> int:
        return len(self._followers)

    def tap(self, tap: Tap) -> None:
        """Call `tap` with all new events, as they come. For parts of this process that must miss none; it
        returns at once and never raises.
        """
        self._taps.append(tap)

    def follow(self, wanted: Node) -> Follower:
        """Add a follower. Raise `TooManyStreams` over the bound."""
        if len(self._followers) >= FOLLOWERS:
            raise TooManyStreams(f"{FOLLOWERS} readers follow events already; close one")
        follower = Follower(wanted)
        self._followers.add(follower)
        return follower

    def leave(self, follower: Follower) -> None:
        """Remove a follower."""
        self._followers.discard(follower)

    def publish(self, events: Iterable[Event]) -> None:
        """Offer events to everybody; never waits."""
        self.published.set()
        if self._taps:
            events = tuple(events)
            for tap in self._taps:
                tap(events)
        if not self._followers:
            return
        for event in events:
            for follower in self._followers:
                self.skipped += follower.offer(event)

    def close(self, error: Exception) -> None:
        """End all streams."""
        for follower in self._followers:
            follower.close(error)
