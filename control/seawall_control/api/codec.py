"""Messages of `seawall.v1` to values of the domain and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, TypeVar, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from seawall.v1 import admin_fleet_pb2, admin_policies_pb2, event_pb2, policy_pb2
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.events import (
    MICROS,
    AttemptSummary,
    Category,
    Event,
    EventKind,
    Json,
    Outcome,
    Severity,
)
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.domain.revisions import Revision
from seawall_control.services.event_intake import Reported
from seawall_policy.compile.report import Violation

_MAX_INT: Final = 2**62
NOT_RETRIED: Final = "not_retried"
"""Where `ErrorEvent.not_retried` is kept."""
_MAX_NESTING: Final = 64

Number = TypeVar("Number", Category, EventKind, Outcome)
Wire = TypeVar("Wire")


def enum(kind: type[Wire], number: int) -> Wire:
    """Return a number as the enumeration that the stubs ask for; at run time both are plain integers."""
    return cast("Wire", int(number))


def time_us(stamp: Timestamp) -> int:
    """Return microseconds since the epoch; 0 for an unset or impossible time."""
    micros = stamp.seconds * MICROS + stamp.nanos // 1000
    return micros if 0 < micros < _MAX_INT else 0


def timestamp(micros: int) -> Timestamp:
    """Return a message for microseconds since the epoch."""
    return Timestamp(seconds=micros // MICROS, nanos=micros % MICROS * 1000)


def duration_us(duration: Duration) -> int:
    """Return microseconds, within 64 bits."""
    return max(-_MAX_INT, min(duration.seconds * MICROS + duration.nanos // 1000, _MAX_INT))


def duration(micros: int) -> Duration:
    """Return a message for microseconds."""
    return Duration(seconds=micros // MICROS, nanos=micros % MICROS * 1000)


def seconds(length_s: float) -> Duration:
    """Return a message for seconds."""
    return duration(int(length_s * MICROS))


def json_of(value: Value, depth: int = 0) -> Json:
    """Return a JSON value; what is nested too deep is cut here, before recursion becomes a way to harm us."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "number_value":
        number = value.number_value
        return (
            int(number) if math.isfinite(number) and number.is_integer() and abs(number) < 2**53 else number
        )
    if depth >= _MAX_NESTING:
        return "…[cut]"
    if kind == "struct_value":
        return {key: json_of(item, depth + 1) for key, item in value.struct_value.fields.items()}
    if kind == "list_value":
        return [json_of(item, depth + 1) for item in value.list_value.values]
    return None


def details_of(struct: Struct) -> Mapping[str, Json]:
    """Return the object of a Struct."""
    return {key: json_of(item) for key, item in struct.fields.items()}


def _known(kind: type[Number], number: int) -> Number:
    try:
        return kind(number)
    except ValueError:
        return kind(0)


def event_of(message: event_pb2.ErrorEvent) -> Reported:
    """Decode an event. Enumeration values of a newer version become unspecified; a wrong severity is told
    apart.
    """
    number = int(message.severity)
    return Reported(
        Event(
            id=message.id.lower(),
            # A time before 1970 is a mistake, which is said; none at all may mean "now".
            timestamp_us=time_us(message.timestamp) or (-1 if message.HasField("timestamp") else 0),
            severity=Severity(number) if 1 <= number <= 4 else Severity.LOW,
            component=message.component,
            error_type=message.error_type,
            message=message.message,
            details=_details_with(message),
            job_id=message.job_id,
            job_name=message.job_name,
            stack_trace=message.stack_trace,
            resolved=message.resolved,
            resolved_at_us=time_us(message.resolved_at),
            kind=_known(EventKind, int(message.kind)),
            route=message.route,
            method=message.method,
            code=message.code,
            category=_known(Category, int(message.category)),
            attempts=tuple(
                AttemptSummary(
                    number=attempt.number,
                    endpoint=attempt.endpoint,
                    code=attempt.code,
                    latency_us=duration_us(attempt.latency),
                    reason=attempt.reason,
                )
                for attempt in message.attempts
            ),
            endpoint=message.endpoint,
            latency_us=duration_us(message.latency),
            outcome=_known(Outcome, int(message.outcome)),
            reason=message.reason,
            trace_id=message.trace_id,
            fingerprint=message.fingerprint,
            policy_revision=min(message.policy_revision, _MAX_INT),
            proxy=message.proxy,
            resolution=message.resolution,
        ),
        number,
    )


def _details_with(message: event_pb2.ErrorEvent) -> Mapping[str, Json] | None:
    """Return the details, with what is kept among them and has a field of its own."""
    details = details_of(message.details) if message.HasField("details") else None
    if not message.not_retried:
        return details
    return {**(details or {}), NOT_RETRIED: message.not_retried}


def _struct(details: Mapping[str, Json]) -> Struct:
    struct = Struct()
    struct.update(details)
    return struct


def event_message(event: Event) -> event_pb2.ErrorEvent:
    """Encode an event."""
    message = event_pb2.ErrorEvent(
        id=event.id,
        timestamp=timestamp(event.timestamp_us),
        severity=enum(event_pb2.Severity, event.severity),
        component=event.component,
        error_type=event.error_type,
        message=event.message,
        job_id=event.job_id,
        job_name=event.job_name,
        stack_trace=event.stack_trace,
        resolved=event.resolved,
        kind=enum(event_pb2.EventKind, event.kind),
        route=event.route,
        method=event.method,
        code=event.code,
        category=enum(policy_pb2.Category, event.category),
        endpoint=event.endpoint,
        outcome=enum(event_pb2.Outcome, event.outcome),
        reason=event.reason,
        trace_id=event.trace_id,
        fingerprint=event.fingerprint,
        policy_revision=event.policy_revision,
        proxy=event.proxy,
        resolution=event.resolution,
    )
    if event.details is not None:
        message.details.CopyFrom(_struct(event.details))
        message.not_retried = str(event.details.get(NOT_RETRIED) or "")
    if event.resolved_at_us:
        message.resolved_at.CopyFrom(timestamp(event.resolved_at_us))
    if event.latency_us:
        message.latency.CopyFrom(duration(event.latency_us))
    for attempt in event.attempts:
        message.attempts.add(
            number=attempt.number,
            endpoint=attempt.endpoint,
            code=attempt.code,
            latency=duration(attempt.latency_us),
            reason=attempt.reason,
        )
    return message


def revision_message(
    revision: Revision,
    document: policy_pb2.PolicyDocument | None = None,
    own: policy_pb2.PolicyDocument | None = None,
) -> admin_policies_pb2.Revision:
    """Encode a revision, with its documents if given."""
    return admin_policies_pb2.Revision(
        name=revision.name,
        revision=revision.revision,
        policy_set=revision.policy_set,
        hash=revision.hash,
        document=document,
        author=revision.author,
        message=revision.message,
        create_time=timestamp(revision.create_time_us),
        rollback_of=revision.rollback_of,
        base=revision.base,
        base_revision=revision.base_revision,
        own_document=own,
    )


def violation_message(violation: Violation) -> admin_policies_pb2.Violation:
    """Encode a violation."""
    return admin_policies_pb2.Violation(
        field=violation.field, message=violation.message, code=violation.code, warning=violation.warning
    )


def optional_time(micros: int) -> Timestamp | None:
    """Return a message, or None for a time that is not known."""
    return timestamp(micros) if micros > 0 else None


def proxy_message(record: ProxyRecord, *, connected: bool, drifted: bool) -> admin_fleet_pb2.Proxy:
    """Encode what is remembered of a proxy."""
    return admin_fleet_pb2.Proxy(
        node=record.node,
        labels=dict(record.labels),
        version=record.version,
        connected=connected,
        last_seen=optional_time(record.last_seen_us),
        start_time=optional_time(record.start_time_us),
        policy_set=record.policy_set,
        applied_revision=record.applied_revision,
        policy_source=record.policy_source,
        admin_address=record.admin_address,
        drifted=drifted,
    )


def checked_seconds(length: Duration, *, name: str, default_s: float, low_s: float, high_s: float) -> float:
    """Return a length in seconds, the default for an unset one. Raise `InvalidRequest` out of range."""
    found = duration_us(length) / MICROS
    if found == 0:
        return default_s
    if not low_s <= found <= high_s:
        raise InvalidRequest(f"{name} is {found:.12g} s; allowed are {low_s:.12g} s to {high_s:.12g} s")
    return found
