"""What a breaker remembers: how many of the recent calls there were, failed, and were slow.

Two kinds. A *count window* is a ring of the last N outcomes. A *time window* is a ring of N one-second
partial aggregates: second s sees the outcomes of the seconds s-N+1 .. s. Both keep running totals and
subtract what leaves, so that reading is free and adding is O(1) (a time window that was idle drops at most
N slots, once). Rates are -1 while there is nothing to divide by.

Source: resilience4j's FixedSizeSlidingWindowMetrics and SlidingTimeWindowMetrics (ring, subtract on evict).
"""

from __future__ import annotations

from math import floor
from typing import Final

# Bits of an outcome.
SUCCESS: Final = 0
FAILED: Final = 1
SLOW: Final = 2

# Largest windows; a policy that asks for more is refused when it is compiled.
MAX_COUNT_SIZE: Final = 100_000
MAX_TIME_SIZE_S: Final = 3600


class Window:
    """Totals over recent outcomes; the base of both kinds."""

    def __init__(self) -> None:
        self.calls: int = 0
        self.failures: int = 0
        self.slow: int = 0

    def add(self, outcome: int, now: float) -> None:
        """Remember an outcome (bits FAILED and SLOW) that ended now."""
        self.calls += 1
        self.failures += outcome & FAILED
        self.slow += outcome >> 1

    def expire(self, now: float) -> None:
        """Forget what has become too old."""

    def reset(self) -> None:
        """Forget everything."""
        self.calls = 0
        self.failures = 0
        self.slow = 0

    def shape(self) -> tuple[str, int]:
        """Return kind and size; windows of one shape can take each other's place."""
        return ("all", 0)

    def failure_rate(self) -> float:
        """Return the failed percentage, -1.0 when there were no calls."""
        return self.failures * 100.0 / self.calls if self.calls else -1.0

    def slow_rate(self) -> float:
        """Return the slow percentage, -1.0 when there were no calls."""
        return self.slow * 100.0 / self.calls if self.calls else -1.0


class CountWindow(Window):
    """The last `size` outcomes, 1 to 100,000."""

    def __init__(self, size: int) -> None:
        super().__init__()
        if not 1 <= size <= MAX_COUNT_SIZE:
            raise ValueError(f"count window of {size} calls: use 1 to {MAX_COUNT_SIZE}")
        self._size: int = size
        self._ring: list[int] = [SUCCESS] * size
        self._next: int = 0

    def add(self, outcome: int, now: float) -> None:
        """Remember an outcome in the place of the oldest."""
        at = self._next
        if self.calls == self._size:
            oldest = self._ring[at]
            self.failures -= oldest & FAILED
            self.slow -= oldest >> 1
        else:
            self.calls += 1
        self._ring[at] = outcome
        self.failures += outcome & FAILED
        self.slow += outcome >> 1
        at += 1
        self._next = at if at < self._size else 0

    def reset(self) -> None:
        """Forget everything; the ring's old content is never read before it is overwritten."""
        super().reset()
        self._next = 0

    def shape(self) -> tuple[str, int]:
        """Return ("count", size)."""
        return ("count", self._size)


class TimeWindow(Window):
    """The outcomes of the last `seconds` whole seconds, 1 to 3,600, the current one included.

    Time that runs backwards is taken for the latest second seen, so a late timestamp is never lost and
    never moves the ring.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__()
        if not 1 <= seconds <= MAX_TIME_SIZE_S:
            raise ValueError(f"time window of {seconds} seconds: use 1 to {MAX_TIME_SIZE_S}")
        self._size: int = seconds
        self._calls: list[int] = [0] * seconds
        self._failures: list[int] = [0] * seconds
        self._slow: list[int] = [0] * seconds
        self._second: int = 0
        self._at: int = 0

    def add(self, outcome: int, now: float) -> None:
        """Remember an outcome in the aggregate of the current second."""
        self.expire(now)
        at = self._at
        self.calls += 1
        self._calls[at] += 1
        if outcome & FAILED:
            self.failures += 1
            self._failures[at] += 1
        if outcome & SLOW:
            self.slow += 1
            self._slow[at] += 1

    def expire(self, now: float) -> None:
        """Drop the seconds that have left the window."""
        second = floor(now)
        if self.calls == 0:
            # Nothing to drop; also how the ring finds its first second, which may be any number, negative
            # ones included.
            self._second = second
            return
        steps = second - self._second
        if steps <= 0:
            return
        self._second = second
        if steps >= self._size:
            self.reset()
            return
        while steps > 0:
            steps -= 1
            self._at = self._at + 1 if self._at + 1 < self._size else 0
            self._drop(self._at)

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        for at in range(self._size):
            self._calls[at] = 0
            self._failures[at] = 0
            self._slow[at] = 0

    def shape(self) -> tuple[str, int]:
        """Return ("time", seconds)."""
        return ("time", self._size)

    def _drop(self, at: int) -> None:
        self.calls -= self._calls[at]
        self.failures -= self._failures[at]
        self.slow -= self._slow[at]
        self._calls[at] = 0
        self._failures[at] = 0
        self._slow[at] = 0


def make_window(kind: str, size: int) -> Window:
    """Return an empty window of a kind ("count": calls, "time": seconds); raise ValueError when there is no
    such kind.
    """
    if kind == "count":
        return CountWindow(size)
    if kind == "time":
        return TimeWindow(size)
    raise ValueError(f"no such window kind: {kind!r}; use 'count' or 'time'")
