"""A circuit breaker: stop sending to what fails, look again after a while, close when it has recovered.

The states and signals are the table TRANSITIONS; a signal that has no row for a state raises. Everything
that can change a breaker's state goes through `_move` (in `state`), which starts a new *epoch*, so the rooms
of this package can be read rule by rule:

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
   With `ramp_for_s` it does not close but goes to RAMP, where a growing share is let in (rules in `ramp`).
5. The time in OPEN is `open_for_s`, multiplied after each failed probing or ramp up to `open_for_max_s`,
   spread by `open_jitter`.
6. RESOURCE_EXHAUSTED says "later", not "broken": it counts in the shares and fails a probe, and leaves
   failures in a row as they are.
7. Permit 0 (UNWATCHED) belongs to a call that passes without being watched: DISABLED, or SHADOW where
   enforcement would have rejected. METRICS_ONLY watches and counts what it would have rejected, and never
   changes state by itself; a policy may say it (OBSERVE_ONLY), and a person (`operated`).
8. When a policy changes, the breaker of the same key carries over (`carry_over`); calls that still hold the
   old one are passed on to the new, so no permit is lost, no probe is given twice, and what they set off is
   seen through either. When a process ends, its successor goes on from what was written down (`keeping`).

Sources: resilience4j CircuitBreaker (windows, state numbers, automatic transition), Linkerd's unified
failure accrual (rule 6, order of checks), Polly and opossum issues on half-open traffic (rules 1 and 4).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from seawall_policy import status
from seawall_policy.breaker.keeping import Keeping
from seawall_policy.breaker.options import OBSERVE_ONLY, OFF, SHADOW, BreakerOptions
from seawall_policy.breaker.ramp import RAMP_WAIT_S
from seawall_policy.breaker.rules import (
    CLOSED,
    COOLED_DOWN,
    DISABLED,
    FORCED_OPEN,
    HALF_OPEN,
    METRICS_ONLY,
    OPEN,
    PROBES_TIMED_OUT,
    RAMP,
    REJECTED,
    RESET,
    TRIP,
    UNWATCHED,
    Transition,
)
from seawall_policy.breaker.snapshot import BreakerSnapshot
from seawall_policy.breaker.state import resting_state
from seawall_policy.window import FAILED, SLOW, SUCCESS, make_window


class _Line:
    """Where permits of one key are returned to: the breaker of the newest policy."""

    def __init__(self, current: Breaker) -> None:
        self.current: Breaker = current


class Breaker(Keeping):
    """One breaker. `draw` gives numbers in [0, 1) and is asked only for a jitter and while it ramps.

    All times are monotonic seconds. The attributes without underscore may be read, not written.
    """

    def __init__(self, options: BreakerOptions, draw: Callable[[], float], key: str = "") -> None:
        super().__init__(options, draw, key)
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
        if self.state == RAMP:
            self._step_ended += 1
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
            return
        trigger = self._learn(outcome, code, now)
        if trigger != "":
            if self.state == CLOSED:
                self._move(TRIP, now, trigger)
            elif self.state == RAMP:
                self._step_back(now, trigger)

    def release(self, permit: int, now: float) -> None:
        """Return a permit of an attempt that never started, or whose result says nothing."""
        if self._line is not None and self._line.current is not self:
            self._line.current.release(permit, now)
            return
        self._take_back(permit)

    def first_answer_counts(self) -> bool:
        """Tell whether the first message of an answer is to be recorded as the end of its attempt: one that
        streams may go on for days, and somebody waits for a verdict.
        """
        if self._line is not None and self._line.current is not self:
            return self._line.current.first_answer_counts()
        return self.state == HALF_OPEN or self.state == RAMP  # noqa: PLR1714 - compiled, a tuple is built

    def would_admit(self, now: float) -> bool:
        """Tell whether `admit` might give a permit; for whoever chooses among several."""
        if self._line is not None and self._line.current is not self:
            return self._line.current.would_admit(now)
        if self.options.mode == SHADOW:
            return True
        if self.state == OPEN:
            return now >= self.open_until
        if self.state == FORCED_OPEN:
            return now >= self.hold_until
        return self.state != HALF_OPEN or self._may_probe()

    # -- policies

    def carry_over(self, old: Breaker, now: float = -inf) -> None:
        """Take the place of `old`, the breaker of the same key under the policy before this one.

        State, counters, permits and untaken transitions move here, and `old` passes on whatever still
        reaches it. The window is kept when its shape is the same. Where the mode changes the state that a
        breaker rests in (OFF is DISABLED, OBSERVE_ONLY is METRICS_ONLY) it starts fresh there, unless it is
        held by hand; that is noted as a transition if `now` is given.
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
        self.history = old.history
        self.key = old.key
        rest = resting_state(self.options.mode)
        if (rest == DISABLED or rest != resting_state(old.options.mode)) and not old.by_hand:
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

    def current(self) -> Breaker:
        """Return the breaker of the newest policy, which may be this one."""
        return self if self._line is None else self._line.current

    # -- time

    def next_deadline(self) -> float:
        """Return when `handle_timer` wants to be called; infinity when it need not be."""
        state = self.state
        if state == CLOSED:
            return inf
        if state == OPEN:
            return self.open_until
        if state == HALF_OPEN:
            return self._probe_deadline
        return self._step_until if state == RAMP else self.hold_until

    def handle_timer(self, now: float) -> None:
        """Do what is due: start probing, give up on probes that hang, go a step up or down, end what a person
        has held. A call too early does nothing.
        """
        if now < self.next_deadline():
            return
        if self.state == OPEN:
            if self.options.mode in (OFF, OBSERVE_ONLY):
                # Only a hand opens such a breaker; there is nothing to find out by probing.
                self._rest(RESET, now, "hold_ended")
            else:
                self._move(COOLED_DOWN, now, "cooled_down")
        elif self.state == HALF_OPEN:
            self._move(PROBES_TIMED_OUT, now, "probe_timeout")
        elif self.state == RAMP:
            self._end_steps(now)
        elif self.state != CLOSED:
            self._end_hold(now)

    def retry_after(self, now: float) -> float:
        """Return the seconds after which a rejected caller may come back.

        0.0 where nothing is rejected, the rest of the time while OPEN or FORCED_OPEN (infinity where nobody
        knows), `open_for_s` while HALF_OPEN (the probes will decide, the caller is not needed for it), and in
        RAMP the rest of the step, at most RAMP_WAIT_S: the next draw may win.
        """
        if self._line is not None and self._line.current is not self:
            return self._line.current.retry_after(now)
        if self.options.mode == SHADOW:
            return 0.0
        if self.state == OPEN:
            return max(0.0, self.open_until - now)
        if self.state == HALF_OPEN:
            return 0.0 if self._may_probe() else self.options.open_for_s
        if self.state == RAMP:
            return min(max(0.0, self._step_until - now), RAMP_WAIT_S)
        return max(0.0, self.hold_until - now) if self.state == FORCED_OPEN else 0.0

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
        self.handle_timer(now)
        state = self.state
        if state == CLOSED:
            self.in_flight += 1
            return self.epoch
        if state == HALF_OPEN and self._may_probe():
            return self._admit_probe(now)
        if state == RAMP and self._draw_lot():
            return self._admit_to_ramp()
        if state == DISABLED:
            return UNWATCHED
        if state == METRICS_ONLY:
            self.window.expire(now)
            if self._tripped_by(self.required_calls) != "":
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
        self.by_hand = old.by_hand
        self.hold_until = old.hold_until
        self.held_by = old.held_by
        self.held_why = old.held_why
        self.open_until = old.open_until
        if old.state == OPEN and not old._held:
            # A shorter ceiling in the new policy is meant for the breaker that is open right now.
            self.open_until = min(old.open_until, old.since + self.options.open_for_max_s)
        self._reopened = old._reopened
        if old.window.shape() == self.window.shape():
            self.window = old.window
            old.window = make_window("count", 1)
        if old.state == RAMP:
            self._take_ramp(old)

    def _take_ramp(self, old: Breaker) -> None:
        """Go on ramping where `old` stands, in steps of the new length from its next one on; without a ramp
        in the new policy that step is the last one.
        """
        self.ramp_share = max(old.ramp_share, self.options.ramp_from)
        if self.options.ramp_for_s == 0.0:
            self.ramp_share = 100.0
        self._step_until = old._step_until
        self._step_admitted = old._step_admitted
        self._step_ended = old._step_ended
