"""Health of the control plane and of what it knows of, by part and as a whole.

The rule about events comes from the requirements (row 0.21): degraded while a critical event is open, more
than 10 events are unresolved, or more than 20 came in the last 24 hours; both numbers are the operator's to
change. `degraded` means that people should look, not that traffic should go elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from seawall_control.domain.events import EventCounts, Severity


@dataclass(frozen=True, slots=True)
class EventLimits:
    """More events than this are for people to look at; 0: any number is well."""

    unresolved: int = 10
    recent_24h: int = 20


class Status(IntEnum):
    """The worse, the higher."""

    HEALTHY = 0
    DEGRADED = 1
    UNHEALTHY = 2

    @property
    def label(self) -> str:
        """Name as in answers."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Component:
    """Health of one part, and why."""

    name: str
    status: Status
    message: str


def of_events(counts: EventCounts, limits: EventLimits) -> Component:
    """Apply the rule about events."""
    reasons: list[str] = []
    critical = counts.unresolved_by_severity.get(Severity.CRITICAL, 0)
    if critical > 0:
        reasons.append(f"{critical} critical unresolved")
    if 0 < limits.unresolved < counts.unresolved:
        reasons.append(f"{counts.unresolved} unresolved, more than {limits.unresolved}")
    if 0 < limits.recent_24h < counts.recent_24h:
        reasons.append(f"{counts.recent_24h} in the last 24 h, more than {limits.recent_24h}")
    if reasons:
        return Component("events", Status.DEGRADED, "; ".join(reasons))
    return Component(
        "events", Status.HEALTHY, f"{counts.unresolved} unresolved, {counts.recent_24h} in the last 24 h"
    )


def of_fleet(*, known: int, connected: int, refusing: Sequence[str]) -> Component:
    """Degraded while a connected proxy refuses the newest policy."""
    if refusing:
        names = ", ".join(sorted(refusing)[:5]) + (" and others" if len(refusing) > 5 else "")
        return Component("proxies", Status.DEGRADED, f"{len(refusing)} refused the newest policy: {names}")
    return Component("proxies", Status.HEALTHY, f"{connected} of {known} known proxies connected")


def overall(components: Sequence[Component]) -> Status:
    """Return the worst."""
    return max((component.status for component in components), default=Status.HEALTHY)
