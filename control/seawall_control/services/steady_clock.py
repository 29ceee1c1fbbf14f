"""A clock for intervals: it runs as the monotonic one does and shows what the wall clock showed, until it is
told to follow a wall clock that was set.
"""

from __future__ import annotations

from typing import Final

from seawall_control.domain.events import MICROS
from seawall_control.services.edge import Clock

STEP_US: Final = 1 * MICROS
"""A difference of the two clocks that is larger than this is a step; less is left alone."""


class SteadyClock:
    """Wall-clock time without its steps. `follow` says by how much it was set since, and goes along."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall_us = clock.now_us()
        self._since_s = clock.monotonic_s()

    def now_us(self) -> int:
        """Return microseconds since the epoch that never go back between two calls of `follow`."""
        return self._wall_us + int((self._clock.monotonic_s() - self._since_s) * MICROS)

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return self._clock.monotonic_s()

    def follow(self) -> int:
        """Return by how many microseconds the wall clock was set, 0 if it was not; what is remembered in time
        has to be moved by as much.
        """
        by_us = self._clock.now_us() - self.now_us()
        if abs(by_us) < STEP_US:
            return 0
        self._wall_us += by_us
        return by_us
