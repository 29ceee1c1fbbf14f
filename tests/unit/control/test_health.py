"""The rule about health."""

from __future__ import annotations

import pytest

from seawall_control.domain.events import EventCounts, Severity
from seawall_control.domain.health import Component, EventLimits, Status, of_events, of_fleet, overall


def counts(*, unresolved: int = 0, recent: int = 0, critical: int = 0) -> EventCounts:
    """Return counts."""
    return EventCounts(100, unresolved, recent, {}, {Severity.CRITICAL: critical})


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (counts(), Status.HEALTHY),
        (counts(unresolved=10, recent=20), Status.HEALTHY),
        (counts(unresolved=11), Status.DEGRADED),
        (counts(recent=21), Status.DEGRADED),
        (counts(unresolved=1, critical=1), Status.DEGRADED),
    ],
)
def test_events_degrade_over_the_limits(given: EventCounts, status: Status) -> None:
    """A critical event open, over 10 unresolved, or over 20 in 24 h: degraded, otherwise healthy."""
    assert of_events(given, EventLimits()).status is status


@pytest.mark.parametrize(
    ("limits", "status", "message"),
    [
        (EventLimits(500, 5000), Status.HEALTHY, "100 unresolved, 1000 in the last 24 h"),
        (EventLimits(99, 5000), Status.DEGRADED, "100 unresolved, more than 99"),
        (EventLimits(500, 999), Status.DEGRADED, "1000 in the last 24 h, more than 999"),
        (EventLimits(0, 0), Status.HEALTHY, "100 unresolved, 1000 in the last 24 h"),
    ],
)
def test_the_limits_are_the_operator_s(limits: EventLimits, status: Status, message: str) -> None:
    """What is much for one fleet is a quiet day for another; 0 asks about no number. Critical ones count."""
    found = of_events(counts(unresolved=100, recent=1000), limits)
    assert (found.status, found.message) == (status, message)
    assert of_events(counts(unresolved=1, critical=1), limits).status is Status.DEGRADED


def test_every_reason_is_said() -> None:
    """The message has all reasons with their numbers."""
    message = of_events(counts(unresolved=11, recent=21, critical=2), EventLimits()).message
    assert all(part in message for part in ("2 critical", "11 unresolved", "21 in the last 24 h"))


def test_refusing_proxies_degrade() -> None:
    """A connected proxy that refused the newest policy degrades; proxies that are away do not."""
    assert of_fleet(known=3, connected=1, refusing=[]).status is Status.HEALTHY
    assert of_fleet(known=3, connected=3, refusing=[f"p{i}" for i in range(7)]).message.endswith("and others")


def test_whole_is_as_bad_as_the_worst_part() -> None:
    """Health as a whole is that of the worst part."""
    parts = [
        Component("a", Status.HEALTHY, ""),
        Component("b", Status.UNHEALTHY, ""),
        Component("c", Status.DEGRADED, ""),
    ]
    assert overall(parts) is Status.UNHEALTHY
    assert overall([]) is Status.HEALTHY
