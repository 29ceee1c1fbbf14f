"""Records of the data path become `seawall.v1.ErrorEvent` messages: what happened, how bad, which group.

Everything that a caller chose (message, job, the path of a call that no route knows) is redacted here, so
that nothing behind this module ever sees a secret. Nothing of a request's or response's payload or
metadata is read, apart from the job's id and name.

A call's phase, for the fingerprint: `local` when Seawall answered without an upstream, `connect` when no
endpoint could be reached, `mid_stream` when an endpoint broke off, `headers` when a server answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from seawall.v1 import event_pb2, policy_pb2
from seawall_policy import breaker, classify, status
from seawall_policy.classify_rules import PHASE_NAMES, phase_of
from seawall_policy.fault import names_of
from seawall_policy.fingerprint import fingerprint_v1
from seawall_policy.outlier.standing import REASONS as EJECTION_REASONS
from seawall_proxy.call import local_reply
from seawall_proxy.call.ports import (
    OUTCOME_CANCELLED,
    OUTCOME_FAILED,
    OUTCOME_FALLBACK,
    OUTCOME_NAMES,
    OUTCOME_REJECTED,
    OUTCOME_RETRIED,
    AttemptRecord,
    BreakerRecord,
    CallRecord,
    EjectionRecord,
    RouteRecord,
)
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.redact import Json, clip, redact_identifier, redact_text, redact_value

MAX_ATTEMPTS: Final = 32
MAX_METHOD_BYTES: Final = 256

FINGERPRINT_PREFIX: Final = "v1:"

# Of a call that is not traced here it is what the caller sent, which may be anything.
_TRACE_ID: Final = re.compile(rb"[0-9a-f]{32}")

_KIND_BY_OUTCOME: Final[dict[int, event_pb2.EventKind]] = {
    OUTCOME_RETRIED: event_pb2.EVENT_KIND_CALL_RECOVERED,
    OUTCOME_FALLBACK: event_pb2.EVENT_KIND_CALL_DEGRADED,
    OUTCOME_REJECTED: event_pb2.EVENT_KIND_CALL_REJECTED,
    OUTCOME_FAILED: event_pb2.EVENT_KIND_CALL_FAILED,
    OUTCOME_CANCELLED: event_pb2.EVENT_KIND_CALL_FAILED,
}

# Indexed by the numbers of the pure rooms, which are those of seawall.v1.
_OUTCOMES: Final[tuple[event_pb2.Outcome, ...]] = (
    event_pb2.OUTCOME_UNSPECIFIED,
    event_pb2.OUTCOME_OK,
    event_pb2.OUTCOME_RETRIED,
    event_pb2.OUTCOME_FALLBACK,
    event_pb2.OUTCOME_REJECTED,
    event_pb2.OUTCOME_FAILED,
    event_pb2.OUTCOME_CANCELLED,
    event_pb2.OUTCOME_HEDGED,
)
_CATEGORIES: Final[tuple[policy_pb2.Category, ...]] = (
    policy_pb2.CATEGORY_UNSPECIFIED,
    policy_pb2.CATEGORY_TRANSIENT,
    policy_pb2.CATEGORY_RESOURCE,
    policy_pb2.CATEGORY_VALIDATION,
    policy_pb2.CATEGORY_PERMANENT,
    policy_pb2.CATEGORY_UNKNOWN,
)

_SEVERITIES: Final[dict[str, event_pb2.Severity]] = {
    classify.LOW: event_pb2.SEVERITY_LOW,
    classify.MEDIUM: event_pb2.SEVERITY_MEDIUM,
    classify.HIGH: event_pb2.SEVERITY_HIGH,
    classify.CRITICAL: event_pb2.SEVERITY_CRITICAL,
}

# Kind, the word that severity_for knows, and the event's error_type, by the state that a breaker has entered.
_BREAKER_EVENTS: Final[dict[int, tuple[event_pb2.EventKind, str]]] = {
    breaker.OPEN: (event_pb2.EVENT_KIND_BREAKER_OPENED, "breaker_opened"),
    breaker.FORCED_OPEN: (event_pb2.EVENT_KIND_BREAKER_OPENED, "breaker_opened"),
    breaker.HALF_OPEN: (event_pb2.EVENT_KIND_BREAKER_HALF_OPENED, "breaker_half_open"),
    breaker.RAMP: (event_pb2.EVENT_KIND_BREAKER_HALF_OPENED, "breaker_ramping"),
}
_BREAKER_CLOSED: Final[tuple[event_pb2.EventKind, str]] = (
    event_pb2.EVENT_KIND_BREAKER_CLOSED,
    "breaker_closed",
)


class SystemRecord:
    """Something that a part of Seawall reports about itself, or a policy that this proxy refused."""

    def __init__(
        self,
        kind: event_pb2.EventKind,
        severity: event_pb2.Severity,
        component: str,
        error_type: str,
        message: str,
        at_s: float,
        details: dict[str, Json] | None = None,
        revision: int = 0,
    ) -> None:
        self.kind: event_pb2.EventKind = kind
        self.severity: event_pb2.Severity = severity
        self.component: str = component
        """`proxy/PART`, such as `proxy/policy`."""
        self.error_type: str = error_type
        """A short kind in lower case."""
        self.message: str = message
        self.at_s: float = at_s
        """Monotonic seconds."""
        self.details: dict[str, Json] = {} if details is None else details
        self.revision: int = revision


Record = CallRecord | BreakerRecord | RouteRecord | EjectionRecord | SystemRecord


def policy_refused(revision: int, reasons: list[str], at_s: float) -> SystemRecord:
    """Return the record of a policy that this proxy could not apply; revision 0 is its own file."""
    what = f"policy revision {revision}" if revision else "the policy file"
    return SystemRecord(
        event_pb2.EVENT_KIND_POLICY_REJECTED,
        event_pb2.SEVERITY_HIGH,
        "proxy/policy",
        "policy_refused",
        f"{what} was refused: {'; '.join(reasons)}",
        at_s,
        {"revision": revision, "reasons": list(reasons)},
        revision,
    )


def uuid7(at_s: float, random_bytes: bytes) -> str:
    """Return the UUID version 7 (RFC 9562 section 5.7) of a wall-clock moment and 10 random bytes."""
    value = (int(at_s * 1000.0) & (1 << 48) - 1) << 80 | int.from_bytes(random_bytes[:10], "big")
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class EventBuilder:
    """Turns records into events. `random_bytes(n)` gives n random bytes; `anchor` may be replaced at any
    time.
    """

    def __init__(self, node: str, anchor: ClockAnchor, random_bytes: Callable[[int], bytes]) -> None:
        self.node: str = node
        self.anchor: ClockAnchor = anchor
        self._random_bytes: Callable[[int], bytes] = random_bytes

    def build(self, record: Record) -> event_pb2.ErrorEvent:
        """Return the event of a record."""
        if isinstance(record, CallRecord):
            return self._from_call(record)
        if isinstance(record, BreakerRecord):
            return self._from_breaker(record)
        if isinstance(record, RouteRecord):
            return self._from_route(record)
        if isinstance(record, EjectionRecord):
            return self._from_ejection(record)
        return self._from_system(record)

    def _event(self, at_s: float) -> event_pb2.ErrorEvent:
        wall_s = self.anchor.wall(at_s)
        return event_pb2.ErrorEvent(
            id=uuid7(wall_s, self._random_bytes(10)),
            timestamp=Timestamp(seconds=int(wall_s // 1), nanos=int(wall_s % 1.0 * 1e6) * 1000),
            proxy=self.node,
        )

    def _from_call(self, record: CallRecord) -> event_pb2.ErrorEvent:
        # What went wrong: the final status, unless a later attempt or a fallback covered it.
        covered = record.outcome in (OUTCOME_RETRIED, OUTCOME_FALLBACK) and record.failed_code > 0
        code = status.name(record.failed_code if covered else record.code)
        reason = record.failed_reason if covered else record.reason
        text = "" if covered else redact_text(status.percent_decode(record.message))
        method = _method(record)
        attempts = record.attempts[-MAX_ATTEMPTS:]

        event = self._event(record.started_s + record.duration_s)
        event.kind = _KIND_BY_OUTCOME.get(record.outcome, event_pb2.EVENT_KIND_CALL_FAILED)
        event.severity = _SEVERITIES[classify.severity_for(record.code, OUTCOME_NAMES[record.outcome])]
        event.component = f"route/{record.route}" if record.route else "proxy/routing"
        event.error_type = code
        event.message = text or _describe(record, code, reason)
        event.route = record.route
        event.method = method
        event.code = status.name(record.code)
        event.category = _CATEGORIES[record.category]
        event.attempts.extend(_attempt(attempt) for attempt in attempts)
        event.endpoint = attempts[-1].endpoint if attempts else ""
        event.latency.CopyFrom(_duration(record.duration_s))
        event.outcome = _OUTCOMES[record.outcome]
        event.reason = reason
        event.not_retried = record.not_retried
        if _TRACE_ID.fullmatch(record.trace_id):
            event.trace_id = record.trace_id.decode("ascii")
        event.fingerprint = FINGERPRINT_PREFIX + fingerprint_v1(
            record.route, method, code, reason or _server_reason(record), _phase(reason), text
        )
        event.policy_revision = record.revision
        event.details.update(_details(record))
        if record.job_id:
            event.job_id = redact_identifier(record.job_id.decode("utf-8", "replace"))
        if record.job_name:
            event.job_name = redact_identifier(record.job_name.decode("utf-8", "replace"))
        return event

    def _from_breaker(self, record: BreakerRecord) -> event_pb2.ErrorEvent:
        kind, word = _BREAKER_EVENTS.get(record.to_state, _BREAKER_CLOSED)
        before = breaker.STATE_NAMES[record.from_state]
        after = breaker.STATE_NAMES[record.to_state]
        event = self._event(record.at_s)
        event.kind = kind
        event.severity = _SEVERITIES[classify.severity_for(status.OK, word)]
        event.component = f"route/{record.route}"
        event.error_type = word
        name = f"of route {record.route}" if record.key == record.route else record.key
        event.message = (
            f"breaker {name} went from {before} to {after} ({record.trigger}):"
            f" {record.failures} failed and {record.slow} slow of {record.calls} calls"
        )
        event.route = record.route
        event.reason = record.trigger
        event.policy_revision = record.revision
        event.fingerprint = FINGERPRINT_PREFIX + fingerprint_v1(
            record.route, "", word, record.trigger, "local", "" if record.key == record.route else record.key
        )
        event.details.update(
            {
                "breaker": record.key,
                "from": before,
                "to": after,
                "trigger": record.trigger,
                "calls": record.calls,
                "failures": record.failures,
                "slow": record.slow,
            }
        )
        return event

    def _from_route(self, record: RouteRecord) -> event_pb2.ErrorEvent:
        seconds = record.at_s - record.since_s
        code = status.name(record.code)
        if record.degraded:
            kind, word = event_pb2.EVENT_KIND_ROUTE_DEGRADED, "route_degraded"
            text = f"fallback {record.step} ({record.kind}) began to cover {record.reason or code}"
        else:
            kind, word = event_pb2.EVENT_KIND_ROUTE_RECOVERED, "route_recovered"
            text = f"answers by itself again, after {seconds:.1f} s and {record.calls} fallbacks"
        event = self._event(record.at_s)
        event.kind = kind
        event.severity = _SEVERITIES[classify.severity_for(status.OK, word)]
        event.component = f"route/{record.route}"
        event.error_type = word
        event.message = f"route {record.route}: {text}"
        event.route = record.route
        event.reason = record.reason
        event.policy_revision = record.revision
        event.fingerprint = FINGERPRINT_PREFIX + fingerprint_v1(
            record.route, "", word, record.reason, "local", ""
        )
        event.details.update(
            {
                "step": record.step,
                "kind": record.kind,
                "code": code,
                "calls": record.calls,
                "seconds": round(seconds, 3),
            }
        )
        return event

    def _from_ejection(self, record: EjectionRecord) -> event_pb2.ErrorEvent:
        word = "endpoint_ejected" if record.ejected else "endpoint_returned"
        event = self._event(record.at_s)
        event.kind = (
            event_pb2.EVENT_KIND_ENDPOINT_EJECTED
            if record.ejected
            else event_pb2.EVENT_KIND_ENDPOINT_RETURNED
        )
        event.severity = _SEVERITIES[classify.severity_for(status.OK, word)]
        event.component = "proxy/outlier"
        event.error_type = word
        event.endpoint = record.endpoint
        event.reason = record.reason
        place = f"{record.endpoint} of cluster {record.cluster}"
        if record.ejected:
            meaning = EJECTION_REASONS.get(record.reason, record.reason)
            event.message = f"{place} is left out for {record.seconds:.1f} s: {meaning}"
        else:
            event.message = f"{place} takes calls again ({record.why})"
        event.policy_revision = record.revision
        event.fingerprint = FINGERPRINT_PREFIX + fingerprint_v1(
            record.cluster, record.endpoint, word, record.reason, "local", ""
        )
        event.details.update(
            {"cluster": record.cluster, "seconds": record.seconds, "times": record.times_out}
            if record.ejected
            else {"cluster": record.cluster, "why": record.why}
        )
        return event

    def _from_system(self, record: SystemRecord) -> event_pb2.ErrorEvent:
        event = self._event(record.at_s)
        event.kind = record.kind
        event.severity = record.severity
        event.component = record.component
        event.error_type = record.error_type
        event.message = redact_text(record.message)
        event.policy_revision = record.revision
        event.fingerprint = FINGERPRINT_PREFIX + fingerprint_v1(
            "", record.component, record.error_type, "", "local", event.message
        )
        for key, value in record.details.items():
            event.details.update({key: redact_value(key, value)})
        return event


def _method(record: CallRecord) -> str:
    text = clip(record.path.decode("utf-8", "backslashreplace").removeprefix("/"), MAX_METHOD_BYTES)
    # A path that a route knows is a name from a contract; any other is whatever somebody sent.
    return text if record.route else redact_identifier(text)


def _describe(record: CallRecord, code: str, reason: str) -> str:
    why = f"{code} ({reason})" if reason else code
    meaning = local_reply.REASONS.get(reason, "")
    suffix = f": {meaning}" if meaning else ""
    tries = len(record.attempts)
    if record.outcome == OUTCOME_RETRIED:
        return f"{why} on an earlier attempt, recovered on attempt {tries}{suffix}"
    if record.outcome == OUTCOME_FALLBACK:
        return f"{why}, answered by a fallback{suffix}"
    if record.outcome == OUTCOME_CANCELLED:
        return f"the caller went away after {record.duration_s:.3f} s"
    return f"{why}{suffix}"


def _details(record: CallRecord) -> dict[str, Json]:
    """Return what else is known of how the call was treated; only what was not plain."""
    found: dict[str, Json] = {}
    if record.strategy:
        found["strategy"] = classify.STRATEGY_NAMES[record.strategy]
    if record.rule >= 0:
        found["classify_rule"] = record.rule
    if record.error_reason:
        found["error_reason"] = redact_identifier(record.error_reason)
    if record.error_domain:
        found["error_domain"] = redact_identifier(record.error_domain)
    if record.faults:
        found["fault"] = names_of(record.faults)
    if record.breaker_state >= 0:
        found["breaker"] = breaker.STATE_NAMES[record.breaker_state]
    if record.fallback:
        found["fallback"] = record.fallback
    return found


def _server_reason(record: CallRecord) -> str:
    """Return the reason that the server gave, with its domain: it is made for grouping, messages are not."""
    if not record.error_reason:
        return ""
    return f"{redact_identifier(record.error_domain)}/{redact_identifier(record.error_reason)}"


def _phase(reason: str) -> str:
    # Groups keep their fingerprints: whether an answer had begun is no part of them.
    return PHASE_NAMES[phase_of(reason, False)]


def _attempt(record: AttemptRecord) -> event_pb2.Attempt:
    return event_pb2.Attempt(
        number=record.number,
        endpoint=record.endpoint,
        code=status.name(record.code) if record.code >= 0 else "",
        latency=_duration(record.duration_s),
        reason=record.reason,
    )


def _duration(seconds: float) -> Duration:
    micros = int(max(seconds, 0.0) * 1e6)
    return Duration(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)
