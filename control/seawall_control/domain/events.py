"""The error event as a value, and the small vocabularies around it. Numbers are those of `seawall.v1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from seawall_control.domain.values import quickly_made

Json: TypeAlias = "bool | float | int | str | Sequence[Json] | Mapping[str, Json] | None"

MICROS: Final = 1_000_000
"""Microseconds in a second; wall times are whole microseconds since the Unix epoch, UTC."""


class Severity(IntEnum):
    """How bad an event is."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class EventKind(IntEnum):
    """What an event is about."""

    UNSPECIFIED = 0
    CALL_FAILED = 1
    CALL_RECOVERED = 2
    CALL_REJECTED = 3
    CALL_DEGRADED = 4
    BREAKER_OPENED = 5
    BREAKER_HALF_OPENED = 6
    BREAKER_CLOSED = 7
    POLICY_REJECTED = 8
    APPLICATION = 9
    SYSTEM = 10
    ENDPOINT_EJECTED = 11
    ENDPOINT_RETURNED = 12
    ROUTE_DEGRADED = 13
    ROUTE_RECOVERED = 14


class Outcome(IntEnum):
    """How a call ended for its caller."""

    UNSPECIFIED = 0
    OK = 1
    RETRIED = 2
    FALLBACK = 3
    REJECTED = 4
    FAILED = 5
    CANCELLED = 6


class Category(IntEnum):
    """What kind of failure it was."""

    UNSPECIFIED = 0
    TRANSIENT = 1
    RESOURCE = 2
    VALIDATION = 3
    PERMANENT = 4
    UNKNOWN = 5


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSummary:
    """One try of a call."""

    number: int
    endpoint: str = ""
    code: str = ""
    latency_us: int = 0
    reason: str = ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An error event. Text fields are empty and `resolved_at_us` is 0 when not known."""

    id: str
    timestamp_us: int
    severity: Severity
    component: str
    error_type: str = ""
    message: str = ""
    details: Mapping[str, Json] | None = None
    job_id: str = ""
    job_name: str = ""
    stack_trace: str = ""
    resolved: bool = False
    resolved_at_us: int = 0
    kind: EventKind = EventKind.UNSPECIFIED
    route: str = ""
    method: str = ""
    code: str = ""
    category: Category = Category.UNSPECIFIED
    attempts: tuple[AttemptSummary, ...] = ()
    endpoint: str = ""
    latency_us: int = 0
    outcome: Outcome = Outcome.UNSPECIFIED
    reason: str = ""
    trace_id: str = ""
    fingerprint: str = ""
    policy_revision: int = 0
    proxy: str = ""
    resolution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventChange:
    """What an operator changes on an event; None leaves a field as it is."""

    severity: Severity | None = None
    job_id: str | None = None
    job_name: str | None = None
    details: Mapping[str, Json] | None = None
    clear_details: bool = False
    resolved: bool | None = None
    resolution: str | None = None


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Counts of the record."""

    total: int
    unresolved: int
    recent_24h: int
    by_severity: Mapping[Severity, int]
    unresolved_by_severity: Mapping[Severity, int]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that can never be stored, and why."""

    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers that a spool dropped and will never send."""

    from_seq: int
    to_seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Part of a spool: accepted events, refused ones and declared gaps, from one proxy."""

    proxy: str
    spool_id: str
    events: tuple[tuple[int, Event], ...] = ()
    refusals: tuple[Refusal, ...] = ()
    gaps: tuple[Gap, ...] = ()
    starts_stream: bool = False
    """The first batch of this spool on its stream: the proxy has no number below `oldest_seq`."""
    oldest_seq: int = 0
    """Lowest number that the proxy can still send; 0 is the first one of the batch."""
    next_seq: int = 0
    """Of a batch that is empty: the number that the proxy gives out next. 0 where it does not say."""
