"""Token buckets by key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.buckets import Buckets


def test_a_burst_and_then_the_rate() -> None:
    """Three at once, then one each half second."""
    buckets = Buckets(per_second=2, burst=3, capacity=10)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("a", 0.25) == 0.25
    assert buckets.take("a", 0.5) == 0
    assert buckets.take("b", 0.5) == 0


def test_looking_takes_nothing() -> None:
    """`wait_s` says what `take` would."""
    buckets = Buckets(per_second=1, burst=1, capacity=10)
    assert buckets.wait_s("a", 0.0) == 0
    assert buckets.take("a", 0.0) == 0
    assert buckets.wait_s("a", 0.0) == 1
    assert buckets.wait_s("a", 1.0) == 0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    """Nor does it take anything away."""
    buckets = Buckets(per_second=1, burst=1, capacity=10)
    assert buckets.take("a", 10.0) == 0
    assert buckets.take("a", 5.0) == 1


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 3)), max_size=200))
def test_the_table_is_bounded_and_nobody_gets_more_than_the_rate(steps: list[tuple[str, float]]) -> None:
    """With room for all keys, grants never exceed burst plus rate times time."""
    small = Buckets(per_second=2, burst=3, capacity=3)
    large = Buckets(per_second=2, burst=3, capacity=10)
    now, granted = 0.0, dict.fromkeys("abcdef", 0)
    for key, wait in steps:
        now += wait
        small.take(key, now)
        granted[key] += large.take(key, now) == 0
        assert len(small) <= 3
        assert granted[key] <= 3 + 2 * now + 1e-6


@pytest.mark.parametrize("settings", [(0, 1, 1), (1, 0.5, 1), (1, 1, 0)])
def test_settings_that_mean_nothing(settings: tuple[float, float, int]) -> None:
    """They are refused at once."""
    with pytest.raises(ValueError, match="at least 1"):
        Buckets(per_second=settings[0], burst=settings[1], capacity=settings[2])
