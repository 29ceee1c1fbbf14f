"""From records to events."""

from __future__ import annotations

import uuid

import pytest

from seawall.v1 import event_pb2, policy_pb2
from seawall_policy import breaker
from seawall_policy.breaker import Transition
from seawall_proxy.call import local_reply
from seawall_proxy.call.ports import (
    OUTCOME_CANCELLED,
    OUTCOME_FAILED,
    OUTCOME_FALLBACK,
    OUTCOME_OK,
    OUTCOME_REJECTED,
    OUTCOME_RETRIED,
    AttemptRecord,
    BreakerRecord,
    CallRecord,
    RouteRecord,
)
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.events import MAX_ATTEMPTS, EventBuilder, Record, policy_refused, uuid7
from seawall_proxy.telemetry.recorder import EventRecorder

ANCHOR = ClockAnchor(100.0, 1_700_000_000.0)


def build(record: Record) -> event_pb2.ErrorEvent:
    """Return the event of a record, with fixed clock and random bytes."""
    return EventBuilder("node-1", ANCHOR, lambda n: b"\x55" * n).build(record)


def call(outcome: int = OUTCOME_FAILED, code: int = 14, message: bytes = b"boom") -> CallRecord:
    """Return the record of a call of one attempt."""
    record = CallRecord("checkout", b"/shop.v1.Checkout/PlaceOrder", 110.0)
    record.duration_s = 0.25
    record.code = code
    record.outcome = outcome
    record.message = message
    record.revision = 9
    record.category = 1
    attempt = AttemptRecord(1, 110.0, b"")
    attempt.endpoint = "10.0.0.1:50051"
    attempt.code = 14
    attempt.duration_s = 0.2
    record.attempts = [attempt]
    return record


def test_failed_call_tells_everything_once() -> None:
    """Every field of a failed call's event comes from its record."""
    event = build(call())
    assert event.kind == event_pb2.EVENT_KIND_CALL_FAILED
    assert event.severity == event_pb2.SEVERITY_MEDIUM
    assert event.component == "route/checkout"
    assert (event.error_type, event.code, event.message) == ("UNAVAILABLE", "UNAVAILABLE", "boom")
    assert (event.route, event.method) == ("checkout", "shop.v1.Checkout/PlaceOrder")
    assert event.category == policy_pb2.CATEGORY_TRANSIENT
    assert event.outcome == event_pb2.OUTCOME_FAILED
    assert event.endpoint == "10.0.0.1:50051"
    assert event.latency.ToMilliseconds() == 250
    assert event.timestamp.ToMicroseconds() == 1_700_000_010_250_000
    assert (event.proxy, event.policy_revision) == ("node-1", 9)
    assert event.fingerprint.startswith("v1:")
    attempt = event.attempts[0]
    assert (attempt.number, attempt.code, attempt.latency.ToMilliseconds()) == (1, "UNAVAILABLE", 200)
    assert uuid.UUID(event.id).version == 7


@pytest.mark.parametrize(
    ("outcome", "code", "kind", "severity"),
    [
        (OUTCOME_RETRIED, 0, event_pb2.EVENT_KIND_CALL_RECOVERED, event_pb2.SEVERITY_LOW),
        (OUTCOME_FALLBACK, 0, event_pb2.EVENT_KIND_CALL_DEGRADED, event_pb2.SEVERITY_MEDIUM),
        (OUTCOME_REJECTED, 14, event_pb2.EVENT_KIND_CALL_REJECTED, event_pb2.SEVERITY_MEDIUM),
        (OUTCOME_FAILED, 13, event_pb2.EVENT_KIND_CALL_FAILED, event_pb2.SEVERITY_HIGH),
        (OUTCOME_FAILED, 5, event_pb2.EVENT_KIND_CALL_FAILED, event_pb2.SEVERITY_LOW),
        (OUTCOME_CANCELLED, 1, event_pb2.EVENT_KIND_CALL_FAILED, event_pb2.SEVERITY_LOW),
    ],
)
def test_outcome_decides_kind_and_severity(
    outcome: int, code: int, kind: event_pb2.EventKind, severity: event_pb2.Severity
) -> None:
    """What the caller saw says what the event is and how loud."""
    event = build(call(outcome, code, b""))
    assert (event.kind, event.severity) == (kind, severity)
    assert event.message != ""


def test_covered_failure_is_what_the_event_is_about() -> None:
    """A recovered call's event names the failure that was covered, and the code that the caller saw."""
    record = call(OUTCOME_RETRIED, 0, b"")
    record.failed_code = 14
    record.failed_reason = local_reply.UPSTREAM_RESET
    event = build(record)
    assert (event.error_type, event.reason, event.code) == ("UNAVAILABLE", "UPSTREAM_RESET", "OK")
    assert "recovered" in event.message


def test_reason_of_the_server_makes_the_group() -> None:
    """With its domain and whatever the message says; two services may use one word."""

    def fingerprint(domain: str, reason: str, message: bytes) -> str:
        record = call(message=message)
        record.error_domain, record.error_reason = domain, reason
        return str(build(record).fingerprint)

    group = fingerprint("shop", "STOCK_EXHAUSTED", b"no more umbrellas")
    assert group == fingerprint("shop", "STOCK_EXHAUSTED", b"no more boots")
    assert group != fingerprint("bank", "STOCK_EXHAUSTED", b"no more umbrellas")
    assert group != fingerprint("shop", "SHOP_CLOSED", b"no more umbrellas")


def test_same_cause_has_the_same_fingerprint() -> None:
    """Numbers in a message do not split a group; another code, route or reason does."""
    one, two = call(message=b"shard 17 is down"), call(message=b"shard 4 is down")
    other = call(code=13, message=b"shard 17 is down")
    reason = call(message=b"")
    reason.reason = local_reply.UPSTREAM_CONNECT_FAILED
    prints = [build(record).fingerprint for record in (one, two, other, reason)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_message_is_decoded_and_redacted_before_the_fingerprint() -> None:
    """Percent-encoding hides nothing, and two different secrets do not make two groups."""
    one = build(call(message=b"login%20password%3Dhunter2"))
    two = build(call(message=b"login%20password%3Dcorrect-horse"))
    assert one.message == "login password=[redacted:key:~8]"
    assert "correct" not in two.message
    assert one.fingerprint == two.fingerprint


def test_what_the_caller_chose_is_redacted_everywhere() -> None:
    """Job id and name, and the path of a call without a route, carry no secret."""
    record = call()
    record.route = ""
    record.path = b"/x/AKIAIOSFODNN7EXAMPLE"
    record.job_id = b"AKIAIOSFODNN7EXAMPLE"
    record.job_name = "nightly bob@example.com é".encode()
    record.trace_id = b"AKIAIOSFODNN7EXAMPLE1234567890ab"
    raw = build(record).SerializeToString()
    assert b"AKIA" not in raw
    assert b"bob@" not in raw


def test_trace_id_is_kept_when_it_is_one() -> None:
    """32 hexadecimal digits pass."""
    record = call()
    record.trace_id = b"4bf92f3577b34da6a3ce929d0e0e4736"
    assert build(record).trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_event_is_bounded() -> None:
    """However much a call has to tell, its event stays small."""
    record = call(message=b"x y " * 10_000)
    record.job_id = b"j" * 10_000
    record.path = b"/" + b"p" * 10_000
    record.attempts = [record.attempts[0]] * 1000
    event = build(record)
    assert len(event.attempts) == MAX_ATTEMPTS
    assert event.ByteSize() < 6000


def test_breaker_events() -> None:
    """Each transition has its kind, its numbers, and the severity of what it means."""
    expected = {
        breaker.OPEN: (event_pb2.EVENT_KIND_BREAKER_OPENED, event_pb2.SEVERITY_HIGH),
        breaker.HALF_OPEN: (event_pb2.EVENT_KIND_BREAKER_HALF_OPENED, event_pb2.SEVERITY_LOW),
        breaker.CLOSED: (event_pb2.EVENT_KIND_BREAKER_CLOSED, event_pb2.SEVERITY_LOW),
    }
    for state, pair in expected.items():
        event = build(
            BreakerRecord("checkout", Transition(breaker.CLOSED, state, 101.0, "failure_rate", 20, 12, 1))
        )
        assert (event.kind, event.severity) == pair
        assert event.details["failures"] == 12
        assert event.reason == "failure_rate"
        assert event.timestamp.seconds == 1_700_000_001


def test_degraded_and_recovered_routes_are_events() -> None:
    """Which fallback, since when, how often; and the same group however long it lasted."""
    record = RouteRecord("checkout", True, 101.0, 101.0)
    record.step, record.kind, record.code, record.reason, record.calls = 2, "last_good", 14, "BREAKER_OPEN", 1
    began = build(record)
    assert (began.kind, began.severity) == (event_pb2.EVENT_KIND_ROUTE_DEGRADED, event_pb2.SEVERITY_MEDIUM)
    assert began.message == "route checkout: fallback 2 (last_good) began to cover BREAKER_OPEN"
    assert (began.route, began.component, began.error_type) == (
        "checkout",
        "route/checkout",
        "route_degraded",
    )
    record = RouteRecord("checkout", False, 163.5, 101.0)
    record.step, record.kind, record.code, record.calls = 0, "static", 4, 1200
    ended = build(record)
    assert (ended.kind, ended.severity) == (event_pb2.EVENT_KIND_ROUTE_RECOVERED, event_pb2.SEVERITY_LOW)
    assert ended.message == "route checkout: answers by itself again, after 62.5 s and 1200 fallbacks"
    assert (ended.details["calls"], ended.details["seconds"], ended.details["code"]) == (
        1200,
        62.5,
        "DEADLINE_EXCEEDED",
    )
    record.calls = 7
    assert build(record).fingerprint == ended.fingerprint != began.fingerprint


def test_refused_policy_is_an_event() -> None:
    """Its reasons are in the message and, one by one, in the details."""
    event = build(policy_refused(12, ["routes[a]: no such cluster", "x"], 100.0))
    assert event.kind == event_pb2.EVENT_KIND_POLICY_REJECTED
    assert event.policy_revision == 12
    assert "no such cluster" in event.message
    assert list(event.details["reasons"]) == ["routes[a]: no such cluster", "x"]  # type: ignore[arg-type]


def test_uuid7_sorts_by_time_and_carries_it() -> None:
    """The first 48 bits are the milliseconds; version and variant are set whatever the random bytes are."""
    for random_bytes in (bytes(10), b"\xff" * 10):
        value = uuid.UUID(uuid7(1_700_000_000.123, random_bytes))
        assert value.version == 7
        assert value.variant == uuid.RFC_4122
        assert value.int >> 80 == 1_700_000_000_123


def test_recorder_drops_the_new_and_counts_exactly() -> None:
    """A full ring keeps what led there; produced = taken + dropped + waiting."""
    counters = ProxyCounters()
    recorder = EventRecorder(counters, capacity=3)
    for number in range(5):
        recorder.call_ended(call(message=str(number).encode()))
    recorder.call_ended(call(OUTCOME_OK, 0))
    taken = recorder.take(2)
    assert [record.message for record in taken if isinstance(record, CallRecord)] == [b"0", b"1"]
    assert (counters.events_produced, counters.events_dropped) == (5, 2)
    assert (recorder.take_dropped(), recorder.take_dropped(), len(recorder)) == (2, 0, 1)
    assert repr(recorder) == "EventRecorder(1 of 3 waiting, 0 dropped untold)"


def test_recorder_refuses_no_room() -> None:
    """A ring of nothing is a mistake."""
    with pytest.raises(ValueError, match="use 1 or more"):
        EventRecorder(ProxyCounters(), capacity=0)
