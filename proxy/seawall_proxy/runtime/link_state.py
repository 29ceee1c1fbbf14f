"""What the control link does next, without a socket: pure decisions, told the time and given draws.

One batch of events is in flight at a time; it is sent again when its acknowledgement takes too long, and
a batch during which the stream broke three times is cut down to single events, so that one that the other
side cannot digest is found. A single event that breaks the stream `POISON_AFTER` times more is set aside
(a gap, and a line in the dead-letter file). The newest policy push takes the place of one that waits; an
answer only goes to the stream that asked (nonces belong to a stream: xDS).

Reconnecting: the first attempt comes within 200 ms, so that a restarted control plane is found at once;
then full jitter under 1 s x 1.6^n, at most 120 s, at most 5 s while events wait (gRFC A57's numbers; AWS
Architecture Blog, "Exponential Backoff And Jitter"). A control plane that is asked by too many at once says
how long to wait at least.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Final

QUICK_RETRY_S: Final = 0.2
BACKOFF_INITIAL_S: Final = 1.0
BACKOFF_FACTOR: Final = 1.6
BACKOFF_MAX_S: Final = 120.0
BACKOFF_MAX_WAITING_S: Final = 5.0
PUSHBACK: Final = "grpc-retry-pushback-ms"

MAX_BATCH_EVENTS: Final = 500
MAX_BATCH_BYTES: Final = 1 << 20
ACK_TIMEOUT_S: Final = 10.0
ACK_TIMEOUT_MAX_S: Final = 60.0

ISOLATE_AFTER: Final = 3
POISON_AFTER: Final = 5

STATS_INTERVAL_S: Final = 1.0
STATS_INTERVAL_MIN_S: Final = 0.1
STATS_INTERVAL_MAX_S: Final = 300.0


def pushback_s(metadata: Iterable[tuple[str, str | bytes]]) -> float:
    """Return how long the other side asks to wait before another attempt (gRFC A6's pushback), at most two
    minutes; 0 when it does not.
    """
    for name, value in metadata:
        if name == PUSHBACK and isinstance(value, str) and value.isascii() and value.isdecimal():
            return min(int(value[:12]) / 1000.0, BACKOFF_MAX_S)
    return 0.0


class Backoff:
    """Delays before the next attempt; `draw` gives numbers in [0, 1)."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw: Callable[[], float] = draw
        self._failures: int = 0

    def reset(self) -> None:
        """Forget the failures: the other side has answered."""
        self._failures = 0

    def next_delay(self, *, events_waiting: bool) -> float:
        """Return seconds to wait, and count a failure."""
        failures = self._failures
        self._failures += 1
        if failures == 0:
            return QUICK_RETRY_S * self._draw()
        ceiling = BACKOFF_MAX_WAITING_S if events_waiting else BACKOFF_MAX_S
        # The power is bounded before it is taken: after a thousand failures it would overflow.
        grown = BACKOFF_INITIAL_S * BACKOFF_FACTOR ** min(failures - 1, 32)
        # Half of the first delay is the least: full jitter alone would hammer now and then.
        return max(min(grown, ceiling) * self._draw(), BACKOFF_INITIAL_S / 2 * self._draw(), QUICK_RETRY_S)


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


class StatsClock:
    """When the next statistics report is due."""

    def __init__(self) -> None:
        self.interval_s: float = STATS_INTERVAL_S
        self._due_at: float = inf

    def start(self, interval_s: float, now: float) -> None:
        """Begin on a new stream; an interval of 0 is the default, others are kept within 0.1 s and 5 min."""
        wanted = interval_s if interval_s > 0.0 else STATS_INTERVAL_S
        self.interval_s = min(max(wanted, STATS_INTERVAL_MIN_S), STATS_INTERVAL_MAX_S)
        self._due_at = now

    def stop(self) -> None:
        """End with the stream."""
        self._due_at = inf

    def take(self, now: float) -> bool:
        """Tell whether a report is due, and plan the next one; a report that is late moves the ones after
        it.
        """
        if now < self._due_at:
            return False
        self._due_at = max(self._due_at + self.interval_s, now + self.interval_s / 2)
        return True

    def next_deadline(self) -> float:
        """Return when the next report is due."""
        return self._due_at
