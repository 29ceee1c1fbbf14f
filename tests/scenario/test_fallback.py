"""Answers in place of a failure."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_policy.model import ClusterSpec
from seawall_policy.retry import RetryOptions
from seawall_proxy.testing.policies import make_cluster, to_cluster, to_static
from tests.scenario.scenes import (
    GET,
    LIST,
    METHODS,
    REFUSED_STREAM,
    UPLOAD,
    begin,
    playing,
    retrying,
    tripping,
)

WITH_DR = {"main": ("a",), "dr": ("d",)}
PAYLOAD = b"\x00\x00\x00\x00\x04full"
CODES = 1 << status.UNAVAILABLE
REASON = frozenset({"BREAKER_OPEN"})
NEVER_CODE = 1 << status.DATA_LOSS


def test_to_another_cluster() -> None:
    """A failure that the step answers is served by the other cluster, and the trailers say so."""
    with playing(fallback=(to_cluster("dr", CODES),), clusters=WITH_DR, idempotent=True) as play:
        begin(play)
        play.server("a").last.trailers_only(14, (b"x-from", b"a"))
        play.expect(
            "d#1 <- HEADERS /shop.v1.Orders/Get grpc-previous-rpc-attempts=1", 'd#1 <- DATA "ping" END'
        )
        play.server("d").last.reply(b"pong", (b"x-from", b"d"))
        play.expect(
            "client#1 <- HEADERS",
            'client#1 <- DATA "pong"',
            "client#1 <- TRAILERS OK x-from=d seawall-outcome=fallback seawall-attempts=2",
        )
        assert play.world.counters["all"].fallbacks == 1


def test_a_status_in_trailers_is_answered() -> None:
    """A failure behind headers and a message is answered as well: nothing of it was delivered."""
    with playing(fallback=(to_cluster("dr", CODES),), clusters=WITH_DR, idempotent=True) as play:
        begin(play)
        play.server("a").last.reply(b"half", code=14)
        play.forget()
        play.server("d").last.reply(b"whole")
        play.expect(
            "client#1 <- HEADERS",
            'client#1 <- DATA "whole"',
            "client#1 <- TRAILERS OK seawall-outcome=fallback seawall-attempts=2",
        )


def test_to_a_static_answer() -> None:
    """The fixed payload goes out as one message with OK, and says that it is a fallback."""
    with playing(fallback=(to_static(PAYLOAD, GET.encode(), CODES),)) as play:
        call = begin(play)
        play.server().last.trailers_only(14)
        play.forget()
        assert bytes(call.seen.data) == PAYLOAD
        assert call.seen.status == 0
        assert call.seen.field(b"seawall-outcome") == b"fallback"
        assert call.seen.field(b"seawall-attempts") == b"1"
        assert call.seen.headers == ((b":status", b"200"), (b"content-type", b"application/grpc"))


def test_a_static_answer_of_another_method_is_passed_over() -> None:
    """A static answer serves the methods that it was encoded for and no other."""
    with playing(fallback=(to_static(PAYLOAD, LIST.encode(), CODES),)) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE")


def test_a_chain() -> None:
    """Steps are asked in order; one that fails hands its own failure to the next."""
    steps = (
        to_static(PAYLOAD, GET.encode(), NEVER_CODE),
        to_cluster("dr", CODES),
        to_static(PAYLOAD, GET.encode(), 1 << status.INTERNAL),
    )
    with playing(fallback=steps, clusters=WITH_DR, idempotent=True) as play:
        call = begin(play)
        play.server("a").last.trailers_only(14)
        play.server("d").last.reset(0x2)
        play.forget()
        assert bytes(call.seen.data) == PAYLOAD
        assert call.seen.field(b"seawall-attempts") == b"2"


def test_when_the_chain_ends_the_last_failure_is_told() -> None:
    """After the last step the client gets that step's failure."""
    with playing(fallback=(to_cluster("dr", CODES),), clusters=WITH_DR, idempotent=True) as play:
        begin(play)
        play.server("a").last.trailers_only(14, (b"x-from", b"a"))
        play.forget()
        play.server("d").last.trailers_only(8, (b"x-from", b"d"))
        play.expect(
            "client#1 <- TRAILERS-ONLY RESOURCE_EXHAUSTED x-from=d seawall-outcome=failed seawall-attempts=2"
        )


def test_after_the_retries() -> None:
    """Retries come first, the fallback when they have run out; it is not itself retried."""
    with playing(
        retry=retrying(2), fallback=(to_cluster("dr", CODES),), clusters=WITH_DR, idempotent=True
    ) as play:
        begin(play)
        play.server("a").last.trailers_only(14)
        play.advance(0.03)
        play.server("a").last.trailers_only(14)
        play.forget()
        assert (play.server("a").count, play.server("d").count) == (2, 1)
        play.server("d").last.trailers_only(14)
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE seawall-outcome=failed seawall-attempts=3")


@pytest.mark.parametrize("code", [0, 3, 5, 8, 13])
def test_only_when_the_step_says_so(code: int) -> None:
    """Other failures, and successes, pass on as they are."""
    with playing(fallback=(to_static(PAYLOAD, GET.encode(), CODES, REASON),)) as play:
        call = begin(play)
        play.server().last.trailers_only(code)
        play.forget()
        assert call.seen.status == code
        assert call.seen.field(b"seawall-outcome") is None


def test_by_reason() -> None:
    """A step may name a reason of ours: an open breaker is answered, the same code from a server is not."""
    with playing(breaker=tripping(1), fallback=(to_static(PAYLOAD, GET.encode(), 0, REASON),)) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.expect("client#1 <- TRAILERS-ONLY UNAVAILABLE")
        call = begin(play)
        assert bytes(call.seen.data) == PAYLOAD
        assert call.seen.field(b"seawall-reason") == b"BREAKER_OPEN"
        assert call.seen.field(b"seawall-attempts") == b"0"


def test_none_after_the_commit() -> None:
    """Once something of an answer is delivered there is no other answer."""
    with playing(
        fallback=(to_cluster("dr"), to_static(PAYLOAD, GET.encode())), clusters=WITH_DR, idempotent=True
    ) as play:
        begin(play)
        play.server("a").last.headers()
        play.server("a").last.data(b"one")
        play.advance(0.01)
        play.forget()
        play.server("a").last.trailers(14)
        play.expect("client#1 <- TRAILERS UNAVAILABLE")
        assert play.server("d").count == 0


def test_a_request_too_large_to_repeat_goes_to_no_cluster() -> None:
    """What does not fit into the replay buffer cannot be sent elsewhere; a static answer still can be
    given.
    """
    steps = (to_cluster("dr"), to_static(PAYLOAD, UPLOAD.encode()))
    with playing(fallback=steps, clusters=WITH_DR, idempotent=True) as play:
        call = play.call(UPLOAD, end=False)
        for _ in range(40):
            call.send(b"x" * 32768)
        play.forget()
        play.server("a").last.trailers_only(14)
        play.forget()
        assert play.server("d").count == 0
        assert bytes(call.seen.data) == PAYLOAD


def test_no_cluster_after_the_deadline() -> None:
    """When the client's time is up nothing is sent anywhere and nobody waits for a static answer."""
    with playing(
        fallback=(to_cluster("dr"), to_static(PAYLOAD, GET.encode())), clusters=WITH_DR, idempotent=True
    ) as play:
        begin(play, timeout=b"100m")
        play.advance(0.12)
        play.expect(
            "a#1 <- RST CANCEL",
            "client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED LOCAL DEADLINE_EXCEEDED failed attempts=1",
        )
        assert play.server("d").count == 0


def test_a_static_answer_after_the_routes_own_timeout() -> None:
    """The route's timeout leaves the client time for a static answer, but not for another server."""
    with playing(
        timeout_s=0.1,
        fallback=(to_cluster("dr"), to_static(PAYLOAD, GET.encode())),
        clusters=WITH_DR,
        idempotent=True,
    ) as play:
        call = begin(play, timeout=b"1S")
        play.advance(0.12)
        play.forget()
        assert bytes(call.seen.data) == PAYLOAD
        assert play.server("d").count == 0
        assert call.seen.field(b"seawall-reason") == b"DEADLINE_EXCEEDED"


def test_when_nobody_can_be_reached() -> None:
    """An unreachable cluster falls back, with the reason."""
    with playing(
        fallback=(to_cluster("dr", 0, frozenset({"NO_HEALTHY_BACKEND"})),), clusters=WITH_DR, idempotent=True
    ) as play:
        play.server("a").set_mode("refuse")
        play.server("a").cut()
        begin(play)
        play.server("d").last.reply(b"pong")
        play.expect(
            "client#1 <- HEADERS",
            'client#1 <- DATA "pong"',
            "client#1 <- TRAILERS OK"
            " seawall-outcome=fallback seawall-attempts=1 seawall-reason=NO_HEALTHY_BACKEND",
        )


def test_the_fallback_has_limits_of_its_own() -> None:
    """The other cluster's max_in_flight holds for fallbacks too; the caller hears the server's own answer."""
    clusters: dict[str, tuple[str, ...] | ClusterSpec] = {
        "main": ("a",),
        "dr": make_cluster("dr", ("d",), max_in_flight=1),
    }
    with playing(fallback=(to_cluster("dr", CODES),), clusters=clusters, idempotent=True) as play:
        for _ in range(2):
            begin(play)
            play.server("a").last.trailers_only(14)
        assert play.server("d").count == 1
        assert play.forget()[-1].startswith(
            "client#2 <- TRAILERS-ONLY UNAVAILABLE seawall-outcome=failed seawall-attempts=1"
            " seawall-reason=CONCURRENCY_LIMITED"
        )
        play.server("d").last.trailers_only(0)
        play.forget()


def test_a_held_fallback_is_judged_by_its_trailers() -> None:
    """With another step behind it a fallback's own answer is held back until it is known to be good."""
    steps = (to_cluster("dr", CODES), to_static(PAYLOAD, GET.encode(), CODES))
    with playing(fallback=steps, clusters=WITH_DR, methods=METHODS, idempotent=True) as play:
        call = begin(play)
        play.server("a").last.trailers_only(14)
        play.server("d").last.reply(b"half", code=14)
        play.forget()
        assert bytes(call.seen.data) == PAYLOAD


def test_transparent_retries_come_first() -> None:
    """What the server has not processed is repeated before any fallback is asked."""
    with playing(fallback=(to_cluster("dr"),), clusters=WITH_DR, idempotent=True) as play:
        begin(play)
        play.server("a").last.reset(REFUSED_STREAM)
        play.forget()
        assert (play.server("a").count, play.server("d").count) == (2, 0)
        play.server("a").last.trailers_only(0)
        play.forget()


def test_the_other_cluster_is_chosen_from_afresh() -> None:
    """Which endpoints of the first cluster were tried says nothing about those of the second."""
    clusters = {"main": ("a", "b"), "dr": ("d", "e")}
    with playing(
        retry=retrying(2), fallback=(to_cluster("dr", CODES),), clusters=clusters, idempotent=True
    ) as play:
        begin(play)
        play.server("a").last.trailers_only(14)
        play.advance(0.03)
        play.server("b").last.trailers_only(14)
        play.forget()
        assert (play.server("d").count, play.server("e").count) == (1, 0)
        play.server("d").last.trailers_only(0)
        play.forget()


def test_what_a_server_may_have_done_is_not_done_again_elsewhere() -> None:
    """A call that is not idempotent goes elsewhere only if no server can have carried it out (I8)."""
    with playing(fallback=(to_cluster("dr", CODES),), clusters=WITH_DR) as play:
        call = begin(play)
        play.server().last.trailers_only(14)
        play.forget()
        assert call.seen.status == 14
        assert play.server("d").count == 0


def test_what_no_server_has_seen_goes_elsewhere_whatever_it_is() -> None:
    """A request that could not be sent anywhere is nobody's second execution."""
    with playing(fallback=(to_cluster("dr", CODES),), clusters=WITH_DR) as play:
        play.server().set_mode("refuse")
        play.server().cut()
        play.advance(0.01)
        call = begin(play)
        play.server("d").last.reply(b"done")
        play.forget()
        assert call.seen.status == 0


def test_a_policy_may_say_that_twice_is_fine() -> None:
    """`only_idempotent: false` is the word for it, for retries and fallbacks alike."""
    retry = RetryOptions(only_idempotent=False)
    with playing(retry=retry, fallback=(to_cluster("dr", CODES),), clusters=WITH_DR) as play:
        call = begin(play)
        play.server().last.trailers_only(14)
        play.server("d").last.reply(b"done")
        play.forget()
        assert call.seen.status == 0
