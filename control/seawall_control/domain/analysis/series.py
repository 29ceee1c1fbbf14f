"""Counts by bucket of time, and what statistics need of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import mul
from statistics import median
from typing import Final

_MAD_TO_DEVIATION: Final = 1.4826
"""A normal distribution's standard deviation is this times its median absolute deviation."""


def dense(counts: Mapping[int, int], *, start: int, end: int, width: int) -> list[int]:
    """Return the counts of every bucket from `start` up to, not including, `end`; 0 for those not named."""
    number_at = counts.get
    return [number_at(at, 0) for at in range(start, end, width)]


def baseline(values: Sequence[float], *, flagged: frozenset[int] = frozenset()) -> tuple[float, float]:
    """Return the median and a robust deviation of the values, those at flagged places left out.

    The deviation is never below the square root of the median plus one: counts that come by chance (Poisson)
    spread that much, and a series that was silent has no spread of its own.
    """
    kept = [value for at, value in enumerate(values) if at not in flagged]
    if not kept:
        return 0.0, 1.0
    middle = median(kept)
    spread = _MAD_TO_DEVIATION * median(abs(value - middle) for value in kept)
    return middle, max(spread, (middle + 1.0) ** 0.5)


def correlation(values: Sequence[float], lag: int) -> float:
    """Return the correlation, -1 to 1, of the series with itself `lag` buckets later; 0 where it has no
    variation.
    """
    first, second = values[:-lag], values[lag:]
    size = len(first)
    if size < 2:
        return 0.0
    mean_first, mean_second = sum(first) / size, sum(second) / size
    first_off = [value - mean_first for value in first]
    second_off = [value - mean_second for value in second]
    both = sum(map(mul, first_off, second_off))
    spread_first = sum(map(mul, first_off, first_off))
    spread_second = sum(map(mul, second_off, second_off))
    if spread_first <= 0 or spread_second <= 0:
        return 0.0
    return float(both / (spread_first * spread_second) ** 0.5)


def period(values: Sequence[float], *, least: float) -> tuple[int, float] | None:
    """Return the length in buckets of the period that the series repeats with, and its correlation.

    A period is at least two buckets and is there at least three times. Multiples of a period correlate as
    well; the shortest within a hundredth of the best is the period.
    """
    candidates = [(lag, correlation(values, lag)) for lag in range(2, len(values) // 3 + 1)]
    best = max((r for _, r in candidates), default=0.0)
    if best < least:
        return None
    return next((lag, r) for lag, r in candidates if r >= best - 0.01)
