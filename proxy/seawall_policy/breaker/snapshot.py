"""A breaker's values at one moment."""

from __future__ import annotations

from math import inf

from seawall_policy.breaker.rules import FORCED_OPEN, HALF_OPEN, OPEN
from seawall_policy.breaker.state import BreakerState


class BreakerSnapshot:
    """What can be seen of a breaker; rates are -1.0 while there are too few calls to trip on them."""

    def __init__(self, breaker: BreakerState) -> None:
        window = breaker.window
        enough = window.calls >= breaker.required_calls
        self.key: str = breaker.key
        self.state: int = breaker.state
        self.since: float = breaker.since
        self.trigger: str = breaker.trigger
        self.epoch: int = breaker.epoch
        self.calls: int = window.calls
        self.failures: int = window.failures
        self.slow: int = window.slow
        self.failure_rate: float = window.failure_rate() if enough else -1.0
        self.slow_rate: float = window.slow_rate() if enough else -1.0
        self.consecutive: int = breaker.consecutive
        self.in_flight: int = breaker.in_flight
        self.probes_in_flight: int = breaker.probes_in_flight
        self.probes_passed: int = breaker.probes_passed
        self.probes_not_passed: int = breaker.probes_not_passed
        self.open_until: float = breaker.open_until
        self.opened_count: int = breaker.opened_count
        self.rejected: int = breaker.rejected
        self.would_reject: int = breaker.would_reject
        self.surplus_returns: int = breaker.surplus_returns
        self.transitions_dropped: int = breaker.transitions_dropped
        self.ramp_share: float = breaker.ramp_share
        self.by_hand: bool = breaker.by_hand
        self.hold_until: float = breaker.hold_until
        self.held_by: str = breaker.held_by
        self.held_why: str = breaker.held_why

    def next_probe(self) -> float:
        """Return when it probes next; infinity when it is not known or does not apply."""
        if self.state == OPEN:
            return self.open_until
        if self.state == FORCED_OPEN:
            return self.hold_until
        return self.since if self.state == HALF_OPEN else inf
