"""Mechanisms that meet in one call: what one of them does is not mistaken by another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seawall_policy import status
from seawall_policy.budget import BudgetOptions, ConcurrencyBudget
from seawall_policy.hedge import HedgeOptions
from seawall_policy.journal import IdempotencyOptions, JournalOptions
from seawall_policy.last_good import LastGoodOptions
from seawall_policy.limit.options import ENFORCE, SHADOW, LimitOptions
from seawall_policy.model import ClusterSpec
from seawall_policy.outlier.options import OutlierOptions
from seawall_proxy.http2.limits import Limits
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.playbook import ScriptedRequest
from seawall_proxy.testing.policies import make_cluster, to_last_good
from tests.scenario.scenes import (
    GET,
    LIST,
    METHODS,
    REFUSED_STREAM,
    TWO,
    begin,
    playing,
    retrying,
    snapshot,
    tripping,
)
from tests.scenario.test_limit import gate_of, limited

KEY = (b"idempotency-key", b"k1")
JOURNAL = IdempotencyOptions(journal=JournalOptions())
PONG = b"\x00\x00\x00\x00\x04pong"
LARGE = b"v" * 3000


def hedging(delay_s: float = 0.01) -> HedgeOptions:
    """Hedges for every method."""
    return HedgeOptions(delay_s=delay_s, budget_percent=100.0, only_idempotent=False)


def spread(most: int, outlier: OutlierOptions | None = None) -> dict[str, ClusterSpec]:
    """Two endpoints with at most so many attempts each."""
    spec = make_cluster("main", ("a", "b"))
    spec.max_in_flight_per_endpoint = most
    spec.outlier = outlier
    return {"main": spec}


def at_work(play: Playbook, names: str = "ab") -> list[ScriptedRequest]:
    """Return the requests that wait for an answer, in the order in which they came."""
    found = []
    for name in names:
        for number in range(1, play.server(name).count + 1):
            request = play.server(name).request(number)
            if not request.seen.answered and request.seen.reset_code is None:
                found.append(request)
    return sorted(found, key=lambda request: request.seen.at)


def refused(play: Playbook) -> dict[str, int]:
    """Return why hedges were not sent."""
    return play.world.counters["all"].hedges_refused


def answer(play: Playbook, code: int) -> None:
    """Answer the request that waits for it."""
    at_work(play)[0].trailers_only(code)
    play.forget()


# limits and hedges


@pytest.mark.parametrize(("mode", "sent"), [(ENFORCE, 0), (SHADOW, 1)])
def test_a_full_limit_leaves_no_room_for_hedges(mode: int, sent: int) -> None:
    """A hedge adds load where the limit has just said that there is enough (go-service #2380)."""
    limit = LimitOptions(max_in_flight=1, min_in_flight=1, queue=0, mode=mode)
    with playing(hedge=hedging(), limit=limit, clusters=TWO) as play:
        begin(play)
        play.advance(0.1)
        play.forget()
        assert play.server("b").count == sent
        assert refused(play) == ({} if sent else {"full": 1})
        play.server("a").last.trailers_only(0)
        play.forget()


def test_a_call_takes_the_place_of_a_hedge_at_an_endpoint() -> None:
    """Where every endpoint has all that it may, hedges go first."""
    with playing(hedge=hedging(), clusters=spread(1)) as play:
        begin(play)
        play.advance(0.02)
        assert play.server("b").count == 1
        second = begin(play)
        assert play.server("b").request(1).seen.reset_code == 0x8
        assert second.seen.status is None
        assert play.server("b").count == 2
        play.server("a").request(1).trailers_only(0)
        play.server("b").request(2).trailers_only(0)
        assert second.seen.status == 0
        play.forget()


def test_no_hedge_goes_where_an_outlier_is_on_trial() -> None:
    """One attempt more than its trial allows is better than a refusal, and not better than waiting."""
    outlier = OutlierOptions(consecutive=1, ejection_s=0.2, jitter=0.0)
    with playing(hedge=hedging(0.05), clusters=spread(2, outlier)) as play:
        begin(play)
        answer(play, 13)
        failed = "a" if play.server("a").count == 1 else "b"
        play.advance(0.5)
        for _ in range(3):
            begin(play)
        assert play.world.endpoint(failed).in_flight == 1
        play.advance(0.2)
        assert play.world.endpoint(failed).in_flight == 1
        assert refused(play) == {"endpoint": 3}
        for _ in range(3):
            answer(play, 0)


def test_an_endpoint_that_does_not_take_the_headers_ends_no_call_that_another_has_taken() -> None:
    """The hedge is given up, and the first attempt answers."""
    play = Playbook(snapshot(hedge=hedging(), clusters=TWO), warm=False)
    with play:
        play.add_server("b", Limits(header_list_bytes=2048))
        play.world.clusters.warm()
        play.settle()
        call = play.call(GET, b"ping", (b"x-large", LARGE))
        play.forget()
        play.advance(0.1)
        assert play.server("b").count == 0
        assert call.seen.status is None
        play.server("a").last.trailers_only(0)
        assert call.seen.status == 0
        play.forget()


# hedges and retries


def test_a_retry_at_work_stays_in_the_budget_while_a_hedge_fails() -> None:
    """What is given back is the place of the attempt that has ended, and of no other."""
    budget = BudgetOptions(percent=0.0, concurrent=True, min_concurrent=1)
    retry = retrying(5, initial_s=0.0, budget=budget)
    with playing(retry=retry, hedge=hedging(0.05), clusters={"main": ("a", "b", "c", "d")}) as play:
        begin(play)
        play.advance(0.06)
        play.forget()
        counted = play.world.state().budget
        assert isinstance(counted, ConcurrencyBudget)
        first, hedge = at_work(play, "abcd")
        first.trailers_only(14)
        assert counted.retries == 1
        play.advance(0.06)
        hedge.trailers_only(14)
        play.forget()
        again, its_hedge = at_work(play, "abcd")
        assert counted.retries == 1
        again.trailers_only(14)
        play.forget()
        assert counted.retries == 1
        its_hedge.trailers_only(0)
        play.forget()
        assert counted.retries == 0


def test_a_hedge_leaves_the_place_of_a_retry_that_waits() -> None:
    """A retry is at work in the budget's eyes once it is decided; hedges have a budget of their own."""
    budget = BudgetOptions(percent=0.0, concurrent=True, min_concurrent=1)
    hedges = HedgeOptions(delay_s=0.05, budget_percent=100.0, only_idempotent=False, max_attempts=3)
    retry = retrying(5, initial_s=1.0, budget=budget)
    with playing(retry=retry, hedge=hedges, limit=limited(2), clusters={"main": ("a", "b", "c")}) as play:
        call = begin(play)
        play.advance(0.06)
        first, second = at_work(play, "abc")
        other = begin(play)
        first.trailers_only(14)
        assert refused(play) == {"full": 1}
        at_work(play, "abc")[-1].trailers_only(0)
        assert other.seen.status == 0
        counted = play.world.state().budget
        assert isinstance(counted, ConcurrencyBudget)
        play.advance(0.05)
        third = at_work(play, "abc")[-1]
        assert third.seen.name != second.seen.name
        third.trailers_only(14)
        assert counted.retries == 1
        second.trailers_only(0)
        assert call.seen.status == 0
        assert counted.retries == 0
        play.forget()


def test_a_retry_that_is_not_needed_any_more_is_given_back() -> None:
    """The answer of the attempt that ran beside it may be a stream of days."""
    budget = BudgetOptions(percent=0.0, concurrent=True, min_concurrent=1)
    retry = retrying(3, initial_s=1.0, budget=budget)
    with playing(retry=retry, hedge=hedging(0.05), clusters=TWO, methods=METHODS) as play:
        call = begin(play, path=LIST)
        play.advance(0.06)
        counted = play.world.state().budget
        assert isinstance(counted, ConcurrencyBudget)
        first, hedge = at_work(play)
        first.trailers_only(14)
        assert counted.retries == 1
        hedge.headers()
        hedge.data(PONG)
        assert call.seen.status is None
        assert counted.retries == 0
        hedge.trailers(0)
        play.forget()
        assert counted.retries == 0


def test_a_retry_that_the_breaker_refuses_is_given_back() -> None:
    """It is not at work while another attempt of the call goes on."""
    budget = BudgetOptions(percent=0.0, concurrent=True, min_concurrent=1)
    retry = retrying(5, initial_s=0.02, budget=budget)
    with playing(retry=retry, hedge=hedging(0.01), breaker=tripping(2), clusters=TWO) as play:
        begin(play)
        play.advance(0.015)
        counted = play.world.state().budget
        assert isinstance(counted, ConcurrencyBudget)
        first, hedge = at_work(play)
        first.trailers_only(14)
        assert counted.retries == 1
        begin(play)
        at_work(play)[-1].trailers_only(13)
        play.advance(0.1)
        play.forget()
        assert counted.retries == 0
        hedge.trailers_only(0)
        play.forget()


@pytest.mark.parametrize(("code", "told"), [(5, ()), (14, ((b"grpc-retry-pushback-ms", b"-1"),))])
def test_an_answer_takes_back_the_retry_that_was_decided_before_it(
    code: int, told: tuple[tuple[bytes, bytes], ...]
) -> None:
    """A retry waits, and the attempt that runs meanwhile ends with a fatal status, or asks for no further
    attempt: that is the end of the call (gRFC A6).
    """
    with playing(hedge=hedging(0.05), retry=retrying(3, initial_s=1.0), clusters=TWO) as play:
        call = begin(play)
        play.advance(0.06)
        first, hedge = at_work(play)
        first.trailers_only(14)
        hedge.trailers_only(code, *told)
        play.forget()
        assert call.seen.status == code
        play.advance(2.0)
        assert not at_work(play)


@pytest.mark.parametrize("unseen", [False, True])
def test_a_failure_that_is_worth_a_retry_leaves_the_one_that_waits(unseen: bool) -> None:
    """The attempt beside it fails in the same way, or was not seen by its server: the retry is made."""
    with playing(hedge=hedging(0.05), retry=retrying(3, initial_s=1.0), clusters=TWO) as play:
        call = begin(play)
        play.advance(0.06)
        first, hedge = at_work(play)
        first.trailers_only(14)
        if unseen:
            hedge.reset(REFUSED_STREAM)
        else:
            hedge.trailers_only(14)
        assert call.seen.status is None
        play.advance(1.1)
        at_work(play)[0].trailers_only(0)
        play.forget()
        assert call.seen.status == 0


def test_who_asks_for_no_further_attempt_speaks_for_the_call() -> None:
    """Attempts that run go on, and neither a retry that waits nor one after them is made (gRFC A6)."""
    stop = (b"grpc-retry-pushback-ms", b"-1")
    for waits in (False, True):
        hedges = HedgeOptions(delay_s=0.05, budget_percent=100.0, only_idempotent=False, max_attempts=3)
        clusters = {"main": ("a", "b", "c")}
        with playing(hedge=hedges, retry=retrying(5, initial_s=1.0), clusters=clusters) as play:
            call = begin(play)
            play.advance(0.11)
            first, second, third = at_work(play, "abc")
            if waits:
                first.trailers_only(14)
            second.trailers_only(14, stop)
            play.advance(2.0)
            assert call.seen.status is None
            assert len(at_work(play, "abc")) == (1 if waits else 2)
            third.trailers_only(14)
            if not waits:
                assert call.seen.status is None
                first.trailers_only(14)
            play.forget()
            assert call.seen.status == 14


# limits and policies


def test_a_larger_limit_is_there_at_once() -> None:
    """Whoever waits begins when a policy makes room, without another call's help."""
    with Playbook(snapshot(limit=limited(1, queue_timeout_s=0.5))) as play:
        begin(play)
        second = begin(play)
        play.apply(snapshot(limit=limited(3, queue_timeout_s=0.5), revision=2))
        play.advance(0.01)
        assert play.server().count == 2
        play.server().request(1).trailers_only(0)
        play.server().request(2).trailers_only(0)
        assert second.seen.status == 0
        play.forget()


def test_who_waits_is_served_when_a_policy_takes_the_limit_away() -> None:
    """By the calls under the policy before, which give their places back where they took them."""
    with Playbook(snapshot(limit=limited(1, queue_timeout_s=0.5))) as play:
        begin(play)
        second = begin(play)
        play.apply(snapshot(revision=2))
        third = begin(play)
        assert play.server().count == 2
        play.server().request(1).trailers_only(0)
        play.server().request(2).trailers_only(0)
        play.server().request(3).trailers_only(0)
        assert (second.seen.status, third.seen.status) == (0, 0)
        play.forget()


def test_who_waits_stays_when_a_policy_takes_the_queue_away() -> None:
    """Calls keep the policy they began with: their place in the queue, and the time they may wait."""
    with Playbook(snapshot(limit=limited(1, queue_timeout_s=0.5))) as play:
        begin(play)
        second, third = begin(play), begin(play)
        play.apply(snapshot(limit=limited(1, queue=0, queue_timeout_s=0.5), revision=2))
        refused_now = begin(play)
        assert refused_now.seen.status == status.RESOURCE_EXHAUSTED
        play.server().request(1).trailers_only(0)
        play.server().request(2).trailers_only(0)
        assert second.seen.status == 0
        play.advance(0.1)
        play.server().request(3).trailers_only(0)
        assert third.seen.status == 0
        play.forget()


# the journal, and whatever a call waited for before


def test_a_wait_in_the_journal_teaches_the_limit_nothing() -> None:
    """The time at work begins when there is something to work on."""
    limit = LimitOptions(kind=2, max_in_flight=10, min_in_flight=2, initial=5)
    with playing(limit=limit, idempotency=JOURNAL, methods=METHODS) as play:
        begin(play, PONG, KEY)
        heir = begin(play, PONG, KEY)
        play.advance(3.0)
        play.server().last.trailers_only(14)
        play.advance(0.002)
        play.forget()
        assert play.server().count == 2
        play.server().last.reply(PONG)
        assert heir.seen.status == 0
        play.forget()
        window = gate_of(play)._window
        assert window.count > 0
        assert window.mean_s() < 0.1


def waits_for_a_key(play: Playbook) -> None:
    """A call waits for the answer to another one."""
    begin(play, PONG, KEY)
    play.advance(0.001)


def backs_off(play: Playbook) -> None:
    """Nothing is there yet: the call is made, fails, and waits for its retry."""


@pytest.mark.parametrize("before", [waits_for_a_key, backs_off])
def test_who_is_kept_waiting_by_us_may_leave(before: Callable[[Playbook], None]) -> None:
    """A call that we held back for long and that is cancelled then is no rapid reset (CVE-2023-44487)."""
    retry = retrying(initial_s=5.0, max_s=5.0)
    with playing(idempotency=JOURNAL, methods=METHODS, retry=retry) as play:
        before(play)
        call = begin(play, PONG, KEY)
        if before is backs_off:
            play.server().last.trailers_only(14)
        stream = play.world.calls[-1].stream
        play.advance(0.2)
        call.cancel()
        assert stream.reached_upstream
        if before is waits_for_a_key:
            play.server().last.trailers_only(0)
        play.forget()


def test_a_request_that_has_used_up_its_window_in_the_queue_goes_on() -> None:
    """What a call has said while it waited for a place is credited when the whole request is waited for."""
    limits = Limits(stream_window_bytes=100)
    snap = snapshot(limit=limited(1, queue_timeout_s=5.0), idempotency=JOURNAL, methods=METHODS)
    with Playbook(snap, server_limits=limits) as play:
        begin(play)
        second = play.call(GET, b"x" * 300, KEY)
        play.server().request(1).trailers_only(0)
        play.settle()
        assert play.server().count == 2
        assert len(play.server().last.seen.data) == 300
        play.server().last.trailers_only(0)
        assert second.seen.status == 0
        play.forget()


def test_a_request_that_has_used_up_its_window_in_vain_goes_on() -> None:
    """The same where a fallback needs the whole request to find its answer."""
    limits = Limits(stream_window_bytes=100)
    steps = (to_last_good(LastGoodOptions(60.0)),)
    snap = snapshot(limit=limited(1, queue_timeout_s=0.1), fallback=steps, methods=METHODS)
    with Playbook(snap, server_limits=limits) as play:
        begin(play)
        second = play.call(GET, b"x" * 300)
        play.advance(1.0)
        play.forget()
        assert second.seen.status == status.RESOURCE_EXHAUSTED
        play.server().last.trailers_only(0)
        play.forget()


# the shadow policy


def test_the_budget_of_a_shadow_hears_of_ends() -> None:
    """Calls and retries at work in a shadow's eyes end with the call: with one call at work, 100 % allow one
    retry however many calls have been.
    """
    budget = BudgetOptions(percent=100.0, concurrent=True, min_concurrent=0)
    tried = make_policy(retry=retrying(budget=budget))
    route = make_route(make_policy(retry=retrying(initial_s=0.0)), shadow=tried, idempotent=True)
    with Playbook(make_snapshot(route, clusters=TWO)) as play:
        shadow = play.world.state().shadow
        assert shadow is not None
        counted = shadow.budget
        assert isinstance(counted, ConcurrencyBudget)
        for _ in range(3):
            begin(play)
            assert (counted.calls, counted.retries) == (1, 0)
            for _ in range(2):
                answer(play, 14)
                assert (counted.calls, counted.retries) == (1, 1)
            answer(play, 0)
            assert (counted.calls, counted.retries) == (0, 0)
        assert shadow.statistics.would == [0] * 5
