"""What one breaker remembers, and the one place where its state changes.

The rooms above it, each a class of its own, add what is done with it:

`BreakerState` < `Probing` (HALF_OPEN) < `Ramping` (RAMP) < `Operated` (what people do) < `Keeping` (how it
outlives its process) < `Breaker` (permits, policies, time).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from seawall_policy import status
from seawall_policy.breaker.options import OBSERVE_ONLY, OFF, BreakerOptions, required_calls
from seawall_policy.breaker.rules import (
    CLOSED,
    DISABLED,
    FORCED_OPEN,
    HALF_OPEN,
    HOLD_OPEN,
    METRICS_ONLY,
    OPEN,
    RAMP,
    SIGNAL_NAMES,
    STATE_NAMES,
    TRANSITIONS,
    IllegalTransition,
    Transition,
)
from seawall_policy.window import FAILED, SUCCESS, Window, make_window

# Transitions that nobody has taken yet; beyond this the oldest are dropped and counted.
MAX_PENDING_TRANSITIONS: Final = 64
# Transitions that can be looked at afterwards.
MAX_HISTORY: Final = 20


class BreakerState:
    """The numbers of one breaker. Times are monotonic seconds; what has no underscore may be read, not
    written.
    """

    # Defaults that stand here cost an interpreted instance nothing; see `seawall_proxy.call.call_state`.
    since: float = 0.0
    trigger: str = ""
    epoch: int = 1
    consecutive: int = 0
    in_flight: int = 0
    """Permits out, of any epoch."""
    probes_in_flight: int = 0
    """Permits out of the current HALF_OPEN."""
    probes_passed: int = 0
    probes_not_passed: int = 0
    open_until: float = inf
    opened_count: int = 0
    rejected: int = 0
    would_reject: int = 0
    surplus_returns: int = 0
    transitions_dropped: int = 0
    ramp_share: float = 0.0
    """The percentage that is let in; 0 unless it is in RAMP."""
    by_hand: bool = False
    """A person or a sibling has put it into its state."""
    hold_until: float = inf
    """When the state that a person has put it into ends by itself."""
    held_by: str = ""
    held_why: str = ""
    _held: bool = False
    _probe_failures: int = 0
    _probe_slow: int = 0
    _probe_deadline: float = inf
    _reopened: int = 0
    """Failed probings and ramps since it was last closed."""
    _step_until: float = inf
    _step_admitted: int = 0
    _step_ended: int = 0

    def __init__(self, options: BreakerOptions, draw: Callable[[], float], key: str) -> None:
        self.options: BreakerOptions = options
        self.key: str = key
        """What it guards: `route`, `route/package.Service/Method` or `route@address`."""
        self.state: int = resting_state(options.mode)
        self.window: Window = make_window(options.kind, options.size)
        self.required_calls: int = required_calls(options)
        self.history: list[Transition] = []
        """The last transitions, the oldest first."""
        self._draw: Callable[[], float] = draw
        self._transitions: list[Transition] = []

    def _learn(self, outcome: int, code: int, now: float) -> str:
        """Add an outcome to the window; return which threshold it has reached, if any."""
        if not outcome & FAILED:
            self.consecutive = 0
        elif code != status.RESOURCE_EXHAUSTED:
            self.consecutive += 1
        window = self.window
        window.add(outcome, now)
        if outcome == SUCCESS and window.failures == 0 and window.slow == 0:
            return ""
        return self._tripped_by(self.required_calls)

    def _tripped_by(self, needed: int) -> str:
        """Return which threshold the window has reached, the empty string for none; `needed` is how many
        outcomes a share needs.
        """
        options = self.options
        window = self.window
        if 0 < options.consecutive <= self.consecutive:
            return "consecutive"
        if window.calls < needed:
            return ""
        if options.failure_rate > 0.0 and window.failures * 100.0 >= options.failure_rate * window.calls:
            return "failure_rate"
        if (
            options.slow_call_rate > 0.0
            and options.slow_call_duration_s < inf
            and window.slow * 100.0 >= options.slow_call_rate * window.calls
        ):
            return "slow_call_rate"
        return ""

    def _move(self, signal: int, now: float, trigger: str) -> None:
        """Follow the table: note the transition, start a new epoch, and set up the state that is entered."""
        before = self.state
        after = TRANSITIONS.get((before, signal), -1)
        if after < 0:
            raise IllegalTransition(f"breaker: {SIGNAL_NAMES[signal]} in state {STATE_NAMES[before]}")
        if after != before:
            self._note(before, after, now, trigger)
            self.since = now
            self.trigger = trigger
            if after in (OPEN, FORCED_OPEN) and before not in (OPEN, FORCED_OPEN):
                self.opened_count += 1
        self.state = after
        self.epoch += 1
        self.consecutive = 0
        self.probes_in_flight = 0
        self.probes_passed = 0
        self.probes_not_passed = 0
        self._probe_failures = 0
        self._probe_slow = 0
        self._probe_deadline = inf
        self._held = False
        self.by_hand = False
        self.hold_until = inf
        self.held_by = ""
        self.held_why = ""
        self.open_until = inf
        self.ramp_share = 0.0
        if after == OPEN:
            if signal != HOLD_OPEN:
                self.open_until = now + self._open_duration()
        elif after == RAMP:
            self._begin_ramp(now)
        elif after != HALF_OPEN:
            # What opened the breaker stays readable while it is open and is forgotten when that is over.
            self._reopened = 0
            if after != FORCED_OPEN:
                self.window.reset()

    def _begin_ramp(self, now: float) -> None:
        """Set RAMP up."""

    def _open_duration(self) -> float:
        """Return how long to stay open this time: longer after each failed probing."""
        options = self.options
        ceiling = options.open_for_max_s
        try:
            base = min(options.open_for_s * options.open_multiplier**self._reopened, ceiling)
        except OverflowError:
            base = ceiling
        self._reopened += 1
        if options.open_jitter > 0.0:
            base *= 1.0 + options.open_jitter * (2.0 * self._draw() - 1.0)
        return min(base, ceiling)

    def _note(self, before: int, after: int, now: float, trigger: str) -> None:
        if len(self._transitions) >= MAX_PENDING_TRANSITIONS:
            del self._transitions[0]
            self.transitions_dropped += 1
        if before == HALF_OPEN:
            calls = self.probes_passed + self.probes_not_passed
            change = Transition(before, after, now, trigger, calls, self._probe_failures, self._probe_slow)
        else:
            window = self.window
            change = Transition(before, after, now, trigger, window.calls, window.failures, window.slow)
        self._transitions.append(change)
        self._remember(change)

    def _remember(self, change: Transition) -> None:
        """Keep a transition for whoever asks later."""
        if len(self.history) >= MAX_HISTORY:
            del self.history[0]
        self.history.append(change)


def resting_state(mode: int) -> int:
    """Return the state of a breaker that nothing has happened to."""
    if mode == OFF:
        return DISABLED
    return METRICS_ONLY if mode == OBSERVE_ONLY else CLOSED
