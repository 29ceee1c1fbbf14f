"""Finished calls, gathered until there are enough of them to say something.

A window begins when the limit was last changed, and only calls that were admitted after that count: what an
older limit did teaches nothing about this one. It ends when it has its samples and its time, so that a limit
moves at most once in a round trip.
"""

from __future__ import annotations

from math import inf
from typing import Final

_MOST_TIMES: Final = 250
"""Times kept for a median; a window with more of them has enough of them."""


class Window:
    """Times in seconds."""

    def __init__(self, keeps_times: bool) -> None:
        self.started: float = 0.0
        self.count: int = 0
        """Calls that succeeded."""
        self.done: int = 0
        """The same, with those that were admitted before it began."""
        self.total_s: float = 0.0
        self.least_s: float = inf
        self.in_flight: int = 0
        """Sum over the samples of the calls at work when each was admitted, itself included."""
        self.peak: int = 0
        """The most calls at work at once."""
        self.drops: int = 0
        """Calls that were lost to overload."""
        self.limited: int = 0
        """Samples that took the last place or waited for one."""
        self._keeps: bool = keeps_times
        self._times: list[float] = []

    def begin(self, now: float) -> None:
        """Forget everything."""
        self.started = now
        self.count = 0
        self.done = 0
        self.total_s = 0.0
        self.least_s = inf
        self.in_flight = 0
        self.peak = 0
        self.drops = 0
        self.limited = 0
        if self._keeps:
            self._times = []

    def add(self, rtt_s: float, in_flight: int, limited: bool) -> None:
        """Count a success: its time at work, and the calls at work when it began."""
        self.count += 1
        self.total_s += rtt_s
        if rtt_s < self.least_s:  # noqa: PLR1730 - a comparison, for each call
            self.least_s = rtt_s
        self.in_flight += in_flight
        if limited:
            self.limited += 1
        if self._keeps and len(self._times) < _MOST_TIMES:
            self._times.append(rtt_s)

    def drop(self) -> None:
        """Count a call that was lost to overload."""
        self.drops += 1

    def mean_s(self) -> float:
        """Return the mean time; 0.0 without a sample."""
        return self.total_s / self.count if self.count > 0 else 0.0

    def median_s(self) -> float:
        """Return the median time; only where times are kept, 0.0 without a sample."""
        times = self._times
        if len(times) == 0:
            return 0.0
        ordered = sorted(times)
        return ordered[len(ordered) // 2]
