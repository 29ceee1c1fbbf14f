"""What a call meets before its first attempt: hopeless arrivals, the rate limit, the limit with its queue."""

from __future__ import annotations

from math import inf
from typing import Final

from seawall_policy import deadline, rate, status
from seawall_policy.deadline import HopelessGate
from seawall_policy.latency import LatencyEstimate
from seawall_policy.limit.gate import Gate
from seawall_policy.limit.options import ENFORCE, LimitOptions
from seawall_policy.limit.place import Place
from seawall_policy.model import Policy
from seawall_policy.rate import RateLimiter
from seawall_policy.whatif.record import RecordedCall

_PASSES: Final = ("", status.OK, "")


class Limit:
    """A limit, shared by the routes to a cluster whose settings are equal."""

    def __init__(self, options: LimitOptions) -> None:
        self.gate: Gate = Gate(options)
        self.check_at: float = inf
        """When those that wait are looked at next."""


class Seat(Place):
    """The place of a call; `owner` is whoever runs it."""

    def __init__(self, criticality: int, ends: float, owner: object) -> None:
        super().__init__(criticality, ends)
        self.owner: object = owner


class Door:
    """The mechanisms of one route that refuse a call at once; `judged` names those that are asked."""

    def __init__(self, policy: Policy, latency: LatencyEstimate, judged: frozenset[str]) -> None:
        self._latency: LatencyEstimate = latency
        self._hopeless: HopelessGate | None = None
        if policy.deadline is not None and "deadline" in judged:
            self._hopeless = HopelessGate(policy.deadline)
        self._rate: RateLimiter | None = None
        if policy.rate_limit is not None and "rate_limit" in judged:
            self._rate = RateLimiter(policy.rate_limit)

    def refuses(self, call: RecordedCall, left_s: float, now: float) -> tuple[str, int, str]:
        """Return mechanism, status and reason of a refusal; empty texts for none."""
        self._latency.look(now)
        hopeless = self._hopeless
        if hopeless is not None:
            hopeless.deposit(1, now)
            if left_s < self._latency.fast_s and hopeless.refuses(now):
                return "deadline", status.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT"
        limiter = self._rate
        if limiter is not None:
            key = call.method.encode() if limiter.options.parts.by_method else b""
            if limiter.take(key, now) > 0.0:
                return "rate_limit", status.RESOURCE_EXHAUSTED, "RATE_LIMITED"
        return _PASSES


class Limits:
    """The limits of all routes."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Limit] = {}

    def of(self, cluster: str, options: LimitOptions | None, judged: frozenset[str]) -> Limit | None:
        """Return the limit of a route to a cluster; None for none."""
        if options is None or "limit" not in judged:
            return None
        return self._known.setdefault((cluster, options.numbers()), Limit(options))


def unjudged_modes(policy: Policy) -> dict[str, str]:
    """Return why mechanisms at the door are not asked for what their mode is."""
    shadow = "is in shadow: it counts and refuses nothing"
    found: dict[str, str] = {}
    if policy.limit is not None and policy.limit.mode != ENFORCE:
        found["limit"] = shadow
    if policy.rate_limit is not None and policy.rate_limit.mode != rate.ENFORCE:
        found["rate_limit"] = shadow
    if policy.deadline is not None and policy.deadline.hopeless != deadline.ENFORCE:
        found["deadline"] = "hopeless calls are counted and not refused"
    return found
