"""What the engine is told besides events: calls of routes, and how the fleet, the disk, the queues and the
store are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

FAILURE_CODES: Final = frozenset({2, 4, 8, 12, 13, 14, 15})
"""UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS: what
OpenTelemetry's conventions count as a server's error, and refusals for want of room. The other codes tell a
caller that the request was wrong, and no server is better for being woken up by them.
"""


@dataclass(frozen=True, slots=True)
class ProxyFact:
    """One proxy, as far as its absence matters."""

    node: str
    connected: bool
    last_seen_us: int
    events_dropped: int = 0
    """Since its start."""
    boot_id: str = ""
    spooled: int = 0
    """Events that wait on its disk, as of its newest report."""
    spool_age_s: float = 0.0
    """For how long the oldest of them has."""


@dataclass(frozen=True, slots=True)
class BreakerFact:
    """A breaker as its proxy reports it."""

    name: str
    route: str
    proxy: str
    is_open: bool
    at_us: int
    """When the proxy reported it."""


@dataclass(frozen=True, slots=True)
class GroupNotice:
    """Something happened to a group of events."""

    state: str
    """`new`, `regressed` or `escalating`."""
    fingerprint: str
    component: str = ""
    error_type: str = ""
    route: str = ""
    method: str = ""
    code: str = ""
    severity: int = 0
    event_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How things are now."""

    proxies: tuple[ProxyFact, ...] = ()
    breakers: tuple[BreakerFact, ...] = ()
    disk_used: float = -1.0
    """Share of the disk that is used; below 0 when it is not known."""
    queues: Mapping[str, int] = field(default_factory=dict)
    """By the words of `rules.SUBJECTS_OF`."""
    store_state: str = "ok"
    store_detail: str = ""


def failures_of(by_code: tuple[int, ...]) -> tuple[int, int]:
    """Return failed and all calls of counts by status code."""
    return sum(by_code[code] for code in FAILURE_CODES if code < len(by_code)), sum(by_code)
