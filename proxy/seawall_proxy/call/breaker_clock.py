"""Wakes breakers whose state changes with time alone: an open one that starts to probe, a half-open one that
gives up, a ramp that goes up or down, what a person has held.

Without it a breaker of a route without traffic would stay open for ever in every report (resilience4j #347).
"""

from __future__ import annotations

from seawall_proxy.call.context import Context
from seawall_proxy.call.timers import NEVER, Timed


class BreakerClock(Timed):
    """One timer for the breakers of the policy in force."""

    def __init__(self, context: Context) -> None:
        self.tick = -1
        self._context: Context = context

    def rearm(self) -> None:
        """Follow the earliest breaker; call after any breaker has changed."""
        at = NEVER
        table = self._context.table
        if table is not None:
            for state in table.states.values():
                for breaker in state.breakers():
                    at = min(at, breaker.next_deadline())
        self._context.timers.arm(self, at)

    def fire(self, now: float) -> None:
        context = self._context
        table = context.table
        if table is not None:
            for state in table.states.values():
                for breaker in state.breakers():
                    if breaker.next_deadline() <= now:
                        breaker.handle_timer(now)
                        if breaker.has_transitions():
                            context.changed_breakers.append(state)
        self.rearm()
