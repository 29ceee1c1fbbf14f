"""How long attempts take, in buckets that are a fifth wider each, and what is slow compared with that.

The median and the median absolute deviation (MAD) of the other endpoints' attempts together are robust: up
to half of them may be anything. A time is slow when it is beyond each of median + factor x MAD (Hampel's
identifier), a multiple of the median, and the median and a constant; the last two keep services whose times
hardly vary from being told off for a millisecond.
"""

from __future__ import annotations

from math import inf, log
from typing import Final

from seawall_policy.outlier.options import LatencyOptions

BUCKETS: Final = 96
_FIRST_S: Final = 0.0001
"""Upper end of the first bucket."""
_WIDTH: Final = 1.2
_PER_LOG: Final = 1.0 / log(_WIDTH)
KEPT: Final = 64
"""Once there are so many attempts, half of what is known is forgotten in each interval."""


def _ends() -> tuple[float, ...]:
    ends: list[float] = []
    end = _FIRST_S
    for _ in range(BUCKETS):
        ends.append(end)
        end *= _WIDTH
    return tuple(ends)


ENDS: Final[tuple[float, ...]] = _ends()


def bucket_of(seconds: float) -> int:
    """Return the bucket of a time; the last one holds the rest."""
    if seconds <= _FIRST_S:
        return 0
    return min(BUCKETS - 1, 1 + int(log(seconds / _FIRST_S) * _PER_LOG))


class Times:
    """The recent attempts of one endpoint."""

    def __init__(self) -> None:
        self.counts: list[int] = [0] * BUCKETS
        self.total: int = 0

    def add(self, seconds: float) -> None:
        """Take a time."""
        self.counts[bucket_of(seconds)] += 1
        self.total += 1

    def fade(self) -> None:
        """Forget half, where there is enough."""
        if self.total < KEPT:
            return
        counts = self.counts
        total = 0
        for bucket in range(BUCKETS):
            half = counts[bucket] >> 1
            counts[bucket] = half
            total += half
        self.total = total

    def clear(self) -> None:
        """Forget everything."""
        self.counts = [0] * BUCKETS
        self.total = 0


def slow_from(counts: list[int], total: int, options: LatencyOptions) -> float:
    """Return from which time on an attempt is slow, given those of the others; infinity when there are too
    few.
    """
    if total < options.min_calls or total < 1:
        return inf
    middle = (total + 1) // 2
    median = 0.0
    seen = 0
    for bucket in range(BUCKETS):
        seen += counts[bucket]
        if seen >= middle:
            median = ENDS[bucket]
            break
    deviation = _deviation(counts, middle, median)
    return max(
        median + options.mad_factor * deviation, median * options.min_ratio, median + options.min_excess_s
    )


def _deviation(counts: list[int], middle: int, median: float) -> float:
    """Return the median of the distances from the median."""
    low = 0
    while ENDS[low] < median:
        low += 1
    seen = counts[low]
    high = low + 1
    low -= 1
    distance = 0.0
    # From the middle outwards, the nearer side first.
    while seen < middle:
        below = median - ENDS[low] if low >= 0 else inf
        above = ENDS[high] - median if high < BUCKETS else inf
        if below <= above:
            distance = below
            seen += counts[low]
            low -= 1
        else:
            distance = above
            seen += counts[high]
            high += 1
    return distance
