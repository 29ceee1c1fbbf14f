"""A shadow policy by itself: its permits, its times, and where it parts from the policy in force."""

from __future__ import annotations

from math import inf

from seawall_policy import shadow, status
from seawall_policy.breaker import Breaker, BreakerOptions
from seawall_policy.budget import BudgetOptions, RetryBudget
from seawall_policy.retry import NO_PUSHBACK, SEEN, RetryOptions
from seawall_policy.shadow import NO_PERMIT, Shadow, ShadowStatistics


def make(
    *,
    retry: RetryOptions | None = None,
    breaker: BreakerOptions | None = None,
    budget: BudgetOptions | None = None,
    per_try_timeout_s: float = inf,
) -> Shadow:
    """Return a shadow policy."""
    return Shadow(
        "tried",
        per_try_timeout_s,
        retry or RetryOptions(),
        None if breaker is None else Breaker(breaker, lambda: 0.5),
        None if budget is None else RetryBudget(budget),
        ShadowStatistics(),
    )


def fragile(**more: float) -> BreakerOptions:
    """Return a breaker that opens at the first failure."""
    return BreakerOptions(size=10, min_calls=100, failure_rate=1.0, consecutive=1, open_for_s=5.0, **more)  # type: ignore[arg-type]


def weigh(one: Shadow, granted: bool, code: int = status.UNAVAILABLE) -> bool:
    """Ask about the first failure of a call that may be repeated."""
    return one.weigh(one.begin_decision(), granted, code, NO_PUSHBACK, SEEN, True, True, inf, 1.0, 0.5)


def test_without_a_breaker() -> None:
    """There is no permit, and nothing is refused."""
    one = make()
    assert one.attempt_began(1.0) == NO_PERMIT
    one.attempt_ended(NO_PERMIT, 14, 0.1, 1.1)
    assert one.statistics.would == [0, 0, 0, 0, 0]


def test_open_reject_and_probe() -> None:
    """What it would have refused teaches it nothing; after its time it learns again."""
    one = make(breaker=fragile(half_open_calls=1, success_threshold=1))
    one.attempt_ended(one.attempt_began(1.0), status.UNAVAILABLE, 0.1, 1.1)
    assert one.statistics.would[shadow.OPEN] == 1
    assert one.attempt_began(2.0) == NO_PERMIT
    one.attempt_ended(NO_PERMIT, status.OK, 0.1, 2.1)
    assert one.statistics.would[shadow.REJECT] == 1
    permit = one.attempt_began(7.0)
    assert permit >= 0
    one.attempt_ended(permit, status.OK, 0.1, 7.1)
    assert one.attempt_began(7.2) >= 0
    assert one.statistics.would == [1, 1, 0, 0, 0]


def test_a_released_permit_teaches_nothing() -> None:
    """It is returned all the same."""
    one = make(breaker=fragile())
    one.attempt_released(one.attempt_began(1.0), 1.1)
    assert one.breaker is not None
    assert one.breaker.in_flight == 0
    assert one.statistics.would[shadow.OPEN] == 0


def test_its_own_time_for_an_attempt() -> None:
    """What is longer than its per_try_timeout is DEADLINE_EXCEEDED for it; what is as long is not."""
    one = make(breaker=fragile(), per_try_timeout_s=0.5)
    one.attempt_ended(one.attempt_began(1.0), status.OK, 0.5, 1.5)
    assert one.statistics.would == [0, 0, 0, 0, 0]
    one.attempt_ended(one.attempt_began(2.0), status.OK, 0.6, 2.6)
    assert one.statistics.would == [1, 0, 1, 0, 0]


def test_where_it_parts() -> None:
    """Agreement counts nothing, either disagreement its own kind."""
    eager = make(retry=RetryOptions(max_attempts=2))
    assert weigh(eager, granted=True)
    assert weigh(eager, granted=False, code=status.NOT_FOUND)
    assert eager.statistics.would == [0, 0, 0, 0, 0]
    assert not weigh(eager, granted=False)
    assert eager.statistics.would[shadow.RETRY] == 1
    calm = make()
    assert not weigh(calm, granted=True)
    assert calm.statistics.would[shadow.NO_RETRY_HERE] == 1


def test_its_own_budget() -> None:
    """Calls pay into it, and its retries are paid from it."""
    budget = BudgetOptions(percent=50.0, min_per_second=0.0)
    one = make(retry=RetryOptions(max_attempts=2, budget=budget), budget=budget)
    assert weigh(one, granted=False)
    one.call_began(1.0)
    one.call_began(1.0)
    assert not weigh(one, granted=False)
    assert weigh(one, granted=False)
