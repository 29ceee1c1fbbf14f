"""The states of a circuit breaker and the table of its transitions.

The theory is in `machine`; this file holds what a reader of a status page or a diagram needs. Of the signals,
those up to HOLD_ENDED come from traffic and time and are legal in some states only; the others come from a
person or a policy and are legal in every state.

Source: resilience4j CircuitBreaker.State (states and numbers; RAMP is ours).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class State(IntEnum):
    """The states, numbered as resilience4j publishes them; the numbers appear in metrics and never change."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2
    DISABLED = 3
    FORCED_OPEN = 4
    METRICS_ONLY = 5
    RAMP = 6


# The same as plain integers, which is what compiled code compares fastest.
CLOSED: Final = 0
OPEN: Final = 1
HALF_OPEN: Final = 2
DISABLED: Final = 3
FORCED_OPEN: Final = 4
METRICS_ONLY: Final = 5
RAMP: Final = 6
STATE_NAMES: Final[tuple[str, ...]] = (
    "CLOSED",
    "OPEN",
    "HALF_OPEN",
    "DISABLED",
    "FORCED_OPEN",
    "METRICS_ONLY",
    "RAMP",
)

# Signals. Those up to HOLD_ENDED come from traffic and time, the others from a person or a policy.
TRIP: Final = 0
COOLED_DOWN: Final = 1
PROBES_PASSED: Final = 2
PROBES_FAILED: Final = 3
PROBES_TIMED_OUT: Final = 4
RECOVERING: Final = 5
RAMPED_UP: Final = 6
RAMP_FAILED: Final = 7
HOLD_ENDED: Final = 8
HOLD_OPEN: Final = 9
FORCE_OPEN: Final = 10
RESET: Final = 11
DISABLE: Final = 12
OBSERVE: Final = 13
SIGNAL_NAMES: Final[tuple[str, ...]] = (
    "TRIP",
    "COOLED_DOWN",
    "PROBES_PASSED",
    "PROBES_FAILED",
    "PROBES_TIMED_OUT",
    "RECOVERING",
    "RAMPED_UP",
    "RAMP_FAILED",
    "HOLD_ENDED",
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
    (HALF_OPEN, RECOVERING): RAMP,
    (OPEN, RECOVERING): RAMP,
    (RAMP, RAMPED_UP): CLOSED,
    (RAMP, RAMP_FAILED): OPEN,
    (FORCED_OPEN, HOLD_ENDED): HALF_OPEN,
    (DISABLED, HOLD_ENDED): CLOSED,
    (METRICS_ONLY, HOLD_ENDED): CLOSED,
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

# What admit answers instead of a permit.
REJECTED: Final = -1
# The permit of a call that passes unwatched; epochs start at 1.
UNWATCHED: Final = 0


class IllegalTransition(Exception):
    """A signal arrived in a state that has no row for it: a bug of ours, please report it."""


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
