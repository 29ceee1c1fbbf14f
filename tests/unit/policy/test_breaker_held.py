"""What people hold, for how long, and how breakers outlive their process."""

from __future__ import annotations

from math import inf

import pytest

from seawall_policy import status
from seawall_policy.breaker import (
    CLOSED,
    DISABLED,
    ENFORCE,
    FORCED_OPEN,
    HALF_OPEN,
    MAX_AGE_S,
    MAX_HISTORY,
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
    SavedBreaker,
)

OK = status.OK
BAD = status.UNAVAILABLE


def make(mode: int = ENFORCE, **more: object) -> Breaker:
    """Return a breaker that opens after two failures in a row."""
    options = BreakerOptions(consecutive=2, open_for_s=5.0, mode=mode, **more)  # type: ignore[arg-type]
    return Breaker(options, lambda: 0.5, "r")


def opened(breaker: Breaker, now: float) -> Breaker:
    """Fail until it is open."""
    for _ in range(2):
        breaker.record(breaker.admit(now), BAD, 0.01, now)
    assert breaker.state == OPEN
    return breaker


# -- holding


@pytest.mark.parametrize(
    ("state", "after"), [(FORCED_OPEN, HALF_OPEN), (DISABLED, CLOSED), (METRICS_ONLY, CLOSED)]
)
def test_what_is_held_ends_by_itself(state: int, after: int) -> None:
    """With an actor, a reason and a time; from open it probes, from the others it is closed."""
    breaker = make()
    breaker.hold(state, 10.0, 30.0, "ada", "drill")
    assert (breaker.state, breaker.trigger) == (state, "manual: ada: drill")
    assert (breaker.held_by, breaker.held_why, breaker.next_deadline()) == ("ada", "drill", 40.0)
    breaker.handle_timer(39.9)
    assert breaker.state == state
    breaker.handle_timer(40.0)
    assert (breaker.state, breaker.trigger) == (after, "hold_ended")
    assert (breaker.held_by, breaker.held_why, breaker.by_hand) == ("", "", False)


@pytest.mark.parametrize("state", [FORCED_OPEN, DISABLED, METRICS_ONLY])
def test_the_end_is_also_seen_by_the_next_call(state: int) -> None:
    """Without a timer the first call after the end finds the breaker at work."""
    breaker = make()
    breaker.hold(state, 0.0, 5.0)
    assert breaker.admit(5.0) == breaker.epoch
    assert breaker.state == (HALF_OPEN if state == FORCED_OPEN else CLOSED)


def test_a_rejected_caller_hears_when_the_hold_ends() -> None:
    """FORCED_OPEN for a time tells what is left, FORCED_OPEN for ever tells nothing."""
    breaker = make()
    breaker.hold(FORCED_OPEN, 0.0, 30.0)
    assert breaker.admit(10.0) == REJECTED
    assert breaker.retry_after(10.0) == 20.0
    breaker.hold(FORCED_OPEN, 10.0)
    assert breaker.retry_after(10.0) == inf


def test_holding_again_is_the_last_word() -> None:
    """Another actor, another time, and no second opening."""
    breaker = make()
    breaker.hold(FORCED_OPEN, 0.0, 30.0, "ada")
    breaker.hold(FORCED_OPEN, 10.0, 5.0, "bob", "over soon")
    assert (breaker.held_by, breaker.hold_until, breaker.trigger) == ("bob", 15.0, "manual: bob: over soon")
    assert (breaker.opened_count, len(breaker.history)) == (1, 1)


def test_reset_ends_a_hold() -> None:
    """It is closed, and nothing of the hold is left."""
    breaker = make()
    breaker.hold(DISABLED, 0.0, 30.0, "ada")
    breaker.reset(1.0)
    assert (breaker.state, breaker.by_hand, breaker.next_deadline()) == (CLOSED, False, inf)


@pytest.mark.parametrize(("state", "for_s"), [(CLOSED, 1.0), (OPEN, 1.0), (RAMP, 1.0), (DISABLED, 0.0)])
def test_what_cannot_be_held_is_refused(state: int, for_s: float) -> None:
    """Only three states are a person's, and only for a while."""
    with pytest.raises(ValueError, match="breaker: "):
        make().hold(state, 0.0, for_s)


def test_held_open_in_shadow_rejects_nobody() -> None:
    """Shadow means shadow, whoever opened it."""
    breaker = make(SHADOW)
    breaker.hold(FORCED_OPEN, 0.0, 5.0)
    assert breaker.admit(1.0) == UNWATCHED
    assert breaker.would_reject == 1


@pytest.mark.parametrize("state", [FORCED_OPEN, DISABLED, METRICS_ONLY])
def test_a_hold_survives_a_new_policy(state: int) -> None:
    """The policy is the machine's, the hold is a person's."""
    old = make()
    old.hold(state, 0.0, 30.0, "ada", "drill")
    new = make(OBSERVE_ONLY)
    new.carry_over(old, 1.0)
    assert (new.state, new.hold_until, new.held_by, new.held_why) == (state, 30.0, "ada", "drill")
    new.handle_timer(30.0)
    assert new.state == METRICS_ONLY, "what the policy wants of one that nothing has happened to"


# -- a policy that only watches


def test_metrics_only_as_a_mode_watches_and_never_acts() -> None:
    """It begins in METRICS_ONLY, counts what it would have rejected, and reset leaves it there."""
    breaker = make(OBSERVE_ONLY)
    assert breaker.state == METRICS_ONLY
    for _ in range(5):
        breaker.record(breaker.admit(0.0), BAD, 0.01, 0.0)
    assert (breaker.state, breaker.rejected, breaker.would_reject) == (METRICS_ONLY, 0, 3)
    breaker.reset(1.0)
    assert (breaker.state, breaker.window.calls, breaker.consecutive) == (METRICS_ONLY, 0, 0)


def test_metrics_only_keeps_its_window_under_a_policy_like_it_and_starts_fresh_under_another() -> None:
    """From watching to acting nothing is taken along."""
    old = make(OBSERVE_ONLY)
    old.record(old.admit(0.0), BAD, 0.01, 0.0)
    like = make(OBSERVE_ONLY)
    like.carry_over(old, 1.0)
    assert like.window.failures == 1
    acting = make()
    acting.carry_over(like, 2.0)
    assert (acting.state, acting.window.calls, acting.trigger) == (CLOSED, 0, "policy")


# -- over a restart


def test_plain_closed_is_not_worth_keeping() -> None:
    """Nor is one that is as its policy starts it."""
    assert make().save(1.0) is None
    assert make(OBSERVE_ONLY).save(1.0) is None
    assert make(OFF).save(1.0) is None
    watched = make(OBSERVE_ONLY)
    watched.hold(METRICS_ONLY, 0.0, 5.0)
    assert watched.save(1.0) is not None


def restored(saved: SavedBreaker | None, age: float, now: float = 1000.0, **more: object) -> Breaker:
    """Return a breaker of the next process, whose clock has nothing to do with the last one's."""
    breaker = make(**more)  # type: ignore[arg-type]
    assert saved is not None
    breaker.restore(saved, age, now)
    return breaker


def test_open_with_three_seconds_left_is_open_for_three_seconds() -> None:
    """Less what the restart took (resilience4j #2146, #419)."""
    saved = opened(make(), 0.0).save(2.0)
    breaker = restored(saved, 1.0)
    assert (breaker.state, breaker.open_until, breaker.since) == (OPEN, 1002.0, 997.0)
    assert (breaker.trigger, breaker.opened_count, breaker.take_transitions()) == ("consecutive", 0, [])
    assert [(c.to_state, c.trigger) for c in breaker.history] == [(OPEN, "restored: consecutive")]
    assert breaker.admit(1001.9) == REJECTED
    assert breaker.admit(1002.0) == breaker.epoch


def test_open_time_that_is_over_means_probing() -> None:
    """Nobody knows what has become of the upstream, so a few calls find out."""
    breaker = restored(opened(make(), 0.0).save(2.0), 3.0)
    assert breaker.state == HALF_OPEN


def test_a_clock_that_went_back_prolongs_nothing() -> None:
    """What was left is the most that there can be."""
    breaker = restored(opened(make(), 0.0).save(2.0), -86_400.0)
    assert breaker.open_until == 1003.0


def test_a_shorter_ceiling_of_the_new_policy_applies() -> None:
    """What was kept cannot hold longer than the policy allows now."""
    slow = make(open_multiplier=10.0, open_for_max_s=600.0)
    saved = opened(slow, 0.0).save(0.0)
    assert saved is not None
    saved.left_s = 500.0
    assert restored(saved, 0.0).open_until == 1060.0
    saved.held = True
    assert restored(saved, 0.0).open_until == 1500.0, "held for a sibling"


def test_failed_probings_count_on_after_a_restart() -> None:
    """The open time goes on growing where it was."""
    breaker = make(open_multiplier=2.0, half_open_calls=1, success_threshold=1)
    opened(breaker, 0.0)
    breaker.handle_timer(5.0)
    breaker.record(breaker.admit(5.0), BAD, 0.01, 5.0)
    assert breaker.open_until == 15.0
    after = restored(breaker.save(6.0), 9.0, open_multiplier=2.0, half_open_calls=1, success_threshold=1)
    after.handle_timer(1000.0)
    after.record(after.admit(1000.0), BAD, 0.01, 1000.0)
    assert after.open_until == 1020.0


def test_what_traffic_found_out_is_forgotten_after_an_hour_and_what_a_person_said_is_not() -> None:
    """Old news is no news; a hold has its own end."""
    saved = opened(make(), 0.0).save(1.0)
    assert saved is not None
    assert not make().restore(saved, MAX_AGE_S + 1.0, 0.0)
    held = make()
    held.hold(FORCED_OPEN, 0.0, 3 * MAX_AGE_S, "ada", "drill")
    breaker = restored(held.save(0.0), 2 * MAX_AGE_S)
    assert (breaker.state, breaker.hold_until, breaker.held_by) == (FORCED_OPEN, 1000.0 + MAX_AGE_S, "ada")


@pytest.mark.parametrize(
    ("state", "after"), [(FORCED_OPEN, HALF_OPEN), (DISABLED, CLOSED), (METRICS_ONLY, CLOSED)]
)
def test_a_hold_that_ended_meanwhile_is_over(state: int, after: int) -> None:
    """It goes on as it would have in the old process."""
    held = make()
    held.hold(state, 0.0, 10.0)
    assert restored(held.save(1.0), 60.0).state == after


def test_a_hold_for_ever_is_one_after_a_restart() -> None:
    """What a library user holds without an end stays held."""
    held = make()
    held.disable(0.0)
    breaker = restored(held.save(1.0), 60.0)
    assert (breaker.state, breaker.hold_until, breaker.by_hand) == (DISABLED, inf, True)


def test_half_open_and_ramp_go_on() -> None:
    """Probes are made anew; a ramp has the share that it had, or probes where there is none any more."""
    saved = SavedBreaker(HALF_OPEN, "cooled_down", 1.0)
    breaker = restored(saved, 1.0)
    assert (breaker.state, breaker.probes_in_flight) == (HALF_OPEN, 0)
    saved = SavedBreaker(RAMP, "probes_passed", 1.0, share=40.0)
    breaker = restored(saved, 1.0, ramp_for_s=4.0)
    assert (breaker.state, breaker.ramp_share, breaker.next_deadline()) == (RAMP, 40.0, 1001.0)
    assert restored(saved, 1.0).state == HALF_OPEN


@pytest.mark.parametrize("mode", [OBSERVE_ONLY, OFF])
def test_a_policy_that_does_not_act_takes_over_holds_only(mode: int) -> None:
    """An open breaker is no reason for one that never opens by itself."""
    assert not make(mode).restore(SavedBreaker(OPEN, "x", 1.0, 30.0), 0.0, 0.0)
    assert make(mode).restore(SavedBreaker(FORCED_OPEN, "x", 1.0, 30.0), 0.0, 0.0)
    assert not make(mode).restore(SavedBreaker(FORCED_OPEN, "x", 1.0, 30.0), 31.0, 0.0)


@pytest.mark.parametrize("state", [CLOSED, 7, -1])
def test_a_state_that_cannot_be_kept_is_ignored(state: int) -> None:
    """A file may say anything."""
    breaker = make()
    assert not breaker.restore(SavedBreaker(state, "x", 1.0, 30.0), 0.0, 0.0)
    assert breaker.state == CLOSED


# -- looking at it


def test_history_is_bounded() -> None:
    """The last transitions, the oldest first, taken or not."""
    breaker = make()
    for index in range(MAX_HISTORY):
        breaker.hold(FORCED_OPEN, float(index))
        breaker.reset(float(index))
    assert len(breaker.history) == MAX_HISTORY
    breaker.take_transitions()
    assert breaker.history[-1].to_state == CLOSED
    new = make()
    new.carry_over(breaker, 50.0)
    assert new.history[-1].at == MAX_HISTORY - 1


def test_next_probe_is_told_where_it_is_known() -> None:
    """Of an open breaker and of one that is held open for a time."""
    breaker = make()
    assert breaker.snapshot(0.0).next_probe() == inf
    opened(breaker, 0.0)
    assert breaker.snapshot(1.0).next_probe() == 5.0
    breaker.hold(FORCED_OPEN, 1.0, 30.0)
    assert breaker.snapshot(1.0).next_probe() == 31.0
    breaker.hold(FORCED_OPEN, 1.0)
    assert breaker.snapshot(1.0).next_probe() == inf


def test_would_admit_tells_what_admit_will_do() -> None:
    """Whoever chooses among breakers asks first, and asking changes nothing."""
    breaker = make(half_open_calls=1)
    assert breaker.would_admit(0.0)
    opened(breaker, 0.0)
    assert not breaker.would_admit(4.9)
    assert breaker.would_admit(5.0)
    assert breaker.state == OPEN
    breaker.admit(5.0)
    assert not breaker.would_admit(5.0), "its only probe is out"
    breaker.hold(FORCED_OPEN, 6.0, 4.0)
    assert not breaker.would_admit(9.9)
    assert breaker.would_admit(10.0)
    shadow = make(SHADOW)
    shadow.hold(FORCED_OPEN, 0.0)
    assert shadow.would_admit(0.0)
