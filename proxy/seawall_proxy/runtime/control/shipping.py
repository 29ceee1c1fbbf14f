"""Which events are under way, without a socket: pure decisions, told the time.

One batch of events is in flight at a time; it is sent again when its acknowledgement takes too long, and
a batch during which the stream broke three times is cut down to single events, so that one that the other
side cannot digest is found. A single event that breaks the stream `POISON_AFTER` times more is set aside
(a gap, and a line in the dead-letter file).
"""

from __future__ import annotations

from math import inf
from typing import Final

MAX_BATCH_EVENTS: Final = 500
MAX_BATCH_BYTES: Final = 1 << 20
ACK_TIMEOUT_S: Final = 10.0
ACK_TIMEOUT_MAX_S: Final = 60.0

ISOLATE_AFTER: Final = 3
POISON_AFTER: Final = 5


class Shipping:
    """Which batch is in flight, and how large the next one may be."""

    def __init__(self) -> None:
        self.first: int = 0
        """First and last number in flight; 0 when none is."""
        self.through: int = 0
        self.size: int = 0
        self.poisoned: set[int] = set()
        """Numbers that are declared as gaps instead of being sent; forgotten when acknowledged."""
        self._limit: int = MAX_BATCH_EVENTS
        self._resend_at: float = inf
        self._timeout_s: float = ACK_TIMEOUT_S
        self._suspect: int = 0
        """First number of the batch that was in flight when the stream broke last."""
        self._breaks: int = 0

    def limit(self, now: float) -> int:
        """Return how many events may be sent now; 0 while a batch waits for its acknowledgement."""
        if self.first and now < self._resend_at:
            return 0
        return self._limit

    def sent(self, first: int, through: int, events: int, now: float) -> None:
        """Note what was sent."""
        if self.first == first:
            self._timeout_s = min(self._timeout_s * 2.0, ACK_TIMEOUT_MAX_S)
        else:
            self._timeout_s = ACK_TIMEOUT_S
        self.first = first
        self.through = through
        self.size = events
        self._resend_at = now + self._timeout_s

    def acked(self, through: int) -> bool:
        """Note an acknowledgement; tell whether it moved anything on."""
        if not self.first or through < self.first:
            return False
        self._suspect = 0
        self._breaks = 0
        self.poisoned = {seq for seq in self.poisoned if seq > through}
        self._limit = min(self._limit * 2, MAX_BATCH_EVENTS)
        if through >= self.through:
            self._idle()
        else:
            # A part was stored; the rest is sent again at once.
            self.first = through + 1
            self._resend_at = -inf
        return True

    def begin_again(self) -> None:
        """Forget the batch in flight: an older one is sent before it."""
        self._idle()

    def stream_broke(self) -> int:
        """Note that the stream ended; return a number that is to be set aside as poison, 0 for none."""
        first, size = self.first, self.size
        self._idle()
        if not first:
            return 0
        if first != self._suspect:
            self._suspect = first
            self._breaks = 0
        self._breaks += 1
        if self._breaks == ISOLATE_AFTER:
            self._limit = 1
        if self._breaks >= ISOLATE_AFTER + POISON_AFTER and size == 1:
            self.poisoned.add(first)
            self._breaks = 0
            return first
        return 0

    def next_deadline(self) -> float:
        """Return when the batch in flight is sent again; infinity when none is."""
        return self._resend_at if self.first else inf

    def _idle(self) -> None:
        self.first = 0
        self.through = 0
        self.size = 0
        self._resend_at = inf
