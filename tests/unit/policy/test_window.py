"""Sliding windows, by example; the full comparison with a naive reference is among the property tests."""

from __future__ import annotations

import pytest

from seawall_policy.window import FAILED, SLOW, SUCCESS, CountWindow, TimeWindow, Window, make_window


def totals(window: Window) -> tuple[int, int, int]:
    """Return the window's totals."""
    return (window.calls, window.failures, window.slow)


def test_empty_window_has_no_rates() -> None:
    """Nothing to divide by is -1, not 0 %."""
    for window in (CountWindow(3), TimeWindow(3)):
        assert totals(window) == (0, 0, 0)
        assert window.failure_rate() == -1.0
        assert window.slow_rate() == -1.0


def test_base_window_remembers_everything_until_its_reset() -> None:
    """What both kinds build on: plain totals."""
    window = Window()
    for outcome in (FAILED, SLOW, FAILED | SLOW, SUCCESS):
        window.add(outcome, 0.0)
    window.expire(1e9)
    assert (totals(window), window.shape()) == ((4, 2, 2), ("all", 0))
    window.reset()
    assert totals(window) == (0, 0, 0)


def test_count_window_forgets_the_oldest_outcome() -> None:
    """A ring of three."""
    window = CountWindow(3)
    for outcome in (FAILED, SLOW, FAILED | SLOW):
        window.add(outcome, 0.0)
    assert totals(window) == (3, 2, 2)
    window.add(SUCCESS, 0.0)
    assert totals(window) == (3, 1, 2)
    assert window.failure_rate() == pytest.approx(100 / 3)
    assert window.slow_rate() == pytest.approx(200 / 3)
    window.add(SUCCESS, 0.0)
    window.add(SUCCESS, 0.0)
    assert totals(window) == (3, 0, 0)


def test_count_window_knows_no_time() -> None:
    """Outcomes stay however old they are."""
    window = CountWindow(2)
    window.add(FAILED, 0.0)
    window.expire(1e9)
    assert totals(window) == (1, 1, 0)


def test_count_window_after_a_reset_reads_nothing_old() -> None:
    """What the ring still holds is overwritten before it could be subtracted."""
    window = CountWindow(2)
    window.add(FAILED, 0.0)
    window.add(FAILED, 0.0)
    window.reset()
    for _ in range(4):
        window.add(SUCCESS, 0.0)
    assert totals(window) == (2, 0, 0)


def test_time_window_of_two_sees_this_second_and_the_one_before() -> None:
    """Second s sees s-1 and s."""
    window = TimeWindow(2)
    window.add(FAILED, 10.9)
    window.add(SLOW, 11.0)
    assert totals(window) == (2, 1, 1)
    window.expire(11.999)
    assert totals(window) == (2, 1, 1)
    window.expire(12.0)
    assert totals(window) == (1, 0, 1)
    window.expire(13.0)
    assert totals(window) == (0, 0, 0)


def test_time_window_drops_everything_after_a_pause() -> None:
    """A pause as long as the window, and a much longer one."""
    for pause in (3.0, 1e12):
        window = TimeWindow(3)
        for second in range(3):
            window.add(FAILED, float(second))
        window.add(SUCCESS, 2.0 + pause)
        assert totals(window) == (1, 0, 0)


def test_time_window_takes_a_late_timestamp_for_the_latest_second() -> None:
    """Neither lost nor able to move the ring back."""
    window = TimeWindow(2)
    window.add(FAILED, 10.0)
    window.add(FAILED, 3.0)
    assert totals(window) == (2, 2, 0)
    window.expire(11.0)
    assert totals(window) == (2, 2, 0)
    window.expire(12.0)
    assert totals(window) == (0, 0, 0)


def test_time_window_works_where_the_clock_is_negative() -> None:
    """A monotonic clock may start anywhere; floor, not truncation, decides the second."""
    window = TimeWindow(1)
    window.add(FAILED, -0.5)
    window.add(SUCCESS, 0.5)
    assert totals(window) == (1, 0, 0)


def test_time_window_after_a_reset_is_empty() -> None:
    """The aggregates go with the totals."""
    window = TimeWindow(3)
    window.add(FAILED | SLOW, 1.0)
    window.reset()
    window.add(SUCCESS, 2.0)
    window.expire(9.0)
    assert totals(window) == (0, 0, 0)


@pytest.mark.parametrize(("kind", "size"), [("count", 1), ("count", 100_000), ("time", 1), ("time", 3600)])
def test_shape_names_kind_and_size(kind: str, size: int) -> None:
    """Windows of equal shape can take each other's place when a policy changes."""
    assert make_window(kind, size).shape() == (kind, size)


@pytest.mark.parametrize(
    ("kind", "size"), [("count", 0), ("count", 100_001), ("time", 0), ("time", 3601), ("calls", 5), ("", 5)]
)
def test_window_that_makes_no_sense_is_refused(kind: str, size: int) -> None:
    """Both bounds of both kinds, and a kind that does not exist."""
    with pytest.raises(ValueError, match="use "):
        make_window(kind, size)
