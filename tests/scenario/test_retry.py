"""What is tried again, when, and what the next server and the client learn of it."""

from __future__ import annotations

import pytest

from seawall_policy.budget import BudgetOptions
from seawall_proxy.testing import Playbook
from tests.scenario.scenes import (
    GET,
    LIST,
    METHODS,
    REFUSED_STREAM,
    TWO,
    UPLOAD,
    begin,
    playing,
    retrying,
    snapshot,
    tripping,
)


def test_a_status_in_the_trailers_is_retried() -> None:
    """UNAVAILABLE behind headers and a message is retried, and the client sees nothing of the first
    answer.
    """
    with playing(retry=retrying(), methods=METHODS) as play:
        begin(play)
        play.server().last.reply(b"half", code=14)
        play.expect_nothing()
        play.advance(0.026)
        play.expect(
            "a#2 <- HEADERS /shop.v1.Orders/Get grpc-previous-rpc-attempts=1", 'a#2 <- DATA "ping" END'
        )
        play.server().last.reply(b"whole")
        play.expect(
            "client#1 <- HEADERS",
            'client#1 <- DATA "whole"',
            "client#1 <- TRAILERS OK seawall-outcome=retried seawall-attempts=2",
        )


def test_the_same_without_a_descriptor() -> None:
    """A unary answer that comes in one write is judged by its trailers although nobody knows that it is
    unary.
    """
    with playing(retry=retrying()) as play:
        begin(play)
        play.server().last.reply(b"half", code=14)
        play.expect_nothing()
        play.advance(0.026)
        play.expect(
            "a#2 <- HEADERS /shop.v1.Orders/Get grpc-previous-rpc-attempts=1", 'a#2 <- DATA "ping" END'
        )
        play.server().last.trailers_only(0)
        play.expect("client#1 <- TRAILERS-ONLY OK seawall-outcome=retried seawall-attempts=2")


def test_attempts_run_out() -> None:
    """After the last attempt the client gets that attempt's own status, message and fields (P19)."""
    with playing(retry=retrying(2)) as play:
        begin(play)
        play.server().last.trailers_only(14, (b"grpc-message", b"first"))
        play.advance(0.03)
        play.forget()
        play.server().last.trailers_only(14, (b"grpc-message", b"second"), (b"x-why", b"tired"))
        play.expect(
            'client#1 <- TRAILERS-ONLY UNAVAILABLE "second" x-why=tired'
            " seawall-outcome=failed seawall-attempts=2"
        )


def test_backoff_grows() -> None:
    """The n-th wait is initial x multiplier^(n-1) (P19)."""
    with playing(retry=retrying(4, initial_s=0.1)) as play:
        begin(play)
        started = play.now
        for _ in range(3):
            play.server().last.trailers_only(14)
            play.advance(0.5)
            play.forget()
        play.server().last.trailers_only(0)
        play.forget()
        waits = [round(call.at - started, 2) for call in play.server().server.calls]
        assert waits == [0.0, 0.1, 0.7, 1.4]


def test_refused_stream_is_repeated_at_once_elsewhere() -> None:
    """REFUSED_STREAM was not processed: it is repeated at once, once, elsewhere, and counts as no attempt
    (P19).
    """
    with playing(clusters=TWO) as play:
        begin(play)
        play.server("a").last.reset(REFUSED_STREAM)
        play.expect("b#1 <- HEADERS /shop.v1.Orders/Get", 'b#1 <- DATA "ping" END')
        play.server("b").last.reset(REFUSED_STREAM)
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE LOCAL UPSTREAM_RESET failed attempts=2")


def test_goaway_repeats_what_it_excludes() -> None:
    """A call above the GOAWAY's last stream is repeated at once elsewhere; one below it goes on (P15)."""
    with playing(clusters=TWO) as play:
        begin(play)
        play.server("a").goaway(0)
        play.expect("b#1 <- HEADERS /shop.v1.Orders/Get", 'b#1 <- DATA "ping" END')
        play.server("b").goaway()
        play.server("b").last.reply(b"pong")
        play.expect(
            "client#1 <- HEADERS",
            'client#1 <- DATA "pong"',
            "client#1 <- TRAILERS OK"
            " seawall-outcome=retried seawall-attempts=2 seawall-reason=UPSTREAM_RESET",
        )


def test_a_lost_connection_is_not_repeated_by_default() -> None:
    """A call whose connection dies may have been seen; without a policy that allows it, it is not sent
    twice.
    """
    with playing(clusters=TWO) as play:
        begin(play)
        play.server("a").cut()
        play.expect(
            "a#1 <- RST CONNECTION_LOST",
            "client#1 <- TRAILERS-ONLY UNAVAILABLE LOCAL UPSTREAM_RESET failed attempts=1",
        )
        assert play.server("b").count == 0


def test_not_idempotent_is_not_sent_twice() -> None:
    """With only_idempotent a request that may have been seen is not repeated, whatever the code."""
    with playing(retry=retrying(only_idempotent=True), clusters=TWO) as play:
        begin(play)
        play.server("a").last.trailers_only(14)
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE")
        begin(play)
        play.server("b").last.reset(REFUSED_STREAM)
        play.expect("a#2 <- HEADERS /shop.v1.Orders/Get", 'a#2 <- DATA "ping" END')
        play.server("a").last.trailers_only(0)
        play.forget()


def test_idempotent_route_is_retried() -> None:
    """The same policy repeats on a route that says idempotent."""
    with playing(retry=retrying(only_idempotent=True), idempotent=True) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.advance(0.03)
        assert play.server().count == 2
        play.server().last.trailers_only(0)
        play.forget()


@pytest.mark.parametrize(
    ("value", "wait_ms"),
    [
        (b"0", 0),
        (b"300", 300),
        (b"-1", None),
        (b"+5", None),
        (b"05", None),
        (b"2147483648", None),
        (b"x", None),
        (b"", None),
        (b"1,2", None),
    ],
)
def test_pushback(value: bytes, wait_ms: int | None) -> None:
    """A readable pushback is the wait, exactly; any other ends the retries (P20)."""
    with playing(retry=retrying()) as play:
        begin(play)
        started = play.now
        play.server().last.trailers_only(14, (b"grpc-retry-pushback-ms", value))
        play.advance(1.0)
        play.forget()
        if wait_ms is None:
            assert play.server().count == 1
            return
        assert play.server().count == 2
        waited = (play.server().last.seen.at - started) * 1000
        assert wait_ms <= waited <= wait_ms + 2
        play.server().last.trailers_only(0)
        play.forget()


def test_pushback_restarts_the_backoff() -> None:
    """After a pushback the computed waits start at the first again (P20)."""
    with playing(retry=retrying(5, initial_s=0.1)) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.advance(0.15)
        play.server().last.trailers_only(14, (b"grpc-retry-pushback-ms", b"10"))
        play.advance(0.05)
        started = play.now
        play.server().last.trailers_only(14)
        play.advance(0.5)
        assert 0.1 <= play.server().last.seen.at - started < 0.11
        play.server().last.trailers_only(0)
        play.forget()


def test_budget_exhausted() -> None:
    """Without budget the last failure is the answer."""
    budget = BudgetOptions(percent=0.0, min_per_second=0.1, interval_s=10.0)
    with playing(retry=retrying(5, budget=budget)) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.advance(0.03)
        play.forget()
        play.server().last.trailers_only(14, (b"x-last", b"1"))
        play.expect(
            "client#1 <- TRAILERS-ONLY UNAVAILABLE x-last=1 seawall-outcome=failed seawall-attempts=2"
        )
        assert play.world.counters["all"].budget_exhausted == 1


def test_retries_in_backoff_are_paid_for() -> None:
    """A retry counts from the moment it waits: a thousand failures at once do not queue a thousand
    retries.
    """
    budget = BudgetOptions(percent=20.0, min_per_second=0.0, interval_s=10.0)
    with playing(retry=retrying(2, initial_s=1.0, budget=budget)) as play:
        calls = [play.call(GET, b"ping", client=f"c{n % 10}") for n in range(100)]
        for number in range(1, 101):
            play.server().request(number).trailers_only(14)
        ended = [call for call in calls if call.seen.ended]
        assert len(ended) == 80
        play.advance(2.0)
        assert play.server().count == 120
        for number in range(101, 121):
            play.server().request(number).trailers_only(0)
        play.forget()


def test_deadline_too_near_for_the_backoff() -> None:
    """A retry that could only start when the time is up is not begun: the failure is told at once."""
    with playing(retry=retrying(initial_s=0.5), timeout_s=0.4) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE")


def test_connect_failure_moves_on() -> None:
    """An attempt that never left us is repeated at once on another endpoint."""
    with playing(clusters=TWO) as play:
        play.server("a").set_mode("refuse")
        play.server("a").cut()
        play.call(GET, b"ping")
        play.expect("b#1 <- HEADERS /shop.v1.Orders/Get", 'b#1 <- DATA "ping" END')
        play.server("b").last.trailers_only(0)
        play.forget()


def test_previous_attempts_of_the_client_are_added_to() -> None:
    """Our repeats are added to what the client says of its own (P21)."""
    with playing(retry=retrying()) as play:
        begin(play, b"ping", (b"grpc-previous-rpc-attempts", b"2"))
        assert play.server().last.seen.field(b"grpc-previous-rpc-attempts") == b"2"
        play.server().last.trailers_only(14)
        play.advance(0.03)
        assert play.server().last.seen.field(b"grpc-previous-rpc-attempts") == b"3"
        play.server().last.trailers_only(0)
        play.forget()


def test_chunked_request_is_retried() -> None:
    """A request in many pieces, without a content-length, is repeated whole."""
    with playing(retry=retrying()) as play:
        call = play.call(GET, b"one", end=False)
        call.send(b"two")
        call.send(b"three", end=True)
        play.forget()
        play.server().last.trailers_only(14)
        play.advance(0.03)
        play.expect(
            "a#2 <- HEADERS /shop.v1.Orders/Get grpc-previous-rpc-attempts=1",
            'a#2 <- DATA "one"',
            'a#2 <- DATA "two"',
            'a#2 <- DATA "three" END',
        )
        play.server().last.trailers_only(0)
        play.forget()


def test_a_retry_in_the_middle_of_the_request() -> None:
    """What the client says during the backoff and after it reaches the second attempt, in order, once."""
    with playing(retry=retrying()) as play:
        call = play.call(UPLOAD, b"one", end=False)
        play.forget()
        play.server().last.trailers_only(14)
        play.forget()
        call.send(b"two")
        play.expect_nothing()
        play.advance(0.03)
        play.expect(
            "a#2 <- HEADERS /shop.v1.Orders/Upload grpc-previous-rpc-attempts=1",
            'a#2 <- DATA "one"',
            'a#2 <- DATA "two"',
        )
        call.send(b"three", end=True)
        play.expect('a#2 <- DATA "three" END')
        play.server().last.trailers_only(0)
        play.forget()


def test_replay_overflow_commits() -> None:
    """A request larger than the replay buffer goes through; it only cannot be repeated any more (P23)."""
    with playing(retry=retrying()) as play:
        call = play.call(UPLOAD, end=False)
        for _ in range(40):
            call.send(b"x" * 32768)
        assert play.world.context.replay_bytes == 0
        call.end()
        play.forget()
        assert len(play.server().last.seen.data) == 40 * 32768
        play.server().last.trailers_only(14)
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE")


def test_known_server_stream_commits_with_its_first_message() -> None:
    """A method that is known to stream is committed by its first message, not by its headers."""
    with playing(retry=retrying(), methods=METHODS) as play:
        begin(play, path=LIST)
        play.server().last.headers()
        play.server().last.trailers(14)
        play.expect_nothing()
        play.advance(0.03)
        play.forget()
        play.server().last.headers()
        play.expect_nothing()
        play.server().last.data(b"one")
        play.expect("client#1 <- HEADERS", 'client#1 <- DATA "one"')
        play.server().last.trailers(14, (b"x-a", b"1"))
        play.expect("client#1 <- TRAILERS UNAVAILABLE x-a=1 seawall-outcome=failed seawall-attempts=2")


def test_retry_meets_an_open_breaker() -> None:
    """A retry that the breaker forbids is not sent; the server's own answer is the final one, with the time
    after which the breaker lets calls through.
    """
    with playing(retry=retrying(), breaker=tripping(1)) as play:
        begin(play)
        play.server().last.trailers_only(14, (b"grpc-message", b"disk full"), (b"x-why", b"disk"))
        play.advance(0.03)
        play.expect(
            'client#1 <- TRAILERS-ONLY UNAVAILABLE "disk full" x-why=disk seawall-outcome=failed'
            " seawall-attempts=1 seawall-reason=BREAKER_OPEN grpc-retry-pushback-ms=4975"
        )
        assert play.server().count == 1


def test_what_is_left_of_a_held_answer() -> None:
    """An answer with headers and a message that was held back is passed on as its status alone."""
    with playing(retry=retrying(), breaker=tripping(1), methods=METHODS) as play:
        begin(play)
        play.server().last.reply(b"half", (b"grpc-message", b"disk full"), code=14)
        play.advance(0.03)
        play.expect(
            'client#1 <- TRAILERS-ONLY UNAVAILABLE "disk full" seawall-outcome=failed'
            " seawall-attempts=1 seawall-reason=BREAKER_OPEN grpc-retry-pushback-ms=4975"
        )


def test_an_attempt_without_an_answer_leaves_nothing_to_tell() -> None:
    """Where no server has answered in gRPC, the breaker's refusal is the final status."""
    with playing(retry=retrying(), breaker=tripping(1)) as play:
        begin(play)
        play.server().last.raw_headers((b":status", b"503"), end=True)
        play.advance(0.03)
        assert "LOCAL BREAKER_OPEN" in play.forget()[-1]


def test_per_try_timeout_is_retried() -> None:
    """An attempt that takes too long is cancelled and repeated; the client's own time is what counts in the
    end.
    """
    with playing(retry=retrying(), per_try_timeout_s=0.1, timeout_s=1.0) as play:
        begin(play)
        play.advance(0.11)
        play.expect("a#1 <- RST CANCEL")
        play.advance(0.03)
        play.forget()
        assert play.server().count == 2
        play.server().last.reply(b"pong")
        play.expect(
            "client#1 <- HEADERS",
            'client#1 <- DATA "pong"',
            "client#1 <- TRAILERS OK"
            " seawall-outcome=retried seawall-attempts=2 seawall-reason=PER_TRY_TIMEOUT",
        )


def test_a_playbook_shows_the_difference() -> None:
    """A mismatch prints the conversation and a diff."""
    with playing() as play:
        begin(play)
        play.server().last.trailers_only(0)
        with pytest.raises(
            AssertionError, match=r"(?s)client#1 -> HEADERS.*- client#1 <- TRAILERS-ONLY CANCELLED"
        ):
            play.expect("client#1 <- TRAILERS-ONLY CANCELLED")


def test_a_playbook_insists_on_being_read() -> None:
    """What was seen and never expected fails the playbook at its end."""
    play: Playbook = playing()
    begin(play)
    play.server().last.trailers_only(0)
    with pytest.raises(AssertionError, match=r"\+ client#1 <- TRAILERS-ONLY OK"), play:
        pass


def test_a_playbook_insists_on_an_end() -> None:
    """A call that is still in flight at the end fails the playbook."""
    play = playing()
    with pytest.raises(AssertionError, match="calls in flight: 1"), play:
        begin(play)


def test_the_budget_outlives_a_policy() -> None:
    """A policy push with the same budget does not fill it again."""
    budget = BudgetOptions(percent=0.0, min_per_second=0.1, interval_s=10.0)
    with Playbook(snapshot(retry=retrying(2, budget=budget))) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.advance(0.03)
        play.server().last.trailers_only(0)
        play.apply(snapshot(retry=retrying(3, budget=budget), revision=2))
        begin(play)
        play.server().last.trailers_only(14)
        play.advance(0.03)
        play.forget()
        assert play.server().count == 3
        assert play.world.counters["all"].budget_exhausted == 1
