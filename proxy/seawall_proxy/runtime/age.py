"""When a client's connection has lived long enough (gRFC A9), decided without a clock and without a socket.

A connection that has reached its age, or its number of calls, is ended in steps: GOAWAY with the highest
possible stream id, so that calls that are on their way are still served; once the client has had the time to
hear of it, GOAWAY with the last id; then the calls in flight may end, for as long as the grace lasts. The age
of each connection is spread by a random share, so that clients that came together do not come back together.
"""

from __future__ import annotations

from typing import Final

from seawall_policy.transport import NO_LIMIT, Lifetime

KEEP: Final = 0
"""Nothing is due."""
ANNOUNCE: Final = 1
"""Send GOAWAY with the highest id and a PING."""
FINISH: Final = 2
"""Send GOAWAY with the last id; from now on the connection closes when it has no streams."""
CLOSE: Final = 3
"""End it with what is left in flight."""

HEARD_S: Final = 1.0
"""The least time between the two GOAWAYs."""
UNHEARD_S: Final = 10.0
"""The most, for a client that does not answer the PING."""


class Age:
    """The age of one connection."""

    def __init__(self, lifetime: Lifetime, now: float, draw: float) -> None:
        """`draw` is from [0, 1)."""
        spread = 1.0 + lifetime.max_age_jitter * (2.0 * draw - 1.0)
        self.due: float = NO_LIMIT if lifetime.max_age_s == NO_LIMIT else now + lifetime.max_age_s * spread
        self._max_requests: int = lifetime.max_requests
        self._grace_s: float = lifetime.max_age_grace_s
        self._announced_at: float = -1.0
        self._finished: bool = False

    def step(self, now: float, requests: int, *, heard: bool) -> int:
        """Return what is due: KEEP, ANNOUNCE, FINISH or CLOSE, the latter three once each, in this order.

        `requests` is how many calls there were, `heard` whether the PING after ANNOUNCE was answered.
        """
        if self._announced_at < 0.0:
            if now < self.due and (self._max_requests == 0 or requests < self._max_requests):
                return KEEP
            self._announced_at = now
            return ANNOUNCE
        waited = now - self._announced_at
        if not self._finished:
            if waited < HEARD_S or (not heard and waited < UNHEARD_S):
                return KEEP
            self._finished = True
            return FINISH
        if waited >= self._grace_s:
            self._grace_s = NO_LIMIT
            return CLOSE
        return KEEP
