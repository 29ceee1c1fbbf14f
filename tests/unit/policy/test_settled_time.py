"""What time it is for whatever deletes by age."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall_policy.settled_time import HOLD_S, LEAP_S, Kept, SettledTime

START = 1_800_000_000.0
YEAR_S = 365 * 86_400.0


def test_it_follows_a_clock_that_goes_on() -> None:
    """Also one that is set a little, and one that is set back by as much as you like."""
    time = SettledTime()
    assert time.at(START, 0.0) == START
    assert time.at(START + 600, 600.0) == START + 600
    assert time.at(START + 5000, 700.0) == START + 5000
    assert time.at(START - YEAR_S, 800.0) == START - YEAR_S
    assert time.leap_s == 0.0


def test_a_minute_a_year_ahead_costs_nothing() -> None:
    """It goes on as if nothing had happened, says how far off the wall clock is, and is the same after."""
    time = SettledTime()
    time.at(START, 0.0)
    assert time.at(START + YEAR_S + 30, 30.0) == START + 30
    assert time.leap_s == YEAR_S
    assert time.left_s == HOLD_S
    assert time.at(START + YEAR_S + 60, 60.0) == START + 60
    assert time.left_s == HOLD_S - 30
    assert time.at(START + 90, 90.0) == START + 90
    assert (time.leap_s, time.left_s) == (0.0, 0.0)


def test_a_clock_that_stays_there_for_a_day_is_believed() -> None:
    """A clock that was years behind, as on a board without a battery, is put right once."""
    time = SettledTime()
    time.at(1000.0, 0.0)
    time.at(START, 10.0)
    assert time.at(START + HOLD_S - 1, 10.0 + HOLD_S - 1) == 1010.0 + HOLD_S - 1
    assert time.at(START + HOLD_S, 10.0 + HOLD_S) == START + HOLD_S
    assert time.leap_s == 0.0


def test_a_clock_that_leaps_again_waits_again() -> None:
    """The day is one in which it stood still, compared with the monotonic one."""
    time = SettledTime()
    time.at(START, 0.0)
    time.at(START + YEAR_S, 0.0)
    later = HOLD_S / 2
    assert time.at(START + 2 * YEAR_S + later, later) == START + later
    assert time.left_s == HOLD_S
    assert time.at(START + 2 * YEAR_S + HOLD_S, HOLD_S) == START + HOLD_S


def test_a_start_with_a_wrong_clock() -> None:
    """The process before has left what time it was; a short pause between the two is none of its business."""
    time = SettledTime()
    time.at(START, 0.0)
    again = SettledTime(time.kept())
    assert again.at(START + 3600, 5.0) == START + 3600
    wrong = SettledTime(time.kept())
    assert wrong.at(START + YEAR_S, 5.0) == START
    assert wrong.at(START + YEAR_S + 60, 65.0) == START + 60


def test_restarts_do_not_put_the_day_off_for_ever() -> None:
    """A machine that is on for eight hours a day, and was off for a month, deletes again after three days."""
    kept = Kept(START)
    wall_s = START + 30 * 86_400.0
    for _ in range(3):
        time = SettledTime(kept)
        time.at(wall_s, 0.0)
        assert time.leap_s > LEAP_S
        time.at(wall_s + 8 * 3600.0, 8 * 3600.0)
        kept = time.kept()
        wall_s += 86_400.0
    assert SettledTime(kept).at(wall_s, 0.0) == wall_s


@given(
    st.lists(st.tuples(st.floats(0, 2 * HOLD_S), st.floats(-3 * LEAP_S, 3 * LEAP_S)), max_size=30),
)
def test_it_never_gains_more_than_a_leap_at_once(steps: list[tuple[float, float]]) -> None:
    """Whatever the wall clock does: between two looks within a day this time gains at most a day on the
    monotonic one, and it is never ahead of the wall clock by more than what passed since it was set back.
    """
    time, wall_s, now = SettledTime(), START, 0.0
    before = time.at(wall_s, now)
    for passed, jump in steps:
        now += passed
        wall_s += passed + jump
        held = time.leap_s > 0
        settled = time.at(wall_s, now)
        if not held or time.leap_s > 0:
            assert settled - before - passed <= LEAP_S + 1e-3
        assert settled <= wall_s + 1e-3
        before = settled
