"""The cheaper of two, where cost is latency times work in flight.

Each endpoint has an estimate of its latency. A higher observation becomes the estimate at once (the peak), a
lower one pulls it down, the more the longer ago the last one was: estimate x e^(-t/decay) + observation x
(1 - e^(-t/decay)). An endpoint that nobody asks is forgotten at the same rate, so that it is tried again. The
cost of one more attempt is estimate x (in flight + 1) / weight.

An endpoint that fails fast must not look like a fast one: a failure counts as a second at least, and
RESOURCE_EXHAUSTED as five, or as long as the server asks to be left alone, but five minutes at most.

Sources: Finagle's and Linkerd's PeakEwma (estimate, cost, 30 ms, 10 s); Linkerd's load biaser (penalty of
5 s, cap of 300 s).
"""

from __future__ import annotations

from math import exp
from typing import Final

from seawall_policy import status

DEFAULT_RTT_S: Final = 0.03
"""Estimate for an endpoint that nothing is known about."""
DECAY_S: Final = 10.0
FAILURE_S: Final = 1.0
EXHAUSTED_S: Final = 5.0
MAX_PENALTY_S: Final = 300.0
NO_PUSHBACK_S: Final = -1.0

_FAILURES: Final = (
    1 << status.UNKNOWN
    | 1 << status.DEADLINE_EXCEEDED
    | 1 << status.INTERNAL
    | 1 << status.UNAVAILABLE
    | 1 << status.DATA_LOSS
)


class PeakEwma:
    """What one endpoint's latency is like."""

    def __init__(self, now: float) -> None:
        self._estimate_s: float = DEFAULT_RTT_S
        self._at: float = now

    def observe(self, latency_s: float, now: float) -> None:
        """Learn of a latency (seconds) at `now`."""
        estimate = self._estimate_s
        if latency_s >= estimate:
            estimate = latency_s
        else:
            rest = exp(-max(0.0, now - self._at) / DECAY_S)
            estimate = estimate * rest + latency_s * (1.0 - rest)
        self._estimate_s = estimate
        self._at = now

    def exceeded(self, latency_s: float, now: float) -> None:
        """Learn that somebody gave up waiting after `latency_s`: it takes longer, nobody knows how long."""
        if latency_s > self.estimate(now):
            self.observe(latency_s, now)

    def estimate(self, now: float) -> float:
        """Return the latency to be expected, in seconds; it fades while nothing is learned."""
        return self._estimate_s * exp(-max(0.0, now - self._at) / DECAY_S)

    def cost(self, in_flight: int, weight: float, now: float) -> float:
        """Return what one more attempt costs beside `in_flight` others."""
        return self.estimate(now) * (in_flight + 1) / weight


def scored_latency(latency_s: float, code: int, pushback_s: float = NO_PUSHBACK_S) -> float:
    """Return the latency (seconds) that an attempt with this end counts as; `pushback_s` is what the server
    said about when to come back, negative for nothing.
    """
    if code == status.RESOURCE_EXHAUSTED:
        return min(max(latency_s, EXHAUSTED_S, pushback_s), MAX_PENALTY_S)
    if (_FAILURES >> code) & 1:
        return min(max(latency_s, FAILURE_S, pushback_s), MAX_PENALTY_S)
    return latency_s
