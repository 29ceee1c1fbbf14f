"""The route's breaker as calls meet it: what it learns, what it forbids, and that permits come back."""

from __future__ import annotations

import pytest
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2

from seawall_policy import breaker as states
from seawall_policy import status
from seawall_policy.breaker import Breaker, BreakerOptions
from seawall_policy.budget import BudgetOptions
from seawall_proxy.http2.limits import Limits
from seawall_proxy.testing import Playbook
from seawall_proxy.testing.playbook import ScriptedCall
from seawall_proxy.testing.policies import make_cluster, to_cluster
from tests.scenario.scenes import (
    GET,
    LIST,
    METHODS,
    REFUSED_STREAM,
    TWO,
    UNAVAILABLE,
    begin,
    playing,
    retrying,
    snapshot,
    tripping,
)


def breaker_of(play: Playbook) -> Breaker:
    """Return the breaker of the only route."""
    breaker = play.world.state().breaker
    assert breaker is not None
    return breaker


def details(call: ScriptedCall) -> status_pb2.Status:
    """Decode grpc-status-details-bin with the protobuf runtime."""
    from base64 import b64decode

    value = call.seen.field(b"grpc-status-details-bin")
    assert value is not None
    assert b"=" not in value, "binary metadata is sent without padding"
    decoded = status_pb2.Status()
    decoded.ParseFromString(b64decode(value + b"=" * (-len(value) % 4)))
    return decoded


def unpacked(answer: status_pb2.Status, kind: type) -> list:
    """Return the details of one kind."""
    found = []
    for detail in answer.details:
        assert isinstance(detail, Any)
        message = kind()
        if detail.Unpack(message):
            found.append(message)
    return found


def fail(play: Playbook, count: int = 1) -> None:
    """Let calls fail behind headers and a message."""
    for _ in range(count):
        begin(play)
        play.server().last.reply(b"half", code=14)
        play.forget()


def test_opens_by_status_in_trailers() -> None:
    """Failures that only the trailers tell open the breaker; then nothing is sent (X1)."""
    with playing(breaker=tripping(3)) as play:
        fail(play, 3)
        begin(play)
        assert play.server().count == 3
        assert breaker_of(play).state == states.OPEN
        assert [(r.from_state, r.to_state, r.trigger) for r in play.world.sink.breakers] == [
            (states.CLOSED, states.OPEN, "consecutive")
        ]


def test_opens_by_timeouts() -> None:
    """Attempts that hang open it as well."""
    with playing(breaker=tripping(2), timeout_s=0.1) as play:
        for _ in range(2):
            begin(play)
            play.advance(0.12)
            play.forget()
        assert breaker_of(play).state == states.OPEN


def test_opens_by_unreachable_endpoints() -> None:
    """A cluster that nobody can connect to opens it although nothing was ever sent."""
    with playing(breaker=tripping(2), retry=retrying(1, max_unsent=0)) as play:
        play.server().set_mode("refuse")
        play.server().cut()
        begin(play)
        begin(play)
        assert breaker_of(play).state == states.OPEN


def test_answers_that_are_no_failures() -> None:
    """NOT_FOUND and its like do not open it, nor does a refusal that was not processed."""
    with playing(breaker=tripping(1), clusters=TWO) as play:
        for code in (1, 3, 5, 6, 7, 9, 10, 11, 12, 16):
            begin(play)
            server = "a" if play.server("a").count > play.server("b").count else "b"
            play.server(server).last.trailers_only(code)
        play.forget()
        assert breaker_of(play).state == states.CLOSED
        assert breaker_of(play).in_flight == 0


def test_a_refused_stream_teaches_nothing() -> None:
    """What the server did not process says nothing about it."""
    with playing(breaker=tripping(1), retry=retrying(1)) as play:
        begin(play)
        play.server().request(1).reset(REFUSED_STREAM)
        play.server().request(2).reset(REFUSED_STREAM)
        play.forget()
        assert breaker_of(play).state == states.CLOSED
        assert breaker_of(play).in_flight == 0


def test_rejection_says_when_to_come_back() -> None:
    """A rejection carries reason, pushback, ErrorInfo and RetryInfo (P25, AIP-193)."""
    with playing(breaker=tripping(1, open_for_s=5.0)) as play:
        fail(play)
        play.advance(1.5)
        call = play.call(GET, b"ping")
        play.expect("client#2 <- TRAILERS-ONLY UNAVAILABLE LOCAL BREAKER_OPEN rejected pushback=3501")
        answer = details(call)
        assert answer.code == status.UNAVAILABLE
        assert answer.message == (call.seen.field(b"grpc-message") or b"").decode()
        (info,) = unpacked(answer, error_details_pb2.ErrorInfo)
        assert (info.reason, info.domain) == ("BREAKER_OPEN", "seawall")
        assert dict(info.metadata) == {"route": "all", "origin": "proxy"}
        (again,) = unpacked(answer, error_details_pb2.RetryInfo)
        assert again.retry_delay.seconds == 3
        assert 0.4e9 < again.retry_delay.nanos <= 0.5e9


def test_held_open_by_hand_has_no_time_to_come_back() -> None:
    """A breaker that is open until further notice promises nothing."""
    with playing(breaker=tripping(1)) as play:
        breaker_of(play).trip(play.now)
        call = play.call(GET, b"ping")
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE LOCAL BREAKER_OPEN rejected")
        assert unpacked(details(call), error_details_pb2.RetryInfo) == []


def test_last_status_is_told() -> None:
    """The details of a failed retry say what the attempt before it ended with."""
    with playing(breaker=tripping(1), retry=retrying(codes=1 << 8)) as play:
        call = begin(play)
        play.server().last.reset(0xB)
        breaker_of(play).trip(play.now)
        play.advance(0.03)
        play.forget()
        (info,) = unpacked(details(call), error_details_pb2.ErrorInfo)
        assert dict(info.metadata) == {
            "route": "all", "origin": "proxy", "attempts": "1", "last_status": "RESOURCE_EXHAUSTED",
        }  # fmt: skip


def test_probes_close_it() -> None:
    """After its time the next call is a probe; when it succeeds calls pass again."""
    with playing(breaker=tripping(1, open_for_s=1.0)) as play:
        fail(play)
        play.advance(1.02)
        assert breaker_of(play).state == states.HALF_OPEN, "the timer moves it, without any call"
        begin(play)
        begin(play)
        assert play.server().count == 2, "one probe at a time"
        play.server().last.trailers_only(0)
        assert breaker_of(play).state == states.CLOSED
        play.forget()


def test_a_hanging_probe_does_not_let_others_through() -> None:
    """While probes hang no further call is sent: at most half_open_calls are in flight (Polly #216, opossum
    #119).
    """
    with playing(breaker=tripping(1, open_for_s=1.0, half_open_calls=2, success_threshold=2)) as play:
        fail(play)
        play.advance(1.02)
        for _ in range(20):
            begin(play)
            play.advance(0.5)
        assert play.server().count == 3
        assert breaker_of(play).probes_in_flight == 2
        play.server().request(2).trailers_only(0)
        play.server().request(3).trailers_only(0)
        play.forget()
        assert breaker_of(play).state == states.CLOSED


def test_a_cancelled_probe_gives_its_place_back() -> None:
    """A probe whose client goes away is neither passed nor failed; the next call may probe."""
    with playing(breaker=tripping(1, open_for_s=1.0)) as play:
        fail(play)
        play.advance(1.02)
        probe = begin(play)
        probe.cancel()
        assert breaker_of(play).probes_in_flight == 0
        begin(play)
        assert play.server().count == 3
        play.server().last.trailers_only(0)
        play.forget()


def test_a_probe_that_was_not_sent_gives_its_place_back() -> None:
    """A probe that another limit turns away does not leave the breaker half open for ever (Sentinel
    #1638).
    """
    clusters = {"main": make_cluster("main", ("a",), max_in_flight=1)}
    options = tripping(1, open_for_s=1.0)
    with playing(breaker=options, clusters=clusters) as play:
        hanging = begin(play)
        breaker_of(play).trip(play.now, 1.0)
        play.advance(1.02)
        call = begin(play)
        assert call.seen.field(b"seawall-reason") == b"CONCURRENCY_LIMITED"
        assert call.seen.status == status.RESOURCE_EXHAUSTED
        assert breaker_of(play).state == states.HALF_OPEN
        assert breaker_of(play).probes_in_flight == 0
        hanging.cancel()
        play.forget()
        begin(play)
        play.server().last.trailers_only(0)
        assert breaker_of(play).state == states.CLOSED
        play.forget()


def test_an_old_result_does_not_close_it() -> None:
    """A call that was admitted before the breaker opened teaches the half-open breaker nothing (Polly
    #217).
    """
    with playing(breaker=tripping(1, open_for_s=1.0)) as play:
        begin(play)
        fail(play)
        play.advance(1.02)
        assert breaker_of(play).state == states.HALF_OPEN
        play.server().request(1).trailers_only(0)
        assert breaker_of(play).state == states.HALF_OPEN
        assert breaker_of(play).in_flight == 0
        play.forget()


@pytest.mark.parametrize("moment", ["waiting", "sent", "backoff", "held", "committed"])
@pytest.mark.parametrize("how", ["cancel", "disconnect", "deadline"])
def test_permits_come_back_exactly_once(moment: str, how: str) -> None:
    """Wherever a call is when it ends, its permit has come back once."""
    with playing(
        breaker=tripping(100), retry=retrying(3, initial_s=0.3, codes=UNAVAILABLE), timeout_s=0.45
    ) as play:
        if moment == "waiting":
            play.server().set_mode("blackhole")
            play.server().cut()
            play.advance(0.3)
        call = begin(play)
        if moment == "backoff":
            play.server().last.trailers_only(14)
        elif moment in ("held", "committed"):
            play.server().last.headers()
            if moment == "committed":
                play.advance(0.1)
        assert breaker_of(play).in_flight == (0 if moment == "backoff" else 1)
        if how == "cancel":
            call.cancel()
        elif how == "disconnect":
            play.disconnect()
        else:
            play.server().server.mode = "blackhole"
            play.advance(0.5)
        assert breaker_of(play).in_flight == 0
        assert breaker_of(play).surplus_returns == 0
        assert play.world.context.calls == 0
        play.forget()


def test_a_new_policy_keeps_an_open_breaker_open() -> None:
    """A policy push neither closes an open breaker nor forgets how long it stays open."""
    with Playbook(snapshot(breaker=tripping(1))) as play:
        fail(play)
        play.apply(snapshot(breaker=tripping(3), revision=2))
        begin(play)
        assert play.server().count == 1
        play.advance(5.1)
        begin(play)
        assert play.server().count == 2
        play.server().last.trailers_only(0)
        play.forget()


def test_permits_of_the_old_policy_return_to_the_new_breaker() -> None:
    """Calls that were in flight when the policy changed teach the breaker of the new one, and it is told at
    once.
    """
    with Playbook(snapshot(breaker=tripping(2))) as play:
        begin(play)
        begin(play)
        play.apply(snapshot(breaker=tripping(2, open_for_s=1.0), revision=2))
        assert breaker_of(play).in_flight == 2
        play.server().request(1).trailers_only(14)
        play.server().request(2).trailers_only(14)
        play.forget()
        assert breaker_of(play).in_flight == 0
        assert breaker_of(play).state == states.OPEN
        assert [record.to_state for record in play.world.sink.breakers] == [states.OPEN]
        play.advance(1.1)
        assert breaker_of(play).state == states.HALF_OPEN, "its timer runs"


def test_an_old_call_is_rejected_in_the_words_of_the_new_breaker() -> None:
    """A retry under the old policy that meets the new, open breaker hears when that one closes."""
    with Playbook(snapshot(breaker=tripping(9), retry=retrying(2, initial_s=0.1))) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.apply(snapshot(breaker=tripping(9), revision=2))
        breaker_of(play).trip(play.now, 5.0)
        play.advance(0.11)
        play.expect(
            "client#1 <- TRAILERS-ONLY UNAVAILABLE seawall-outcome=failed seawall-attempts=1"
            " seawall-reason=BREAKER_OPEN grpc-retry-pushback-ms=4900"
        )


def test_shadow_rejects_nothing() -> None:
    """A breaker in shadow counts what it would have rejected."""
    options = BreakerOptions(consecutive=1, mode=states.SHADOW)
    with playing(breaker=options) as play:
        fail(play, 3)
        assert play.server().count == 3
        assert breaker_of(play).would_reject == 2


def test_fallbacks_pass_the_breaker_by() -> None:
    """An open breaker sends calls to the fallback; its failures are not the route's."""
    with playing(
        breaker=tripping(1),
        fallback=(to_cluster("dr"),),
        clusters={"main": ("a",), "dr": ("d",)},
        idempotent=True,
    ) as play:
        begin(play)
        play.server("a").last.trailers_only(14)
        play.server("d").last.trailers_only(0)
        play.forget()
        for _ in range(2):
            begin(play)
            play.server("d").last.trailers_only(14)
        play.forget()
        assert play.server("a").count == 1
        assert play.server("d").count == 3
        assert breaker_of(play).in_flight == 0


def test_total_failure_does_not_amplify() -> None:
    """Under total failure an upstream sees at most its calls, the budget's share of retries and the floor
    (F34).
    """
    budget = BudgetOptions(percent=20.0, min_per_second=1.0, interval_s=10.0)
    with Playbook(
        snapshot(retry=retrying(3, initial_s=0.01, budget=budget)),
        server_limits=Limits(max_concurrent_streams=1000),
    ) as play:
        started = play.now
        answered = 0
        for _ in range(500):
            begin(play)
            for _ in range(3):
                while answered < play.server().count:
                    answered += 1
                    play.server().request(answered).trailers_only(14)
                play.advance(0.01)
            play.forget()
        calls = play.world.counters["all"].started
        assert calls == 500
        assert play.server().count <= 1.2 * calls + 10.0 + 1.0 * (play.now - started)
        assert play.server().count >= 1.2 * calls


def test_a_probe_that_streams_has_answered_with_its_first_message() -> None:
    """A half-open breaker does not wait for the end of streams that may go on for days."""
    with playing(breaker=tripping(1, open_for_s=1.0), methods=METHODS) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.advance(1.1)
        assert breaker_of(play).state == states.HALF_OPEN
        stream = begin(play, path=LIST)
        play.server().last.headers()
        play.server().last.data(b"first")
        play.forget()
        assert breaker_of(play).state == states.CLOSED
        play.server().last.trailers(0)
        play.forget()
        assert stream.seen.status == 0
        assert breaker_of(play).in_flight == 0
