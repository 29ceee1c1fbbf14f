"""The retry budget against a ledger that keeps every entry."""

from __future__ import annotations

from math import floor

from hypothesis import given
from hypothesis import strategies as st

from seawall_policy.budget import SLOTS, BudgetOptions, RetryBudget, RetryThrottle, make_budget

STEPS = st.lists(
    st.tuples(st.sampled_from(("call", "retry")), st.sampled_from((0.0, 0.0, 0.05, 0.1, 0.3, 1.0, 3.0))),
    max_size=80,
)


@given(
    percent=st.sampled_from((0.0, 20.0, 50.0, 100.0, 300.0)),
    per_second=st.sampled_from((0.0, 1.0, 3.0)),
    steps=STEPS,
)
def test_budget_equals_the_sum_over_the_entries_of_the_interval(
    percent: float, per_second: float, steps: list[tuple[str, float]]
) -> None:
    """Reserve + deposits - withdrawals in the last ten slots; a refusal costs nothing."""
    interval_s = 1.0
    ledger = RetryBudget(BudgetOptions(percent, per_second, interval_s))
    entries: list[tuple[int, float]] = []
    granted = refused = 0
    now = 0.05
    for action, wait in steps:
        now += wait
        slot = floor(now / (interval_s / SLOTS))
        balance = per_second * interval_s + sum(amount for at, amount in entries if at > slot - SLOTS)
        assert abs(ledger.balance(now) - max(0.0, balance)) < 1e-9
        if action == "call":
            ledger.deposit(now)
            entries.append((slot, percent / 100.0))
        elif ledger.try_withdraw(now):
            assert balance >= 1.0 - 1e-9
            entries.append((slot, -1.0))
            granted += 1
        else:
            assert balance < 1.0 - 1e-9
            refused += 1
    assert (ledger.withdrawals, ledger.refusals) == (granted, refused)


@given(
    max_tokens=st.sampled_from((1.0, 2.0, 3.5)),
    ratio=st.sampled_from((0.001, 0.1, 0.5, 2.0)),
    steps=st.lists(st.booleans(), max_size=60),
)
def test_throttle_equals_a_clamped_sum(max_tokens: float, ratio: float, steps: list[bool]) -> None:
    """Tokens between 0 and the maximum; allowed above half."""
    throttle = RetryThrottle(max_tokens, ratio)
    tokens = max_tokens
    for success in steps:
        if success:
            throttle.success()
            tokens = min(max_tokens, tokens + ratio)
        else:
            throttle.failure()
            tokens = max(0.0, tokens - 1.0)
        tokens = round(tokens, 3)
        assert throttle.tokens() == tokens
        assert throttle.allows() == (tokens > max_tokens / 2)


@given(
    percent=st.sampled_from((0.0, 20.0, 50.0, 100.0)),
    least=st.integers(0, 3),
    steps=st.lists(st.sampled_from(("call", "call", "ended", "retry", "retry", "back")), max_size=60),
)
def test_concurrency_budget_equals_two_gauges(percent: float, least: int, steps: list[str]) -> None:
    """Retries at work: the share of the calls at work, or the least number."""
    budget = make_budget(BudgetOptions(percent, concurrent=True, min_concurrent=least))
    calls = retries = 0
    for step in steps:
        allowed = max(least, int(percent * calls / 100.0))
        assert budget.balance(0.0) == max(0, allowed - retries)
        if step == "call":
            budget.deposit(0.0)
            calls += 1
        elif step == "ended" and calls > 0:
            budget.call_ended()
            calls -= 1
        elif step == "retry":
            granted = budget.try_withdraw(0.0)
            assert granted is (retries < allowed)
            retries += granted
        elif step == "back" and retries > 0:
            budget.give_back()
            retries -= 1


@given(percent=st.sampled_from((0.0, 20.0, 100.0)), counts=st.lists(st.integers(0, 9), max_size=20))
def test_deposits_in_bulk_are_deposits(percent: float, counts: list[int]) -> None:
    """Many at once are many one by one."""
    options = BudgetOptions(percent, 0.0, 1.0)
    one, many = make_budget(options), make_budget(options)
    for step, count in enumerate(counts):
        now = step * 0.07
        for _ in range(count):
            one.deposit(now)
        many.deposit_many(count, now)
        assert one.balance(now) == many.balance(now)
        assert one.deposits == many.deposits
