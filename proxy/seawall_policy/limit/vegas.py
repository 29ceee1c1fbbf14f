"""The limit by the queue that the times tell of (TCP Vegas; Netflix concurrency-limits, VegasLimit).

queue = ceil(L x (1 - rtt_noload / rtt)), where rtt_noload is the least time seen since the last probe. With
the steps in log10 L: a short queue lets the limit grow, a long one shrink, a dropped call shrinks it at once.
"""

from __future__ import annotations

from math import ceil, inf, log10

from seawall_policy.limit.algorithm import Algorithm
from seawall_policy.limit.options import LimitOptions
from seawall_policy.limit.window import Window

_PROBE_AFTER: int = 30
"""The least time is measured anew after so many samples for each place of the limit."""


class Vegas(Algorithm):
    """Vegas."""

    def __init__(self, options: LimitOptions) -> None:
        super().__init__(options)
        self.noload_s: float = inf
        self._since_probe: int = 0

    def update(self, window: Window, now: float) -> None:
        """Change the limit after a window that has ended."""
        limit = self.limit
        step = max(1.0, log10(limit)) if limit > 1.0 else 1.0
        if window.drops > 0:
            self.set_limit(limit - step)
            return
        if window.count == 0:
            return
        rtt = window.mean_s()
        self._since_probe += window.count
        if self._since_probe >= _PROBE_AFTER * limit:
            self._since_probe = 0
            self.noload_s = window.least_s
            return
        if window.least_s < self.noload_s:
            self.noload_s = window.least_s
            return
        if window.peak * 2 < limit:
            return
        queue = ceil(limit * (1.0 - self.noload_s / rtt)) if rtt > 0.0 else 0
        if queue <= step:
            self.set_limit(limit + 6.0 * step)
        elif queue < 3.0 * step:
            self.set_limit(limit + step)
        elif queue > 6.0 * step:
            self.set_limit(limit - step)
