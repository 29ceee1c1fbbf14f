"""One more as long as all is well, a tenth less when it is not (Netflix concurrency-limits, AIMDLimit)."""

from __future__ import annotations

from typing import Final

from seawall_policy.limit.algorithm import Algorithm
from seawall_policy.limit.window import Window

BACKOFF: Final = 0.9
TOO_LONG_S: Final = 5.0
"""A call that takes longer counts as lost."""


class Aimd(Algorithm):
    """Additive increase, multiplicative decrease."""

    def update(self, window: Window, now: float) -> None:
        """Change the limit after a window that has ended."""
        if window.drops > 0 or window.mean_s() > TOO_LONG_S:
            self.set_limit(self.limit * BACKOFF)
        elif window.peak * 2 >= self.limit:
            self.set_limit(self.limit + 1.0)
