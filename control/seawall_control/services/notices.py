"""What has just happened, told inside the process to whoever watches: alert rules, healing, live views.

A notice is a hint, not a record: it is made after the change is durable, is not kept, and a watcher that is
slow loses the oldest ones and is told how many. Whoever must not miss anything reads the store at its start
and when `missed` is above 0.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from seawall_control.domain.events import Event, EventKind, Json, Severity
from seawall_control.domain.groups import Became, Change

QUEUE: Final = 1000
WATCHERS: Final = 64


class NoticeKind(StrEnum):
    """What a notice is about. The words are stable: rules of operators name them."""

    BREAKER_OPENED = "breaker_opened"
    BREAKER_CLOSED = "breaker_closed"
    ROUTE_DEGRADED = "route_degraded"
    ROUTE_RECOVERED = "route_recovered"
    POLICY_REJECTED = "policy_rejected"
    STORE_STATE = "store_state"
    GROUP_NEW = "group_new"
    GROUP_REGRESSED = "group_regressed"
    GROUP_ESCALATING = "group_escalating"
    GROUP_UNMUTED = "group_unmuted"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that has happened."""

    kind: NoticeKind
    at_us: int
    """When, in microseconds since the epoch, UTC; by the clock of whoever saw it."""
    subject: str
    """What it concerns: `route/NAME`, `proxy/NODE`, `store`, `group/ID`. Notices of one kind about one
    subject tell of the same thing again.
    """
    severity: Severity
    data: Mapping[str, Json] = field(default_factory=dict)
    """What else is known, as JSON; the keys of every kind are listed in docs/reference/events.md."""


Tap: TypeAlias = Callable[[Notice], None]


class Watcher:
    """One reader of notices, with a queue of its own."""

    def __init__(self, kinds: frozenset[NoticeKind]) -> None:
        self._kinds = kinds
        self._waiting: deque[Notice] = deque()
        self._something = asyncio.Event()
        self.missed = 0
        """Notices that were dropped since this watcher was too slow; set it back to 0 once it was noted."""

    def offer(self, notice: Notice) -> int:
        """Queue a notice if it is wanted; return how many were dropped for it."""
        if self._kinds and notice.kind not in self._kinds:
            return 0
        self._waiting.append(notice)
        self._something.set()
        if len(self._waiting) <= QUEUE:
            return 0
        self._waiting.popleft()
        self.missed += 1
        return 1

    async def next(self) -> Notice:
        """Return the next notice; wait for one."""
        while not self._waiting:
            self._something.clear()
            await self._something.wait()
        return self._waiting.popleft()


class Notices:
    """Hands notices to all watchers; never waits for one."""

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()
        self._taps: list[Tap] = []
        self.published = 0
        self.missed = 0
        """Notices that some watcher was too slow for."""

    def tap(self, tap: Tap) -> None:
        """Call `tap` with every notice, as it comes. For parts that keep their own queue; it returns at once
        and never raises.
        """
        self._taps.append(tap)

    def subscribe(self, kinds: Iterable[NoticeKind] = ()) -> Watcher:
        """Return a new watcher of these kinds, of all if none are named. Raise RuntimeError over the bound of
        64: watchers are parts of this program, and one that is made again and again is a bug.
        """
        if len(self._watchers) >= WATCHERS:
            raise RuntimeError(f"{WATCHERS} watchers of notices; unsubscribe those that have ended")
        watcher = Watcher(frozenset(kinds))
        self._watchers.add(watcher)
        return watcher

    def unsubscribe(self, watcher: Watcher) -> None:
        """Forget a watcher."""
        self._watchers.discard(watcher)

    def publish(self, notice: Notice) -> None:
        """Offer a notice to every watcher."""
        self.published += 1
        for tap in self._taps:
            tap(notice)
        for watcher in self._watchers:
            self.missed += watcher.offer(notice)


_OF_EVENTS: Final[Mapping[EventKind, NoticeKind]] = {
    EventKind.BREAKER_OPENED: NoticeKind.BREAKER_OPENED,
    EventKind.BREAKER_CLOSED: NoticeKind.BREAKER_CLOSED,
    EventKind.ROUTE_DEGRADED: NoticeKind.ROUTE_DEGRADED,
    EventKind.ROUTE_RECOVERED: NoticeKind.ROUTE_RECOVERED,
    EventKind.POLICY_REJECTED: NoticeKind.POLICY_REJECTED,
}


def of_event(event: Event) -> Notice | None:
    """Return the notice that an event makes; None for an event that changes nobody's state."""
    kind = _OF_EVENTS.get(event.kind)
    if kind is None:
        return None
    data: dict[str, Json] = {
        "event": event.id,
        "message": event.message,
        "route": event.route,
        "proxy": event.proxy,
        "reason": event.reason,
        "policy_revision": event.policy_revision,
    }
    if event.details is not None and isinstance(breaker := event.details.get("breaker"), str):
        data["breaker"] = breaker
    return Notice(kind, event.timestamp_us, event.component, event.severity, data)


_OF_CHANGES: Final[Mapping[Became, NoticeKind]] = {
    Became.NEW: NoticeKind.GROUP_NEW,
    Became.REGRESSED: NoticeKind.GROUP_REGRESSED,
    Became.ESCALATING: NoticeKind.GROUP_ESCALATING,
    Became.UNMUTED: NoticeKind.GROUP_UNMUTED,
}


def of_change(change: Change, at_us: int) -> Notice:
    """Return the notice that a change of a group makes."""
    group = change.group
    data: dict[str, Json] = {
        "group": group.id,
        "state": group.state.name,
        "kind": group.kind.name,
        "component": group.component,
        "route": group.route,
        "method": group.method,
        "code": group.code,
        "category": group.category.name,
        "error_type": group.error_type,
        "reason": group.reason,
        "message": group.message,
        "assignee": group.assignee,
        "events": group.events,
    }
    if change.became is Became.ESCALATING:
        data |= {"hour_events": change.events, "hour_limit": change.limit}
    return Notice(_OF_CHANGES[change.became], at_us, f"group/{group.id}", group.severity, data)
