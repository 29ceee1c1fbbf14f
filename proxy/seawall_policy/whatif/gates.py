"""What may refuse an attempt. Another mechanism is a class with a few methods and one line in `gates_of`."""

from __future__ import annotations

from typing import Final, Protocol

from seawall_policy.breaker import CLOSED, ENFORCE, Breaker, BreakerOptions, Transition
from seawall_policy.model import Policy

BREAKER_OPEN: Final = "BREAKER_OPEN"
MIDDLE: Final = 0.5
"""Every draw: jitter at its middle, so that two runs say the same."""


class Gate(Protocol):
    """A mechanism that may refuse attempts; each permit that it gives is returned once."""

    @property
    def name(self) -> str:
        """As results name it."""
        ...

    @property
    def reason(self) -> str:
        """Why it refuses."""
        ...

    def admit(self, now: float) -> int:
        """Return a permit, or a negative number for a refusal."""
        ...

    def ended(self, permit: int, now: float, code: int, duration_s: float) -> None:
        """Take a permit back with how its attempt ended."""
        ...

    def released(self, permit: int, now: float) -> None:
        """Take a permit back whose attempt was never made, or taken back."""
        ...

    def is_calm(self) -> bool:
        """Tell whether it would let anything through: a hedge is only sent then."""
        ...

    def transitions(self) -> list[Transition]:
        """Return what changed since the last time."""
        ...


class BreakerGate:
    """The breaker of a route."""

    name: Final = "breaker"
    reason: Final = BREAKER_OPEN

    def __init__(self, options: BreakerOptions, at: float) -> None:
        self._breaker: Breaker = Breaker(options, lambda: MIDDLE)
        self._breaker.since = at

    def admit(self, now: float) -> int:
        """Ask the breaker."""
        if self._breaker.next_deadline() <= now:
            self._breaker.handle_timer(now)
        return self._breaker.admit(now)

    def ended(self, permit: int, now: float, code: int, duration_s: float) -> None:
        """Teach the breaker."""
        self._breaker.record(permit, code, duration_s, now)

    def released(self, permit: int, now: float) -> None:
        """Give the permit back untaught."""
        self._breaker.release(permit, now)

    def is_calm(self) -> bool:
        """Tell whether the breaker is closed: probes are for calls."""
        return self._breaker.state == CLOSED

    def transitions(self) -> list[Transition]:
        """Return the breaker's transitions."""
        return self._breaker.take_transitions() if self._breaker.has_transitions() else []


def gates_of(policy: Policy, at: float) -> list[Gate]:
    """Return the gates of a policy, outermost first."""
    gates: list[Gate] = []
    if policy.breaker is not None and policy.breaker.mode == ENFORCE:
        gates.append(BreakerGate(policy.breaker, at))
    return gates
