"""The budget of a call's time: margin, each try's share, retries that cannot fit, and hopeless arrivals."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_policy.deadline import ENFORCE, OFF, SHADOW, DeadlineOptions, parse_grpc_timeout
from seawall_policy.hedge import HedgeOptions
from seawall_proxy.testing import Playbook
from seawall_proxy.testing.playbook import ScriptedRequest
from tests.scenario.scenes import CANCEL, GET, LIST, METHODS, TWO, begin, playing, retrying, snapshot


def left(request: ScriptedRequest) -> float:
    """Return the seconds in a request's grpc-timeout."""
    value = request.seen.field(b"grpc-timeout")
    assert value is not None
    return parse_grpc_timeout(value)


def teach(play: Playbook, seconds: float, times: int = 30) -> None:
    """Let attempts of that length succeed."""
    for _ in range(times):
        begin(play)
        play.advance(seconds)
        for name in play.world.clusters.clusters["main"].endpoints:
            server = play.server(name.address)
            if server.count and not server.last.seen.answered:
                server.last.trailers_only(0)
    play.advance(0.3)
    begin(play)
    for name in play.world.clusters.clusters["main"].endpoints:
        server = play.server(name.address)
        if server.count and not server.last.seen.answered:
            server.last.trailers_only(0)
    play.forget()


def test_the_proxy_answers_before_the_client_gives_up() -> None:
    """The margin is kept back of the caller's time, and of what the endpoint is told."""
    with playing(deadline=DeadlineOptions(0.05)) as play:
        begin(play, timeout=b"1S")
        assert 0.949 <= left(play.server().last) <= 0.95
        play.advance(0.97)
        play.expect(
            "a#1 <- RST CANCEL",
            "client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED LOCAL DEADLINE_EXCEEDED failed attempts=1",
        )


def test_the_margin_leaves_half() -> None:
    """A margin longer than the caller's time does not make every call fail."""
    with playing(deadline=DeadlineOptions(10.0)) as play:
        begin(play, timeout=b"100m")
        assert 0.049 <= left(play.server().last) <= 0.05
        play.server().last.trailers_only(0)
        play.forget()


def test_the_margin_is_not_taken_of_the_policys_own_timeout() -> None:
    """Nobody waits behind a timeout of ours."""
    with playing(deadline=DeadlineOptions(0.5), timeout_s=1.0) as play:
        begin(play)
        assert left(play.server().last) > 0.99
        play.server().last.trailers_only(0)
        play.forget()


def test_each_try_is_told_its_own_time() -> None:
    """X9: a unary attempt is told the shorter of per_try_timeout and what is left (envoy 13196)."""
    with playing(
        retry=retrying(3, initial_s=0.0), per_try_timeout_s=0.2, methods=METHODS, clusters=TWO
    ) as play:
        begin(play, timeout=b"500m")
        assert 0.199 <= left(play.server("a").last) <= 0.2
        play.advance(0.21)
        assert 0.199 <= left(play.server("b").last) <= 0.2
        play.advance(0.21)
        third = play.server("a" if play.server("a").count == 2 else "b").request(2)
        assert 0.0 < left(third) < 0.1
        third.trailers_only(0)
        play.forget()


@pytest.mark.parametrize(("path", "methods"), [(LIST, METHODS), (GET, None)])
def test_a_stream_is_told_the_time_of_the_call(path: str, methods: dict[bytes, object] | None) -> None:
    """A stream may go on after its try's time, so its server must not end it then (dapr 5748)."""
    with playing(per_try_timeout_s=0.1, methods=methods) as play:  # type: ignore[arg-type]
        begin(play, path=path, timeout=b"1S")
        assert left(play.server().last) > 0.9
        play.server().last.headers()
        play.server().last.data(b"one")
        play.advance(0.5)
        play.server().last.trailers(0)
        assert play.forget()[-1].startswith("client#1 <- TRAILERS OK")


@pytest.mark.parametrize("how", ["status", "cancel"])
def test_a_server_that_keeps_the_trys_time_is_retried(how: str) -> None:
    """The server's clock may be first, by status or by CANCEL: it is the try's end all the same."""
    with playing(retry=retrying(2, initial_s=0.0), per_try_timeout_s=0.2, methods=METHODS) as play:
        begin(play, timeout=b"2S")
        play.world.fire(play.now + 0.1995)
        if how == "status":
            play.server().last.trailers_only(4)
        else:
            play.server().last.reset(CANCEL)
        assert play.server().count == 2
        play.server().last.trailers_only(0)
        play.forget()


def test_a_servers_own_deadline_is_its_own() -> None:
    """DEADLINE_EXCEEDED long before the try's time is the server's answer, not retried unasked (gax-java
    591).
    """
    with playing(retry=retrying(2, initial_s=0.0), per_try_timeout_s=0.2, methods=METHODS) as play:
        begin(play)
        play.advance(0.1)
        play.server().last.trailers_only(4)
        play.expect("client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED")


def test_a_retry_that_cannot_fit_is_not_made() -> None:
    """X9: what is left must hold the wait and what half of the attempts take."""
    with playing(retry=retrying(3, initial_s=0.05), clusters=TWO) as play:
        teach(play, 0.1)
        begin(play, timeout=b"140m")
        name = "a" if not play.server("a").last.seen.answered else "b"
        play.server(name).last.trailers_only(14)
        (line,) = play.forget()
        assert "UNAVAILABLE" in line
        assert play.world.sink.calls[-1].not_retried == "deadline"
        begin(play, timeout=b"400m")
        name = "a" if not play.server("a").last.seen.answered else "b"
        play.server(name).last.trailers_only(14)
        play.advance(0.06)
        assert play.world.counters["all"].retries == 1
        name = "a" if not play.server("a").last.seen.answered else "b"
        play.server(name).last.trailers_only(0)
        play.forget()


def test_a_hedge_that_cannot_fit_is_not_sent() -> None:
    """The same for hedges."""
    with playing(
        hedge=HedgeOptions(delay_s=0.15, only_idempotent=False, budget_percent=100.0), clusters=TWO
    ) as play:
        teach(play, 0.1)
        begin(play, timeout=b"200m")
        play.advance(0.18)
        play.expect_nothing()
        assert play.world.counters["all"].hedges_refused == {"deadline": 1}
        play.advance(0.1)
        play.forget()


@pytest.mark.parametrize("mode", [SHADOW, ENFORCE, OFF])
def test_hopeless_arrivals(mode: int) -> None:
    """X9: counted by default, refused where that is wanted, at most the share of what has come."""
    with playing(deadline=DeadlineOptions(hopeless=mode, max_refused=20.0)) as play:
        teach(play, 0.1)
        refused = 0
        for _ in range(20):
            call = begin(play, timeout=b"50m")
            refused += call.seen.ended
            if not call.seen.ended:
                play.server().last.trailers_only(0)
        counters = play.world.counters["all"]
        assert counters.hopeless == (0 if mode == OFF else 20)
        assert counters.rejected_by == ({"DEADLINE_TOO_SHORT": refused} if mode == ENFORCE else {})
        assert (0 < refused <= 0.2 * 51 + 1) if mode == ENFORCE else refused == 0
        assert counters.by_code[status.DEADLINE_EXCEEDED] == refused
        play.forget()


def test_nobody_is_hopeless_before_anything_is_known() -> None:
    """Without attempts no estimate, without an estimate no refusal."""
    with playing(deadline=DeadlineOptions(hopeless=ENFORCE, max_refused=100.0)) as play:
        call = begin(play, timeout=b"1m")
        assert not call.seen.ended
        play.server().last.trailers_only(0)
        play.forget()


def test_calls_without_a_deadline_have_time() -> None:
    """No deadline, not hopeless."""
    with playing(deadline=DeadlineOptions(hopeless=ENFORCE, max_refused=100.0)) as play:
        teach(play, 0.1)
        call = begin(play)
        assert not call.seen.ended
        play.server().last.trailers_only(0)
        play.forget()


def test_what_is_known_outlives_a_policy() -> None:
    """Latency and counts are the route's, not the document's."""
    with playing(deadline=DeadlineOptions(hopeless=ENFORCE, max_refused=100.0)) as play:
        teach(play, 0.1)
        play.apply(snapshot(deadline=DeadlineOptions(hopeless=ENFORCE, max_refused=100.0), revision=2))
        call = begin(play, timeout=b"10m")
        assert call.seen.status == status.DEADLINE_EXCEEDED
        play.forget()


def test_failures_teach_nothing() -> None:
    """Only attempts that ended well count: refusals are fast and time-outs say how patient somebody was."""
    with playing(deadline=DeadlineOptions(hopeless=ENFORCE, max_refused=100.0)) as play:
        for _ in range(50):
            begin(play)
            play.server().last.trailers_only(14)
        latency = play.world.state().latency
        assert latency is not None
        assert latency.count() == 0
        play.forget()


def test_a_stream_teaches_the_time_to_its_first_message() -> None:
    """A stream that lasts is not slow."""
    with playing(deadline=DeadlineOptions(), methods=METHODS) as play:
        for _ in range(20):
            begin(play, path=LIST)
            play.advance(0.01)
            play.server().last.headers()
            play.server().last.data(b"one")
            play.advance(0.2)
            play.server().last.trailers(0)
        latency = play.world.state().latency
        assert latency is not None
        latency.look(play.now)
        assert 0.005 < latency.typical_s < 0.02
        play.forget()
