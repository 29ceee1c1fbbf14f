"""Which buckets answer for a window of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.rollups import Width

_STEPS: Final = ((4 * 3600, Width.MINUTE), (10 * 86400, Width.HOUR))
"""Windows up to so many seconds are looked at in buckets of this width; longer ones in days."""
MIN_S: Final = 300


@dataclass(frozen=True, slots=True)
class Window:
    """Whole buckets, in seconds since the epoch."""

    start: int
    end: int
    width: Width

    @property
    def buckets(self) -> int:
        """How many."""
        return (self.end - self.start) // self.width

    def before(self) -> Window:
        """Return the window of the same length that ends where this one starts."""
        return Window(2 * self.start - self.end, self.start, self.width)


def window_of(
    length_s: float, *, now_s: float, default_s: float, most_s: float, least_s: float = MIN_S
) -> Window:
    """Return the whole buckets of the last `length_s` seconds (0: `default_s`). Raise `InvalidRequest`."""
    length = length_s or default_s
    if not least_s <= length <= most_s:
        raise InvalidRequest(f"window must be {least_s:.12g} s to {most_s:.12g} s, not {length:.12g} s")
    width = next((width for most, width in _STEPS if length <= most), Width.DAY)
    end = int(now_s) // width * width
    return Window(end - max(1, round(length / width)) * width, end, width)
