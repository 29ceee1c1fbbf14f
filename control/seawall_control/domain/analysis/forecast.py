"""What comes next, and when something is used up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final, Protocol

from seawall_control.domain.fitting import fitted

LEVEL: Final = 0.3
TREND: Final = 0.1
DAMPING: Final = 0.9
"""Weights of Holt's method with a damped trend (Gardner and McKenzie, 1985): no trend goes on for ever."""
MIN_SAMPLES: Final = 10
_SURE: Final = 1.96
"""Deviations that 95 % of a normal distribution lie within."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Values of the next buckets, and within which bounds 95 % of such forecasts hold."""

    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class Model(Protocol):
    """A way of foretelling counts. Others can be installed (`seawall.forecast` entry points)."""

    def forecast(self, values: Sequence[float], ahead: int) -> Forecast | None:
        """Return the next `ahead` values after these, oldest first; None when they are too few. Must not
        take longer than some milliseconds, keeps nothing, and is never told who is meant.
        """
        ...


class Holt:
    """Exponential smoothing of level and damped trend; needs no season and no training."""

    def forecast(self, values: Sequence[float], ahead: int) -> Forecast | None:
        """See `Model.forecast`. Counts are never foretold below 0."""
        if len(values) < MIN_SAMPLES:
            return None
        level, trend = float(values[0]), 0.0
        errors: list[float] = []
        for value in values[1:]:
            expected = level + DAMPING * trend
            errors.append(value - expected)
            before = level
            level = expected + LEVEL * (value - expected)
            trend = DAMPING * trend + TREND * (level - before - DAMPING * trend)
        # The first errors are those of a level that was not found yet.
        settled = errors[len(errors) // 3 :]
        deviation = sqrt(sum(error * error for error in settled) / len(settled))
        middle: list[float] = []
        low: list[float] = []
        high: list[float] = []
        grown = 0.0
        for step in range(1, ahead + 1):
            grown += trend * DAMPING**step
            value = max(0.0, level + grown)
            width = _SURE * deviation * sqrt(1 + (step - 1) * LEVEL * LEVEL)
            middle.append(value)
            low.append(max(0.0, value - width))
            high.append(value + width)
        return Forecast(tuple(middle), tuple(low), tuple(high))


def time_to_reach(samples: Sequence[tuple[float, float]], limit: float) -> float | None:
    """Return in how many seconds, from the last sample on, a quantity reaches its limit if it goes on as it
    did: by a least-squares line over (seconds, value); None when it does not grow, or too little of its
    movement is growth (r squared below 0.5) to say. 0 when it is reached already.
    """
    if len(samples) < MIN_SAMPLES:
        return None
    if samples[-1][1] >= limit:
        return 0.0
    line = fitted(samples)
    if line is None or line.slope <= 0 or line.fit < 0.5:
        return None
    return max(0.0, (limit - line.at(samples[-1][0])) / line.slope)
