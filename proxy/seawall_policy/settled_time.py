"""What time it is for whatever deletes by age.

A wall clock that is wrong for a minute must not cost what was to be kept for a month. So this time goes on
as the monotonic clock does, follows a wall clock that was set back, or ahead by less than a day, at once, and
one that leapt further ahead only after it has stayed there for a day. A machine that was off for longer than
that looks the same: its deletions come a day later, which harms nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LEAP_S: Final = 86_400.0
"""Further ahead is a leap."""
HOLD_S: Final = 86_400.0
"""How long a clock has to stay where it leapt to, until it is believed."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a process leaves for the one after it."""

    settled_s: float
    """What time it was, in Unix time."""
    stayed_s: float = 0.0
    """For how long the wall clock has been ahead, of which a part is over: who restarts every morning would
    otherwise never delete anything.
    """


class SettledTime:
    """The time of one process. Wall clock and monotonic clock are told."""

    __slots__ = ("_ahead_since", "_kept", "_now", "_settled_s", "_wall_s")

    def __init__(self, kept: Kept | None = None) -> None:
        """Without `kept` the wall clock is believed at first."""
        self._kept: Kept | None = kept
        self._wall_s: float | None = None
        self._settled_s: float = 0.0
        self._now: float = 0.0
        self._ahead_since: float | None = None

    def __repr__(self) -> str:
        if self._wall_s is None:
            return "SettledTime(not asked yet)"
        return f"SettledTime({self._settled_s:.0f}, the wall clock is {self.leap_s:.0f} s ahead)"

    @property
    def leap_s(self) -> float:
        """How far ahead the wall clock is; 0 while it is believed."""
        ahead = self._wall_s is not None and self._ahead_since is not None
        return self._wall_s - self._settled_s if ahead and self._wall_s is not None else 0.0

    @property
    def left_s(self) -> float:
        """For how long the wall clock has to stay where it is, until it is believed; 0 when it is."""
        since = self._ahead_since
        return 0.0 if since is None else HOLD_S - (self._now - since)

    def at(self, wall_s: float, now: float) -> float:
        """Return what time it is for deletions, in Unix time."""
        expected, stayed_s = self._expected(wall_s, now)
        moved = self._wall_s is None or abs(wall_s - self._wall_s - (now - self._now)) > LEAP_S
        self._wall_s, self._now = wall_s, now
        if wall_s - expected <= LEAP_S:
            self._ahead_since = None
        elif self._ahead_since is None or moved:
            self._ahead_since = now - stayed_s
        if self._ahead_since is not None and now - self._ahead_since >= HOLD_S:
            self._ahead_since = None
            expected = wall_s
        self._settled_s = wall_s if self._ahead_since is None else expected
        return self._settled_s

    def _expected(self, wall_s: float, now: float) -> tuple[float, float]:
        if self._wall_s is not None:
            return self._settled_s + (now - self._now), 0.0
        if self._kept is None:
            return wall_s, 0.0
        return self._kept.settled_s, self._kept.stayed_s

    def kept(self) -> Kept:
        """Return what the next process is to begin with."""
        since = self._ahead_since
        return Kept(self._settled_s, 0.0 if since is None else self._now - since)
