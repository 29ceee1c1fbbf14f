"""The breaker against a reference that keeps every outcome in a list and counts anew each time.

Parameters come from tiny ranges: with thresholds of 1 to 3, short random runs visit every corner that long
runs with real thresholds never reach.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor, inf
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from seawall_policy import status
from seawall_policy.breaker import (
    CLOSED,
    DISABLED,
    ENFORCE,
    FORCED_OPEN,
    HALF_OPEN,
    METRICS_ONLY,
    OBSERVE_ONLY,
    OFF,
    OPEN,
    RAMP,
    REJECTED,
    SHADOW,
    UNWATCHED,
    Breaker,
    BreakerOptions,
)

pytestmark = pytest.mark.slow

CODES = (status.OK, status.UNAVAILABLE, status.RESOURCE_EXHAUSTED, status.NOT_FOUND)
FAILING = (status.UNAVAILABLE, status.RESOURCE_EXHAUSTED)
SLOW_S = 1.0
HOLD_S = 1.5
STEPS_S = (0.25, 0.5, 1.0, 2.0)
HANDS = (
    "trip",
    "hold",
    "reset",
    "disable",
    "observe",
    "hold_open",
    "hold_closed",
    "hold_observing",
    "follow",
)
HELD = {"hold_open": FORCED_OPEN, "hold_closed": DISABLED, "hold_observing": METRICS_ONLY}
LUCK = (0.1, 0.3, 0.6, 0.9)
MODES = (ENFORCE, ENFORCE, ENFORCE, SHADOW, OBSERVE_ONLY)


def tiny_options(pick: Callable[[tuple[float, ...]], float], mode: int) -> BreakerOptions:
    """Return options from tiny ranges; `pick` chooses one of several numbers."""
    return BreakerOptions(
        kind="count" if pick((0, 1)) else "time",
        size=int(pick((1, 2, 3))),
        min_calls=int(pick((1, 2, 3))),
        failure_rate=pick((0.0, 34.0, 50.0, 100.0)),
        consecutive=int(pick((0, 1, 2, 3))),
        slow_call_duration_s=pick((SLOW_S, inf)),
        slow_call_rate=pick((50.0, 100.0)),
        open_for_s=pick((1.0, 2.0)),
        open_for_max_s=pick((1.0, 4.0)),
        open_multiplier=pick((1.0, 2.0)),
        half_open_calls=int(pick((1, 2, 3))),
        success_threshold=int(pick((1, 2, 3))),
        half_open_timeout_s=pick((0.0, 2.0)),
        mode=mode,
        ramp_for_s=pick((0.0, 2.0, 2.0, 4.0)),
        ramp_from=pick((20.0, 50.0, 100.0)),
    )


class Outcome:
    def __init__(self, at: float, code: int, slow: bool) -> None:
        self.second = floor(at)
        self.code = code
        self.failed = code in FAILING
        self.slow = slow


class Reference:
    """The same rules, written for reading: lists, no totals, no shortcuts."""

    def __init__(self, options: BreakerOptions, luck: Callable[[], float]) -> None:
        self.options = options
        self.luck = luck
        self.state = self.rest()
        self.seen = -inf  # the latest second that the outcomes were looked at
        self.by_hand = False
        self.hold_until = inf
        self.share = 0.0
        self.step_end = inf
        self.step_calls = 0
        self.step_heard = False
        self.generation = 0
        self.outcomes: list[Outcome] = []
        self.row: list[Outcome] = []
        self.probes: list[Outcome] = []
        self.out: list[int] = []  # generation of each permit that is out
        self.open_until = inf
        self.held = False
        self.reopened = 0
        self.give_up = inf
        self.opened = self.rejected = self.would_reject = 0
        self.log: list[tuple[int, int, str]] = []

    def rest(self) -> int:
        return {OFF: DISABLED, OBSERVE_ONLY: METRICS_ONLY}.get(self.options.mode, CLOSED)

    # what the list says

    def window(self, now: float) -> list[Outcome]:
        if self.options.kind == "count":
            return self.outcomes[-self.options.size :]
        self.seen = max(self.seen, floor(now)) if self.outcomes else -inf
        latest = max([self.seen, floor(now)] + [outcome.second for outcome in self.outcomes])
        return [outcome for outcome in self.outcomes if outcome.second > latest - self.options.size]

    def in_a_row(self) -> int:
        count = 0
        for outcome in self.row:
            if not outcome.failed:
                count = 0
            elif outcome.code != status.RESOURCE_EXHAUSTED:
                count += 1
        return count

    def reason_to_trip(self, now: float, few_are_enough: bool = False) -> str:
        window = self.window(now)
        if self.options.consecutive and self.in_a_row() >= self.options.consecutive:
            return "consecutive"
        needed = self.options.min_calls
        if self.options.kind == "count":
            needed = min(needed, self.options.size)
        if len(window) < (1 if few_are_enough else needed):
            return ""
        failed = 100.0 * sum(outcome.failed for outcome in window) / len(window)
        slow = 100.0 * sum(outcome.slow for outcome in window) / len(window)
        if self.options.failure_rate and failed >= self.options.failure_rate:
            return "failure_rate"
        if self.options.slow_call_duration_s < inf and slow >= self.options.slow_call_rate:
            return "slow_call_rate"
        return ""

    def probes_out(self) -> int:
        return self.out.count(self.generation) if self.state == HALF_OPEN else 0

    # what happens

    def go(self, state: int, trigger: str) -> None:
        if state != self.state:
            self.log.append((self.state, state, trigger))
            if state in (OPEN, FORCED_OPEN) and self.state not in (OPEN, FORCED_OPEN):
                self.opened += 1
        self.state = state
        self.generation += 1
        self.row, self.probes = [], []
        self.open_until = self.give_up = self.hold_until = inf
        self.held = self.by_hand = False
        self.share = 0.0
        if state in (CLOSED, DISABLED, METRICS_ONLY):
            self.outcomes = []
        if state not in (OPEN, HALF_OPEN, RAMP):
            self.reopened = 0

    def hold(self, state: int, now: float, for_s: float, trigger: str) -> None:
        self.go(state, trigger)
        self.by_hand = True
        self.hold_until = now + for_s

    def open(self, now: float, trigger: str) -> None:
        self.go(OPEN, trigger)
        ceiling = max(self.options.open_for_s, self.options.open_for_max_s)
        self.open_until = now + min(
            self.options.open_for_s * self.options.open_multiplier**self.reopened, ceiling
        )
        self.reopened += 1

    timer_now = 0.0

    def timer(self, now: float) -> None:
        self.timer_now = now
        if self.state == OPEN and now >= self.open_until:
            if self.rest() == CLOSED:
                self.go(HALF_OPEN, "cooled_down")
            else:
                self.go(self.rest(), "hold_ended")
        elif self.state == HALF_OPEN and now >= self.give_up:
            self.open(now, "probe_timeout")
        elif self.by_hand and now >= self.hold_until:
            probes = self.state == FORCED_OPEN and self.rest() == CLOSED
            self.go(HALF_OPEN if probes else self.rest(), "hold_ended")
        while self.state == RAMP and now >= self.step_end:
            self.end_step()

    # the ramp

    def step(self, share: float, start: float) -> None:
        doublings = 0
        while self.options.ramp_from * 2**doublings < 100.0:
            doublings += 1
        self.share = share
        self.step_end = start + self.options.ramp_for_s / max(doublings, 1)
        self.step_calls = 0
        self.step_heard = False
        self.outcomes = []

    def recover(self, now: float, trigger: str) -> None:
        if self.options.ramp_for_s:
            self.go(RAMP, trigger)
            self.step(self.options.ramp_from, now)
        else:
            self.go(self.rest(), trigger)

    def end_step(self) -> None:
        end = self.step_end
        reason = self.reason_to_trip(end, few_are_enough=True)
        if self.step_calls and not self.step_heard:
            self.step(self.share, end)
        elif reason:
            self.step_back(self.timer_now, reason)
        elif self.share * 2 >= 100.0:
            self.go(CLOSED, "ramped_up")
        else:
            self.step(self.share * 2, end)

    def step_back(self, now: float, reason: str) -> None:
        if self.share / 2 < self.options.ramp_from or not self.options.ramp_for_s:
            self.open(now, reason)
            return
        self.generation += 1
        self.row = []
        self.step(self.share / 2, now)

    def admit(self, now: float) -> str:
        self.timer(now)
        if self.state == DISABLED:
            return "unwatched"
        blocked = self.state in (OPEN, FORCED_OPEN)
        if self.state == HALF_OPEN:
            blocked = self.probes_out() >= self.options.half_open_calls
            if not blocked and self.give_up == inf and self.options.half_open_timeout_s:
                self.give_up = now + self.options.half_open_timeout_s
        if self.state == RAMP:
            blocked = self.luck() * 100.0 >= self.share
            self.step_calls += not blocked
        if self.state == METRICS_ONLY and self.reason_to_trip(now):
            self.would_reject += 1
        if not blocked:
            self.out.append(self.generation)
            return "permit"
        if self.options.mode == SHADOW:
            self.would_reject += 1
            return "unwatched"
        self.rejected += 1
        return "rejected"

    def end(self, generation: int, code: int | None, slow: bool, now: float) -> None:
        self.out.remove(generation)
        if generation != self.generation or code is None:
            return
        if self.state == RAMP:
            # A call of an earlier step speaks as well.
            self.step_heard = True
        if code == status.NOT_FOUND:
            return
        outcome = Outcome(now, code, slow and self.options.slow_call_duration_s < inf)
        self.row.append(outcome)
        if self.state == HALF_OPEN:
            self.probes.append(outcome)
            self.judge(now)
            return
        self.outcomes.append(outcome)
        reason = self.reason_to_trip(now)
        if self.state == CLOSED and reason:
            self.open(now, reason)
        elif self.state == RAMP and reason:
            self.step_back(now, reason)

    def judge(self, now: float) -> None:
        passed = sum(not probe.failed and not probe.slow for probe in self.probes)
        just_failed = self.probes[-1].failed or self.probes[-1].slow
        if passed >= self.options.success_threshold and not just_failed:
            self.recover(now, "probes_passed")
            return
        sample = max(self.options.half_open_calls, self.options.success_threshold)
        failed = sum(probe.failed for probe in self.probes) * 100.0 / sample
        slow = sum(probe.slow for probe in self.probes) * 100.0 / sample
        undecided = sample - len(self.probes)
        out_of_reach = passed + undecided < self.options.success_threshold
        too_many = (0 < self.options.failure_rate <= failed) or (
            self.options.slow_call_duration_s < inf and slow >= self.options.slow_call_rate
        )
        in_a_row = self.options.consecutive and self.in_a_row() >= self.options.consecutive
        if just_failed and (out_of_reach or too_many or in_a_row):
            self.open(now, "probes_failed")

    def carried(self, options: BreakerOptions) -> None:
        old, self.options = self.options, options
        if (old.kind, old.size) != (options.kind, options.size):
            self.outcomes = []
        ceiling = max(options.open_for_s, options.open_for_max_s)
        if self.state == HALF_OPEN and not options.half_open_timeout_s:
            self.give_up = inf
        if self.state == OPEN and not self.held:
            since = self.since_open
            self.open_until = min(self.open_until, since + ceiling)
        if self.state == RAMP:
            self.share = max(self.share, options.ramp_from) if options.ramp_for_s else 100.0

    since_open = 0.0

    def restart(self, age: float, now: float) -> None:
        """What a new process makes of what was written down `age` ago."""
        old = Reference(self.options, self.luck)
        old.__dict__.update(self.__dict__)
        self.__init__(self.options, self.luck)  # type: ignore[misc]
        if old.state == CLOSED or (old.state == self.rest() and not old.by_hand):
            return
        hand = old.state in (FORCED_OPEN, DISABLED, METRICS_ONLY)
        if self.rest() != CLOSED and not hand:
            return
        self.reopened = old.reopened
        until = old.open_until if old.state == OPEN else old.hold_until
        if old.state == OPEN and not old.held:
            longest = now - age + max(self.options.open_for_s, self.options.open_for_max_s)
            until = min(until, longest)
        if old.state in (FORCED_OPEN, DISABLED, METRICS_ONLY, OPEN) and until <= now:
            if old.state in (FORCED_OPEN, OPEN) and self.rest() == CLOSED:
                self.state = HALF_OPEN
            else:
                self.reopened = 0
            return
        self.state = old.state
        if old.state == OPEN:
            self.open_until, self.held, self.by_hand = until, old.held, old.held
        elif hand:
            self.hold_until, self.by_hand = until, True
        elif old.state == RAMP and self.options.ramp_for_s:
            self.step(max(old.share, self.options.ramp_from), now)
        elif old.state == RAMP:
            self.state = HALF_OPEN


class Pair:
    """A breaker and its reference, led through the same life."""

    def __init__(self, options: BreakerOptions) -> None:
        self.luck = 0.5
        self.real = Breaker(options, self.draw)
        self.handles = [self.real]
        self.reference = Reference(options, self.draw)
        self.permits: list[tuple[int, int]] = []  # (permit, generation)
        self.unwatched = 0
        self.now = 0.0
        self.log: list[tuple[int, int, str]] = []

    def draw(self) -> float:
        return self.luck

    def restart(self, age: float) -> None:
        """The process ends, with all of its calls, and another one begins `age` later."""
        saved = self.real.save(self.now)
        self.now += age
        self.real = Breaker(self.real.options, self.draw)
        if saved is not None:
            self.real.restore(saved, age, self.now)
        self.reference.restart(age, self.now)
        self.handles, self.permits, self.unwatched, self.log = [self.real], [], 0, []

    def handle(self, which: int) -> Breaker:
        """Return the breaker of the newest policy or of one before it: calls may hold either."""
        return self.handles[which % len(self.handles)]

    def timer(self) -> None:
        self.real.handle_timer(self.now)
        self.reference.timer(self.now)

    def admit(self, which: int) -> None:
        permit = self.handle(which).admit(self.now)
        answer = self.reference.admit(self.now)
        if answer == "rejected":
            assert permit == REJECTED
        elif answer == "unwatched":
            assert permit == UNWATCHED
            self.unwatched += 1
        else:
            assert permit > UNWATCHED
            self.permits.append((permit, self.reference.generation))

    def end(self, index: int, which: int, code: int, slow: bool) -> None:
        permit, generation = self.permits.pop(index % len(self.permits))
        self.handle(which).record(permit, code, SLOW_S if slow else SLOW_S / 2, self.now)
        self.reference.end(generation, code, slow, self.now)

    def release(self, index: int, which: int) -> None:
        permit, generation = self.permits.pop(index % len(self.permits))
        self.handle(which).release(permit, self.now)
        self.reference.end(generation, None, False, self.now)

    def end_unwatched(self, code: int) -> None:
        self.unwatched -= 1
        self.real.record(UNWATCHED, code, SLOW_S, self.now)

    def by_hand(self, hand: str) -> None:
        if hand in HELD:
            self.real.hold(HELD[hand], self.now, HOLD_S, "ada", "drill")
            self.reference.hold(HELD[hand], self.now, HOLD_S, "manual: ada: drill")
        elif hand == "follow":
            follows = self.reference.state in (OPEN, HALF_OPEN)
            assert self.real.follow_ramp(self.now, "sibling") == follows
            if follows:
                self.reference.recover(self.now, "sibling")
        elif hand == "trip":
            self.real.trip(self.now, reason="hand")
            self.reference.hold(FORCED_OPEN, self.now, inf, "hand")
        elif hand == "hold":
            self.real.trip(self.now, HOLD_S, "hand")
            self.reference.go(OPEN, "hand")
            self.reference.open_until = self.now + HOLD_S
            self.reference.held = self.reference.by_hand = True
        elif hand == "reset":
            self.real.reset(self.now, "hand")
            self.reference.go(self.reference.rest(), "hand")
        elif hand == "disable":
            self.real.disable(self.now, "hand")
            self.reference.hold(DISABLED, self.now, inf, "hand")
        else:
            self.real.metrics_only(self.now, "hand")
            self.reference.hold(METRICS_ONLY, self.now, inf, "hand")

    def change_policy(self, options: BreakerOptions) -> None:
        self.reference.since_open = self.real.since
        new = Breaker(options, self.draw)
        new.carry_over(self.real, self.now)
        self.real = new
        self.handles.append(new)
        self.reference.carried(options)

    def begin_probing(self) -> None:
        self.by_hand("hold")
        self.now += HOLD_S
        self.timer()

    def compare(self) -> None:
        """Check that all that can be seen of both is equal, and what holds in any state."""
        real, reference = self.real, self.reference
        assert real.state == reference.state
        snapshot = real.snapshot(self.now)
        window = reference.window(self.now)
        assert snapshot.calls == len(window)
        assert snapshot.failures == sum(outcome.failed for outcome in window)
        assert snapshot.slow == sum(outcome.slow for outcome in window)
        assert snapshot.consecutive == reference.in_a_row()
        assert snapshot.in_flight == len(self.permits) == len(reference.out)
        assert snapshot.probes_in_flight == reference.probes_out()
        passed = sum(not probe.failed and not probe.slow for probe in reference.probes)
        assert (snapshot.probes_passed, snapshot.probes_not_passed) == (
            passed,
            len(reference.probes) - passed,
        )
        assert (snapshot.rejected, snapshot.would_reject) == (reference.rejected, reference.would_reject)
        assert snapshot.opened_count == reference.opened
        assert snapshot.surplus_returns == 0
        expected = reference.open_until if reference.state == OPEN else inf
        expected = reference.give_up if reference.state == HALF_OPEN else expected
        expected = reference.step_end if reference.state == RAMP else expected
        if reference.state in (FORCED_OPEN, DISABLED, METRICS_ONLY):
            expected = reference.hold_until
        assert real.by_hand == reference.by_hand
        assert snapshot.ramp_share == reference.share
        assert real.next_deadline() == expected
        self.log += [
            (change.from_state, change.to_state, change.trigger) for change in real.take_transitions()
        ]
        assert self.log == reference.log
        if len(self.handles) == 1:
            assert real.probes_in_flight <= real.options.half_open_calls
        assert 0 <= real.probes_in_flight <= real.in_flight
        assert real.would_admit(self.now) or real.state in (OPEN, FORCED_OPEN, HALF_OPEN)
        assert (real.ramp_share > 0.0) == (real.state == RAMP)
        assert real.options.mode != SHADOW or real.rejected == 0


class BreakerModel(RuleBasedStateMachine):
    """Lives that hypothesis invents, and shrinks when they end badly."""

    @initialize(data=st.data(), mode=st.sampled_from(MODES), probing=st.booleans())
    def start(self, data: st.DataObject, mode: int, probing: bool) -> None:
        self.pair = Pair(tiny_options(lambda values: data.draw(st.sampled_from(values)), mode))
        if probing:
            self.pair.begin_probing()

    @rule(step=st.sampled_from(STEPS_S))
    def time_passes(self, step: float) -> None:
        self.pair.now += step

    @rule()
    def timer_fires(self) -> None:
        self.pair.timer()

    @rule(which=st.integers(0, 3))
    def call_arrives(self, which: int) -> None:
        self.pair.admit(which)

    @precondition(lambda self: self.pair.permits)
    @rule(index=st.integers(0, 9), which=st.integers(0, 3), code=st.sampled_from(CODES), slow=st.booleans())
    def call_ends(self, index: int, which: int, code: int, slow: bool) -> None:
        self.pair.end(index, which, code, slow)

    @precondition(lambda self: self.pair.permits)
    @rule(index=st.integers(0, 9), which=st.integers(0, 3))
    def attempt_never_starts(self, index: int, which: int) -> None:
        self.pair.release(index, which)

    @precondition(lambda self: self.pair.unwatched)
    @rule(code=st.sampled_from(CODES))
    def unwatched_call_ends(self, code: int) -> None:
        self.pair.end_unwatched(code)

    @rule(hand=st.sampled_from(HANDS))
    def a_hand_acts(self, hand: str) -> None:
        self.pair.by_hand(hand)

    @rule(luck=st.sampled_from(LUCK))
    def luck_changes(self, luck: float) -> None:
        self.pair.luck = luck

    @rule(age=st.sampled_from(STEPS_S))
    def process_restarts(self, age: float) -> None:
        self.pair.restart(age)

    @precondition(lambda self: len(self.pair.handles) < 4)
    @rule(data=st.data())
    def policy_changes(self, data: st.DataObject) -> None:
        mode = self.pair.real.options.mode
        self.pair.change_policy(tiny_options(lambda values: data.draw(st.sampled_from(values)), mode))

    @invariant()
    def both_show_the_same(self) -> None:
        if hasattr(self, "pair"):
            self.pair.compare()


BreakerModel.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestBreakerModel = BreakerModel.TestCase


@pytest.mark.parametrize("seed", range(60))
def test_long_lives_under_dense_traffic(seed: int) -> None:
    """Mostly calls, few hands: windows fill and probings end. Each seed is one set of options."""
    dice = Random(seed)
    pair = Pair(tiny_options(dice.choice, dice.choice(MODES)))
    if seed % 2:
        pair.begin_probing()
    codes = dice.choice((CODES, (*CODES, status.OK, status.OK, status.OK)))
    for _ in range(150):
        kind = dice.random()
        pair.luck = dice.choice(LUCK)
        if kind < 0.40:
            pair.admit(dice.randrange(4))
        elif kind < 0.75 and pair.permits:
            pair.end(dice.randrange(10), dice.randrange(4), dice.choice(codes), dice.random() < 0.3)
        elif kind < 0.80 and pair.permits:
            pair.release(dice.randrange(10), dice.randrange(4))
        elif kind < 0.85 and pair.unwatched:
            pair.end_unwatched(dice.choice(CODES))
        elif kind < 0.94:
            pair.now += dice.choice(STEPS_S)
        elif kind < 0.97:
            pair.timer()
        elif kind < 0.98:
            pair.by_hand(dice.choice(HANDS))
        elif kind < 0.99 and len(pair.handles) < 4:
            pair.change_policy(tiny_options(dice.choice, pair.real.options.mode))
        elif kind < 0.995:
            pair.restart(dice.choice(STEPS_S))
        pair.compare()
