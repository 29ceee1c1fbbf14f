"""The bounded ring between the data path and everything that is slow: records wait here until they are
turned into events.

Adding takes well under a microsecond and never fails. When the ring is full the new record is dropped and
counted: the old ones are what led there, and the count is exact. What was dropped gets sequence numbers
too (as a gap), so that produced = stored + declared gaps + still here holds at every moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from seawall_proxy.call.ports import (
    OUTCOME_OK,
    BreakerRecord,
    CallRecord,
    EjectionRecord,
    EventSink,
    RouteRecord,
)
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.events import Record, SystemRecord

CAPACITY: Final = 10_000
"""Records of the ring; at about 1 KiB each, 10 MB."""


class EventRecorder(EventSink):
    """Takes records and hands them out in batches; counts into `counters`."""

    def __init__(self, counters: ProxyCounters, capacity: int = CAPACITY) -> None:
        super().__init__()
        if capacity < 1:
            raise ValueError(f"event ring of {capacity} records: use 1 or more")
        self._counters: ProxyCounters = counters
        self._capacity: int = capacity
        self._ring: deque[Record] = deque()
        self._dropped: int = 0
        self._waiting: int = 0
        self._come: int = 0
        self._told: Callable[[int], None] | None = None

    def __len__(self) -> int:
        return len(self._ring)

    def __repr__(self) -> str:
        return f"EventRecorder({len(self._ring)} of {self._capacity} waiting, {self._dropped} dropped untold)"

    def call_ended(self, record: CallRecord) -> None:
        """Take a call that failed, was retried, rejected or degraded; a plain one leaves no event."""
        if record.outcome != OUTCOME_OK:
            self._add(record)

    def breaker_changed(self, record: BreakerRecord) -> None:
        """Take a transition."""
        self._add(record)

    def route_changed(self, record: RouteRecord) -> None:
        """Take the begin or the end of a route's degradation."""
        self._add(record)

    def endpoint_changed(self, record: EjectionRecord) -> None:
        """Take an ejection, or the end of one."""
        self._add(record)

    def system(self, record: SystemRecord) -> None:
        """Take what a part of the proxy says about itself."""
        self._add(record)

    def take(self, limit: int) -> list[Record]:
        """Remove and return at most `limit` records, oldest first."""
        ring = self._ring
        return [ring.popleft() for _ in range(min(limit, len(ring)))]

    def take_dropped(self) -> int:
        """Return how many records were dropped since the last time; whoever takes the count must declare
        it.
        """
        dropped = self._dropped
        self._dropped = 0
        return dropped

    def tell(self, told: Callable[[int], None] | None) -> None:
        """Have `told` called, now and with each record, with how many have come: at first those that wait to
        be settled.
        """
        self._told = told
        self._come = self._waiting
        if told is not None:
            told(self._come)

    def settled(self, count: int) -> None:
        """Note that so many records that were taken, or dropped, have their numbers or were counted."""
        self._waiting -= count

    def _add(self, record: Record) -> None:
        self._counters.events_produced += 1
        self._waiting += 1
        self._come += 1
        if self._told is not None:
            self._told(self._come)
        if len(self._ring) >= self._capacity:
            self._dropped += 1
            self._counters.events_dropped += 1
        else:
            self._ring.append(record)
