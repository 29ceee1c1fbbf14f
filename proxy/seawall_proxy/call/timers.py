"""Deadlines of many calls behind one timer.

A wheel of buckets, one per tick, with a heap of the ticks in use. Arming and cancelling are a dictionary
insert and delete, so a deadline that never fires costs next to nothing and leaves nothing behind. Ticks are 1
ms; whatever is more than half a second away is rounded up to 16 ms, so that steady traffic with long timeouts
shares few buckets. A timer never fires early. Buckets whose timers were all cancelled are swept out when they
may be half of all, so memory follows the timers that are armed, not the moments that were ever asked for.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

from mypy_extensions import mypyc_attr

from seawall_proxy.http2.handlers import StreamHandler

NEVER: Final = float("inf")
UNARMED: Final = -1
_TICKS_PER_SECOND: Final = 1000.0
_ROUNDING: Final = 1e-6
_COARSE_FROM_S: Final = 0.5
_COARSE_MASK: Final = 15
_LEAST_BUCKETS: Final = 1024


@mypyc_attr(allow_interpreted_subclasses=True)
class Timed(StreamHandler):
    """Something that can be woken at one moment; arming again replaces the earlier moment."""

    def __init__(self) -> None:
        self.tick: int = UNARMED

    def fire(self, now: float) -> None:
        """Do what is due at `now`; the timer is unarmed when this is called."""


class TimerWheel:
    """Wakes `Timed` objects; told the time, and tells when it wants to be told again."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[Timed, None]] = {}
        self._ticks: list[int] = []
        self._sweep_at: int = _LEAST_BUCKETS
        self._due: int = UNARMED
        """The tick up to which everything has fired, or is firing now."""
        self.now: float = 0.0
        """The latest time it was told."""

    def arm(self, timed: Timed, at: float) -> None:
        """Wake `timed` at `at` or up to 1 ms (16 ms when far away) later; infinity disarms."""
        if timed.tick >= 0:
            self.cancel(timed)
        if at == NEVER:
            return
        tick = int(at * _TICKS_PER_SECOND) + 1
        if at - self.now > _COARSE_FROM_S:
            tick = (tick | _COARSE_MASK) + 1
        # Whoever is woken a rounding error too early and arms again must not be woken by the same turn.
        if tick <= self._due:
            tick = self._due + 1
        bucket = self._buckets.get(tick)
        if bucket is None:
            if len(self._ticks) >= self._sweep_at:
                self._sweep()
            self._buckets[tick] = {timed: None}
            heappush(self._ticks, tick)
        else:
            bucket[timed] = None
        timed.tick = tick

    def cancel(self, timed: Timed) -> None:
        """Forget `timed`; nothing happens when it is not armed."""
        tick = timed.tick
        if tick < 0:
            return
        timed.tick = UNARMED
        bucket = self._buckets.get(tick)
        if bucket is not None:
            bucket.pop(timed, None)

    def next_deadline(self) -> float:
        """Return when `advance` is due next, in the clock of `now`; infinity when nothing is armed."""
        ticks = self._ticks
        while ticks:
            tick = ticks[0]
            if self._buckets[tick]:
                return tick / _TICKS_PER_SECOND
            heappop(ticks)
            del self._buckets[tick]
        return NEVER

    def advance(self, now: float) -> int:
        """Fire everything that is due at `now`, in order of ticks; return how many."""
        self.now = now
        # A tick that went through a division and came back may have lost its last bit.
        due = int(now * _TICKS_PER_SECOND + _ROUNDING)
        self._due = due
        ticks = self._ticks
        fired = 0
        while ticks and ticks[0] <= due:
            bucket = self._buckets[ticks[0]]
            if not bucket:
                del self._buckets[heappop(ticks)]
                continue
            # Taken out one by one: those that are left are still armed if this one raises.
            timed = next(iter(bucket))
            del bucket[timed]
            timed.tick = UNARMED
            fired += 1
            timed.fire(now)
        return fired

    def _sweep(self) -> None:
        empty = [tick for tick, bucket in self._buckets.items() if not bucket]
        for tick in empty:
            del self._buckets[tick]
        ticks = self._ticks
        ticks.clear()
        ticks.extend(self._buckets)
        heapify(ticks)
        self._sweep_at = max(_LEAST_BUCKETS, 2 * len(ticks))

    def armed(self) -> int:
        """Return how many timers are armed."""
        count = 0
        for bucket in self._buckets.values():
            count += len(bucket)
        return count
