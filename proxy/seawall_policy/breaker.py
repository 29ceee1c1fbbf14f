"""A circuit breaker: stop sending to what fails, look again after a while, close when it has recovered.

The states and signals are the table TRANSITIONS; a signal that has no row for a state raises. Everything
that can change a breaker's state goes through `_move`, which starts a new *epoch*, so this file can be read
rule by rule:

1. A permit is the epoch it was given in. It ends exactly once, in `record` (ok, failed, or a code that is
   ignored) or in `release` (the attempt never started). A result from an earlier epoch is a straggler: it
   gives its place back and teaches nothing.
2. CLOSED adds each outcome to a window and trips, in this order, on failures in a row, on the failed share,
   on the slow share (each at *or above* its threshold; shares only from `min_calls` on, or from a full
   count window if that is smaller).
3. OPEN rejects until its time is up. It moves on by the timer (`next_deadline`, `handle_timer`) as well as
   by the next call, so it is never stuck for want of traffic.
4. HALF_OPEN lets at most `half_open_calls` probes be in flight. Its sample is max(half_open_calls,
   success_threshold) results; a probe *passes* when it succeeds and is not slow. `success_threshold` passes
   close it. It opens again as soon as that is certain: the failed or slow share of the whole sample has
   been reached, or so many have not passed that the threshold cannot be met, or too many failed in a row.
   So every sample decides. With `half_open_timeout_s` the decision is due that long after the first probe
   started: a probe that hangs is a reason to open, the want of traffic is none.
5. The time in OPEN is `open_for_s`, multiplied after each failed probing up to `open_for_max_s`, spread by
   `open_jitter`.
6. RESOURCE_EXHAUSTED says "later", not "broken": it counts in the shares and fails a probe, and leaves
   failures in a row as they are.
7. Permit 0 (UNWATCHED) belongs to a call that passes without being watched: DISABLED, or SHADOW where
   enforcement would have rejected. METRICS_ONLY watches and counts what it would have rejected, and never
   changes state by itself.
8. When a policy changes, the breaker of the same key carries over (`carry_over`); calls that still hold the
   old one are passed on to the new, so no permit is lost, no probe is given twice, and what they set off is
   seen through either.

Sources: resilience4j CircuitBreaker (windows, state numbers, automatic transition), Linkerd's unified
failure accrual (rule 6, order of checks), Polly and opossum issues on half-open traffic (rules 1 and 4).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from seawall_policy import status
from seawall_policy.breaker_rules import (
    CLOSED,
    COOLED_DOWN,
    DEFAULT_FAILURE_MASK,
    DISABLE,
    DISABLED,
    ENFORCE,
    FORCE_OPEN,
    FORCED_OPEN,
    HALF_OPEN,
    HOLD_OPEN,
    METRICS_ONLY,
    MODE_BY_NAME,
    MODE_NAMES,
    OBSERVE,
    OFF,
    OPEN,
    PROBES_FAILED,
    PROBES_PASSED,
    PROBES_TIMED_OUT,
    REJECTED,
    RESET,
    SHADOW,
    SIGNAL_NAMES,
    STATE_NAMES,
    TRANSITIONS,
    TRIP,
    UNWATCHED,
    BreakerOptions,
    IllegalTransition,
    State,
    Transition,
)
from seawall_policy.window import FAILED, SLOW, SUCCESS, Window, make_window

# The machine and its vocabulary are imported from here together.
__all__ = [
    "CLOSED",
    "DEFAULT_FAILURE_MASK",
    "DISABLED",
    "ENFORCE",
    "FORCED_OPEN",
    "HALF_OPEN",
    "MAX_PENDING_TRANSITIONS",
    "METRICS_ONLY",
    "MODE_BY_NAME",
    "MODE_NAMES",
    "OFF",
    "OPEN",
    "REJECTED",
    "SHADOW",
    "SIGNAL_NAMES",
    "STATE_NAMES",
    "TRANSITIONS",
    "UNWATCHED",
    "Breaker",
    "BreakerOptions",
    "BreakerSnapshot",
    "IllegalTransition",
    "State",
    "Transition",
]

# Transitions that nobody has taken yet; beyond this the oldest are dropped and counted.
MAX_PENDING_TRANSITIONS: Final = 64


class BreakerSnapshot:
    """A breaker's values at one moment; rates are -1.0 while there are too few calls to trip on them."""

    def __init__(self, breaker: Breaker) -> None:
        window = breaker.window
        enough = window.calls >= breaker.required_calls
        self.state: int = breaker.state
        self.since: float = breaker.since
        self.trigger: str = breaker.trigger
        self.epoch: int = breaker.epoch
        self.calls: int = window.calls
        self.failures: int = window.failures
        self.slow: int = window.slow
        self.failure_rate: float = window.failure_rate() if enough else -1.0
        self.slow_rate: float = window.slow_rate() if enough else -1.0
        self.consecutive: int = breaker.consecutive
        self.in_flight: int = breaker.in_flight
        self.probes_in_flight: int = breaker.probes_in_flight
        self.probes_passed: int = breaker.probes_passed
        self.probes_not_passed: int = breaker.probes_not_passed
        self.open_until: float = breaker.open_until
        self.opened_count: int = breaker.opened_count
        self.rejected: int = breaker.rejected
        self.would_reject: int = breaker.would_reject
        self.surplus_returns: int = breaker.surplus_returns
        self.transitions_dropped: int = breaker.transitions_dropped


class _Line:
    """Where permits of one key are returned to: the breaker of the newest policy."""

    def __init__(self, current: Breaker) -> None:
        self.current: Breaker = current


class Breaker:
    """One breaker. `draw` gives numbers in [0, 1) and is asked only when a jitter is set.

    All times are monotonic seconds. The attributes without underscore may be read, not written.
    """

    def __init__(self, options: BreakerOptions, draw: Callable[[], float]) -> None:
        self.options: BreakerOptions = options
        self.state: int = DISABLED if options.mode == OFF else CLOSED
        self.since: float = 0.0
        self.trigger: str = ""
        self.epoch: int = 1
        self.window: Window = make_window(options.kind, options.size)
        self.required_calls: int = _required_calls(options)
        self.consecutive: int = 0
        # Permits out, of any epoch, and those of the current HALF_OPEN alone.
        self.in_flight: int = 0
        self.probes_in_flight: int = 0
        self.probes_passed: int = 0
        self.probes_not_passed: int = 0
        self.open_until: float = inf
        self.opened_count: int = 0
        self.rejected: int = 0
        self.would_reject: int = 0
        self.surplus_returns: int = 0
        self.transitions_dropped: int = 0
        self._draw: Callable[[], float] = draw
        self._probe_failures: int = 0
        self._probe_slow: int = 0
        self._probe_deadline: float = inf
        self._held: bool = False
        # Failed probings since it was last closed.
        self._reopened: int = 0
        self._transitions: list[Transition] = []
        self._line: _Line | None = None

    # -- the life of a permit

    def admit(self, now: float) -> int:
        """Return a permit (>= 0) for one attempt, or REJECTED."""
        if self._line is not None and self._line.current is not self:
            return self._line.current.admit(now)
        if self.state == CLOSED:
            self.in_flight += 1
            return self.epoch
        return self._admit_elsewhere(now)

    def record(self, permit: int, code: int, duration_s: float, now: float) -> None:
        """Return a permit with the attempt's final status and duration; exactly once for each permit."""
        if self._line is not None and self._line.current is not self:
            self._line.current.record(permit, code, duration_s, now)
            return
        if not self._take_back(permit):
            return
        if code < 0 or code > status.MAX_CODE:
            code = status.UNKNOWN
        outcome = SUCCESS
        if code != status.OK:
            if not (self.options.failure_mask >> code) & 1:
                return
            outcome = FAILED
        if duration_s >= self.options.slow_call_duration_s:
            outcome |= SLOW
        if self.state == HALF_OPEN:
            self._learn_from_probe(outcome, code, now)
        else:
            self._learn(outcome, code, now)

    def release(self, permit: int, now: float) -> None:
        """Return a permit of an attempt that never started, or whose result says nothing."""
        if self._line is not None and self._line.current is not self:
            self._line.current.release(permit, now)
            return
        self._take_back(permit)

    # -- people and policies

    def trip(self, now: float, for_s: float = inf, reason: str = "manual") -> None:
        """Open by hand: OPEN for a finite positive time, then probe; otherwise FORCED_OPEN until `reset`."""
        if 0.0 < for_s < inf:
            self._move(HOLD_OPEN, now, reason)
            self.open_until = now + for_s
            self._held = True
        else:
            self._move(FORCE_OPEN, now, reason)

    def reset(self, now: float, reason: str = "reset") -> None:
        """Close and forget everything; where the policy says OFF this means DISABLED."""
        self._move(DISABLE if self.options.mode == OFF else RESET, now, reason)

    def disable(self, now: float, reason: str = "disabled") -> None:
        """Let everything pass unwatched until `reset`."""
        self._move(DISABLE, now, reason)

    def metrics_only(self, now: float, reason: str = "metrics_only") -> None:
        """Watch and count, never reject, until `reset`."""
        self._move(OBSERVE, now, reason)

    def carry_over(self, old: Breaker, now: float = -inf) -> None:
        """Take the place of `old`, the breaker of the same key under the policy before this one.

        State, counters, permits and untaken transitions move here, and `old` passes on whatever still
        reaches it. The window is kept when its shape is the same. A breaker that only was DISABLED because
        its policy said OFF starts fresh, and one whose new policy says OFF becomes DISABLED unless it is
        held open by hand; that is noted as a transition if `now` is given.
        """
        if old is self or (old._line is not None and old._line.current is not old):
            raise ValueError("carry_over: the old breaker has already handed over; pass the current one")
        self.in_flight = old.in_flight
        self.rejected = old.rejected
        self.would_reject = old.would_reject
        self.opened_count = old.opened_count
        self.surplus_returns = old.surplus_returns
        self.transitions_dropped = old.transitions_dropped
        self._transitions = old._transitions
        old._transitions = []
        self.epoch = old.epoch
        self.since = old.since
        self.trigger = old.trigger
        by_hand = old.state == FORCED_OPEN or old._held
        if (self.options.mode == OFF and not by_hand) or (old.options.mode == OFF and old.state == DISABLED):
            self.epoch += 1
            if self.state != old.state and now > -inf:
                self._note(old.state, self.state, now, "policy")
                self.since = now
                self.trigger = "policy"
        else:
            self._take_state(old)
        line = old._line
        if line is None:
            line = _Line(self)
        line.current = self
        old._line = line
        self._line = line

    # -- time

    def next_deadline(self) -> float:
        """Return when `handle_timer` wants to be called; infinity when it need not be."""
        if self.state == OPEN:
            return self.open_until
        if self.state == HALF_OPEN:
            return self._probe_deadline
        return inf

    def handle_timer(self, now: float) -> None:
        """Do what is due: start probing, or give up on probes that hang. A call too early does nothing."""
        if self.state == OPEN:
            if now < self.open_until:
                return
            if self.options.mode == OFF:
                # Only a hand opens a breaker that is off; there is nothing to find out by probing.
                self._move(DISABLE, now, "hold_ended")
            else:
                self._move(COOLED_DOWN, now, "cooled_down")
        elif self.state == HALF_OPEN and now >= self._probe_deadline:
            self._move(PROBES_TIMED_OUT, now, "probe_timeout")

    def retry_after(self, now: float) -> float:
        """Return the seconds after which a rejected caller may come back.

        0.0 where nothing is rejected, the rest of the open time while OPEN, `open_for_s` while HALF_OPEN
        (the probes will decide, the caller is not needed for it), infinity while FORCED_OPEN: nobody knows.
        """
        if self._line is not None and self._line.current is not self:
            return self._line.current.retry_after(now)
        if self.options.mode == SHADOW:
            return 0.0
        if self.state == OPEN:
            return max(0.0, self.open_until - now)
        if self.state == HALF_OPEN:
            return 0.0 if self.probes_in_flight < self.options.half_open_calls else self.options.open_for_s
        return inf if self.state == FORCED_OPEN else 0.0

    # -- looking at it

    def take_transitions(self) -> list[Transition]:
        """Return the changes of state since the last time, oldest first, and forget them."""
        if self._line is not None and self._line.current is not self:
            return self._line.current.take_transitions()
        taken = self._transitions
        self._transitions = []
        return taken

    def has_transitions(self) -> bool:
        """Tell whether `take_transitions` would return any; allocates nothing."""
        if self._line is not None and self._line.current is not self:
            return self._line.current.has_transitions()
        return len(self._transitions) > 0

    def snapshot(self, now: float = -inf) -> BreakerSnapshot:
        """Return the values of now; give `now` so that a time window drops what has become too old."""
        if now > -inf:
            self.window.expire(now)
        return BreakerSnapshot(self)

    # -- inside

    def _admit_elsewhere(self, now: float) -> int:
        """Admit in any state but CLOSED."""
        if self.state in (OPEN, HALF_OPEN):
            self.handle_timer(now)
        if self.state == HALF_OPEN and self.probes_in_flight < self.options.half_open_calls:
            if self._probe_deadline == inf and self.options.half_open_timeout_s > 0.0:
                self._probe_deadline = now + self.options.half_open_timeout_s
            self.probes_in_flight += 1
            self.in_flight += 1
            return self.epoch
        if self.state == DISABLED:
            return UNWATCHED
        if self.state == METRICS_ONLY:
            self.window.expire(now)
            if self._tripped_by():
                self.would_reject += 1
            self.in_flight += 1
            return self.epoch
        if self.options.mode == SHADOW:
            self.would_reject += 1
            return UNWATCHED
        self.rejected += 1
        return REJECTED

    def _take_back(self, permit: int) -> bool:
        """Count a permit as returned; tell whether its result may teach."""
        if permit <= UNWATCHED:
            return False
        if self.in_flight == 0 or (
            permit == self.epoch and self.state == HALF_OPEN and self.probes_in_flight == 0
        ):
            self.surplus_returns += 1
            return False
        self.in_flight -= 1
        if permit != self.epoch:
            return False
        if self.state == HALF_OPEN:
            self.probes_in_flight -= 1
        return True

    def _learn(self, outcome: int, code: int, now: float) -> None:
        """Add an outcome to the window and, in CLOSED, trip when it is enough."""
        if not outcome & FAILED:
            self.consecutive = 0
        elif code != status.RESOURCE_EXHAUSTED:
            self.consecutive += 1
        window = self.window
        window.add(outcome, now)
        if self.state == CLOSED and (window.failures > 0 or window.slow > 0):
            trigger = self._tripped_by()
            if trigger:
                self._move(TRIP, now, trigger)

    def _tripped_by(self) -> str:
        """Return which threshold the window has reached, the empty string for none."""
        options = self.options
        window = self.window
        if 0 < options.consecutive <= self.consecutive:
            return "consecutive"
        if window.calls < self.required_calls:
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

    def _learn_from_probe(self, outcome: int, code: int, now: float) -> None:
        """Count a probe's result and decide as soon as the decision is certain."""
        options = self.options
        if outcome & FAILED:
            self._probe_failures += 1
            if code != status.RESOURCE_EXHAUSTED:
                self.consecutive += 1
        else:
            self.consecutive = 0
        if outcome & SLOW:
            self._probe_slow += 1
        if outcome == SUCCESS:
            self.probes_passed += 1
            if self.probes_passed >= options.success_threshold:
                self._move(PROBES_PASSED, now, "probes_passed")
            return
        self.probes_not_passed += 1
        sample = max(options.half_open_calls, options.success_threshold)
        if (
            sample - self.probes_not_passed < options.success_threshold
            or 0 < options.consecutive <= self.consecutive
            or (options.failure_rate > 0.0 and self._probe_failures * 100.0 >= options.failure_rate * sample)
            or (options.slow_call_rate > 0.0 and self._probe_slow * 100.0 >= options.slow_call_rate * sample)
        ):
            self._move(PROBES_FAILED, now, "probes_failed")

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
        self.open_until = inf
        if after == OPEN:
            if signal != HOLD_OPEN:
                self.open_until = now + self._open_duration()
        elif after != HALF_OPEN:
            # What opened the breaker stays readable while it is open and is forgotten when that is over.
            self._reopened = 0
            if after != FORCED_OPEN:
                self.window.reset()

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
            self._transitions.append(
                Transition(before, after, now, trigger, calls, self._probe_failures, self._probe_slow)
            )
        else:
            window = self.window
            self._transitions.append(
                Transition(before, after, now, trigger, window.calls, window.failures, window.slow)
            )

    def _take_state(self, old: Breaker) -> None:
        """Continue where `old` stands, under our own options."""
        self.state = old.state
        self.consecutive = old.consecutive
        self.probes_in_flight = old.probes_in_flight
        self.probes_passed = old.probes_passed
        self.probes_not_passed = old.probes_not_passed
        self._probe_failures = old._probe_failures
        self._probe_slow = old._probe_slow
        if self.options.half_open_timeout_s > 0.0:
            self._probe_deadline = old._probe_deadline
        self._held = old._held
        self.open_until = old.open_until
        if old.state == OPEN and not old._held:
            # A shorter ceiling in the new policy is meant for the breaker that is open right now.
            self.open_until = min(old.open_until, old.since + self.options.open_for_max_s)
        self._reopened = old._reopened
        if old.window.shape() == self.window.shape():
            self.window = old.window
            old.window = make_window("count", 1)


def _required_calls(options: BreakerOptions) -> int:
    """Return how many outcomes a rate needs: a count window that is smaller than `min_calls` is enough when
    it is full.
    """
    return min(options.min_calls, options.size) if options.kind == "count" else options.min_calls
