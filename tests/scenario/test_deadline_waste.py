"""Deadline waste (X9): attempts whose answer nobody waited for any more, and how long they took."""

from __future__ import annotations

import pytest

from seawall_policy.deadline import DeadlineOptions
from seawall_policy.hedge import HedgeOptions
from seawall_proxy.testing import Playbook
from tests.scenario.scenes import CANCEL, GET, LIST, METHODS, TWO, begin, playing, retrying


def wasted(play: Playbook) -> tuple[int, float]:
    """Return how many attempts were wasted, and for how many seconds, to a hundredth."""
    counters = play.world.counters["all"]
    return counters.wasted, round(counters.wasted_s, 2)


def test_an_attempt_at_work_when_the_deadline_passes() -> None:
    """It is counted with all of its time."""
    with playing() as play:
        begin(play, timeout=b"100m")
        play.advance(0.12)
        assert play.forget()[-1].startswith("client#1 <- TRAILERS-ONLY DEADLINE_EXCEEDED")
        assert wasted(play) == (1, 0.1)


def test_a_policys_own_timeout_counts_alike() -> None:
    """Whoever set the time: the endpoint works for nothing."""
    with playing(timeout_s=0.2) as play:
        begin(play)
        play.advance(0.25)
        play.forget()
        assert wasted(play) == (1, 0.2)


def test_an_answer_that_comes_in_time_is_none() -> None:
    """Neither one that is good nor one that is bad."""
    with playing() as play:
        for code in (0, 5, 14):
            begin(play, timeout=b"100m")
            play.advance(0.05)
            play.server().last.trailers_only(code)
        play.forget()
        assert wasted(play) == (0, 0.0)


@pytest.mark.parametrize("how", ["status", "cancel"])
def test_a_server_that_keeps_the_deadline_itself(how: str) -> None:
    """Its clock may be first, by status or by CANCEL: its work was for nothing all the same."""
    with playing(methods=METHODS) as play:
        begin(play, timeout=b"100m")
        play.world.fire(play.now + 0.0995)
        if how == "status":
            play.server().last.trailers_only(4)
        else:
            play.server().last.reset(CANCEL)
        play.forget()
        assert wasted(play) == (1, 0.1)


def test_a_servers_own_deadline_is_no_waste_of_this_call() -> None:
    """DEADLINE_EXCEEDED of something behind the server, long before the call's time is up."""
    with playing() as play:
        begin(play, timeout=b"1S")
        play.advance(0.1)
        play.server().last.trailers_only(4)
        play.forget()
        assert wasted(play) == (0, 0.0)


def test_a_client_that_gives_up_at_its_deadline() -> None:
    """Client and proxy count the same deadline, and either may be first."""
    with playing() as play:
        call = begin(play, timeout=b"500m")
        play.advance(0.49)
        call.cancel()
        play.forget()
        assert wasted(play) == (1, 0.49)


def test_a_client_that_gives_up_early_is_no_deadline() -> None:
    """It did not run out of time."""
    with playing() as play:
        call = begin(play, timeout=b"500m")
        play.advance(0.2)
        call.cancel()
        play.forget()
        assert wasted(play) == (0, 0.0)


def test_a_try_that_was_cut_short_is_none() -> None:
    """`per_try_timeout` is another matter, as long as the call has time."""
    with playing(per_try_timeout_s=0.1, retry=retrying(2, initial_s=0.0), clusters=TWO) as play:
        begin(play, timeout=b"1S")
        play.advance(0.15)
        assert (play.server("a").count, play.server("b").count) == (1, 1)
        assert wasted(play) == (0, 0.0)
        play.advance(0.1)
        play.forget()
        assert wasted(play) == (0, 0.0)


def test_all_attempts_of_a_hedged_call() -> None:
    """Each has worked for nothing."""
    hedge = HedgeOptions(delay_s=0.05, only_idempotent=False, budget_percent=100.0)
    with playing(hedge=hedge, clusters=TWO) as play:
        begin(play, timeout=b"200m")
        play.advance(0.06)
        play.advance(0.2)
        play.forget()
        assert wasted(play) == (2, 0.2 + 0.15)


def test_a_stream_that_has_begun_is_of_use() -> None:
    """Its messages have arrived; that it ends with its deadline is no waste."""
    with playing(methods=METHODS) as play:
        begin(play, path=LIST, timeout=b"300m")
        play.server().last.headers()
        play.server().last.data(b"one")
        play.advance(0.35)
        play.forget()
        assert wasted(play) == (0, 0.0)


@pytest.mark.parametrize("attempts", [1, 3])
def test_half_a_unary_answer_is_not(attempts: int) -> None:
    """Whether it was held back or passed on: without its status it is no answer."""
    with playing(methods=METHODS, retry=retrying(attempts)) as play:
        begin(play, path=GET, timeout=b"300m")
        play.server().last.headers()
        play.server().last.data(b"one")
        play.advance(0.35)
        play.forget()
        assert wasted(play) == (1, 0.3)


def test_an_answer_that_comes_before_the_timer_but_after_the_deadline() -> None:
    """Timers are up to 16 ms late: what comes meanwhile is passed on, and the caller has gone."""
    with playing(deadline=DeadlineOptions()) as play:
        call = begin(play, timeout=b"1S")
        play.world.fire(play.now + 1.001)
        assert not call.seen.ended, "the timer is coarser than that"
        play.server().last.trailers_only(0)
        play.forget()
        assert wasted(play) == (1, 1.0)


def test_a_call_that_was_never_sent_wastes_nothing() -> None:
    """No endpoint, no work."""
    with playing() as play:
        play.server().cut()
        play.server().set_mode("silent")
        begin(play, timeout=b"100m")
        play.advance(0.2)
        play.forget()
        assert wasted(play) == (0, 0.0)
