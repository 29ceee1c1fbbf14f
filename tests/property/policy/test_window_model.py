"""Sliding windows against lists of everything that happened."""

from __future__ import annotations

from math import floor

from hypothesis import given
from hypothesis import strategies as st

from seawall_policy.window import FAILED, SLOW, CountWindow, TimeWindow, Window

OUTCOMES = st.integers(0, 3)
STEPS = st.lists(
    st.tuples(OUTCOMES, st.sampled_from((0.0, 0.25, 1.0, 1.5, 2.0, 7.0)), st.integers(0, 9)), max_size=60
)


def totals(outcomes: list[int]) -> tuple[int, int, int]:
    """Count calls, failures and slow ones."""
    failures = sum(1 for outcome in outcomes if outcome & FAILED)
    return (len(outcomes), failures, sum(1 for outcome in outcomes if outcome & SLOW))


def shown(window: Window) -> tuple[int, int, int]:
    """Return the window's totals."""
    return (window.calls, window.failures, window.slow)


@given(size=st.integers(1, 4), steps=STEPS)
def test_count_window_is_the_tail_of_the_list(size: int, steps: list[tuple[int, float, int]]) -> None:
    """The last N outcomes since the last reset (one step in ten)."""
    window = CountWindow(size)
    outcomes: list[int] = []
    for outcome, _, dice in steps:
        if dice == 0:
            window.reset()
            outcomes = []
        window.add(outcome, 0.0)
        outcomes.append(outcome)
        assert shown(window) == totals(outcomes[-size:])


@given(size=st.integers(1, 4), start=st.floats(-1e6, 1e6), steps=STEPS)
def test_time_window_is_the_list_cut_by_age(
    size: int, start: float, steps: list[tuple[int, float, int]]
) -> None:
    """Outcomes of the last N whole seconds, whether the time passes with calls or without."""
    window = TimeWindow(size)
    outcomes: list[tuple[int, int]] = []
    now = start
    for outcome, wait, dice in steps:
        now += wait
        if dice == 0:
            window.reset()
            outcomes = []
        if dice < 5:
            window.expire(now)
        else:
            window.add(outcome, now)
            outcomes.append((floor(now), outcome))
        assert shown(window) == totals([o for second, o in outcomes if second > floor(now) - size])
