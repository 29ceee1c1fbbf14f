"""The retry budget and the token throttle, by example."""

from __future__ import annotations

from math import inf, nan

import pytest

from seawall_policy.budget import BudgetOptions, RetryBudget, RetryThrottle, make_budget


def budget(percent: float = 20.0, min_per_second: float = 0.0, interval_s: float = 10.0) -> RetryBudget:
    """Return a budget without a reserve unless one is asked for."""
    return RetryBudget(BudgetOptions(percent, min_per_second, interval_s))


def test_five_calls_buy_one_retry_at_twenty_percent() -> None:
    """Four do not."""
    ledger = budget()
    for _ in range(4):
        ledger.deposit(0.0)
    assert ledger.balance(0.0) == 0.8
    assert not ledger.try_withdraw(0.0)
    ledger.deposit(0.0)
    assert ledger.balance(0.0) == 1.0
    assert ledger.try_withdraw(0.0)
    assert not ledger.try_withdraw(0.0)
    assert (ledger.deposits, ledger.withdrawals, ledger.refusals) == (5, 1, 2)


def test_a_thousand_failures_at_once_get_a_fifth_of_retries() -> None:
    """Envoy 30205: retries that still wait in their backoff are counted, so no crowd gathers there."""
    ledger = budget()
    waiting = 0
    for _ in range(1000):
        ledger.deposit(0.0)
        if ledger.try_withdraw(0.0):
            waiting += 1
    assert waiting == 200
    for _ in range(1000):
        assert not ledger.try_withdraw(5.0)


def test_reserve_serves_a_quiet_service() -> None:
    """One per second over ten seconds are ten retries without a single call."""
    ledger = budget(min_per_second=1.0)
    assert [ledger.try_withdraw(3.0) for _ in range(11)] == [True] * 10 + [False]


def test_reserve_comes_back_when_its_withdrawals_leave_the_interval() -> None:
    """Slots leave one by one, a tenth of the interval each."""
    ledger = budget(min_per_second=0.2)
    assert ledger.try_withdraw(0.0) and ledger.try_withdraw(1.0)
    assert not ledger.try_withdraw(9.99)
    assert ledger.try_withdraw(10.0)
    assert not ledger.try_withdraw(10.99)
    assert ledger.try_withdraw(11.0)


def test_deposits_leave_after_the_interval() -> None:
    """What was not used in time is lost."""
    ledger = budget(percent=100.0)
    ledger.deposit(0.0)
    ledger.deposit(5.0)
    assert ledger.balance(9.99) == 2.0
    assert ledger.balance(10.0) == 1.0
    assert ledger.balance(15.0) == 0.0


def test_long_pause_empties_the_ledger() -> None:
    """However long it was."""
    ledger = budget(percent=100.0)
    ledger.deposit(0.0)
    assert ledger.balance(1e12) == 0.0
    ledger.deposit(1e12)
    assert ledger.balance(1e12) == 1.0


def test_withdrawal_that_outlives_its_deposit_is_no_debt_that_shows() -> None:
    """The balance is never negative."""
    ledger = budget(percent=100.0)
    ledger.deposit(0.0)
    assert ledger.try_withdraw(9.0)
    assert ledger.balance(10.0) == 0.0
    ledger.deposit(10.0)
    assert not ledger.try_withdraw(10.0)
    assert ledger.balance(19.0) == 1.0


def test_budget_of_nothing_allows_nothing() -> None:
    """Zero percent and no reserve."""
    ledger = budget(percent=0.0)
    for _ in range(100):
        ledger.deposit(0.0)
    assert not ledger.try_withdraw(0.0)


def test_a_share_of_nothing_is_a_cap() -> None:
    """With 0 % of the calls at work, `min_concurrent` is how many retries are at work at most, however many
    calls there are.
    """
    cap = make_budget(BudgetOptions(percent=0.0, concurrent=True, min_concurrent=3))
    cap.deposit_many(1000, 0.0)
    assert [cap.try_withdraw(0.0) for _ in range(5)] == [True, True, True, False, False]
    cap.give_back()
    assert cap.try_withdraw(0.0)
    assert not cap.try_withdraw(0.0)


def test_more_than_one_retry_for_each_call() -> None:
    """Percentages above 100 are meant."""
    ledger = budget(percent=250.0)
    ledger.deposit(0.0)
    assert [ledger.try_withdraw(0.0) for _ in range(3)] == [True, True, False]


def test_late_timestamp_counts_in_the_latest_slot() -> None:
    """Time never runs back in the ledger."""
    ledger = budget(percent=100.0)
    ledger.deposit(20.0)
    ledger.deposit(1.0)
    assert ledger.balance(1.0) == 2.0
    assert ledger.balance(29.99) == 2.0
    assert ledger.balance(30.0) == 0.0


def test_ledger_works_where_the_clock_is_negative() -> None:
    """A monotonic clock may start anywhere."""
    ledger = budget(percent=100.0)
    ledger.deposit(-100.0)
    assert ledger.balance(-90.01) == 1.0
    assert ledger.balance(-90.0) == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        (-1.0, 0.0, 1.0),
        (1001.0, 0.0, 1.0),
        (nan, 0.0, 1.0),
        (1.0, -1.0, 1.0),
        (1.0, inf, 1.0),
        (1.0, 0.0, 0.0),
        (1.0, 0.0, nan),
        (1.0, 0.0, 86401.0),
    ],
)
def test_budget_that_makes_no_sense_is_refused(wrong: tuple[float, float, float]) -> None:
    """Both bounds of each number."""
    with pytest.raises(ValueError, match="retry budget: "):
        BudgetOptions(*wrong)


def test_throttle_stops_retries_at_half_of_its_tokens() -> None:
    """A6: strictly more than half allows; one success at ratio 0.1 after that allows again."""
    throttle = RetryThrottle(10.0, 0.1)
    for _ in range(4):
        throttle.failure()
    assert throttle.tokens() == 6.0 and throttle.allows()
    throttle.failure()
    assert throttle.tokens() == 5.0 and not throttle.allows()
    throttle.success()
    assert throttle.tokens() == 5.1 and throttle.allows()


def test_throttle_stays_between_zero_and_its_maximum() -> None:
    """And ten successes make up for one failure exactly, without drift."""
    throttle = RetryThrottle(2.5, 0.1)
    throttle.success()
    assert throttle.tokens() == 2.5
    for _ in range(5):
        throttle.failure()
    assert throttle.tokens() == 0.0
    for _ in range(10):
        throttle.success()
    assert throttle.tokens() == 1.0


@pytest.mark.parametrize(
    ("tokens", "ratio"), [(0.0, 0.1), (1000.1, 0.1), (nan, 0.1), (10.0, 0.0), (10.0, 0.0004), (10.0, inf)]
)
def test_throttle_that_makes_no_sense_is_refused(tokens: float, ratio: float) -> None:
    """A6 allows up to 1000 tokens and three decimals of the ratio."""
    with pytest.raises(ValueError, match="retry throttle: "):
        RetryThrottle(tokens, ratio)
