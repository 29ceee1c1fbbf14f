"""How a breaker outlives its process: what of it is written down, and how it goes on from there.

Only what is not plain CLOSED is worth keeping. Remaining times are kept, not points in time, since a
monotonic clock means nothing to the next process; whoever keeps them knows by the wall clock how long ago
that was. A wall clock may step: backwards it is taken for no time at all, so nothing is held longer than was
left when it was written, and forwards it ends things early, which probing makes safe.

An open breaker whose time has passed meanwhile probes; what was half open probes anew; a ramp goes on with
the share that it had; what a person holds is held for what is left. After `MAX_AGE_S` nothing is believed any
more but what a person has set a time for.

Source: Polly, resilience4j #2146 and #419 (a breaker is closed after every restart).
"""

from __future__ import annotations

from math import inf
from typing import Final

from seawall_policy.breaker.operated import Operated
from seawall_policy.breaker.rules import (
    CLOSED,
    DISABLED,
    FORCED_OPEN,
    HALF_OPEN,
    METRICS_ONLY,
    OPEN,
    RAMP,
    Transition,
)
from seawall_policy.breaker.state import resting_state

# How long ago something that traffic has found out may have been, in seconds.
MAX_AGE_S: Final = 3600.0


class SavedBreaker:
    """A breaker as it is written down; times are seconds."""

    def __init__(
        self,
        state: int,
        trigger: str,
        since_age_s: float,
        left_s: float = inf,
        reopened: int = 0,
        share: float = 0.0,
        held: bool = False,
        by: str = "",
        why: str = "",
    ) -> None:
        self.state: int = state
        self.trigger: str = trigger
        self.since_age_s: float = since_age_s
        """For how long it was in its state."""
        self.left_s: float = left_s
        """How long it would have stayed OPEN or held; infinity: until somebody ends it."""
        self.reopened: int = reopened
        self.share: float = share
        self.held: bool = held
        """OPEN for a time that is not the policy's."""
        self.by: str = by
        self.why: str = why


class Keeping(Operated):
    """A breaker that can be written down."""

    def save(self, now: float) -> SavedBreaker | None:
        """Return what is worth keeping; None for a breaker that is as its policy starts it."""
        if self.state == CLOSED or (self.state == resting_state(self.options.mode) and not self.by_hand):
            return None
        until = self.open_until if self.state == OPEN else self.hold_until
        return SavedBreaker(
            self.state,
            self.trigger,
            max(now - self.since, 0.0),
            max(until - now, 0.0),
            self._reopened,
            self.ramp_share,
            self._held,
            self.held_by,
            self.held_why,
        )

    def restore(self, saved: SavedBreaker, age_s: float, now: float) -> bool:
        """Go on from where a breaker of this key stood `age_s` ago; tell whether there was anything to it.

        It is no transition, so nobody hears of it as of one; `history` begins with it.
        """
        age = max(age_s, 0.0)
        state = saved.state
        left = saved.left_s - age
        by_hand = state in (FORCED_OPEN, DISABLED, METRICS_ONLY)
        if (not by_hand and age > MAX_AGE_S) or not OPEN <= state <= RAMP:
            return False
        if resting_state(self.options.mode) != CLOSED and not by_hand:
            return False
        if state == OPEN and not saved.held:
            left = min(saved.left_s, self.options.open_for_max_s) - age
        if left <= 0.0:
            if state in (DISABLED, METRICS_ONLY) or resting_state(self.options.mode) != CLOSED:
                return False
            if state == FORCED_OPEN and age > saved.left_s + MAX_AGE_S:
                return False
            state = HALF_OPEN
        if state == RAMP and self.options.ramp_for_s == 0.0:
            state = HALF_OPEN
        self._remember(Transition(self.state, state, now, f"restored: {saved.trigger}", 0, 0, 0))
        self.epoch += 1
        self.state = state
        self.since = now - saved.since_age_s - age
        self.trigger = saved.trigger
        self._reopened = max(saved.reopened, 0)
        if state == OPEN:
            self.open_until = now + left
            self._held = saved.held
            self.by_hand = saved.held
        elif state == RAMP:
            self._set_step(min(max(saved.share, self.options.ramp_from), 100.0), now)
        elif by_hand and state != HALF_OPEN:
            self.by_hand = True
            self.hold_until = now + left
            self.held_by = saved.by
            self.held_why = saved.why
        return True
