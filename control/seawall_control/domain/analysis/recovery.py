"""What went wrong in a window, what it recovered by, and how long that took.

Calls are counted by their events, which are exact whatever a flood leaves unstored. What lasts (a breaker
that is open, an endpoint that is left out, a route that is degraded, a case of healing) is told from the
events of its begin and its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from seawall_control.domain.events import MICROS, Event, EventKind


class Mechanism(StrEnum):
    """What something recovers by. The words are stable."""

    RETRY = "retry"
    """A call that succeeded after a failed attempt."""
    FALLBACK = "fallback"
    """A call that a fallback answered."""
    BREAKER = "breaker"
    """A breaker that opened, and closed again."""
    EJECTION = "ejection"
    """An endpoint that was left out as an outlier, and came back."""
    DEGRADATION = "degradation"
    """A route that lived on fallbacks, and needs them no more."""
    HEALING = "healing"
    """A case of a runbook that acted, and helped."""


BEGINS: Final[Mapping[EventKind, Mechanism]] = {
    EventKind.BREAKER_OPENED: Mechanism.BREAKER,
    EventKind.ENDPOINT_EJECTED: Mechanism.EJECTION,
    EventKind.ROUTE_DEGRADED: Mechanism.DEGRADATION,
}
ENDS: Final[Mapping[EventKind, Mechanism]] = {
    EventKind.BREAKER_CLOSED: Mechanism.BREAKER,
    EventKind.ENDPOINT_RETURNED: Mechanism.EJECTION,
    EventKind.ROUTE_RECOVERED: Mechanism.DEGRADATION,
}


@dataclass(slots=True)
class Recovered:
    """What one mechanism did."""

    troubled: int = 0
    """Calls, or episodes, that it was about."""
    recovered: int = 0
    """Of them, those that came out of it in the window."""
    open: int = 0
    """Episodes that are not over."""
    lengths_s: list[float] = field(default_factory=list)
    """How long those took whose begin and end are known, in any order."""

    @property
    def median_s(self) -> float | None:
        """Half took at most so long; None when none is known."""
        return quantile(self.lengths_s, 0.5)

    @property
    def longest_s(self) -> float | None:
        """None when none is known."""
        return max(self.lengths_s, default=None)


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value that a share (0 to 1) of the values is at most, by nearest rank; None without any."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def episodes(events: Iterable[Event]) -> dict[Mechanism, Recovered]:
    """Pair begins and ends, oldest first. A second begin of what has begun (a breaker whose probes failed)
    goes on with the same episode; an end without a begin is of an episode that began before.
    """
    found = {mechanism: Recovered() for mechanism in (*BEGINS.values(),)}
    begun: dict[tuple[str, ...], int] = {}
    for event in events:
        mechanism = BEGINS.get(event.kind) or ENDS.get(event.kind)
        if mechanism is None:
            continue
        one = found[mechanism]
        key = (mechanism, event.proxy, event.component, event.route, event.method, event.endpoint)
        if event.kind in BEGINS:
            if key not in begun:
                begun[key] = event.timestamp_us
                one.troubled += 1
                one.open += 1
            continue
        since = begun.pop(key, None)
        one.recovered += 1
        if since is None:
            one.troubled += 1
        else:
            one.open -= 1
            one.lengths_s.append((event.timestamp_us - since) / MICROS)
    return found


@dataclass(slots=True)
class RouteRecovery:
    """What became of the calls of a route that got into trouble."""

    route: str
    failed: int = 0
    rejected: int = 0
    by_retry: int = 0
    by_fallback: int = 0

    @property
    def recovered(self) -> int:
        """Calls that came out of trouble."""
        return self.by_retry + self.by_fallback

    @property
    def troubled(self) -> int:
        """All of them."""
        return self.recovered + self.failed + self.rejected

    @property
    def share(self) -> float | None:
        """Share that came out of it, 0 to 1; None when none was in trouble."""
        return self.recovered / self.troubled if self.troubled else None


_COUNTED: Final[Mapping[EventKind, str]] = {
    EventKind.CALL_FAILED: "failed",
    EventKind.CALL_REJECTED: "rejected",
    EventKind.CALL_RECOVERED: "by_retry",
    EventKind.CALL_DEGRADED: "by_fallback",
}


def by_route(counts: Iterable[tuple[str, int, int]]) -> list[RouteRecovery]:
    """Return what became of each route's calls, the most troubled first, from (route, kind, events)."""
    found: dict[str, RouteRecovery] = {}
    for route, kind, events in counts:
        name = _COUNTED.get(EventKind(kind))
        if name is not None:
            one = found.setdefault(route, RouteRecovery(route))
            setattr(one, name, getattr(one, name) + events)
    return sorted(found.values(), key=lambda one: (-one.troubled, one.route))


def total_of(routes: Iterable[RouteRecovery]) -> RouteRecovery:
    """Return the sum."""
    total = RouteRecovery("")
    for one in routes:
        total.failed += one.failed
        total.rejected += one.rejected
        total.by_retry += one.by_retry
        total.by_fallback += one.by_fallback
    return total
