"""What is acknowledged and kept for a while: a store that is put back to an older point asks for it again.

The segments are older than all that wait, oldest first. They give way to those, and go with their age and
above a bound of their own.
"""

from __future__ import annotations

from collections import deque

from seawall_proxy.telemetry.spool.segments import Segment
from seawall_proxy.telemetry.spool.terms import SpoolLimits


class Kept:
    """The segments that are kept. Methods that touch files raise OSError."""

    def __init__(self, limits: SpoolLimits) -> None:
        self._keep_s: float = min(limits.keep_s, limits.max_age_s)
        self._keep_bytes: int = limits.keep_bytes
        self._segments: deque[Segment] = deque()

    def __bool__(self) -> bool:
        return bool(self._segments)

    @property
    def first(self) -> int:
        """First number of the oldest one; there is one."""
        return self._segments[0].first

    @property
    def newest_s(self) -> float:
        """When the newest one was begun; 0 when there is none."""
        return self._segments[-1].begun_s(0.0) if self._segments else 0.0

    @property
    def size(self) -> int:
        """Bytes in all of them."""
        return sum(segment.size for segment in self._segments)

    @property
    def cost(self) -> int:
        """Bytes that they count for."""
        return sum(segment.cost for segment in self._segments)

    def found(self, segment: Segment) -> None:
        """Take over what an earlier run has kept."""
        self._segments.append(segment)

    def put(self, segment: Segment) -> None:
        """Keep a segment that is acknowledged as a whole, as far as there is room for such."""
        if self._keep_s == 0.0 or segment.header is None:
            segment.path.unlink(missing_ok=True)
            return
        segment.be_kept()
        self._segments.append(segment)
        while self.cost > self._keep_bytes:
            self.drop_oldest()

    def back_to(self, through: int) -> list[Segment]:
        """Hand back, newest first, those that have a number after `through`."""
        back = []
        while self._segments and self._segments[-1].last > through:
            back.append(self._segments.pop())
        return back

    def drop_oldest(self) -> None:
        """Remove the oldest one."""
        self._segments.popleft().path.unlink(missing_ok=True)

    def tick(self, now_s: float) -> None:
        """Remove what has been kept for long enough."""
        while self._segments:
            header = self._segments[0].header
            if header is not None and now_s - header.created_s <= self._keep_s:
                return
            self.drop_oldest()
