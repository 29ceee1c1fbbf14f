"""Monotonic seconds to wall-clock seconds, through a pair of readings that the runtime took at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClockAnchor:
    """One moment on both clocks. Taken again now and then, it follows a wall clock that was set."""

    mono_s: float
    wall_s: float
    """Seconds since 1970-01-01T00:00:00Z."""

    def wall(self, mono_s: float) -> float:
        """Return the wall-clock seconds of a monotonic moment."""
        return self.wall_s + (mono_s - self.mono_s)

    def wall_ns(self, mono_s: float) -> int:
        """Return the wall-clock nanoseconds of a monotonic moment, exact to a microsecond."""
        return int(self.wall(mono_s) * 1e6) * 1000
