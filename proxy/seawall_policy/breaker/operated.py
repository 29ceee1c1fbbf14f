"""What people do with a breaker: hold it in a state for a while, and let it go again.

Three states are a person's: FORCED_OPEN (everything is rejected), DISABLED (everything passes unwatched) and
METRICS_ONLY (everything passes and is counted). Each remembers who wanted it and why. When its time is up the
breaker goes on by itself: from FORCED_OPEN it probes, from the others it is what it was before anything had
happened.
"""

from __future__ import annotations

from math import inf

from seawall_policy.breaker.options import OBSERVE_ONLY, OFF
from seawall_policy.breaker.ramp import Ramping
from seawall_policy.breaker.rules import (
    DISABLE,
    DISABLED,
    FORCE_OPEN,
    FORCED_OPEN,
    HALF_OPEN,
    HOLD_ENDED,
    HOLD_OPEN,
    METRICS_ONLY,
    OBSERVE,
    OPEN,
    RECOVERING,
    RESET,
)


class Operated(Ramping):
    """A breaker as people handle it."""

    def hold(
        self, state: int, now: float, for_s: float = inf, by: str = "", why: str = "", trigger: str = ""
    ) -> None:
        """Keep it in FORCED_OPEN, DISABLED or METRICS_ONLY for a time, or until `reset`; raise ValueError for
        another state or a time that is not positive.
        """
        if state == FORCED_OPEN:
            signal = FORCE_OPEN
        elif state == DISABLED:
            signal = DISABLE
        elif state == METRICS_ONLY:
            signal = OBSERVE
        else:
            raise ValueError("breaker: only FORCED_OPEN, DISABLED and METRICS_ONLY can be held")
        if not for_s > 0.0:
            raise ValueError("breaker: a time to hold must be above 0")
        said = trigger if trigger != "" else _manual(by, why)
        self._move(signal, now, said)
        self.trigger = said
        self.by_hand = True
        self.hold_until = now + for_s
        self.held_by = by
        self.held_why = why

    def trip(self, now: float, for_s: float = inf, reason: str = "manual") -> None:
        """Open: OPEN for a finite positive time, then probe; otherwise FORCED_OPEN until `reset`."""
        if 0.0 < for_s < inf:
            self._move(HOLD_OPEN, now, reason)
            self.open_until = now + for_s
            self._held = True
            self.by_hand = True
        else:
            self.hold(FORCED_OPEN, now, trigger=reason)

    def reset(self, now: float, reason: str = "reset") -> None:
        """Close and forget everything; where the policy says OFF or METRICS_ONLY this means that."""
        self._rest(RESET, now, reason)

    def disable(self, now: float, reason: str = "disabled") -> None:
        """Let everything pass unwatched until `reset`."""
        self.hold(DISABLED, now, trigger=reason)

    def metrics_only(self, now: float, reason: str = "metrics_only") -> None:
        """Watch and count, never reject, until `reset`."""
        self.hold(METRICS_ONLY, now, trigger=reason)

    def follow_ramp(self, now: float, reason: str) -> bool:
        """Begin to ramp because a sibling's probes have passed; False where that is no news."""
        if self.state not in (OPEN, HALF_OPEN):
            return False
        if self.options.ramp_for_s > 0.0:
            self._move(RECOVERING, now, reason)
        else:
            self._rest(RESET, now, reason)
        return True

    def _end_hold(self, now: float) -> None:
        """Go on by itself after the time that a person has set."""
        if self.state == FORCED_OPEN and self.options.mode not in (OFF, OBSERVE_ONLY):
            self._move(HOLD_ENDED, now, "hold_ended")
        else:
            self._rest(HOLD_ENDED if self.state != FORCED_OPEN else RESET, now, "hold_ended")

    def _rest(self, signal: int, now: float, trigger: str) -> None:
        """Go where the policy wants a breaker that nothing has happened to: by `signal` to CLOSED, or into
        the state of its mode.
        """
        mode = self.options.mode
        if mode == OFF:
            self._move(DISABLE, now, trigger)
        elif mode == OBSERVE_ONLY:
            self._move(OBSERVE, now, trigger)
        else:
            self._move(signal, now, trigger)


def _manual(by: str, why: str) -> str:
    """Return the trigger of what a person does."""
    return "manual" + "".join([f": {word}" for word in (by, why) if word != ""])
