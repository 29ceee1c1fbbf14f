"""The limit of an hour, by hand-computed examples."""

from __future__ import annotations

import math

from seawall_control.domain.escalation import HOUR_US, LEAST, WEEK_HOURS, hour_limit, weekday

HOUR = 480_000
OLD_US = (HOUR - 1000) * HOUR_US


def test_weekdays() -> None:
    """1970-01-01 was a Thursday, 2024-01-01 a Monday."""
    assert weekday(0) == 3
    assert weekday(1_704_067_200 // 3600) == 0


def test_too_young_to_tell() -> None:
    """Without one complete hour there is no limit; the hour that is asked about is no history."""
    assert hour_limit([], first_seen_us=HOUR * HOUR_US, hour=HOUR) == 0
    assert hour_limit([(HOUR, 500, False)], first_seen_us=HOUR * HOUR_US, hour=HOUR) == 0
    assert hour_limit([(HOUR - 1, 500, True)], first_seen_us=OLD_US, hour=HOUR) == 0


def test_young_group_may_be_ten_times_as_loud_as_its_busiest_hour() -> None:
    """For seven days; never below ten."""
    young_us = (HOUR - WEEK_HOURS + 1) * HOUR_US
    assert hour_limit([(HOUR - 1, 7, False), (HOUR - 3, 2, False)], first_seen_us=young_us, hour=HOUR) == 70
    assert hour_limit([(HOUR - 1, 7, False), (HOUR - 2, 50, True)], first_seen_us=young_us, hour=HOUR) == 70
    assert hour_limit([(HOUR - 1, 1, False)], first_seen_us=young_us, hour=HOUR) == LEAST


def test_steady_group() -> None:
    """100 in each hour: no deviation, so the spike is the mean and five times the mean; bursty is 5 x 100."""
    history = [(HOUR - 1 - i, 100, False) for i in range(WEEK_HOURS)]
    assert hour_limit(history, first_seen_us=OLD_US, hour=HOUR) == 600


def test_bursty_group() -> None:
    """One hour with 1,000 in a week: what it has done once is twice as much no escalation."""
    history = [(HOUR - 100, 1000, False)]
    mean = 1000 / WEEK_HOURS
    deviation = math.sqrt(((1000 - mean) ** 2 + (WEEK_HOURS - 1) * mean**2) / WEEK_HOURS)
    assert 5 * math.exp(-0.65 * deviation / mean) < 2
    assert hour_limit(history, first_seen_us=OLD_US, hour=HOUR) == 2000


def test_flagged_hours_are_no_baseline() -> None:
    """A spike that was found leaves the limit where it was; one that was not found raises it."""
    history = [(HOUR - 1 - i, 10, False) for i in range(1, WEEK_HOURS)]
    before = hour_limit(history, first_seen_us=OLD_US, hour=HOUR - 1)
    assert hour_limit([*history, (HOUR - 1, 5000, True)], first_seen_us=OLD_US, hour=HOUR) == before
    assert hour_limit([*history, (HOUR - 1, 5000, False)], first_seen_us=OLD_US, hour=HOUR) > before


def test_loud_weekday_counts_twice() -> None:
    """130 an hour on this weekday, 100 on others: 5 means, and the mean in which today counts twice."""
    first = HOUR - HOUR % 24
    history = [(first - 24 * 7 + i, 130, False) for i in range(24)] + [
        (first - 24 * d + i, 100, False) for d in range(1, 7) for i in range(24)
    ]
    mean = (130 + 6 * 100) / 7
    expected = math.ceil((2 * 130 + 6 * 100) / 8 + 5 * mean)
    assert hour_limit(history, first_seen_us=OLD_US, hour=first) == expected


def test_spread_counts_up_to_eight_times_the_mean() -> None:
    """7 hours of each day have 100: mean and 5 deviations are 8.8 times the mean, of which 8 count."""
    history = [(HOUR - 1 - i, 100, False) for i in range(WEEK_HOURS) if i % 24 < 7]
    mean = 700 / 24
    assert hour_limit(history, first_seen_us=OLD_US, hour=HOUR) == math.ceil(9 * mean)


def test_flagged_hours_do_not_thin_the_baseline() -> None:
    """They are left out, not taken for quiet ones."""
    history = [(HOUR - 1 - i, 5000 if i % 2 else 10, i % 2 == 1) for i in range(WEEK_HOURS)]
    assert hour_limit(history, first_seen_us=OLD_US, hour=HOUR) == 60
