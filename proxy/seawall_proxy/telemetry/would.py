"""What the mechanisms of a route that are in shadow would have done, in one place for all of them.

Whatever has `mode: shadow` counts at its own place what it would have done; here it is gathered under the
names of the policy's settings, for the metric, the status page and the reports. Outliers belong to clusters
and are not here.
"""

from __future__ import annotations

from collections.abc import Iterator

from seawall_policy.fault import KIND_NAMES
from seawall_policy.shadow import KIND_NAMES as POLICY_KINDS
from seawall_proxy.telemetry.counters import RouteCounters

_RATE_LIMITED = "RATE_LIMITED"
_BROWNOUT = "BROWNOUT"


def would_of(counters: RouteCounters, breaker_rejects: int = 0) -> Iterator[tuple[str, str, int]]:
    """Yield mechanism, what it would have done, and how often; nothing that never happened.

    `breaker_rejects` is what the route's breakers let through and would have rejected.
    """
    for reason, count in sorted(counters.would_limit_by.items()):
        if reason == _RATE_LIMITED:
            yield "rate_limit", "refuse", count
        else:
            yield "limit", "brownout" if reason == _BROWNOUT else "refuse", count
    for mechanism, what, count in (
        ("deadline", "refuse", counters.would_be_hopeless),
        ("hedge", "send", counters.hedges_shadow),
        ("breaker", "reject", breaker_rejects),
    ):
        if count:
            yield mechanism, what, count
    for kind, count in sorted(counters.would_fall_back.items()):
        yield "fallback", kind, count
    for name, count in zip(KIND_NAMES, counters.faults.would, strict=True):
        if count:
            yield "fault", name, count
    for name, count in zip(POLICY_KINDS, counters.shadow.would, strict=True):
        if count:
            yield "shadow_policy", name, count


def would_by_name(counters: RouteCounters, breaker_rejects: int = 0) -> dict[str, int]:
    """Return the same by `mechanism/what`."""
    return {f"{mechanism}/{what}": count for mechanism, what, count in would_of(counters, breaker_rejects)}
