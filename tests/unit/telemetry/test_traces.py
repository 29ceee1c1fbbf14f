"""Trace context, sampling, and the spans of a call."""

from __future__ import annotations

import random
import threading
from base64 import b64encode

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode

from seawall_proxy.call.ports import (
    OUTCOME_FAILED,
    OUTCOME_FALLBACK,
    OUTCOME_OK,
    OUTCOME_REJECTED,
    OUTCOME_RETRIED,
    AttemptRecord,
    CallRecord,
    CallTrace,
    TraceSink,
)
from seawall_proxy.telemetry import names
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.trace_context import parse_trace_bin, parse_traceparent
from seawall_proxy.telemetry.trace_sampling import sampling_from
from seawall_proxy.telemetry.trace_spans import SpanBuilder
from seawall_proxy.telemetry.traces import OtelTraceSink, make_trace_sink

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = b"00f067aa0ba902b7"
PARENT = b"00-" + TRACE + b"-" + SPAN + b"-01"


def test_valid_traceparent_is_read() -> None:
    """Ids and the sampled flag are what the header says; other flags and later versions do not disturb."""
    for value, sampled in (
        (PARENT, True),
        (PARENT[:-2] + b"00", False),
        (PARENT[:-2] + b"03", True),
        (b"cc" + PARENT[2:] + b"-more", True),
    ):
        parent = parse_traceparent(value)
        assert parent is not None
        assert (parent.trace_id, parent.span_id, parent.sampled) == (TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        PARENT + b"-more",
        PARENT + b"x",
        b"cc" + PARENT[2:] + b"x",
        PARENT[:-1],
        PARENT.upper(),
        b"ff" + PARENT[2:],
        b"00-" + b"0" * 32 + b"-" + SPAN + b"-01",
        b"00-" + TRACE + b"-" + b"0" * 16 + b"-01",
        PARENT.replace(b"-", b"_"),
        b" " + PARENT,
        b"00-" + TRACE[:-1] + b"g-" + SPAN + b"-01",
        PARENT + b"\n",
    ],
)
def test_invalid_traceparent_counts_as_absent(value: bytes) -> None:
    """Any broken rule of the format makes it none."""
    assert parse_traceparent(value) is None


def test_trace_bin_is_read() -> None:
    """The context of gRPC gives the same ids, padded or not."""
    raw = b"\x00\x00" + bytes.fromhex(TRACE.decode()) + b"\x01" + bytes.fromhex(SPAN.decode()) + b"\x02\x01"
    for value in (b64encode(raw), b64encode(raw).rstrip(b"=")):
        parent = parse_trace_bin(value)
        assert parent is not None
        assert (parent.trace_id, parent.span_id, parent.sampled) == (TRACE, SPAN, True)
    for broken in (raw[:-1], raw + b"x", b"\x01" + raw[1:], raw[:18] + b"\x07" + raw[19:], bytes(29)):
        assert parse_trace_bin(b64encode(broken)) is None
    assert parse_trace_bin(b"!!!") is None
    assert parse_trace_bin(b"A" * 100) is None


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 0.999, 1.0])
def test_ratio_answers_as_the_sdk_does(ratio: float) -> None:
    """Every service that samples by one ratio must pick the same traces."""
    ours = sampling_from("traceidratio", str(ratio))
    theirs = TraceIdRatioBased(ratio)
    dice = random.Random(3)
    for _ in range(500):
        trace_id = dice.getrandbits(128)
        assert ours.decide(None, trace_id) == (
            theirs.should_sample(None, trace_id, "x").decision is Decision.RECORD_AND_SAMPLE
        )


def test_parent_decides_when_the_sampler_says_so() -> None:
    """A sampled caller is followed under `parentbased_*` and not under the plain ones."""
    yes, no = parse_traceparent(PARENT), parse_traceparent(PARENT[:-2] + b"00")
    assert sampling_from("", "").decide(yes, 1)
    assert not sampling_from("", "").decide(no, 1)
    assert sampling_from("", "").decide(None, 1)
    assert sampling_from("parentbased_always_off", "").decide(yes, 1)
    assert not sampling_from("parentbased_always_off", "").decide(None, 1)
    assert not sampling_from("always_off", "").decide(yes, 1)
    assert sampling_from("always_on", "").decide(no, 1)
    assert repr(sampling_from("parentbased_traceidratio", "0.25")) == "Sampling(0.25, parent first)"


@pytest.mark.parametrize(
    ("name", "argument"), [("jaeger_remote", ""), ("traceidratio", "2"), ("traceidratio", "half")]
)
def test_sampler_that_cannot_be_followed_is_refused(name: str, argument: str) -> None:
    """The message names the variable."""
    with pytest.raises(ValueError, match="OTEL_TRACES_SAMPLER"):
        sampling_from(name, argument)


def sink(sampler: str = "") -> tuple[OtelTraceSink, list[tuple[CallTrace, CallRecord]]]:
    """Return a sink and what it was given."""
    taken: list[tuple[CallTrace, CallRecord]] = []
    made = OtelTraceSink(
        sampling_from(sampler, ""),
        random.Random(1).getrandbits,
        lambda trace, record: taken.append((trace, record)),
    )
    return made, taken


def test_begin_continues_the_callers_trace() -> None:
    """W3C wins over the binary header; trace state goes along; an invalid one begins a new trace."""
    made, _ = sink()
    assert made.enabled
    trace = made.begin(b"/a/b", PARENT, b"vendor=1", b"ignored")
    assert trace is not None
    assert (trace.trace_id, trace.parent_id, trace.trace_state) == (TRACE, SPAN, b"vendor=1")
    fresh = made.begin(b"/a/b", b"nonsense", b"vendor=1", b"")
    assert fresh is not None
    assert fresh.trace_id != TRACE
    assert (len(fresh.trace_id), fresh.parent_id, fresh.trace_state) == (32, b"", b"")
    assert made.begin(b"/a/b", PARENT[:-2] + b"00", b"", b"") is None
    long_state = made.begin(b"/a/b", PARENT, b"v=" + b"x" * 5000, b"")
    assert long_state is not None
    assert long_state.trace_state == b""
    assert len(made.new_span_id()) == 16
    assert made.new_span_id() != made.new_span_id()


def attempt(number: int, code: int, reason: str = "") -> AttemptRecord:
    """Return an attempt."""
    record = AttemptRecord(number, 10.0 + number, b"%016x" % (0xA0 + number))
    record.endpoint = f"10.0.0.{number}:50051"
    record.code = code
    record.reason = reason
    record.duration_s = 0.5
    return record


def spans_of(outcome: int, code: int, attempts: list[AttemptRecord], **changes: object) -> list[ReadableSpan]:
    """Return the spans of a call."""
    record = CallRecord("checkout", b"/shop.v1.Checkout/PlaceOrder", 10.0)
    record.duration_s = 3.0
    record.outcome = outcome
    record.code = code
    record.attempts = attempts
    for name, value in changes.items():
        setattr(record, name, value)
    builder = SpanBuilder(Resource({}), "1", lambda: b"00000000000000ff")
    return builder.build(CallTrace(TRACE, SPAN, b"v=1"), record, ClockAnchor(0.0, 1000.0))


def test_plain_call_is_a_server_and_a_client_span() -> None:
    """The client span is the one that the server saw; both are in the caller's trace, neither is an error."""
    server, client = spans_of(OUTCOME_OK, 0, [attempt(1, 0)])
    assert (server.kind, client.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert server.name == client.name == "shop.v1.Checkout/PlaceOrder"
    assert server.parent is not None
    assert server.parent.span_id == int(SPAN, 16)
    assert server.parent.is_remote
    assert client.parent == server.context
    assert client.context is not None
    assert client.context.span_id == 0xA1
    assert client.context.trace_id == int(TRACE, 16)
    assert client.context.trace_state["v"] == "1"
    assert (server.start_time, server.end_time) == (1_010_000_000_000, 1_013_000_000_000)
    for span in (server, client):
        assert span.status.status_code == StatusCode.UNSET
        assert span.attributes is not None
        assert names.ERROR_TYPE not in span.attributes
        assert span.attributes[names.RPC_STATUS] == "OK"
    assert client.attributes is not None
    assert (client.attributes[names.SERVER_ADDRESS], client.attributes[names.SERVER_PORT]) == (
        "10.0.0.1",
        50051,
    )


def test_covered_failure_stays_with_its_attempt() -> None:
    """After a retry that succeeded only the attempt is an error; attempts are children of the client span."""
    server, client, one, two = spans_of(
        OUTCOME_RETRIED, 0, [attempt(1, 14, "UPSTREAM_RESET"), attempt(2, 0)], failed_code=14
    )
    assert [span.status.status_code for span in (server, client, one, two)] == [
        StatusCode.UNSET,
        StatusCode.UNSET,
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]
    assert one.name == "Attempt.shop.v1.Checkout/PlaceOrder"
    assert one.parent == two.parent == client.context
    assert one.context is not None
    assert two.context is not None
    assert (one.context.span_id, two.context.span_id) == (0xA1, 0xA2)
    assert two.attributes is not None
    assert two.attributes[names.PREVIOUS_ATTEMPTS] == 1
    assert server.attributes is not None
    assert server.attributes[names.COVERED_STATUS] == "UNAVAILABLE"


def test_fallback_is_said_and_is_no_error() -> None:
    """The caller got an answer."""
    server, client = spans_of(
        OUTCOME_FALLBACK, 0, [attempt(1, 14)], failed_code=14, failed_reason="BREAKER_OPEN"
    )
    for span in (server, client):
        assert span.attributes is not None
        assert span.attributes[names.FALLBACK_USED] is True
        assert span.attributes[names.COVERED_REASON] == "BREAKER_OPEN"
        assert span.status.status_code == StatusCode.UNSET


@pytest.mark.parametrize(
    ("code", "server_error"),
    [(2, True), (4, True), (12, True), (13, True), (14, True), (15, True)]
    + [(code, False) for code in (1, 3, 5, 6, 7, 8, 9, 10, 11, 16)],
)
def test_server_span_blames_only_six_codes_and_client_span_all(code: int, server_error: bool) -> None:
    """OpenTelemetry's rule for gRPC."""
    server, client = spans_of(OUTCOME_FAILED, code, [attempt(1, code)], message=b"no%20way token=abc")
    assert (server.status.status_code == StatusCode.ERROR) == server_error
    assert client.status.status_code == StatusCode.ERROR
    assert client.status.description == "no way token=[redacted:key:~4]"
    assert server.attributes is not None
    assert (names.ERROR_TYPE in server.attributes) == server_error


def test_rejected_call_has_no_client_span() -> None:
    """Nothing was asked of the upstream."""
    (server,) = spans_of(OUTCOME_REJECTED, 14, [], reason="BREAKER_OPEN")
    assert server.attributes is not None
    assert server.attributes[names.REASON] == "BREAKER_OPEN"
    assert server.status.description == "BREAKER_OPEN"


def test_attempt_without_a_status_was_given_up() -> None:
    """It is shown as cancelled."""
    spans = spans_of(OUTCOME_FAILED, 4, [attempt(1, -1), attempt(2, -1)])
    assert spans[2].attributes is not None
    assert spans[2].attributes[names.RPC_STATUS] == "CANCELLED"


def make(environment: dict[str, str]) -> TraceSink:
    """Return the sink of an environment."""
    return make_trace_sink(
        environment,
        node="n",
        version="1",
        bits=random.Random(1).getrandbits,
        clock=lambda: ClockAnchor(0.0, 0.0),
    )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"},
    ],
)
def test_without_an_exporter_nothing_is_sampled(environment: dict[str, str]) -> None:
    """Tracing is off unless it is asked for."""
    made = make(environment)
    assert not made.enabled
    assert made.begin(b"/a/b", PARENT, b"", b"") is None


@pytest.mark.parametrize(
    ("environment", "what"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER=zipkin"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon"}, "PROTOCOL"),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_TRACES_SAMPLER": "x"}, "OTEL_TRACES_SAMPLER=x"),
    ],
)
def test_environment_that_cannot_be_followed_is_refused(environment: dict[str, str], what: str) -> None:
    """The message names the variable and what it may be."""
    with pytest.raises(ValueError, match=what):
        make(environment)


def test_shutdown_is_bounded() -> None:
    """An exporter that hangs is left behind, and says so."""
    made, _ = sink()
    assert made.shutdown(60.0)
    hang = threading.Event()
    made, _ = sink()

    def close() -> None:
        hang.wait(60.0)

    made.on_shutdown(close)
    assert not made.shutdown(0.01)
    assert not made.enabled
    hang.set()
