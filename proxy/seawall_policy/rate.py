"""How many calls may come in a second: token buckets, one for each key.

A bucket is kept as one number, the time at which it will be full again less what it holds (GCRA, the leaky
bucket as a meter; ITU-T I.371): a call is let in while that is no more than `burst - 1` intervals ahead, and
moves it one interval further. So it takes the same time and memory whatever the rate is, and the moment at
which the next token is there is known exactly.

Buckets are kept by key, at most `max_keys`; the one that was not used for longest goes first, and comes back
full. Whoever can make up keys can have full buckets; a bucket without a key is for that.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from seawall_policy.call_key import LONGEST_KEY, CallKey

ENFORCE: Final = 1
SHADOW: Final = 2
OFF: Final = 3

MOST_KEYS: Final = 1_000_000


class RateLimitOptions:
    """`per_second` calls in the long run (above 0 to 1000000), `burst` at once (1 to 1000000), for each
    combination of `key` parts: `peer`, `method`, `metadata:NAME`. Raises ValueError for anything else.
    """

    def __init__(
        self,
        per_second: float,
        burst: int = 0,
        key: tuple[str, ...] = (),
        max_keys: int = 10_000,
        mode: int = ENFORCE,
    ) -> None:
        if not 0.0 < per_second <= 1e6:
            raise ValueError(f"rate limit: per_second is {per_second}; use above 0 to 1000000")
        if not 0 <= burst <= 1_000_000:
            raise ValueError(f"rate limit: burst is {burst}; use 1 to 1000000, or 0 for per_second")
        if not 1 <= max_keys <= MOST_KEYS:
            raise ValueError(f"rate limit: max_keys is {max_keys}; use 1 to {MOST_KEYS}")
        if not ENFORCE <= mode <= OFF:
            raise ValueError(f"rate limit: there is no mode {mode}")
        self.per_second: float = per_second
        self.burst: int = burst if burst > 0 else max(1, int(per_second))
        self.key: tuple[str, ...] = key
        self.parts: CallKey = CallKey(key)
        self.max_keys: int = max_keys
        self.mode: int = mode


class RateLimiter:
    """The buckets of one route. Times are monotonic seconds."""

    def __init__(self, options: RateLimitOptions) -> None:
        self.options: RateLimitOptions = options
        self.refused: int = 0
        self.would_refuse: int = 0
        """In shadow: calls that would have been refused."""
        self._interval_s: float = 1.0 / options.per_second
        self._slack_s: float = (options.burst - 1) * self._interval_s
        self._full_at: OrderedDict[bytes, float] = OrderedDict()

    def resize(self, options: RateLimitOptions) -> None:
        """Go on under changed numbers; the keys must be made of the same parts."""
        self.options = options
        self._interval_s = 1.0 / options.per_second
        self._slack_s = (options.burst - 1) * self._interval_s
        while len(self._full_at) > options.max_keys:
            self._full_at.popitem(last=False)

    def take(self, key: bytes, now: float) -> float:
        """Take a token; return 0.0, or the seconds until there is one, and then none was taken."""
        if len(key) > LONGEST_KEY:
            key = key[:LONGEST_KEY]
        buckets = self._full_at
        full_at = buckets.get(key, now)
        full_at = max(full_at, now)
        wait = full_at - now - self._slack_s
        # A token that is there but for a rounding error is there.
        if wait > 1e-9:
            if self.options.mode == SHADOW:
                self.would_refuse += 1
                return 0.0
            self.refused += 1
            return wait
        if key in buckets:
            buckets.move_to_end(key)
        elif len(buckets) >= self.options.max_keys:
            buckets.popitem(last=False)
        buckets[key] = full_at + self._interval_s
        return 0.0

    def keys(self) -> int:
        """Return how many buckets are kept."""
        return len(self._full_at)
