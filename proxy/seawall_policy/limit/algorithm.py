"""What every way to find a limit has in common."""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from seawall_policy.limit.options import LimitOptions
from seawall_policy.limit.window import Window

WINDOW_S: Final = 1.0
"""How long Netflix's algorithms gather samples (WindowedLimit)."""
WINDOW_SAMPLES: Final = 10


@mypyc_attr(allow_interpreted_subclasses=True)
class Algorithm:
    """Keeps the limit; told a window of samples, it changes it. This one never does."""

    def __init__(self, options: LimitOptions) -> None:
        self.lowest: float = float(options.min_in_flight)
        self.highest: float = float(options.max_in_flight)
        self.limit: float = float(options.initial)
        self.keeps_times: bool = False
        """Its windows need a median."""

    def resize(self, options: LimitOptions) -> None:
        """Go on under changed numbers with what was learned."""
        self.lowest = float(options.min_in_flight)
        self.highest = float(options.max_in_flight)
        self.set_limit(self.limit)

    def set_limit(self, limit: float) -> None:
        """Take a new limit, between the lowest and the highest."""
        self.limit = min(max(limit, self.lowest), self.highest)

    def is_over(self, window: Window, now: float) -> bool:
        """Tell whether a window has what it needs to be judged."""
        return window.count + window.drops >= WINDOW_SAMPLES and now - window.started >= WINDOW_S

    def arrived(self, remaining_s: float) -> None:
        """Learn how much time a call has that arrives; infinity counts as well."""

    def update(self, window: Window, now: float) -> None:
        """Change the limit after a window that has ended."""


class Fixed(Algorithm):
    """A limit that a person has set."""

    def __init__(self, options: LimitOptions) -> None:
        super().__init__(options)
        self.limit = self.highest

    def resize(self, options: LimitOptions) -> None:
        """Take the new limit."""
        super().resize(options)
        self.limit = self.highest
