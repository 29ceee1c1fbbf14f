"""Numbers over a window that ends now, in bounded memory: events by key, and calls by route.

Time is cut into slots; a window is a whole number of slots and the running one, so it is up to one slot
longer than was asked for, never shorter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict, deque
from typing import Final

SLOTS: Final = 30
"""Slots of an event window: it is at most a thirtieth too long."""
MAX_KEYS: Final = 2000
CALL_SLOT_US: Final = 10_000_000
MAX_ROUTES: Final = 2000


class EventWindow:
    """How often each key came within a window. The keys that came longest ago are forgotten first."""

    def __init__(self, window_us: int) -> None:
        self._slot_us = max(1, window_us // SLOTS)
        self._slots = -(-window_us // self._slot_us)
        self._counts: OrderedDict[str, deque[list[int]]] = OrderedDict()
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, key: str, at_us: int, number: int = 1) -> None:
        """Count something that came now."""
        slot = at_us // self._slot_us
        counts = self._counts.get(key)
        if counts is None:
            if len(self._counts) >= MAX_KEYS:
                self._counts.popitem(last=False)
                self.forgotten += 1
            counts = self._counts[key] = deque()
        else:
            self._counts.move_to_end(key)
        if counts and counts[-1][0] >= slot:  # a clock that was set back counts into the newest slot
            counts[-1][1] += number
        else:
            counts.append([slot, number])

    def count(self, key: str, at_us: int) -> int:
        """Return how often a key came in the window that ends now."""
        counts = self._counts.get(key)
        if counts is None:
            return 0
        oldest = at_us // self._slot_us - self._slots
        while counts and counts[0][0] < oldest:
            counts.popleft()
        if not counts:
            del self._counts[key]
        return sum(number for _, number in counts)

    def shift(self, by_us: int) -> None:
        """Move everything in time, to a slot."""
        slots = round(by_us / self._slot_us)
        for counts in self._counts.values():
            for pair in counts:
                pair[0] += slots

    def keys_now(self) -> tuple[str, ...]:
        """Return the keys that may have a count."""
        return tuple(self._counts)


class CallSeries:
    """Failed and all calls of one route: running totals at the end of each slot in which there were any."""

    def __init__(self, keep_us: int) -> None:
        self._keep = keep_us // CALL_SLOT_US + 1
        self._slots: list[int] = []
        self._failed: list[int] = []
        self._total: list[int] = []
        self._base = (0, 0)
        """What the slot before the first one ended with."""

    def keep(self, keep_us: int) -> None:
        """Reach back this far from now on."""
        self._keep = keep_us // CALL_SLOT_US + 1

    def add(self, failed: int, total: int, at_us: int) -> None:
        """Add calls that have ended."""
        if total <= 0:
            return
        slot = at_us // CALL_SLOT_US
        before = (self._failed[-1], self._total[-1]) if self._slots else self._base
        if self._slots and self._slots[-1] >= slot:
            self._failed[-1] += failed
            self._total[-1] += total
            return
        self._slots.append(slot)
        self._failed.append(before[0] + failed)
        self._total.append(before[1] + total)
        if len(self._slots) > 2 * self._keep:
            self._drop(slot)

    def _drop(self, slot: int) -> None:
        first = bisect_left(self._slots, slot - self._keep)
        self._base = (self._failed[first - 1], self._total[first - 1]) if first else self._base
        for column in (self._slots, self._failed, self._total):
            del column[:first]

    def over(self, window_us: int, at_us: int) -> tuple[int, int]:
        """Return failed and all calls of the window that ends now."""
        if not self._slots:
            return 0, 0
        first = bisect_left(self._slots, (at_us - window_us) // CALL_SLOT_US)
        if first == len(self._slots):
            return 0, 0
        before = (self._failed[first - 1], self._total[first - 1]) if first else self._base
        return self._failed[-1] - before[0], self._total[-1] - before[1]

    def shift(self, by_us: int) -> None:
        """Move everything in time, to a slot."""
        slots = round(by_us / CALL_SLOT_US)
        self._slots = [slot + slots for slot in self._slots]

    @property
    def last_us(self) -> int:
        """Return when the last slot with calls began; 0 when there were none."""
        return self._slots[-1] * CALL_SLOT_US if self._slots else 0
