"""What a circuit breaker is told and what it may do: its options, its states, and the table of its
transitions.

The machine that follows the table, and the theory, are in `breaker`; this file holds what a reader of a
policy, a status page or a diagram needs. Of the signals, the first five come from traffic and time, each
legal in one state only; the others come from a person or a policy and are legal in every state.

Sources: resilience4j CircuitBreaker.State (states and numbers); Envoy admission_control and Linkerd for the
codes that are failures.
"""

from __future__ import annotations

from enum import IntEnum
from math import inf
from typing import Final

from seawall_policy import status


class State(IntEnum):
    """The states, numbered as resilience4j publishes them; the numbers appear in metrics and never change."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2
    DISABLED = 3
    FORCED_OPEN = 4
    METRICS_ONLY = 5


# The same as plain integers, which is what compiled code compares fastest.
CLOSED: Final = 0
OPEN: Final = 1
HALF_OPEN: Final = 2
DISABLED: Final = 3
FORCED_OPEN: Final = 4
METRICS_ONLY: Final = 5
STATE_NAMES: Final[tuple[str, ...]] = (
    "CLOSED",
    "OPEN",
    "HALF_OPEN",
    "DISABLED",
    "FORCED_OPEN",
    "METRICS_ONLY",
)

# Signals. The first five come from traffic and time, the others from a person or a policy.
TRIP: Final = 0
COOLED_DOWN: Final = 1
PROBES_PASSED: Final = 2
PROBES_FAILED: Final = 3
PROBES_TIMED_OUT: Final = 4
HOLD_OPEN: Final = 5
FORCE_OPEN: Final = 6
RESET: Final = 7
DISABLE: Final = 8
OBSERVE: Final = 9
SIGNAL_NAMES: Final[tuple[str, ...]] = (
    "TRIP",
    "COOLED_DOWN",
    "PROBES_PASSED",
    "PROBES_FAILED",
    "PROBES_TIMED_OUT",
    "HOLD_OPEN",
    "FORCE_OPEN",
    "RESET",
    "DISABLE",
    "OBSERVE",
)

# What traffic and time do: (state, signal) -> state.
_BY_ITSELF: Final[dict[tuple[int, int], int]] = {
    (CLOSED, TRIP): OPEN,
    (OPEN, COOLED_DOWN): HALF_OPEN,
    (HALF_OPEN, PROBES_PASSED): CLOSED,
    (HALF_OPEN, PROBES_FAILED): OPEN,
    (HALF_OPEN, PROBES_TIMED_OUT): OPEN,
}

# What a person or a policy may do in every state: signal -> state.
_BY_HAND: Final[dict[int, int]] = {
    HOLD_OPEN: OPEN,
    FORCE_OPEN: FORCED_OPEN,
    RESET: CLOSED,
    DISABLE: DISABLED,
    OBSERVE: METRICS_ONLY,
}

# The whole table. What is not here is illegal.
TRANSITIONS: Final[dict[tuple[int, int], int]] = {
    **_BY_ITSELF,
    **{(state, signal): after for signal, after in _BY_HAND.items() for state in range(len(STATE_NAMES))},
}

# Modes, numbered as in seawall.v1.
ENFORCE: Final = 1
SHADOW: Final = 2
OFF: Final = 3
MODE_NAMES: Final[tuple[str, ...]] = ("", "enforce", "shadow", "off")
MODE_BY_NAME: Final[dict[str, int]] = {"enforce": ENFORCE, "shadow": SHADOW, "off": OFF}

# What admit answers instead of a permit.
REJECTED: Final = -1
# The permit of a call that passes unwatched; epochs start at 1.
UNWATCHED: Final = 0

DEFAULT_FAILURE_MASK: Final = (
    (1 << status.UNAVAILABLE)
    | (1 << status.DEADLINE_EXCEEDED)
    | (1 << status.INTERNAL)
    | (1 << status.DATA_LOSS)
    | (1 << status.UNKNOWN)
    | (1 << status.RESOURCE_EXHAUSTED)
)


class IllegalTransition(Exception):
    """A signal arrived in a state that has no row for it: a bug of ours, please report it."""


class BreakerOptions:
    """How a breaker decides. Raises ValueError for a number that makes no sense.

    Rates are percentages, 0 turns one off; `slow_call_duration_s` of infinity turns slow calls off,
    `half_open_timeout_s` of 0 waits for probes forever. `size` is calls for kind "count" and seconds for
    kind "time". `failure_mask` has bit n set when status code n is a failure; every other code but OK is
    ignored.
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
        _require(mode in (ENFORCE, SHADOW, OFF), "mode", "ENFORCE, SHADOW or OFF")
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


class Transition:
    """One change of state: from, to, when, what triggered it, and the counts that were looked at."""

    def __init__(
        self, from_state: int, to_state: int, at: float, trigger: str, calls: int, failures: int, slow: int
    ) -> None:
        self.from_state: int = from_state
        self.to_state: int = to_state
        self.at: float = at
        self.trigger: str = trigger
        self.calls: int = calls
        self.failures: int = failures
        self.slow: int = slow

    def __repr__(self) -> str:
        return (
            f"Transition({STATE_NAMES[self.from_state]} -> {STATE_NAMES[self.to_state]} at {self.at}: "
            f"{self.trigger}, calls={self.calls} failures={self.failures} slow={self.slow})"
        )


def _require(fine: bool, field: str, allowed: str) -> None:
    if not fine:
        raise ValueError(f"breaker: {field} must be {allowed}")
