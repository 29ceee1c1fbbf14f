"""The door to the fleet: who may open a stream now, and for how long it lasts.

When a control plane comes back all of its proxies do, and each costs it some milliseconds. Those over the
rate are told to come again a little later, each at another moment, instead of making everybody wait. Streams
end after half an hour, more or less, so that proxies spread anew over control planes that were added or came
back (gRPC's max connection age; https://grpc.io/docs/guides/keepalive/).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seawall_control.domain.buckets import Buckets
from seawall_control.domain.errors import TooManyStreams
from seawall_control.services.edge import Clock

MAX_STREAMS: Final = 5000
ACCEPTED_PER_S: Final = 500.0
ACCEPTED_AT_ONCE: Final = 1000
AGAIN_S: Final = (1.0, 3.0)
"""Earliest and latest time at which whoever was too many comes again."""
AGE_S: Final = 1800.0
AGE_SPREAD: Final = 0.1
"""Streams that were opened together end over this share of their age, before and after it."""


class Door:
    """Admits streams. `draw` gives numbers in [0, 1)."""

    def __init__(self, clock: Clock, draw: Callable[[], float], *, age_s: float = AGE_S) -> None:
        self._clock = clock
        self._draw = draw
        self._age_s = age_s
        self._bucket = Buckets(per_second=ACCEPTED_PER_S, burst=ACCEPTED_AT_ONCE, capacity=1)
        self.turned_away = 0

    def admit(self, streams: int, *, is_new: bool) -> None:
        """Let a stream in beside those that are open. Raise `TooManyStreams`, which says when to come."""
        low, high = AGAIN_S
        again_s = low + (high - low) * self._draw()
        if is_new and streams >= MAX_STREAMS:
            self.turned_away += 1
            raise TooManyStreams(f"{MAX_STREAMS} proxies are connected already", again_s + high)
        if self._bucket.take("", self._clock.monotonic_s()) > 0:
            self.turned_away += 1
            raise TooManyStreams("many proxies connect at this moment; connect again a little later", again_s)

    def last_s(self) -> float:
        """Return for how long a stream that is opened now lasts, in seconds; infinity without an age."""
        if self._age_s <= 0:
            return float("inf")
        return self._age_s * (1 - AGE_SPREAD + 2 * AGE_SPREAD * self._draw())
