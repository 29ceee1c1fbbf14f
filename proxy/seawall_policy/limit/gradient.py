"""The limit by a ratio of times: Envoy's gradient controller, and Gradient2 of Netflix.

Both read queueing from times alone. Envoy compares with the least time that it measures now and then while
it holds the limit down to a few calls; Gradient2 with a long average, which needs no such pause and drifts.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

from seawall_policy.limit.algorithm import Algorithm
from seawall_policy.limit.options import LimitOptions
from seawall_policy.limit.window import Window

BUFFER: Final = 0.25
PINNED: Final = 3.0
MIN_RTT_SAMPLES: Final = 50
MIN_RTT_EVERY_S: Final = 60.0
WINDOW_S: Final = 0.1
FLOOR_WINDOWS: Final = 5
"""Windows in a row at the least limit after which the least time is measured anew."""

LONG: Final = 600.0
"""Windows of the long average (Netflix's longWindow)."""
TOLERANCE: Final = 1.5
SMOOTHING: Final = 0.2
QUEUE: Final = 4.0


class Gradient(Algorithm):
    """Envoy (adaptive_concurrency): g = clamp(minRTT x 1.25 / sampleRTT, 0.5, 2); L = g x L + sqrt(L)."""

    def __init__(self, options: LimitOptions) -> None:
        super().__init__(options)
        self.keeps_times = True
        self.min_s: float = 0.0
        """The least time; 0.0 while it is being measured."""
        self._next: float = 0.0
        self._at_floor: int = 0
        self._before: float = self.limit
        self.limit = min(PINNED, self.highest)

    def is_over(self, window: Window, now: float) -> bool:
        """Tell whether a window has what it needs to be judged."""
        if self.min_s == 0.0:
            return window.count >= MIN_RTT_SAMPLES
        return window.count > 0 and now - window.started >= WINDOW_S

    def update(self, window: Window, now: float) -> None:
        """Change the limit after a window that has ended."""
        sample = window.median_s()
        if sample <= 0.0:
            return
        if self.min_s == 0.0:
            self.min_s = sample
            self._next = now + MIN_RTT_EVERY_S
            self._at_floor = 0
            self.set_limit(self._before)
            return
        gradient = min(max(self.min_s * (1.0 + BUFFER) / sample, 0.5), 2.0)
        self.set_limit(gradient * self.limit + sqrt(self.limit))
        self._at_floor = self._at_floor + 1 if self.limit <= max(self.lowest, PINNED) else 0
        if self._at_floor >= FLOOR_WINDOWS or now >= self._next:
            self._before = self.limit
            self.min_s = 0.0
            self.limit = min(PINNED, self.highest)


class Gradient2(Algorithm):
    """Netflix (Gradient2Limit): g = clamp(1.5 x long / short, 0.5, 1); L = 0.8 x L + 0.2 x (g x L + 4)."""

    def __init__(self, options: LimitOptions) -> None:
        super().__init__(options)
        self.long_s: float = 0.0

    def update(self, window: Window, now: float) -> None:
        """Change the limit after a window that has ended."""
        short = window.mean_s()
        if short <= 0.0:
            return
        self.long_s = (
            short if self.long_s == 0.0 else self.long_s + (short - self.long_s) * 2.0 / (LONG + 1.0)
        )
        if self.long_s / short > 2.0:
            # Back from a long overload: without this the average would let the limit grow for minutes.
            self.long_s *= 0.95
        if window.peak * 2 < self.limit:
            return
        gradient = min(max(TOLERANCE * self.long_s / short, 0.5), 1.0)
        self.set_limit((1.0 - SMOOTHING) * self.limit + SMOOTHING * (gradient * self.limit + QUEUE))
