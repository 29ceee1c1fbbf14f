"""The numbers that decide what is unusual."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite
from typing import Final


@dataclass(frozen=True, slots=True)
class Settings:
    """Thresholds of the detectors. The first three are those of the built-in alert rules, too."""

    error_rate: float = 0.15
    """`high_rate`: share of a route's calls that failed by the server's fault, 0 to 1."""
    specific_error_count: float = 20.0
    """`frequent_error`: events of one route and code in the window."""
    recovery_failure_rate: float = 0.25
    """`recovery_failures`: share of calls that were tried again and failed all the same, 0 to 1."""
    critical_count: float = 1.0
    """`critical`: events with severity CRITICAL in the window."""
    spike_deviations: float = 6.0
    """`spike`: deviations above the median of the buckets before, the newest full bucket."""
    burst_factor: float = 10.0
    """`burst`: times the mean of the window, any bucket."""
    burst_events: float = 20.0
    """`spike` and `burst`: fewer events in a bucket are none."""
    period_correlation: float = 0.6
    """`periodic`: correlation of the counts with themselves one period later, 0 to 1."""
    change_factor: float = 3.0
    """`policy_change`: times as many events after a revision as in the same time before it."""
    min_calls: float = 20.0
    """`high_rate`, `recovery_failures`: fewer calls say nothing."""


_SHARES: Final = frozenset({"error_rate", "recovery_failure_rate", "period_correlation"})


def problems(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return every number that cannot be used, and why."""
    found: list[tuple[str, str]] = []
    for field in fields(settings):
        value = float(getattr(settings, field.name))
        most = 1.0 if field.name in _SHARES else 1e9
        if not (isfinite(value) and 0 < value <= most):
            found.append((field.name, f"must be above 0 and at most {most:.12g}, not {value:.12g}"))
    return tuple(found)
