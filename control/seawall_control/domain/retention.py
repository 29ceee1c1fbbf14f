"""How long things are kept. What is unresolved stays, whatever its age, unless the operator has muted it and
says so here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from seawall_control.domain.events import MICROS, Severity
from seawall_control.domain.rollups import KEPT_S, Width

DAY_S: Final = 86_400
BATCH: Final = 1000
"""Events deleted in one transaction, so that others get their turn."""
GROUP_HOURS_DAYS: Final = 14
"""Hours of groups that are kept; judging an escalation needs seven days of them."""
FOREVER_US: Final = 2**62


@dataclass(frozen=True, slots=True)
class Prune:
    """Which events go."""

    before_us: int
    """Those with a timestamp before this."""
    severity: Severity | None = None
    """None: of any."""
    muted: bool = False
    """Unresolved ones of archived groups, instead of resolved ones."""
    limit: int = BATCH
    """At most so many at once, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What the operator wants to keep. Days may be fractions; 0 is for ever."""

    days: float = 30.0
    """Resolved events."""
    severity_days: Mapping[Severity, float] = field(default_factory=dict)
    """Resolved events of these severities, instead of `days`."""
    muted_days: float = 0.0
    """Unresolved events of archived groups."""
    max_bytes: int = 0
    """Above this size of the store the oldest resolved events go, whatever their age; 0: no bound."""
    archive: bool = False
    """Whether resolved events go to archives when their days are over, once a day, instead of away."""
    rollup_s: Mapping[Width, int] = field(default_factory=lambda: dict(KEPT_S))
    """Seconds that counts are kept, by the length of their buckets."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How many events a store that was too large may have, what its size was when that was found out, and
    what it may be.
    """

    events: int
    size_bytes: int
    most_bytes: int


def fit(size_bytes: int, most_bytes: int, events: int, before: Fit | None) -> Fit | None:
    """Return how many of its events a store of this size may keep; None when it is not too large.

    Deleting events makes a file smaller and a database not: PostgreSQL fills what was freed before it grows.
    What was found out before therefore holds for as long as the size stays within a hundredth of what it was.
    """
    if size_bytes <= most_bytes:
        return None
    if before is not None and abs(size_bytes - before.size_bytes) * 100 <= before.size_bytes:
        return Fit(before.events * most_bytes // before.most_bytes, before.size_bytes, most_bytes)
    return Fit(events * most_bytes // size_bytes, size_bytes, most_bytes)


def over(keeping: Keeping, at_us: int) -> dict[Severity, int]:
    """Return the time before which resolved events of each severity are over; none for what is kept."""
    days = {severity: keeping.severity_days.get(severity, keeping.days) for severity in Severity}
    return {severity: at_us - int(some * DAY_S * MICROS) for severity, some in days.items() if some > 0}


def prunes(keeping: Keeping, at_us: int) -> Iterator[Prune]:
    """Yield what is to be deleted because of its age."""
    if not keeping.archive:
        for severity, before_us in over(keeping, at_us).items():
            yield Prune(before_us, severity)
    if keeping.muted_days > 0:
        yield Prune(at_us - int(keeping.muted_days * DAY_S * MICROS), muted=True)
