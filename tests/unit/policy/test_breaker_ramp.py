"""The way back to all calls: shares that double, halve, and how it ends."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_policy.breaker import (
    CLOSED,
    HALF_OPEN,
    OPEN,
    RAMP,
    REJECTED,
    SHADOW,
    UNWATCHED,
    Breaker,
    BreakerOptions,
)
from seawall_policy.breaker.options import ramp_steps

OK = status.OK
BAD = status.UNAVAILABLE


class Dice:
    """Gives what it was told last."""

    def __init__(self) -> None:
        self.value = 0.0

    def __call__(self) -> float:
        return self.value


def ramping(dice: Dice, now: float = 0.0, **more: object) -> Breaker:
    """Return a breaker whose probe has just passed: four steps of one second from 10 %."""
    options: dict[str, object] = {
        "size": 10,
        "min_calls": 4,
        "half_open_calls": 1,
        "success_threshold": 1,
        "half_open_timeout_s": 0.0,
        "open_for_s": 5.0,
        "open_multiplier": 2.0,
        "ramp_for_s": 4.0,
        **more,
    }
    breaker = Breaker(BreakerOptions(**options), dice, "r")  # type: ignore[arg-type]
    breaker.trip(now - 1.0, 1.0)
    breaker.handle_timer(now)
    breaker.record(breaker.admit(now), OK, 0.01, now)
    assert breaker.state == RAMP
    breaker.take_transitions()
    return breaker


def call(breaker: Breaker, code: int, now: float) -> None:
    """One call that is let in."""
    permit = breaker.admit(now)
    assert permit > UNWATCHED
    breaker.record(permit, code, 0.01, now)


@pytest.mark.parametrize(
    ("first", "steps"), [(10.0, 4), (50.0, 1), (100.0, 1), (1.0, 7), (60.0, 1), (25.0, 2)]
)
def test_a_ramp_that_goes_well_lasts_its_duration(first: float, steps: int) -> None:
    """The steps are as many as there are doublings, and share the time evenly."""
    assert ramp_steps(first) == steps
    breaker = ramping(Dice(), ramp_from=first, ramp_for_s=6.0)
    shares = [breaker.ramp_share]
    for step in range(1, steps):
        breaker.handle_timer(step * 6.0 / steps)
        shares.append(breaker.ramp_share)
    assert shares == [first * 2**step for step in range(steps)]
    breaker.handle_timer(5.9)
    assert breaker.state == RAMP
    breaker.handle_timer(6.0)
    assert (breaker.state, breaker.trigger, breaker.ramp_share) == (CLOSED, "ramped_up", 0.0)


def test_each_call_draws() -> None:
    """A share of 10 % lets in what draws below 0.1, and rejects the rest with a short wait."""
    dice = Dice()
    breaker = ramping(dice)
    dice.value = 0.0999
    assert breaker.admit(0.1) == breaker.epoch
    dice.value = 0.1
    assert breaker.admit(0.1) == REJECTED
    assert breaker.rejected == 1
    assert breaker.retry_after(0.5) == 0.5
    assert ramping(dice, ramp_for_s=400.0).retry_after(0.5) == 1.0, "short, however long the step is"


def test_a_failed_step_halves_instead_of_snapping_open() -> None:
    """The share steps back, in a new window; below where it began the breaker opens (resilience4j #985)."""
    breaker = ramping(Dice())
    breaker.handle_timer(1.0)
    breaker.handle_timer(2.0)
    assert breaker.ramp_share == 40.0
    for _ in range(4):
        call(breaker, BAD, 2.5)
    assert (breaker.state, breaker.ramp_share, breaker.window.calls) == (RAMP, 20.0, 0)
    assert breaker.next_deadline() == 3.5
    for _ in range(4):
        call(breaker, BAD, 2.5)
    assert breaker.ramp_share == 10.0
    for _ in range(4):
        call(breaker, BAD, 2.5)
    assert (breaker.state, breaker.trigger) == (OPEN, "failure_rate")
    assert breaker.open_until == 2.5 + 5.0


def test_the_open_time_grows_when_ramps_fail() -> None:
    """A failed ramp counts like a failed probing."""
    breaker = ramping(Dice())
    waits = []
    now = 0.0
    for _ in range(3):
        for _ in range(4):
            call(breaker, BAD, now)
        assert breaker.state == OPEN
        waits.append(breaker.open_until - now)
        now = breaker.open_until
        breaker.handle_timer(now)
        call(breaker, OK, now)
        assert breaker.state == RAMP
    assert waits == [5.0, 10.0, 20.0]


def test_calls_that_failed_with_a_step_are_not_held_against_the_next() -> None:
    """A burst that fails together halves the share once."""
    breaker = ramping(Dice())
    breaker.handle_timer(1.0)
    breaker.handle_timer(2.0)
    permits = [breaker.admit(2.1) for _ in range(20)]
    for permit in permits:
        breaker.record(permit, BAD, 0.1, 2.2)
    assert (breaker.state, breaker.ramp_share) == (RAMP, 20.0)
    assert breaker.in_flight == 0


def test_few_results_decide_at_the_end_of_a_step() -> None:
    """One failure of one call is no reason in the middle of a step, and enough at its end."""
    breaker = ramping(Dice())
    breaker.handle_timer(1.0)
    call(breaker, BAD, 1.5)
    assert breaker.ramp_share == 20.0
    breaker.handle_timer(2.0)
    assert breaker.ramp_share == 10.0
    assert breaker.next_deadline() == 3.0


def test_a_step_without_an_answer_is_repeated() -> None:
    """An upstream that hangs is not given twice as many calls; one that is not asked is."""
    breaker = ramping(Dice())
    permit = breaker.admit(0.5)
    breaker.handle_timer(1.0)
    assert breaker.ramp_share == 10.0
    breaker.handle_timer(2.0)
    assert breaker.ramp_share == 20.0, "nobody was let in, so nobody hangs"
    breaker.record(permit, OK, 2.0, 2.5)
    assert breaker.window.calls == 1, "an answer of an earlier step counts"


def test_an_answer_that_is_ignored_is_an_answer() -> None:
    """A route whose calls all end with NOT_FOUND is heard from."""
    breaker = ramping(Dice())
    call(breaker, status.NOT_FOUND, 0.5)
    breaker.handle_timer(1.0)
    assert breaker.ramp_share == 20.0


def test_an_attempt_that_never_started_is_none() -> None:
    """Released permits say nothing: refused streams are no sign of health."""
    breaker = ramping(Dice())
    breaker.release(breaker.admit(0.5), 0.6)
    breaker.handle_timer(1.0)
    assert breaker.ramp_share == 10.0


def test_a_ramp_without_traffic_ends_by_itself() -> None:
    """Several steps that have passed unnoticed are made up for at once (resilience4j #347)."""
    breaker = ramping(Dice())
    breaker.handle_timer(2.5)
    assert breaker.ramp_share == 40.0
    assert breaker.next_deadline() == 3.0
    assert breaker.admit(9.0) == breaker.epoch
    assert breaker.state == CLOSED


def test_in_shadow_a_ramp_lets_everything_in() -> None:
    """What it would have rejected is counted."""
    dice = Dice()
    breaker = ramping(dice, mode=SHADOW)
    dice.value = 0.5
    assert breaker.admit(0.1) == UNWATCHED
    assert (breaker.rejected, breaker.would_reject) == (0, 1)
    assert breaker.retry_after(0.1) == 0.0


def test_a_sibling_s_probes_begin_the_ramp() -> None:
    """One that is open or probes follows; one that is closed has nothing to follow."""
    breaker = ramping(Dice())
    assert not breaker.follow_ramp(1.0, "sibling: probes_passed")
    breaker.trip(1.0, 5.0, "sibling")
    assert breaker.follow_ramp(2.0, "sibling: probes_passed")
    assert (breaker.state, breaker.ramp_share) == (RAMP, 10.0)
    plain = Breaker(BreakerOptions(), Dice())
    plain.trip(0.0, 5.0)
    assert plain.follow_ramp(1.0, "sibling")
    assert plain.state == CLOSED


def test_a_policy_without_a_ramp_ends_it_with_the_step() -> None:
    """The step that runs is the last one: it closes, or opens."""
    for code, state in ((OK, CLOSED), (BAD, OPEN)):
        old = ramping(Dice())
        new = Breaker(BreakerOptions(size=10, min_calls=4), Dice())
        new.carry_over(old, 0.5)
        assert (new.state, new.ramp_share, new.next_deadline()) == (RAMP, 100.0, 1.0)
        call(new, code, 0.7)
        new.handle_timer(1.0)
        assert new.state == state


def test_history_shows_the_way_back() -> None:
    """HALF_OPEN, RAMP and CLOSED, each with what was looked at."""
    breaker = ramping(Dice())
    call(breaker, OK, 3.2)
    breaker.handle_timer(4.0)
    assert [(c.from_state, c.to_state, c.trigger) for c in breaker.history] == [
        (CLOSED, OPEN, "manual"),
        (OPEN, HALF_OPEN, "cooled_down"),
        (HALF_OPEN, RAMP, "probes_passed"),
        (RAMP, CLOSED, "ramped_up"),
    ]
