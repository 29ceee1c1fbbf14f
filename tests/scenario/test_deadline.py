"""Time: what is forwarded, who ends a call that takes too long, and that nothing is begun too late."""

from __future__ import annotations

from itertools import pairwise

import pytest

from seawall_policy import status
from seawall_policy.deadline import parse_grpc_timeout
from seawall_proxy.http2.limits import Limits
from seawall_proxy.testing import Playbook
from seawall_proxy.testing.playbook import ScriptedRequest
from seawall_proxy.testing.policies import make_cluster
from tests.scenario.scenes import (
    GET,
    LIST,
    METHODS,
    TWO,
    UPLOAD,
    begin,
    playing,
    retrying,
    snapshot,
    tripping,
)


def left(request: ScriptedRequest) -> float:
    """Return the seconds in a request's grpc-timeout."""
    value = request.seen.field(b"grpc-timeout")
    assert value is not None
    return parse_grpc_timeout(value)


def test_no_deadline_no_header() -> None:
    """Where nobody has set a deadline none is made up."""
    with playing() as play:
        begin(play)
        assert play.server().last.seen.field(b"grpc-timeout") is None
        play.server().last.trailers_only(0)
        play.forget()


@pytest.mark.parametrize(
    ("asked", "limit_s", "forwarded_s"),
    [(b"2S", 5.0, 2.0), (b"10S", 5.0, 5.0), (b"", 5.0, 5.0), (b"2S", 1e9, 2.0)],
)
def test_the_smaller_limit_is_forwarded(asked: bytes, limit_s: float, forwarded_s: float) -> None:
    """The client's timeout and the route's: the smaller counts, and is what the server is told (P5)."""
    with playing(timeout_s=limit_s) as play:
        begin(play, timeout=asked)
        assert forwarded_s - 0.001 < left(play.server().last) <= forwarded_s
        play.server().last.trailers_only(0)
        play.forget()


def test_the_remaining_time_never_grows() -> None:
    """Each attempt is told what is left, less each time (P5)."""
    with playing(retry=retrying(5, initial_s=0.05)) as play:
        begin(play, timeout=b"1S")
        seen = [left(play.server().last)]
        for _ in range(4):
            play.server().last.trailers_only(14)
            play.advance(0.2)
            if play.server().count == len(seen) + 1:
                seen.append(left(play.server().last))
        assert len(seen) >= 3
        assert all(later <= before - 0.05 for before, later in pairwise(seen))
        play.advance(1.0)
        play.forget()


def test_expired_on_arrival() -> None:
    """A call whose time is up when it comes is refused and never sent (P6)."""
    with playing() as play:
        call = begin(play, timeout=b"0n")
        assert call.seen.status == status.DEADLINE_EXCEEDED
        assert play.server().count == 0


def test_the_deadline_ends_a_call() -> None:
    """When the time is up the server hears CANCEL and the client DEADLINE_EXCEEDED, within 16 ms (P5)."""
    with playing() as play:
        begin(play, timeout=b"1S")
        play.advance(0.999)
        play.expect_nothing()
        play.advance(0.018)
        play.expect(
            "a#1 <- RST CANCEL",
            "client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED LOCAL DEADLINE_EXCEEDED failed attempts=1",
        )


def test_the_deadline_runs_while_the_request_comes() -> None:
    """The time counts from the request's headers, not from its end."""
    with playing() as play:
        call = play.call(UPLOAD, b"one", end=False, timeout=b"100m")
        for _ in range(9):
            play.advance(0.01)
            call.send(b"more")
        play.forget()
        play.advance(0.02)
        play.expect(
            "a#1 <- RST CANCEL",
            "client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED LOCAL DEADLINE_EXCEEDED failed attempts=1",
            "client#1 <- RST NO_ERROR",
        )


def test_the_deadline_ends_a_stream_that_flows() -> None:
    """A stream in the middle of its messages ends with trailers when its time is up."""
    with playing() as play:
        begin(play, path=LIST, timeout=b"100m")
        play.server().last.headers()
        play.server().last.data(b"one")
        play.forget()
        play.advance(0.12)
        play.expect(
            "a#1 <- RST CANCEL",
            "client#1 <- TRAILERS DEADLINE_EXCEEDED LOCAL DEADLINE_EXCEEDED failed attempts=1",
        )


def test_the_deadline_ends_a_backoff() -> None:
    """No retry begins after the deadline: a call in backoff ends when its time is up (P6)."""
    with playing(retry=retrying(2, initial_s=0.099)) as play:
        begin(play, timeout=b"100m")
        play.server().last.trailers_only(14)
        play.expect_nothing()
        play.world.fire(play.now + 0.2)
        play.settle()
        play.expect("client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED LOCAL DEADLINE_EXCEEDED failed attempts=1")
        assert play.server().count == 1


def test_try_and_call_deadline_at_the_same_instant() -> None:
    """When both limits fall on one instant it is the call's that counts: one end, no retry."""
    with playing(retry=retrying(), per_try_timeout_s=0.1, timeout_s=0.1) as play:
        begin(play)
        play.advance(0.2)
        play.expect(
            "a#1 <- RST CANCEL",
            "client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED LOCAL DEADLINE_EXCEEDED failed attempts=1",
        )
        assert play.server().count == 1


def test_per_try_timeout_without_retries() -> None:
    """The last attempt's own limit ends the call, and says which limit it was."""
    with playing(per_try_timeout_s=0.1) as play:
        begin(play)
        play.advance(0.11)
        play.expect(
            "a#1 <- RST CANCEL",
            "client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED LOCAL PER_TRY_TIMEOUT failed attempts=1",
        )


def test_a_stream_that_comes_free_too_late_is_not_used() -> None:
    """Room that comes between the deadline and its timer is not used: nothing is sent upstream after the
    deadline.
    """
    with Playbook(snapshot(), host_limits=Limits(max_concurrent_streams=1)) as play:
        first = begin(play)
        for connection in range(7):
            begin(play)
            assert play.server().dials == connection + 2
        begin(play, timeout=b"800m")
        assert play.server().count == 8
        # The timer of a deadline that is more than half a second away is rounded up to 16 ms.
        play.world.fire(play.now + 0.8005)
        assert play.world.context.calls == 9, "the timer is still to come"
        play.server().request(1).trailers_only(0)
        assert play.server().count == 8
        assert first.seen.status == 0
        play.advance(0.02)
        for number in range(2, 9):
            play.server().request(number).trailers_only(0)
        assert (
            "client#9 <- TRAILERS-ONLY DEADLINE_EXCEEDED LOCAL DEADLINE_EXCEEDED failed attempts=1"
            in play.forget()
        )


def test_connecting_counts_against_the_deadline() -> None:
    """A dial that takes long does not prolong the call."""
    with playing(clusters={"main": make_cluster("main", ("a",), connect_timeout_s=5.0)}) as play:
        play.server().set_mode("blackhole")
        play.server().cut()
        play.advance(1.1)
        call = begin(play, timeout=b"200m")
        play.advance(0.22)
        play.expect("client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED LOCAL DEADLINE_EXCEEDED failed attempts=1")
        assert call.seen.ended


def test_a_per_try_timeout_moves_on_to_another_endpoint() -> None:
    """A try that hung is repeated where it did not hang."""
    with playing(retry=retrying(2, initial_s=0.0), per_try_timeout_s=0.05, clusters=TWO) as play:
        begin(play)
        play.advance(0.06)
        play.expect(
            "a#1 <- RST CANCEL",
            "b#1 <- HEADERS /shop.v1.Orders/Get grpc-previous-rpc-attempts=1",
            'b#1 <- DATA "ping" END',
        )
        play.server("b").last.trailers_only(0)
        play.forget()


@pytest.mark.parametrize(
    ("cancelled_after_s", "counted"), [(0.5, False), (0.9, False), (0.985, True), (1.0, True)]
)
def test_a_client_that_gives_up_at_its_deadline_is_a_timeout(cancelled_after_s: float, counted: bool) -> None:
    """Client and proxy time the same deadline; a hanging server counts as failed whoever is first (envoy
    #6566).
    """
    with playing(breaker=tripping(1)) as play:
        call = begin(play, timeout=b"1S")
        play.advance(cancelled_after_s)
        call.cancel()
        play.expect("a#1 <- RST CANCEL")
        counters = play.world.counters["all"]
        assert counters.by_code[status.DEADLINE_EXCEEDED] == (1 if counted else 0)
        assert counters.cancelled == (0 if counted else 1)
        breaker = play.world.state().breaker
        assert breaker is not None
        assert breaker.opened_count == (1 if counted else 0)
        assert len(play.world.sink.calls) == (1 if counted else 0)


def test_a_disconnect_near_the_deadline_is_no_timeout() -> None:
    """A client whose connection breaks has not run out of time."""
    with playing(breaker=tripping(1)) as play:
        begin(play, timeout=b"1S")
        play.advance(0.99)
        play.disconnect()
        play.forget()
        assert play.world.counters["all"].by_code[status.DEADLINE_EXCEEDED] == 0


@pytest.mark.parametrize(
    "value", [b"1", b"-1S", b"1 S", b"123456789S", b"S", b"1.5S", b"1x", b"+1S", b"0x1S", b"1s"]
)
def test_malformed_timeout(value: bytes) -> None:
    """A malformed grpc-timeout is the caller's error, never "no deadline", and does not reach a server
    (P4).
    """
    with playing(methods=METHODS) as play:
        call = play.call(GET, b"ping", timeout=value)
        play.forget()
        assert call.seen.status == status.INTERNAL
        assert play.server().count == 0


@pytest.mark.parametrize("value", [b"99999999H", b"1n", b"1u", b"5M", b"00000001S"])
def test_wellformed_timeout(value: bytes) -> None:
    """Every timeout of the grammar is taken (P4)."""
    with playing() as play:
        call = begin(play, timeout=value)
        play.advance(0.001)
        if parse_grpc_timeout(value) > 0.001:
            assert left(play.server().last) <= parse_grpc_timeout(value)
            play.server().last.trailers_only(0)
            play.forget()
            assert call.seen.status == 0
        else:
            play.forget()
            assert call.seen.status == status.DEADLINE_EXCEEDED
            assert play.server().count == 0
