"""Live readers of what happens to alerts. Each has a bounded queue and is told how much it missed."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.alerts.lifecycle import Alert, Phase
from seawall_control.domain.errors import TooManyStreams

QUEUE: Final = 1000
READERS: Final = 256


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to an alert."""

    what: str
    """`pending`, `firing`, `repeated`, `resolved`, `acknowledged` or `quiet`."""
    alert: Alert


class Reader:
    """One reader."""

    def __init__(self) -> None:
        self._waiting: deque[Happening] = deque()
        self._something = asyncio.Event()
        self._missed = 0
        self._closed: Exception | None = None

    def offer(self, happening: Happening) -> None:
        """Queue it; the oldest goes when there are too many."""
        self._waiting.append(happening)
        if len(self._waiting) > QUEUE:
            self._waiting.popleft()
            self._missed += 1
        self._something.set()

    def close(self, error: Exception) -> None:
        """End with an error once the queue is empty."""
        self._closed = error
        self._something.set()

    async def next(self) -> tuple[Happening, int]:
        """Return the next one and how many were left out before it. Raise what closed the feed."""
        while not self._waiting:
            if self._closed is not None:
                raise self._closed
            self._something.clear()
            await self._something.wait()
        missed, self._missed = self._missed, 0
        return self._waiting.popleft(), missed


class Feed:
    """Hands happenings to all readers; never waits."""

    def __init__(self) -> None:
        self._readers: set[Reader] = set()

    def join(self) -> Reader:
        """Add a reader. Raise `TooManyStreams` over the bound."""
        if len(self._readers) >= READERS:
            raise TooManyStreams(f"{READERS} readers follow alerts already; close one")
        reader = Reader()
        self._readers.add(reader)
        return reader

    def leave(self, reader: Reader) -> None:
        """Remove a reader."""
        self._readers.discard(reader)

    def publish(self, happening: Happening) -> None:
        """Offer a happening to everybody."""
        for reader in self._readers:
            reader.offer(happening)

    def close(self, error: Exception) -> None:
        """End all streams."""
        for reader in self._readers:
            reader.close(error)


def what_happened(alert: Alert, at_us: int) -> str:
    """Return the word for what a tick at this time made of an alert."""
    if alert.phase is Phase.FIRING:
        return "firing" if alert.fired_us == at_us else "quiet" if alert.quiet_by else "told"
    return alert.phase.value


def difference(before: Alert | None, alert: Alert) -> str:
    """Return the word for what became of an alert between two looks at it."""
    if before is None or before.phase is not alert.phase:
        return alert.phase.value
    if before.acknowledged_us != alert.acknowledged_us:
        return "acknowledged"
    if before.notifications != alert.notifications:
        return "repeated" if before.told else "told"
    return "quiet" if alert.quiet_by else "told"
