"""Token buckets by key, in a bounded table."""

from __future__ import annotations

from collections import OrderedDict


class Buckets:
    """Lets each key do something `per_second` times a second on average, `burst` times at once.

    At most `capacity` keys are held; the one that was asked about longest ago makes room, which gives it a
    full bucket. A key that was away long enough to have a full bucket loses nothing by that.
    """

    def __init__(self, *, per_second: float, burst: float, capacity: int) -> None:
        if per_second <= 0 or burst < 1 or capacity < 1:
            raise ValueError("per_second must be above 0, burst and capacity at least 1")
        self._per_second = per_second
        self._burst = burst
        self._capacity = capacity
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def __repr__(self) -> str:
        return f"<Buckets: {len(self)} keys, {self._per_second:g}/s, burst {self._burst:g}>"

    def take(self, key: str, now: float) -> float:
        """Take one; return 0 when there was one, else the seconds until there is."""
        level = self._level(key, now)
        wait_s = 0.0
        if level >= 1.0:
            level -= 1.0
        else:
            wait_s = (1.0 - level) / self._per_second
        self._levels[key] = (level, now)
        self._levels.move_to_end(key)
        if len(self._levels) > self._capacity:
            self._levels.popitem(last=False)
        return wait_s

    def wait_s(self, key: str, now: float) -> float:
        """Return the seconds until there is one, taking none."""
        level = self._level(key, now)
        return 0.0 if level >= 1.0 else (1.0 - level) / self._per_second

    def _level(self, key: str, now: float) -> float:
        level, since = self._levels.get(key, (self._burst, now))
        return min(self._burst, level + max(0.0, now - since) * self._per_second)
