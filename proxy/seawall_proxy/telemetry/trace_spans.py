"""The spans of a finished call, built from its record after the fact, in the exporter's thread.

A SERVER span for the call as its caller saw it; a CLIENT span for the logical call to the upstream; and,
when there was more than one attempt, a span for each. With one attempt the CLIENT span is the one that
the server saw as its parent, with more the attempts are. Errors that a retry or a fallback covered stay
with the attempt (OpenTelemetry: handled errors are not recorded on the span of the operation). On the
SERVER side only the six codes that blame the server are errors.

Sources: OpenTelemetry semantic conventions for RPC and gRPC; gRFC A72 (attempt spans and their attribute
keys).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from seawall_policy import status
from seawall_proxy.call.ports import (
    OUTCOME_FALLBACK,
    OUTCOME_NAMES,
    OUTCOME_RETRIED,
    AttemptRecord,
    CallRecord,
    CallTrace,
)
from seawall_proxy.telemetry import names
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.redact import clip, redact_text

MAX_METHOD_BYTES: Final = 256

SERVER_ERRORS: Final = status.code_mask(
    (
        status.UNKNOWN,
        status.DEADLINE_EXCEEDED,
        status.UNIMPLEMENTED,
        status.INTERNAL,
        status.UNAVAILABLE,
        status.DATA_LOSS,
    )
)

_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_UNSET: Final = Status(StatusCode.UNSET)

Attributes = dict[str, str | int | bool]


class SpanBuilder:
    """Builds spans; `new_span_id` gives 16 random hexadecimal digits."""

    def __init__(self, resource: Resource, version: str, new_span_id: Callable[[], bytes]) -> None:
        self._resource: Resource = resource
        self._scope: InstrumentationScope = InstrumentationScope(names.SCOPE, version)
        self._new_span_id: Callable[[], bytes] = new_span_id

    def build(self, trace: CallTrace, record: CallRecord, clock: ClockAnchor) -> list[ReadableSpan]:
        """Return the spans of a call, parents first."""
        state = _trace_state(trace.trace_state)
        trace_id = int(trace.trace_id, 16)

        def context(span_id: bytes, *, remote: bool = False) -> SpanContext:
            return SpanContext(trace_id, int(span_id, 16), remote, _SAMPLED, state)

        method = clip(record.path.decode("utf-8", "replace").removeprefix("/"), MAX_METHOD_BYTES)
        server = context(self._new_span_id())
        spans = [
            self._span(
                method,
                SpanKind.SERVER,
                server,
                context(trace.parent_id, remote=True) if trace.parent_id else None,
                (clock.wall_ns(record.started_s), clock.wall_ns(record.started_s + record.duration_s)),
                _server_attributes(record, method),
                _status(record.code, record, SERVER_ERRORS),
            )
        ]
        attempts = record.attempts
        if not attempts:
            return spans
        several = len(attempts) > 1
        first = attempts[0]
        client = context(self._new_span_id() if several else first.span_id or self._new_span_id())
        last = attempts[-1]
        spans.append(
            self._span(
                method,
                SpanKind.CLIENT,
                client,
                server,
                (clock.wall_ns(first.started_s), clock.wall_ns(last.started_s + last.duration_s)),
                _client_attributes(record, method),
                _status(record.code, record, ~1),
            )
        )
        if several:
            spans.extend(
                self._span(
                    f"Attempt.{method}",
                    SpanKind.CLIENT,
                    context(attempt.span_id or self._new_span_id()),
                    client,
                    (clock.wall_ns(attempt.started_s), clock.wall_ns(attempt.started_s + attempt.duration_s)),
                    _attempt_attributes(attempt, method),
                    _UNSET if attempt.code == status.OK else Status(StatusCode.ERROR, attempt.reason or None),
                )
                for attempt in attempts
            )
        return spans

    def _span(
        self,
        name: str,
        kind: SpanKind,
        context: SpanContext,
        parent: SpanContext | None,
        times_ns: tuple[int, int],
        attributes: Attributes,
        outcome: Status,
    ) -> ReadableSpan:
        return ReadableSpan(
            name=name,
            context=context,
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            kind=kind,
            status=outcome,
            start_time=times_ns[0],
            end_time=times_ns[1],
            instrumentation_scope=self._scope,
        )


def _rpc_attributes(method: str, code: int, errors: int) -> Attributes:
    name = status.name(code)
    attributes: Attributes = {
        names.RPC_SYSTEM: "grpc",
        names.RPC_METHOD: method,
        names.RPC_STATUS: name,
        names.RPC_STATUS_BEFORE: name,
    }
    if (errors >> code) & 1:
        attributes[names.ERROR_TYPE] = name
    return attributes


def _server_attributes(record: CallRecord, method: str) -> Attributes:
    attributes = _rpc_attributes(method, record.code, SERVER_ERRORS)
    attributes[names.ROUTE] = record.route
    attributes[names.OUTCOME] = OUTCOME_NAMES[record.outcome]
    attributes[names.ATTEMPTS] = len(record.attempts)
    attributes[names.REVISION] = record.revision
    if record.reason:
        attributes[names.REASON] = record.reason
    if record.not_retried:
        attributes[names.NOT_RETRIED_BECAUSE] = record.not_retried
    _add_covered(attributes, record)
    return attributes


def _client_attributes(record: CallRecord, method: str) -> Attributes:
    attributes = _rpc_attributes(method, record.code, ~1)
    attributes[names.ROUTE] = record.route
    _add_address(attributes, record.attempts[-1].endpoint)
    if len(record.attempts) > 1:
        attributes[names.RESENDS] = len(record.attempts) - 1
    _add_covered(attributes, record)
    return attributes


def _attempt_attributes(attempt: AttemptRecord, method: str) -> Attributes:
    # An attempt without a status was given up by us: the caller went away, or another one won.
    code = attempt.code if attempt.code >= 0 else status.CANCELLED
    attributes = _rpc_attributes(method, code, ~1)
    _add_address(attributes, attempt.endpoint)
    attributes[names.PREVIOUS_ATTEMPTS] = attempt.number - 1
    attributes[names.TRANSPARENT_RETRY] = False
    if attempt.reason:
        attributes[names.REASON] = attempt.reason
    if attempt.hedge:
        attributes[names.HEDGE] = True
    return attributes


def _add_covered(attributes: Attributes, record: CallRecord) -> None:
    """Say what a retry or a fallback covered."""
    if record.outcome == OUTCOME_FALLBACK:
        attributes[names.FALLBACK_USED] = True
    if record.outcome in (OUTCOME_FALLBACK, OUTCOME_RETRIED) and record.failed_code:
        attributes[names.COVERED_STATUS] = status.name(record.failed_code)
        if record.failed_reason:
            attributes[names.COVERED_REASON] = record.failed_reason


def _add_address(attributes: Attributes, endpoint: str) -> None:
    host, _, port = endpoint.rpartition(":")
    if not host:
        return
    attributes[names.SERVER_ADDRESS] = host.strip("[]")
    if port.isdigit():
        attributes[names.SERVER_PORT] = int(port)


def _status(code: int, record: CallRecord, errors: int) -> Status:
    if not (errors >> code) & 1:
        return _UNSET
    message = redact_text(status.percent_decode(record.message))
    return Status(StatusCode.ERROR, message or record.reason or None)


def _trace_state(value: bytes) -> TraceState | None:
    return TraceState.from_header([value.decode("ascii", "replace")]) if value else None
