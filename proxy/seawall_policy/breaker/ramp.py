"""RAMP: the way back to all calls, one share at a time.

A service that has just recovered has cold caches and empty pools; all of its calls at once may take it down
again. So a share of them is let in (each call draws), beginning with `ramp_from` percent. Time is cut into
steps of `ramp_step_s`, of which a ramp that goes well has just enough to last `ramp_for_s`:

1. Each step has a window of its own. It *fails* as soon as that reaches a threshold of the breaker, as it
   would in CLOSED; at its end it is judged by the results that are there, however few.
2. After a step that has not failed the share doubles; what would be 100 % or more closes the breaker.
3. After one that has failed the share halves; below `ramp_from` the breaker opens again.
4. A step that let calls in and heard from none is repeated: silence is no recovery. A step without calls
   counts as fine, so that a breaker never stays here for want of traffic.
5. A failed step starts a new epoch, so that the calls which failed with it are not held against the next
   one; after a good one the results of earlier calls still count, or calls that take longer than a step
   would never be heard.

Sources: resilience4j #985 and Sentinel #2370 (asked for, not built); Envoy's slow start does the same for
endpoints that are new.
"""

from __future__ import annotations

from typing import Final

from seawall_policy.breaker.probing import Probing
from seawall_policy.breaker.rules import RAMP, RAMP_FAILED, RAMPED_UP

# The longest that a call which was not let in is told to wait, in seconds: its next draw may win.
RAMP_WAIT_S: Final = 1.0


class Ramping(Probing):
    """A breaker's way back."""

    def _begin_ramp(self, now: float) -> None:
        self._set_step(self.options.ramp_from, now)

    def _set_step(self, share: float, start: float) -> None:
        self.ramp_share = share
        self.window.reset()
        self._step_admitted = 0
        self._step_ended = 0
        self._step_until = start + self.options.ramp_step_s

    def _draw_lot(self) -> bool:
        """Tell whether a call is among those that are let in."""
        return self._draw() * 100.0 < self.ramp_share

    def _admit_to_ramp(self) -> int:
        self._step_admitted += 1
        self.in_flight += 1
        return self.epoch

    def _step_back(self, now: float, trigger: str) -> None:
        """Let fewer in, or none."""
        share = self.ramp_share / 2.0
        if share < self.options.ramp_from or self.options.ramp_for_s == 0.0:
            self._move(RAMP_FAILED, now, trigger)
            return
        self.epoch += 1
        self.consecutive = 0
        self._set_step(share, now)

    def _end_steps(self, now: float) -> None:
        """Judge every step that has ended by now."""
        while self.state == RAMP and now >= self._step_until:
            end = self._step_until
            window = self.window
            window.expire(end)
            if self._step_admitted > 0 and self._step_ended == 0:
                self._set_step(self.ramp_share, end)
                continue
            trigger = self._tripped_by(1)
            if trigger != "":
                self._step_back(now, trigger)
            elif self.ramp_share * 2.0 >= 100.0:
                self._move(RAMPED_UP, now, "ramped_up")
            else:
                self._set_step(self.ramp_share * 2.0, end)
