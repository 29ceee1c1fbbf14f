"""A shadow policy sees everything, changes nothing, and what it would have done otherwise is counted."""

from __future__ import annotations

from math import inf

from seawall_policy import shadow
from seawall_policy.breaker import BreakerOptions
from seawall_policy.budget import BudgetOptions
from seawall_policy.model import Snapshot
from seawall_policy.retry import RetryOptions
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from tests.scenario.scenes import REFUSED_STREAM, TWO, begin, retrying, tripping


def shadowed(
    *,
    active: RetryOptions | None = None,
    retry: RetryOptions | None = None,
    breaker: BreakerOptions | None = None,
    per_try_timeout_s: float = inf,
    revision: int = 1,
    idempotent: bool = True,
) -> Snapshot:
    """One route with a policy that does little, and a shadow that does more."""
    tried = make_policy(retry=retry, breaker=breaker, per_try_timeout_s=per_try_timeout_s)
    route = make_route(make_policy(retry=active), shadow=tried, idempotent=idempotent)
    return make_snapshot(route, clusters=TWO, revision=revision)


def would(play: Playbook) -> dict[str, int]:
    """Return what was counted, without what was not."""
    counts = play.world.counters["all"].shadow.would
    return {shadow.KIND_NAMES[kind]: count for kind, count in enumerate(counts) if count}


def answer(play: Playbook, code: int) -> None:
    """Answer the request that waits for it."""
    for name in "ab":
        for number in range(1, play.server(name).count + 1):
            request = play.server(name).request(number)
            if not request.seen.answered:
                request.trailers_only(code)
                return
    raise AssertionError("no request waits for an answer")


def fail(play: Playbook, code: int = 14) -> None:
    """Make a call that its server fails."""
    begin(play)
    answer(play, code)
    play.forget()


def test_its_breaker_opens_and_rejects_nothing() -> None:
    """The client sees what the policy in force does."""
    with Playbook(shadowed(breaker=tripping(2))) as play:
        fail(play)
        assert would(play) == {}
        fail(play)
        assert would(play) == {"open": 1}
        play.advance(0.1)
        fail(play)
        assert would(play) == {"open": 1, "reject": 1}
        assert play.server("a").count + play.server("b").count == 3
        assert play.world.state().breaker is None


def test_it_probes_and_closes_on_true_outcomes() -> None:
    """After its time the shadow's breaker lets one through and learns from it."""
    with Playbook(shadowed(breaker=tripping(1, open_for_s=1.0))) as play:
        fail(play)
        play.advance(1.1)
        fail(play, 0)
        fail(play, 0)
        assert would(play) == {"open": 1}


def test_it_would_retry() -> None:
    """Where the policy in force gives up, once for each call."""
    with Playbook(shadowed(retry=retrying(3))) as play:
        fail(play)
        fail(play, 5)
        assert would(play) == {"retry": 1}


def test_it_would_not_retry() -> None:
    """Where the policy in force tries again; later attempts of the same call are not asked about."""
    with Playbook(shadowed(active=retrying(3))) as play:
        begin(play)
        for wait in (0.03, 0.06, 0.0):
            answer(play, 14)
            play.advance(wait)
        play.forget()
        assert would(play) == {"no_retry": 1}


def test_two_that_agree() -> None:
    """Nothing is counted, and transparent repetitions are the same for both."""
    with Playbook(shadowed(active=retrying(2), retry=retrying(2))) as play:
        begin(play)
        play.server("a").last.reset(REFUSED_STREAM)
        answer(play, 14)
        play.advance(0.05)
        answer(play, 14)
        play.forget()
        assert would(play) == {}


def test_its_budget_is_its_own() -> None:
    """A retry that its budget would refuse is none."""
    empty = BudgetOptions(percent=0.0, min_per_second=0.0)
    with Playbook(shadowed(retry=retrying(3, budget=empty))) as play:
        fail(play)
        assert would(play) == {}


def test_its_time_for_an_attempt() -> None:
    """An attempt that took longer would have been cut short, and its breaker counts that."""
    with Playbook(shadowed(breaker=tripping(1), per_try_timeout_s=0.1)) as play:
        begin(play)
        play.advance(0.2)
        play.server("a").last.trailers_only(0)
        play.forget()
        assert would(play) == {"open": 1, "timeout": 1}


def test_a_cancelled_call_returns_its_permit() -> None:
    """Nothing is learnt from a client that goes away."""
    with Playbook(shadowed(breaker=tripping(1))) as play:
        begin(play).cancel()
        play.forget()
        assert would(play) == {}


def test_it_is_carried_over() -> None:
    """A policy push neither closes the shadow's breaker nor resets what was counted."""
    with Playbook(shadowed(breaker=tripping(1))) as play:
        fail(play)
        play.apply(shadowed(breaker=tripping(1), revision=2))
        fail(play)
        assert would(play) == {"open": 1, "reject": 1}
