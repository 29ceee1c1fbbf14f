"""The windowed estimate of latency: what it says, when it forgets, and that it says nothing too early."""

from __future__ import annotations

import pytest

from seawall_policy.latency import LEAST, LOOK_S, OLDEST_S, TURN_S, UNKNOWN, LatencyEstimate

WIDTH = 2.0 ** (1 / 8)


def filled(*seconds: float, quantile: float = 0.95) -> LatencyEstimate:
    """Return an estimate that has looked at these attempts."""
    estimate = LatencyEstimate(quantile)
    for value in seconds:
        estimate.add(value)
    estimate.look(0.0)
    return estimate


def near(value: float, wanted: float) -> bool:
    """Tell whether a quantile is the upper end of the bucket of `wanted`."""
    return wanted <= value * 1.000001 and value <= wanted * WIDTH * 1.000001


def test_nothing_is_known_below_twenty_attempts() -> None:
    """Three attempts are no distribution."""
    estimate = filled(*[0.01] * (LEAST - 1))
    assert (estimate.fast_s, estimate.typical_s, estimate.late_s) == (0.0, 0.0, UNKNOWN)
    estimate.add(0.01)
    estimate.look(LOOK_S)
    assert near(estimate.late_s, 0.01)


def test_quantiles() -> None:
    """The fastest tenth, the middle, the chosen one."""
    estimate = filled(*[0.001] * 10, *[0.007] * 80, *[0.5] * 10, quantile=0.9)
    assert near(estimate.fast_s, 0.001)
    assert near(estimate.typical_s, 0.007)
    assert near(estimate.late_s, 0.007)
    assert near(filled(*[0.001] * 10, *[0.007] * 80, *[0.5] * 10, quantile=0.91).late_s, 0.5)


def test_the_ends_of_the_scale() -> None:
    """What is shorter or longer than the scale counts at its ends."""
    assert filled(*[0.0] * 20).typical_s == pytest.approx(50e-6)
    assert 190.0 < filled(*[1e9] * 20).typical_s < 230.0


def test_it_is_computed_now_and_then() -> None:
    """Between two looks the numbers stay."""
    estimate = filled(*[0.01] * 20)
    for _ in range(100):
        estimate.add(1.0)
    estimate.look(LOOK_S - 0.01)
    assert near(estimate.typical_s, 0.01)
    assert estimate.due == LOOK_S
    estimate.look(LOOK_S)
    assert near(estimate.typical_s, 1.0)


def test_it_forgets_in_two_turns() -> None:
    """After one turn the old attempts still count, after two they do not."""
    estimate = filled(*[1.0] * 30)
    for turn, wanted in ((1, 1.0), (2, 0.01)):
        estimate.look(turn * TURN_S)
        for _ in range(25):
            estimate.add(0.01)
        estimate.look(turn * TURN_S + LOOK_S)
        assert near(estimate.late_s, wanted)
    assert estimate.count() == 50


def test_few_attempts_are_kept_for_longer() -> None:
    """A turn does not end with less than twenty attempts, unless it is a minute old."""
    estimate = filled(*[0.01] * 20)
    estimate.look(TURN_S)
    estimate.add(0.02)
    estimate.look(2 * TURN_S)
    estimate.look(6 * TURN_S)
    assert estimate.count() == 21
    estimate.look(TURN_S + OLDEST_S)
    assert estimate.count() == 1
    assert estimate.late_s == UNKNOWN


def test_carry_over() -> None:
    """Another document goes on with what is known; another quantile is computed at the next look."""
    old = filled(*[0.01] * 30)
    new = LatencyEstimate(0.95, 1.0)
    new.carry_over(old)
    assert near(new.late_s, 0.01)
    other = LatencyEstimate(0.5, 1.0)
    other.carry_over(old)
    assert other.late_s == UNKNOWN
    other.look(1.0)
    assert near(other.late_s, 0.01)


@pytest.mark.parametrize("quantile", [0.0, 1.0, -1.0, 2.0, float("nan")])
def test_a_quantile_is_a_share(quantile: float) -> None:
    """0 and 1 are the least and the greatest, which are no quantiles of anything that is recent."""
    with pytest.raises(ValueError, match="quantile"):
        LatencyEstimate(quantile)
