"""The segments that are here: those that wait, oldest first, and behind them those that are kept; and which
of them go when room or time is up.

When the spool is full or too old the oldest one goes: the mark is synced first, then the file is removed, so
that what is missing is known to have been dropped.
"""

from __future__ import annotations

from collections import deque

from seawall_proxy.telemetry.spool.kept import Kept
from seawall_proxy.telemetry.spool.numbers import Numbers
from seawall_proxy.telemetry.spool.segments import Segment
from seawall_proxy.telemetry.spool.tail import Tail
from seawall_proxy.telemetry.spool.tally import Tally
from seawall_proxy.telemetry.spool.terms import BLOCK_BYTES, EXPIRED, SPOOL_FULL, SpoolLimits


class Shelf:
    """The segments. Methods that touch files raise OSError."""

    def __init__(self, limits: SpoolLimits, numbers: Numbers, tail: Tail, tally: Tally) -> None:
        self._limits: SpoolLimits = limits
        self._numbers: Numbers = numbers
        self._tail: Tail = tail
        self._tally: Tally = tally
        self.segments: deque[Segment] = deque()
        """Those that wait; the last one is appended to while the tail is open."""
        self.kept: Kept = Kept(limits)

    @property
    def oldest(self) -> int:
        """Lowest number that is still here, acknowledged or not; one above the last when none is."""
        if self.kept:
            return self.kept.first
        first = self.segments[0].first if self.segments else self._numbers.last + 1
        return min(first, self._numbers.acked + 1)

    @property
    def newest_s(self) -> float:
        """When the newest segment was begun; 0 when there is none, or its header does not say."""
        return self.segments[-1].begun_s(0.0) if self.segments else self.kept.newest_s

    @property
    def _cost(self) -> int:
        return sum(segment.cost for segment in self.segments) + self.kept.cost

    def add(self, segment: Segment) -> None:
        """Put one at the end."""
        if self.segments and self.segments[-1].first == segment.first:
            # An earlier one of this name had no entry that could be read; it was truncated just now.
            self.segments.pop()
        self.segments.append(segment)

    def make_room(self, size: int) -> None:
        """Let old segments go until so many bytes fit."""
        while self._cost + size + BLOCK_BYTES > self._limits.max_bytes:
            if self.kept:
                self.kept.drop_oldest()
            elif not self._drop_oldest(SPOOL_FULL):
                break

    def tick(self, now_s: float) -> None:
        """Let go what is too old."""
        self.kept.tick(now_s)
        while self.segments and self._is_expired(self.segments[0], now_s):
            self._drop_oldest(EXPIRED)

    def forget(self, through: int) -> None:
        """Set aside what is wholly acknowledged; the mark is synced before the first segment goes."""
        saved = False
        while self.segments and self.segments[0].last <= through:
            if len(self.segments) == 1 and self._tail.is_open:
                break
            if not saved:
                self._numbers.save()
                saved = True
            self.kept.put(self.segments.popleft())

    def back_to(self, through: int) -> None:
        """Have those wait again that have a number after `through`."""
        self.segments.extendleft(self.kept.back_to(through))

    def _is_expired(self, segment: Segment, now_s: float) -> bool:
        return now_s - segment.begun_s(now_s) > self._limits.max_age_s

    def _drop_oldest(self, reason: str) -> bool:
        """Drop the oldest segment and remember up to where; tell whether there was one."""
        if not self.segments:
            return False
        oldest = self.segments[0]
        is_only = len(self.segments) == 1
        if is_only:
            self._tail.close()
        through = oldest.last if is_only else self.segments[1].first - 1
        lost = through - max(self._numbers.acked, self._numbers.dropped_through, oldest.first - 1)
        if lost > 0:
            self._numbers.drop(through, reason)
            self._tally.lost(reason, max(lost - oldest.skipped, 0))
        oldest.path.unlink(missing_ok=True)
        self.segments.popleft()
        return True
