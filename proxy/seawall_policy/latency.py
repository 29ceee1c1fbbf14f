"""How long the attempts of a route have taken lately: a small histogram that forgets.

Buckets are spaced evenly on a logarithmic scale, eight to a doubling, so a quantile is right to four percent
between 50 µs and 200 s. Two such histograms take turns: the one that is filled, and the one before it;
quantiles are of both together, so what is known covers one to two turns. A turn lasts `TURN_S`, and longer
while too few attempts have come to say anything, up to `OLDEST_S`: a route with little traffic is judged by
older attempts rather than by three.

Adding is a search among bounds and one addition. Quantiles are computed when `look` is called and at least
`LOOK_S` has passed, and are plain attributes in between; below `LEAST` attempts nothing is known.

Only attempts that ended well belong here. One that failed says how fast a failure is, and one that was given
up says how patient somebody was.

Sources: Dean and Barroso, "The Tail at Scale" (2013), hedging at a percentile of what was observed;
HdrHistogram (log-linear buckets); Finagle's backup requests (a windowed percentile, computed now and then).
"""

from __future__ import annotations

from typing import Final

TURN_S: Final = 5.0
"""How long one histogram is filled."""
OLDEST_S: Final = 60.0
"""How long at most while there are few attempts."""
LOOK_S: Final = 0.25
"""Time from one computation to the next."""
LEAST: Final = 20
"""Attempts needed before anything is known."""
UNKNOWN: Final = -1.0

_PER_DOUBLING: Final = 8
_SHORTEST_S: Final = 50e-6
_COUNT: Final = 178

BOUNDS: Final[tuple[float, ...]] = tuple(
    [_SHORTEST_S * 2.0 ** (step / _PER_DOUBLING) for step in range(_COUNT - 1)]
)
"""Upper ends of all buckets but the last one, in seconds."""


class LatencyEstimate:
    """Three quantiles of recent attempts: the fastest tenth, the middle, and one that is chosen (`quantile`,
    above 0 to below 1). Times are monotonic seconds; they are told, not asked for.
    """

    def __init__(self, quantile: float = 0.95, now: float = 0.0) -> None:
        if not 0.0 < quantile < 1.0:
            raise ValueError(f"latency: quantile is {quantile}; use more than 0 and less than 1")
        self.quantile: float = quantile
        self.fast_s: float = 0.0
        """A tenth of the attempts took no longer; 0 while nothing is known."""
        self.typical_s: float = 0.0
        """Half of them took no longer; 0 while nothing is known."""
        self.late_s: float = UNKNOWN
        """The share `quantile` of them took no longer; UNKNOWN (-1) while nothing is known."""
        self.due: float = now
        """When `look` is to be called next."""
        self._current: list[int] = [0] * _COUNT
        self._before: list[int] = [0] * _COUNT
        self._added: int = 0
        self._added_before: int = 0
        self._since: float = now

    def carry_over(self, other: LatencyEstimate) -> None:
        """Take over what the estimate of an earlier document has counted; both go on with it."""
        self._current = other._current
        self._before = other._before
        self._added = other._added
        self._added_before = other._added_before
        self._since = other._since
        self.fast_s = other.fast_s
        self.typical_s = other.typical_s
        if other.quantile == self.quantile:
            self.late_s = other.late_s

    def add(self, seconds: float) -> None:
        """Count an attempt that ended well."""
        bounds = BOUNDS
        low = 0
        high = _COUNT - 1
        while low < high:
            middle = (low + high) >> 1
            if bounds[middle] < seconds:
                low = middle + 1
            else:
                high = middle
        self._current[low] += 1
        self._added += 1

    def look(self, now: float) -> None:
        """Compute the quantiles anew and begin another turn where it is time; cheap before `due`."""
        if now < self.due:
            return
        self.due = now + LOOK_S
        filled_s = now - self._since
        if filled_s >= TURN_S and (self._added >= LEAST or filled_s >= OLDEST_S):
            self._turn(now)
        total = self._added + self._added_before
        if total < LEAST:
            self.fast_s = 0.0
            self.typical_s = 0.0
            self.late_s = UNKNOWN
            return
        self.fast_s = self._value(0.1, total)
        self.typical_s = self._value(0.5, total)
        self.late_s = self._value(self.quantile, total)

    def count(self) -> int:
        """Return how many attempts the quantiles are of."""
        return self._added + self._added_before

    def _turn(self, now: float) -> None:
        emptied = self._before
        for index in range(_COUNT):
            emptied[index] = 0
        self._before = self._current
        self._added_before = self._added
        self._current = emptied
        self._added = 0
        self._since = now

    def _value(self, quantile: float, total: int) -> float:
        """Return the upper end of the bucket in which the quantile is."""
        wanted = quantile * total
        seen = 0
        for index in range(_COUNT - 1):
            seen += self._current[index] + self._before[index]
            if seen >= wanted:
                return BOUNDS[index]
        return BOUNDS[_COUNT - 2]
