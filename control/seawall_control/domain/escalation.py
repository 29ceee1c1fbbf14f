"""How many events of a group in one hour are more than its past lets expect.

Formula after Sentry's forecast of escalating issues (requirements 4.11), over the complete hours of the last
seven days, hours without an event included:

    age >= 7 d:  limit = max(spike, bursty)
                 spike  = mean_for_this_weekday + clamp((mean + 5 deviations) / mean, 5, 8) * mean
                 bursty = busiest hour * clamp(5 e^(-0.65 cv), 2, 5)       cv = deviation / mean
    younger:     limit = 10 * busiest hour

The mean for a weekday counts hours of that weekday twice, so that a group that is loud on Mondays is not
found escalating every Monday. Hours that were themselves found escalating are left out of the baseline: a
spike must not raise the threshold that would have caught the next one (getsentry/sentry#76751).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

HOUR_US: Final = 3_600_000_000
WEEK_HOURS: Final = 7 * 24
YOUNG_US: Final = WEEK_HOURS * HOUR_US
"""A group is young for its first seven days."""
LEAST: Final = 10
"""No limit is below this: a second event in an hour is no escalation."""
_SAME_WEEKDAY: Final = 2.0
_EPOCH_WEEKDAY: Final = 3
"""The first of January 1970 was a Thursday; Monday is 0."""

History = Sequence[tuple[int, int, bool]]
"""Hours since the epoch, events, and whether the hour was found escalating; hours without an event are left
out.
"""


def weekday(hour: int) -> int:
    """Return the day of the week (Monday is 0, UTC) of an hour since the epoch."""
    return (hour // 24 + _EPOCH_WEEKDAY) % 7


def hour_limit(history: History, *, first_seen_us: int, hour: int) -> int:
    """Return the number of events in `hour` above which a group escalates; 0 when its past is too short to
    tell, which is until one whole hour with an event has gone by.
    """
    since = max(hour - WEEK_HOURS, first_seen_us // HOUR_US)
    flagged = {at for at, _, found in history if found}
    counts = {at: number for at, number, found in history if since <= at < hour and not found}
    busiest = max(counts.values(), default=0)
    if busiest == 0:
        return 0
    if hour * HOUR_US - first_seen_us < YOUNG_US:
        return max(LEAST, 10 * busiest)
    baseline = [at for at in range(since, hour) if at not in flagged]
    size = len(baseline)
    mean = sum(counts.values()) / size
    deviation = math.sqrt(sum((counts.get(at, 0) - mean) ** 2 for at in baseline) / size)
    today = weekday(hour)
    weights = [_SAME_WEEKDAY if weekday(at) == today else 1.0 for at in baseline]
    weighted = sum(w * counts.get(at, 0) for w, at in zip(weights, baseline, strict=True)) / sum(weights)
    spike = weighted + min(max((mean + 5.0 * deviation) / mean, 5.0), 8.0) * mean
    bursty = busiest * min(max(2.0, 5.0 * math.exp(-0.65 * deviation / mean)), 5.0)
    return max(LEAST, math.ceil(max(spike, bursty)))
