"""What a call leaves behind: counters, and a record when it was not plain."""

from __future__ import annotations

from seawall_policy import status
from seawall_policy.retry import RetryOptions
from seawall_proxy.call.ports import (
    OUTCOME_FAILED,
    OUTCOME_FALLBACK,
    OUTCOME_OK,
    OUTCOME_REJECTED,
    OUTCOME_RETRIED,
    CallRecord,
    CallTrace,
    TraceSink,
)
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.policies import to_static

RETRY = RetryOptions(max_attempts=2, initial_s=0.1, jitter=0.0, only_idempotent=False)
PATH = "/s.S/M"


class Tracer(TraceSink):
    """Samples everything."""

    def __init__(self) -> None:
        self.enabled = True
        self.finished: list[CallRecord] = []
        self.asked: list[tuple[bytes, bytes, bytes, bytes]] = []
        self._spans = 0

    def begin(self, path: bytes, traceparent: bytes, tracestate: bytes, trace_bin: bytes) -> CallTrace | None:
        self.asked.append((path, traceparent, tracestate, trace_bin))
        return CallTrace(b"a" * 32, traceparent[36:52], tracestate)

    def new_span_id(self) -> bytes:
        self._spans += 1
        return b"%016d" % self._spans

    def finish(self, trace: CallTrace, record: CallRecord) -> None:
        self.finished.append(record)


def test_a_plain_call_leaves_only_counters() -> None:
    """A success without ado makes no record."""
    with Playbook(make_snapshot(make_route(make_policy()))) as play:
        play.call(PATH, b"x")
        play.advance(0.25)
        play.server().last.reply(b"y")
        play.forget()
        counters = play.world.counters["all"]
        assert (counters.started, counters.in_flight, counters.by_code[0]) == (1, 0, 1)
        assert counters.latency.count() == 1
        assert 0.24 < counters.latency.total_s < 0.26
        assert play.world.sink.calls == []


def test_a_failed_call() -> None:
    """A failure of a server is recorded with its attempts, its message and where it happened."""
    with Playbook(make_snapshot(make_route(make_policy(retry=RETRY)), revision=4)) as play:
        started = play.now
        play.call(PATH, b"x", (b"x-job-id", b"j-1"), (b"x-job-name", b"import"))
        play.server().last.trailers_only(14, (b"grpc-message", b"first"))
        play.advance(0.11)
        play.server().last.trailers_only(14, (b"grpc-message", b"no%20luck"))
        play.forget()
        (record,) = play.world.sink.calls
        assert (record.route, record.path, record.code, record.reason) == ("all", b"/s.S/M", 14, "")
        assert (record.message, record.outcome, record.revision) == (b"no%20luck", OUTCOME_FAILED, 4)
        assert (record.job_id, record.job_name) == (b"j-1", b"import")
        assert record.started_s == started
        assert 0.109 <= record.duration_s <= 0.111
        assert [(a.number, a.endpoint, a.code, a.reason) for a in record.attempts] == [
            (1, "a", 14, ""),
            (2, "a", 14, ""),
        ]
        assert play.world.counters["all"].retries == 1


def test_a_retried_call() -> None:
    """A call that came through in the end is recorded with what went wrong first."""
    with Playbook(make_snapshot(make_route(make_policy(retry=RETRY)))) as play:
        play.call(PATH, b"x", (b"traceparent", b"00-" + b"b" * 32 + b"-" + b"c" * 16 + b"-01"))
        play.server().last.trailers_only(14)
        play.advance(0.11)
        play.server().last.trailers_only(0)
        play.forget()
        (record,) = play.world.sink.calls
        assert (record.outcome, record.code, record.failed_code) == (OUTCOME_RETRIED, 0, 14)
        assert [a.code for a in record.attempts] == [14, 0]
        assert record.trace_id == b"b" * 32
        assert play.world.counters["all"].recovered == 1


def test_a_fallback() -> None:
    """A fallback is recorded with the failure that it replaced."""
    with Playbook(
        make_snapshot(make_route(make_policy(timeout_s=0.1, fallback=(to_static(b"s", PATH.encode()),))))
    ) as play:
        play.call(PATH, b"x")
        play.advance(0.12)
        play.forget()
        (record,) = play.world.sink.calls
        assert (record.outcome, record.code) == (OUTCOME_FALLBACK, 0)
        assert (record.failed_code, record.failed_reason) == (status.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


def test_answers_of_a_healthy_service_make_no_event() -> None:
    """NOT_FOUND and its like are answers; they are counted and not recorded."""
    with Playbook(make_snapshot(make_route(make_policy()))) as play:
        for code in (1, 3, 5, 6, 7, 9, 10, 11, 12, 16):
            play.call(PATH, b"x")
            play.server().last.trailers_only(code)
        play.forget()
        assert play.world.sink.calls == []
        for code in (2, 4, 8, 13, 14, 15):
            play.call(PATH, b"x")
            play.server().last.trailers_only(code)
        play.forget()
        assert [record.code for record in play.world.sink.calls] == [2, 4, 8, 13, 14, 15]


def test_a_rejection() -> None:
    """A rejection is counted by its reason."""
    with Playbook(make_snapshot(make_route(make_policy()))) as play:
        play.server().set_mode("refuse")
        play.server().cut()
        play.call(PATH, b"x")
        play.forget()
        (record,) = play.world.sink.calls
        assert (record.outcome, record.reason, record.attempts) == (
            OUTCOME_REJECTED,
            "NO_HEALTHY_BACKEND",
            [],
        )
        assert play.world.counters["all"].rejected_by == {"NO_HEALTHY_BACKEND": 1}


def test_a_traced_call() -> None:
    """Each attempt tells its server its own span; the caller's context is not sent as well."""
    tracer = Tracer()
    sent = b"00-" + b"b" * 32 + b"-" + b"c" * 16 + b"-01"
    with Playbook(make_snapshot(make_route(make_policy(retry=RETRY))), tracer=tracer) as play:
        play.call(PATH, b"x", (b"traceparent", sent), (b"tracestate", b"k=v"), (b"x-a", b"1"))
        play.server().last.trailers_only(14)
        play.advance(0.11)
        play.server().last.trailers_only(0)
        play.forget()
        spans = []
        for call in play.server().server.calls:
            assert [value for name, value in call.fields if name == b"tracestate"] == [b"k=v"]
            (parent,) = [value for name, value in call.fields if name == b"traceparent"]
            assert parent.startswith(b"00-" + b"a" * 32 + b"-")
            spans.append(parent[36:52])
        assert tracer.asked == [(b"/s.S/M", sent, b"k=v", b"")]
        (record,) = tracer.finished
        assert [a.span_id for a in record.attempts] == spans == [b"%016d" % 1, b"%016d" % 2]
        assert record.trace_id == b"a" * 32


def test_a_traced_plain_call_and_a_traced_cancellation() -> None:
    """A sampled call is handed to the tracer whatever its end; it makes an event only if it is one."""
    tracer = Tracer()
    with Playbook(make_snapshot(make_route(make_policy())), tracer=tracer) as play:
        play.call(PATH, b"x")
        play.server().last.trailers_only(0)
        play.call(PATH, b"x").cancel()
        play.forget()
        assert [(record.outcome, record.code, len(record.attempts)) for record in tracer.finished] == [
            (OUTCOME_OK, 0, 1),
            (6, status.CANCELLED, 1),
        ]
        assert play.world.sink.calls == []
