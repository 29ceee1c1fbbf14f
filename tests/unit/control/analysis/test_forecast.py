"""Forecasts of series whose future is known."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.analysis.forecast import MIN_SAMPLES, Holt, time_to_reach


def test_what_is_steady_stays() -> None:
    """A constant is foretold exactly."""
    found = Holt().forecast([7.0] * 30, 5)
    assert found is not None
    assert found.values == pytest.approx([7.0] * 5)
    assert found.low == found.high == pytest.approx([7.0] * 5)


def test_what_grows_goes_on_growing() -> None:
    """By less and less: a trend is damped."""
    found = Holt().forecast([float(n) for n in range(60)], 5)
    assert found is not None
    assert found.values[0] > 57
    steps = [b - a for a, b in zip(found.values, found.values[1:], strict=False)]
    assert all(step > 0 for step in steps)
    assert steps == sorted(steps, reverse=True)


def test_bounds_hold_about_as_often_as_they_say() -> None:
    """95 % of the next values of a noisy level lie within them, give or take."""
    dice = random.Random(5)
    inside = 0
    for _ in range(400):
        values = [dice.gauss(100, 10) for _ in range(61)]
        found = Holt().forecast(values[:-1], 1)
        assert found is not None
        inside += found.low[0] <= values[-1] <= found.high[0]
    assert 0.9 <= inside / 400 <= 0.99


@given(st.lists(st.floats(0, 1e6), max_size=60), st.integers(1, 20))
def test_counts_are_never_negative(values: list[float], ahead: int) -> None:
    """Nor are the bounds out of order; too few values say nothing."""
    found = Holt().forecast(values, ahead)
    assert (found is None) is (len(values) < MIN_SAMPLES)
    if found is not None:
        assert len(found.values) == ahead
        for low, value, high in zip(found.low, found.values, found.high, strict=True):
            assert 0 <= low <= value <= high


def test_time_to_reach() -> None:
    """A line is followed to its limit; what does not grow never gets there."""
    line = [(60.0 * n, 10.0 + n) for n in range(20)]
    assert time_to_reach(line, 39.0) == pytest.approx(600)
    assert time_to_reach(line, 29.0) == 0.0
    assert time_to_reach([(at, -value) for at, value in line], 39.0) is None
    assert time_to_reach([(at, 5.0) for at, _ in line], 39.0) is None
    assert time_to_reach(line[:5], 39.0) is None
    swings = [(60.0 * n, 10.0 + 50 * (n % 2) + n * 0.1) for n in range(40)]
    assert time_to_reach(swings, 99.0) is None
