"""How a breaker decides: its options and their limits.

Sources: resilience4j CircuitBreakerConfig (windows, rates, probes); Envoy admission_control and Linkerd for
the codes that are failures; Envoy's slow start for the shape of a ramp.
"""

from __future__ import annotations

from math import inf
from typing import Final

from seawall_policy import status

# Modes, numbered as in seawall.v1.
ENFORCE: Final = 1
SHADOW: Final = 2
OFF: Final = 3
OBSERVE_ONLY: Final = 4
MODE_NAMES: Final[tuple[str, ...]] = ("", "enforce", "shadow", "off", "metrics_only")
MODE_BY_NAME: Final[dict[str, int]] = {
    "enforce": ENFORCE,
    "shadow": SHADOW,
    "off": OFF,
    "metrics_only": OBSERVE_ONLY,
}

# What has a breaker of its own, numbered as in seawall.v1.
PER_ROUTE: Final = 1
PER_METHOD: Final = 2
PER_ENDPOINT: Final = 3
SCOPE_NAMES: Final[tuple[str, ...]] = ("", "route", "method", "endpoint")

DEFAULT_FAILURE_MASK: Final = (
    (1 << status.UNAVAILABLE)
    | (1 << status.DEADLINE_EXCEEDED)
    | (1 << status.INTERNAL)
    | (1 << status.DATA_LOSS)
    | (1 << status.UNKNOWN)
    | (1 << status.RESOURCE_EXHAUSTED)
)


class BreakerOptions:
    """How a breaker decides. Raises ValueError for a number that makes no sense.

    Rates and `ramp_from` are percentages, a rate of 0 turns it off; `slow_call_duration_s` of infinity turns
    slow calls off, `half_open_timeout_s` of 0 waits for probes forever, `ramp_for_s` of 0 lets everything in
    at once. `size` is calls for kind "count" and seconds for kind "time". `failure_mask` has bit n set when
    status code n is a failure; every other code but OK is ignored. `scope` is for whoever keeps the breakers;
    one breaker does not look at it.
    """

    def __init__(  # noqa: PLR0913 - one keyword per setting
        self,
        *,
        kind: str = "count",
        size: int = 100,
        min_calls: int = 20,
        failure_rate: float = 50.0,
        consecutive: int = 0,
        slow_call_duration_s: float = inf,
        slow_call_rate: float = 100.0,
        open_for_s: float = 5.0,
        open_for_max_s: float = 60.0,
        open_multiplier: float = 1.0,
        open_jitter: float = 0.0,
        half_open_calls: int = 5,
        success_threshold: int = 3,
        half_open_timeout_s: float = 30.0,
        failure_mask: int = DEFAULT_FAILURE_MASK,
        mode: int = ENFORCE,
        scope: int = PER_ROUTE,
        ramp_for_s: float = 0.0,
        ramp_from: float = 10.0,
    ) -> None:
        _require(kind in ("count", "time"), "kind", "'count' or 'time'")
        _require(size >= 1, "size", "at least 1")
        _require(min_calls >= 1, "min_calls", "at least 1")
        _require(0.0 <= failure_rate <= 100.0, "failure_rate", "a percentage, 0 to 100")
        _require(consecutive >= 0, "consecutive", "at least 0")
        _require(slow_call_duration_s > 0.0, "slow_call_duration_s", "above 0")
        _require(0.0 <= slow_call_rate <= 100.0, "slow_call_rate", "a percentage, 0 to 100")
        _require(0.0 < open_for_s < inf, "open_for_s", "above 0 and finite")
        _require(0.0 < open_for_max_s < inf, "open_for_max_s", "above 0 and finite")
        _require(1.0 <= open_multiplier < inf, "open_multiplier", "at least 1 and finite")
        _require(0.0 <= open_jitter <= 1.0, "open_jitter", "a ratio, 0 to 1")
        _require(half_open_calls >= 1, "half_open_calls", "at least 1")
        _require(success_threshold >= 1, "success_threshold", "at least 1")
        _require(0.0 <= half_open_timeout_s < inf, "half_open_timeout_s", "at least 0 and finite")
        _require(ENFORCE <= mode <= OBSERVE_ONLY, "mode", "ENFORCE, SHADOW, OFF or OBSERVE_ONLY")
        _require(PER_ROUTE <= scope <= PER_ENDPOINT, "scope", "PER_ROUTE, PER_METHOD or PER_ENDPOINT")
        _require(0.0 <= ramp_for_s < inf, "ramp_for_s", "at least 0 and finite")
        _require(1.0 <= ramp_from <= 100.0, "ramp_from", "a percentage, 1 to 100")
        self.kind: str = kind
        self.size: int = size
        self.min_calls: int = min_calls
        self.failure_rate: float = failure_rate
        self.consecutive: int = consecutive
        self.slow_call_duration_s: float = slow_call_duration_s
        self.slow_call_rate: float = slow_call_rate
        self.open_for_s: float = open_for_s
        self.open_for_max_s: float = max(open_for_s, open_for_max_s)
        self.open_multiplier: float = open_multiplier
        self.open_jitter: float = open_jitter
        self.half_open_calls: int = half_open_calls
        self.success_threshold: int = success_threshold
        self.half_open_timeout_s: float = half_open_timeout_s
        self.failure_mask: int = failure_mask & ~(1 << status.OK)
        self.mode: int = mode
        self.scope: int = scope
        self.ramp_for_s: float = ramp_for_s
        self.ramp_from: float = ramp_from
        self.ramp_step_s: float = ramp_for_s / ramp_steps(ramp_from)
        """How long each share of the ramp is tried."""


def ramp_steps(first: float) -> int:
    """Return how many shares a ramp that begins with `first` percent tries before it lets everything in."""
    steps = 0
    share = first
    while share < 100.0:
        share *= 2.0
        steps += 1
    return max(steps, 1)


def required_calls(options: BreakerOptions) -> int:
    """Return how many outcomes a rate needs: a count window that is smaller than `min_calls` is enough when
    it is full.
    """
    return min(options.min_calls, options.size) if options.kind == "count" else options.min_calls


def _require(fine: bool, field: str, allowed: str) -> None:
    if not fine:
        raise ValueError(f"breaker: {field} must be {allowed}")
