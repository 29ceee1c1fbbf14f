"""When the proxy protects itself: thresholds, hysteresis, lag that stays."""

from __future__ import annotations

import pytest

from seawall_policy.overload import (
    DESCRIPTORS,
    EVENT_LOOP,
    LAG_LOOKS,
    MEMORY,
    NORMAL,
    REFUSE,
    SHED,
    OverloadGuard,
    OverloadOptions,
)


@pytest.mark.parametrize(
    ("share", "level"),
    [(0.0, NORMAL), (0.949, NORMAL), (0.95, SHED), (0.979, SHED), (0.98, REFUSE), (2.0, REFUSE)],
)
def test_memory_thresholds(share: float, level: int) -> None:
    """Idle connections go from 95 % of the memory limit, new calls from 98 %."""
    guard = OverloadGuard(OverloadOptions())
    guard.look(share, 0.0, 0.0)
    assert guard.levels[MEMORY] == level
    assert guard.shedding == (level >= SHED)
    assert guard.refusing == (level == REFUSE)


def test_a_measure_ends_well_below_where_it_began() -> None:
    """Memory that hovers at a threshold does not switch a measure on and off."""
    guard = OverloadGuard(OverloadOptions())
    assert guard.look(0.98, 0.0, 0.0) == [MEMORY]
    assert guard.look(0.96, 0.0, 0.0) == []
    assert guard.refusing
    assert guard.look(0.94, 0.0, 0.0) == [MEMORY]
    assert guard.levels[MEMORY] == SHED
    assert guard.look(0.93, 0.0, 0.0) == []
    assert guard.look(0.91, 0.0, 0.0) == [MEMORY]
    assert not guard.shedding


def test_descriptors_shed_and_never_refuse() -> None:
    """Short of descriptors nothing is accepted; calls on open connections need none."""
    guard = OverloadGuard(OverloadOptions())
    guard.look(0.0, 1.0, 0.0)
    assert guard.levels[DESCRIPTORS] == SHED
    assert guard.shedding
    assert not guard.refusing
    guard.look(0.0, 0.85, 0.0)
    assert guard.shedding
    guard.look(0.0, 0.79, 0.0)
    assert not guard.shedding


def test_a_pause_is_no_overload_and_lag_that_stays_is() -> None:
    """Calls are refused when the loop was late at each of the last looks, and again taken after as many in
    time.
    """
    guard = OverloadGuard(OverloadOptions(lag_s=0.5))
    guard.look(0.0, 0.0, 30.0)
    assert not guard.refusing
    guard.look(0.0, 0.0, 0.1)
    for _ in range(LAG_LOOKS - 1):
        guard.look(0.0, 0.0, 0.5)
        assert not guard.refusing
    assert guard.look(0.0, 0.0, 0.5) == [EVENT_LOOP]
    assert guard.refusing
    assert not guard.shedding
    for _ in range(LAG_LOOKS - 1):
        guard.look(0.0, 0.0, 0.1)
        assert guard.refusing
    assert guard.look(0.0, 0.0, 0.1) == [EVENT_LOOP]
    assert not guard.refusing


def test_lag_between_half_the_limit_and_the_limit_keeps_what_is() -> None:
    """What is neither late nor in time begins nothing and ends nothing."""
    guard = OverloadGuard(OverloadOptions(lag_s=0.5))
    for _ in range(3 * LAG_LOOKS):
        guard.look(0.0, 0.0, 0.3)
    assert not guard.refusing
    for _ in range(LAG_LOOKS):
        guard.look(0.0, 0.0, 0.6)
    for _ in range(3 * LAG_LOOKS):
        guard.look(0.0, 0.0, 0.3)
    assert guard.refusing


def test_a_limit_of_zero_watches_no_lag() -> None:
    """`event_loop_lag: 0s` turns it off."""
    guard = OverloadGuard(OverloadOptions(lag_s=0.0))
    for _ in range(10):
        guard.look(0.0, 0.0, 100.0)
    assert not guard.refusing


@pytest.mark.parametrize("threshold", [0.01, 0.02, 0.1])
def test_a_low_threshold_can_be_left(threshold: float) -> None:
    """A measure with a threshold near nothing ends when there is no load at all."""
    guard = OverloadGuard(OverloadOptions(0, threshold, threshold, threshold))
    guard.look(threshold, threshold, 0.0)
    assert guard.levels[MEMORY] == REFUSE
    assert guard.levels[DESCRIPTORS] == SHED
    guard.look(0.0, 0.0, 0.0)
    assert guard.levels[MEMORY] == NORMAL
    assert guard.levels[DESCRIPTORS] == NORMAL
