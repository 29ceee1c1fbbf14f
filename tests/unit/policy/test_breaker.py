"""The breaker, rule by rule; the comparison with a naive reference is among the property tests."""

from __future__ import annotations

from itertools import pairwise
from math import inf, nan

import pytest

from seawall_policy import status
from seawall_policy.breaker import (
    CLOSED,
    DEFAULT_FAILURE_MASK,
    DISABLED,
    ENFORCE,
    FORCED_OPEN,
    HALF_OPEN,
    MAX_PENDING_TRANSITIONS,
    METRICS_ONLY,
    OFF,
    OPEN,
    REJECTED,
    SHADOW,
    UNWATCHED,
    Breaker,
    BreakerOptions,
    IllegalTransition,
    State,
    rules,
)

OK = status.OK
BAD = status.UNAVAILABLE


class Dice:
    """Draws that are known beforehand, and how many were taken."""

    def __init__(self, *draws: float) -> None:
        self.draws = list(draws)

    def __call__(self) -> float:
        return self.draws.pop(0)


def make(
    *,
    kind: str = "count",
    size: int = 10,
    min_calls: int = 4,
    failure_rate: float = 50.0,
    consecutive: int = 0,
    slow_call_duration_s: float = inf,
    slow_call_rate: float = 100.0,
    open_for_s: float = 5.0,
    open_for_max_s: float = 60.0,
    open_multiplier: float = 1.0,
    open_jitter: float = 0.0,
    half_open_calls: int = 2,
    success_threshold: int = 2,
    half_open_timeout_s: float = 0.0,
    failure_mask: int = DEFAULT_FAILURE_MASK,
    mode: int = ENFORCE,
    draw: Dice | None = None,
) -> Breaker:
    """Return a breaker with small numbers, two probes and no time limits."""
    options = BreakerOptions(
        kind=kind,
        size=size,
        min_calls=min_calls,
        failure_rate=failure_rate,
        consecutive=consecutive,
        slow_call_duration_s=slow_call_duration_s,
        slow_call_rate=slow_call_rate,
        open_for_s=open_for_s,
        open_for_max_s=open_for_max_s,
        open_multiplier=open_multiplier,
        open_jitter=open_jitter,
        half_open_calls=half_open_calls,
        success_threshold=success_threshold,
        half_open_timeout_s=half_open_timeout_s,
        failure_mask=failure_mask,
        mode=mode,
    )
    return Breaker(options, draw or Dice())


def call(breaker: Breaker, code: int, now: float = 0.0, duration_s: float = 0.01) -> None:
    """One call from permit to result."""
    permit = breaker.admit(now)
    assert permit != REJECTED
    breaker.record(permit, code, duration_s, now)


def opened(breaker: Breaker, now: float = 0.0) -> Breaker:
    """Fail until it opens."""
    for _ in range(100):
        if breaker.state == OPEN:
            return breaker
        call(breaker, BAD, now)
    raise AssertionError("did not open")


# -- the table


def test_every_state_and_signal_is_either_in_the_table_or_refused() -> None:
    """The whole product of states and signals; a refused signal changes nothing."""
    by_itself = {
        ("CLOSED", "TRIP"): "OPEN",
        ("OPEN", "COOLED_DOWN"): "HALF_OPEN",
        ("HALF_OPEN", "PROBES_PASSED"): "CLOSED",
        ("HALF_OPEN", "PROBES_FAILED"): "OPEN",
        ("HALF_OPEN", "PROBES_TIMED_OUT"): "OPEN",
        ("HALF_OPEN", "RECOVERING"): "RAMP",
        ("OPEN", "RECOVERING"): "RAMP",
        ("RAMP", "RAMPED_UP"): "CLOSED",
        ("RAMP", "RAMP_FAILED"): "OPEN",
        ("FORCED_OPEN", "HOLD_ENDED"): "HALF_OPEN",
        ("DISABLED", "HOLD_ENDED"): "CLOSED",
        ("METRICS_ONLY", "HOLD_ENDED"): "CLOSED",
    }
    by_hand = {
        "HOLD_OPEN": "OPEN",
        "FORCE_OPEN": "FORCED_OPEN",
        "RESET": "CLOSED",
        "DISABLE": "DISABLED",
        "OBSERVE": "METRICS_ONLY",
    }
    for state, state_name in enumerate(rules.STATE_NAMES):
        for signal, signal_name in enumerate(rules.SIGNAL_NAMES):
            breaker = make()
            breaker.state = state
            epoch = breaker.epoch
            expected = by_hand.get(signal_name) or by_itself.get((state_name, signal_name))
            if expected is None:
                assert (state, signal) not in rules.TRANSITIONS
                with pytest.raises(IllegalTransition, match=f"{signal_name} in state {state_name}"):
                    breaker._move(signal, 1.0, "test")
                assert (breaker.state, breaker.epoch, breaker.take_transitions()) == (state, epoch, [])
            else:
                breaker._move(signal, 1.0, "test")
                assert rules.STATE_NAMES[breaker.state] == expected
                assert breaker.epoch == epoch + 1


def test_states_have_the_numbers_of_resilience4j() -> None:
    """Dashboards depend on them."""
    assert [(state.name, state.value) for state in State] == [
        ("CLOSED", 0),
        ("OPEN", 1),
        ("HALF_OPEN", 2),
        ("DISABLED", 3),
        ("FORCED_OPEN", 4),
        ("METRICS_ONLY", 5),
        ("RAMP", 6),
    ]
    assert [state.name for state in State] == list(rules.STATE_NAMES)
    plain = [
        rules.CLOSED,
        rules.OPEN,
        rules.HALF_OPEN,
        rules.DISABLED,
        rules.FORCED_OPEN,
        rules.METRICS_ONLY,
        rules.RAMP,
    ]
    assert plain == [state.value for state in State]


# -- CLOSED


def test_failure_rate_trips_at_its_threshold() -> None:
    """Two of four at 50 % is enough; the transition says what was seen."""
    breaker = make()
    for code in (OK, OK, BAD):
        call(breaker, code, 1.0)
    assert breaker.state == CLOSED
    call(breaker, BAD, 2.0)
    assert breaker.state == OPEN
    (change,) = breaker.take_transitions()
    assert (change.from_state, change.to_state, change.at, change.trigger) == (
        CLOSED,
        OPEN,
        2.0,
        "failure_rate",
    )
    assert (change.calls, change.failures, change.slow) == (4, 2, 0)
    assert "CLOSED -> OPEN at 2.0: failure_rate, calls=4 failures=2 slow=0" in repr(change)
    assert breaker.take_transitions() == [] and not breaker.has_transitions()


def test_just_under_the_threshold_does_not_trip() -> None:
    """One of three is 33.3 %, and 34 % is more."""
    breaker = make(failure_rate=34.0, min_calls=3)
    for code in (OK, OK, BAD):
        call(breaker, code)
    assert breaker.state == CLOSED


def test_few_calls_prove_nothing() -> None:
    """Below min_calls no rate trips, and the snapshot shows none."""
    breaker = make(min_calls=4)
    for _ in range(3):
        call(breaker, BAD)
    assert breaker.state == CLOSED
    assert breaker.snapshot().failure_rate == -1.0
    call(breaker, OK)
    assert breaker.state == OPEN


def test_full_count_window_is_enough_when_it_is_smaller_than_min_calls() -> None:
    """Otherwise such a breaker could never trip."""
    breaker = make(size=2, min_calls=20)
    call(breaker, BAD)
    assert breaker.state == CLOSED
    call(breaker, BAD)
    assert breaker.state == OPEN


def test_time_window_needs_min_calls_however_short_it_is() -> None:
    """Its size is seconds, not calls."""
    breaker = make(kind="time", size=2, min_calls=4)
    for _ in range(3):
        call(breaker, BAD)
    assert breaker.state == CLOSED
    call(breaker, BAD)
    assert breaker.state == OPEN


def test_time_window_forgets_old_failures() -> None:
    """Failures before the window do not add up with those in it."""
    breaker = make(kind="time", size=2, min_calls=4)
    for now in (0.0, 0.0, 2.0, 2.0, 4.0):
        call(breaker, BAD, now)
    assert breaker.state == CLOSED
    assert breaker.snapshot(4.0).calls == 1
    assert breaker.snapshot(6.0).calls == 0


def test_failures_in_a_row_trip_without_waiting_for_min_calls() -> None:
    """And are the reason that is recorded even when the rate is reached as well."""
    breaker = make(consecutive=3, min_calls=3)
    call(breaker, BAD)
    call(breaker, BAD)
    assert breaker.state == CLOSED
    call(breaker, BAD)
    assert [change.trigger for change in breaker.take_transitions()] == ["consecutive"]


def test_success_ends_the_row_and_an_ignored_code_does_not() -> None:
    """NOT_FOUND says nothing about the service's health."""
    breaker = make(consecutive=2, failure_rate=0.0)
    for code in (BAD, OK, BAD):
        call(breaker, code)
    assert breaker.state == CLOSED
    call(breaker, status.NOT_FOUND)
    assert breaker.snapshot().consecutive == 1
    call(breaker, BAD)
    assert breaker.state == OPEN


def test_resource_exhausted_counts_for_the_rate_and_never_for_the_row() -> None:
    """It neither continues nor ends a row of failures."""
    breaker = make(consecutive=2, failure_rate=0.0)
    for code in (BAD, status.RESOURCE_EXHAUSTED, status.RESOURCE_EXHAUSTED, status.RESOURCE_EXHAUSTED):
        call(breaker, code)
    assert breaker.state == CLOSED
    assert breaker.snapshot().failures == 4
    call(breaker, BAD)
    assert breaker.state == OPEN
    by_rate = make()
    for _ in range(4):
        call(by_rate, status.RESOURCE_EXHAUSTED)
    assert [change.trigger for change in by_rate.take_transitions()] == ["failure_rate"]


@pytest.mark.parametrize("code", range(17))
def test_default_failure_codes(code: int) -> None:
    """Six codes fail, OK succeeds, the others are no outcome at all."""
    failing = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "DATA_LOSS", "UNKNOWN", "RESOURCE_EXHAUSTED"}
    breaker = make()
    call(breaker, code, duration_s=100.0)
    snapshot = breaker.snapshot()
    name = status.NAMES[code]
    assert snapshot.failures == (1 if name in failing else 0)
    assert snapshot.calls == (1 if name in failing or name == "OK" else 0)
    assert snapshot.in_flight == 0


@pytest.mark.parametrize("code", [-1, 17, 999])
def test_code_out_of_range_is_taken_for_unknown(code: int) -> None:
    """A number that gRPC does not define is a failure like UNKNOWN."""
    breaker = make()
    call(breaker, code)
    assert breaker.snapshot().failures == 1


def test_ok_is_a_success_even_if_the_mask_names_it() -> None:
    """A mask cannot turn success into failure."""
    breaker = make(failure_mask=0x1FFFF)
    call(breaker, OK)
    assert (breaker.snapshot().calls, breaker.snapshot().failures) == (1, 0)


def test_slow_calls_trip_by_their_own_rate() -> None:
    """As slow as the duration is slow; successes and failures alike."""
    breaker = make(slow_call_duration_s=1.0, slow_call_rate=75.0, failure_rate=0.0)
    call(breaker, OK, duration_s=0.999)
    call(breaker, OK, duration_s=1.0)
    call(breaker, BAD, duration_s=2.0)
    assert breaker.state == CLOSED
    call(breaker, OK, duration_s=1.0)
    (change,) = breaker.take_transitions()
    assert (change.trigger, change.calls, change.failures, change.slow) == ("slow_call_rate", 4, 1, 3)


def test_rate_of_zero_is_off() -> None:
    """Neither failures nor slow calls trip then."""
    breaker = make(failure_rate=0.0, slow_call_rate=0.0, slow_call_duration_s=0.5)
    for _ in range(20):
        call(breaker, BAD, duration_s=9.0)
    assert breaker.state == CLOSED


# -- OPEN


def test_open_rejects_until_its_time_is_up() -> None:
    """And says how long that is."""
    breaker = opened(make(), now=100.0)
    assert breaker.admit(100.0) == REJECTED
    assert breaker.admit(104.999) == REJECTED
    assert breaker.rejected == 2
    assert breaker.retry_after(101.5) == 3.5
    assert breaker.retry_after(200.0) == 0.0
    assert breaker.admit(105.0) >= 0
    assert breaker.state == HALF_OPEN


def test_open_breaker_without_traffic_moves_on_by_its_timer() -> None:
    """resilience4j issue 347: one that only looks at the clock when a call comes stays OPEN on dashboards."""
    breaker = opened(make(), now=100.0)
    assert breaker.next_deadline() == 105.0
    breaker.handle_timer(104.9)
    assert breaker.state == OPEN
    breaker.handle_timer(105.0)
    assert breaker.state == HALF_OPEN
    assert breaker.next_deadline() == inf
    assert [change.trigger for change in breaker.take_transitions()] == ["failure_rate", "cooled_down"]


def test_closed_breaker_needs_no_timer() -> None:
    """A timer that fires all the same does nothing."""
    breaker = make()
    assert breaker.next_deadline() == inf
    breaker.handle_timer(1e9)
    assert breaker.state == CLOSED and breaker.retry_after(0.0) == 0.0


def test_time_in_open_grows_with_each_failed_probing_up_to_the_ceiling() -> None:
    """Base x multiplier^n, and the base again after it has been closed."""
    breaker = opened(make(open_for_s=1.0, open_multiplier=3.0, open_for_max_s=10.0, success_threshold=1))
    waits = []
    now = 0.0
    for _ in range(5):
        waits.append(breaker.open_until - now)
        now = breaker.open_until
        call(breaker, BAD, now)
    assert waits == [1.0, 3.0, 9.0, 10.0, 10.0]
    now = breaker.open_until
    call(breaker, OK, now)
    assert breaker.state == CLOSED
    opened(breaker, now)
    assert breaker.open_until - now == 1.0


def test_time_in_open_is_constant_by_default() -> None:
    """Multiplier 1."""
    breaker = opened(make())
    call(breaker, BAD, 5.0)
    assert breaker.state == OPEN and breaker.open_until == 10.0


@pytest.mark.parametrize(("draw", "wait"), [(0.0, 2.0), (0.25, 3.0), (0.5, 4.0), (0.999999, 5.0)])
def test_jitter_spreads_the_time_in_open_within_the_ceiling(draw: float, wait: float) -> None:
    """Half less to half more, and never above the ceiling."""
    breaker = opened(make(open_for_s=4.0, open_for_max_s=5.0, open_jitter=0.5, draw=Dice(draw)))
    assert breaker.open_until == pytest.approx(wait)


def test_ceiling_below_the_base_is_the_base() -> None:
    """A policy that only sets open_for: 5m gets five minutes."""
    assert opened(make(open_for_s=300.0)).open_until == 300.0


def test_time_in_open_saturates_before_it_overflows() -> None:
    """After a thousand failed probings it is still the ceiling."""
    breaker = opened(make(open_multiplier=1e9, open_for_max_s=1e9))
    for _ in range(1000):
        now = breaker.open_until
        call(breaker, BAD, now)
        assert breaker.open_until - now <= 1e9
    assert breaker.state == OPEN


# -- HALF_OPEN


def half_open(breaker: Breaker, now: float = 5.0) -> Breaker:
    """Fail until it opens, then let it cool down."""
    opened(breaker)
    breaker.handle_timer(now)
    assert breaker.state == HALF_OPEN
    breaker.take_transitions()
    return breaker


def test_no_more_than_the_allowed_probes_are_in_flight_while_the_first_hang() -> None:
    """Polly 216, opossum 119: a hanging first probe must not let everything through."""
    breaker = half_open(make(half_open_calls=2))
    permits = [breaker.admit(5.0) for _ in range(50)]
    assert [permit >= 0 for permit in permits] == [True, True] + [False] * 48
    assert breaker.probes_in_flight == 2 and breaker.rejected == 48
    assert breaker.retry_after(5.0) == 5.0
    assert breaker.admit(5000.0) == REJECTED
    breaker.record(permits[0], OK, 0.1, 6.0)
    assert breaker.retry_after(6.0) == 0.0
    assert breaker.admit(6.0) >= 0
    assert breaker.admit(6.0) == REJECTED


def test_probe_that_never_started_gives_its_place_back() -> None:
    """Sentinel 1638: a probe blocked by a later rule must not leave the breaker half open for ever."""
    breaker = half_open(make(half_open_calls=1, success_threshold=1))
    for _ in range(10):
        permit = breaker.admit(5.0)
        assert permit >= 0
        breaker.release(permit, 5.0)
    call(breaker, OK, 6.0)
    assert breaker.state == CLOSED


def test_probe_with_an_ignored_code_gives_its_place_back_and_decides_nothing() -> None:
    """The caller's mistake says nothing about recovery."""
    breaker = half_open(make(half_open_calls=1, success_threshold=1))
    for _ in range(10):
        call(breaker, status.INVALID_ARGUMENT, 5.0)
    assert (breaker.state, breaker.probes_passed, breaker.probes_not_passed) == (HALF_OPEN, 0, 0)


def test_enough_passed_probes_close_it() -> None:
    """And the window starts empty."""
    breaker = half_open(make(half_open_calls=5, success_threshold=3))
    call(breaker, OK, 5.0)
    call(breaker, BAD, 5.0)
    call(breaker, OK, 5.0)
    assert breaker.state == HALF_OPEN
    call(breaker, OK, 5.5)
    assert breaker.state == CLOSED
    (change,) = breaker.take_transitions()
    assert (change.trigger, change.calls, change.failures, change.at) == ("probes_passed", 4, 1, 5.5)
    assert breaker.snapshot().calls == 0


def test_threshold_above_the_cap_is_reached_with_places_that_come_back() -> None:
    """One probe at a time, three successes."""
    breaker = half_open(make(half_open_calls=1, success_threshold=3))
    call(breaker, OK, 5.0)
    call(breaker, OK, 5.0)
    assert breaker.state == HALF_OPEN
    call(breaker, OK, 5.0)
    assert breaker.state == CLOSED


@pytest.mark.parametrize(
    ("calls", "threshold", "rate", "failures"),
    [
        (1, 1, 50.0, 1),  # the only probe
        (1, 3, 100.0, 1),  # three of three needed
        (5, 3, 100.0, 3),  # three of five needed, so three failures make it impossible
        (5, 3, 40.0, 2),  # two of five are 40 %
        (5, 3, 41.0, 3),
        (5, 1, 100.0, 5),
        (4, 1, 50.0, 2),
        (4, 1, 0.0, 4),  # no rate: only the threshold decides
    ],
)
def test_it_opens_again_as_soon_as_that_is_certain(
    calls: int, threshold: int, rate: float, failures: int
) -> None:
    """The failed share of the sample is reached, or success is out of reach."""
    breaker = make(half_open_calls=calls, success_threshold=threshold, failure_rate=rate)
    breaker.trip(0.0, 5.0)
    breaker.handle_timer(5.0)
    breaker.take_transitions()
    for _ in range(failures - 1):
        call(breaker, BAD, 5.0)
        assert breaker.state == HALF_OPEN
    call(breaker, BAD, 5.0)
    assert breaker.state == OPEN
    assert [change.trigger for change in breaker.take_transitions()] == ["probes_failed"]


def test_failures_in_a_row_among_probes_open_it() -> None:
    """The row is counted from the first probe; RESOURCE_EXHAUSTED fails a probe and is not in the row."""
    breaker = half_open(
        make(half_open_calls=9, success_threshold=1, failure_rate=100.0, consecutive=2, min_calls=1)
    )
    call(breaker, BAD, 5.0)
    call(breaker, status.RESOURCE_EXHAUSTED, 5.0)
    assert breaker.state == HALF_OPEN
    assert breaker.probes_not_passed == 2
    call(breaker, BAD, 5.0)
    assert breaker.state == OPEN


def test_slow_probe_does_not_pass() -> None:
    """A breaker that slow calls opened is not closed by slow successes."""
    breaker = half_open(
        make(slow_call_duration_s=1.0, half_open_calls=2, success_threshold=1, slow_call_rate=100.0)
    )
    call(breaker, OK, 5.0, duration_s=1.0)
    assert (breaker.state, breaker.probes_passed) == (HALF_OPEN, 0)
    call(breaker, OK, 5.0, duration_s=1.0)
    (change,) = breaker.take_transitions()
    assert (change.to_state, change.calls, change.failures, change.slow) == (OPEN, 2, 0, 2)


def test_slow_share_of_the_sample_opens_it_before_success_is_out_of_reach() -> None:
    """Two of four are 50 %."""
    breaker = half_open(
        make(slow_call_duration_s=1.0, half_open_calls=4, success_threshold=1, slow_call_rate=50.0)
    )
    call(breaker, OK, 5.0, duration_s=1.0)
    assert breaker.state == HALF_OPEN
    call(breaker, OK, 5.0, duration_s=1.0)
    assert breaker.state == OPEN


def test_hanging_probes_are_given_up_after_the_timeout() -> None:
    """Counted from the first probe, because the want of traffic is no reason to open."""
    breaker = half_open(make(half_open_timeout_s=2.0), now=5.0)
    assert breaker.next_deadline() == inf
    breaker.handle_timer(100.0)
    assert breaker.state == HALF_OPEN
    hanging = breaker.admit(100.0)
    breaker.admit(101.0)
    assert breaker.next_deadline() == 102.0
    breaker.handle_timer(101.9)
    assert breaker.state == HALF_OPEN
    breaker.handle_timer(102.0)
    assert breaker.state == OPEN
    assert breaker.take_transitions()[0].trigger == "probe_timeout"
    breaker.record(hanging, OK, 9.0, 103.0)
    assert breaker.state == OPEN


def test_timeout_of_probes_is_also_seen_by_the_next_call() -> None:
    """If the timer comes late."""
    breaker = half_open(make(half_open_timeout_s=2.0, half_open_calls=1))
    breaker.admit(10.0)
    assert breaker.admit(11.9) == REJECTED
    assert breaker.state == HALF_OPEN
    assert breaker.admit(12.0) == REJECTED
    assert breaker.state == OPEN


# -- permits and epochs


def test_straggler_from_closed_does_not_close_a_half_open_breaker() -> None:
    """Polly 217: only probes decide."""
    breaker = make(half_open_calls=1, success_threshold=1)
    early = [breaker.admit(0.0) for _ in range(3)]
    half_open(breaker)
    breaker.record(early[0], OK, 5.0, 5.0)
    breaker.record(early[1], BAD, 5.0, 5.0)
    breaker.release(early[2], 5.0)
    assert breaker.state == HALF_OPEN
    assert (breaker.in_flight, breaker.probes_in_flight) == (0, 0)
    assert breaker.admit(5.0) >= 0
    assert breaker.admit(5.0) == REJECTED


def test_straggler_from_an_earlier_probing_does_not_free_a_place() -> None:
    """Its place went with its epoch."""
    breaker = half_open(make(half_open_calls=2, success_threshold=2))
    slow_probe = breaker.admit(5.0)
    call(breaker, BAD, 5.0)
    assert breaker.state == OPEN
    breaker.handle_timer(10.0)
    first, second = breaker.admit(10.0), breaker.admit(10.0)
    assert first == second != slow_probe
    breaker.record(slow_probe, OK, 5.0, 10.0)
    assert breaker.admit(10.0) == REJECTED
    assert (breaker.probes_in_flight, breaker.in_flight, breaker.probes_passed) == (2, 2, 0)


def test_permit_returned_twice_is_counted_and_ignored() -> None:
    """The counts of calls in flight stay true."""
    breaker = make()
    permit = breaker.admit(0.0)
    breaker.record(permit, BAD, 0.1, 0.0)
    breaker.record(permit, BAD, 0.1, 0.0)
    breaker.release(permit, 0.0)
    assert breaker.surplus_returns == 2
    assert (breaker.in_flight, breaker.snapshot().calls) == (0, 1)


def test_probe_returned_twice_does_not_free_a_second_place() -> None:
    """Even while another call is still out."""
    breaker = make(half_open_calls=1, success_threshold=5, failure_rate=100.0)
    straggler = breaker.admit(0.0)
    half_open(breaker)
    probe = breaker.admit(5.0)
    breaker.release(probe, 5.0)
    breaker.release(probe, 5.0)
    assert (breaker.surplus_returns, breaker.probes_in_flight, breaker.in_flight) == (1, 0, 1)
    breaker.record(straggler, OK, 5.0, 5.0)
    assert breaker.in_flight == 0


def test_rejection_is_no_permit() -> None:
    """Returning it, or an unwatched permit, changes nothing."""
    breaker = opened(make())
    breaker.record(REJECTED, BAD, 0.1, 0.0)
    breaker.release(UNWATCHED, 0.0)
    assert (breaker.surplus_returns, breaker.in_flight) == (0, 0)


# -- by hand


def test_forced_open_stays_until_reset() -> None:
    """No timer, no probe; nobody knows when to come back."""
    breaker = make()
    permit = breaker.admit(0.0)
    breaker.trip(1.0, reason="incident 7")
    assert breaker.state == FORCED_OPEN
    assert breaker.admit(1e9) == REJECTED
    assert breaker.retry_after(2.0) == inf and breaker.next_deadline() == inf
    breaker.record(permit, OK, 1.0, 2.0)
    breaker.reset(3.0)
    assert breaker.state == CLOSED and breaker.admit(3.0) >= 0
    changes = breaker.take_transitions()
    assert [(change.to_state, change.trigger) for change in changes] == [
        (FORCED_OPEN, "incident 7"),
        (CLOSED, "reset"),
    ]
    assert breaker.opened_count == 1


@pytest.mark.parametrize("for_s", [0.0, -1.0, inf, nan])
def test_trip_without_a_time_is_for_ever(for_s: float) -> None:
    """Zero and infinity both mean until reset."""
    breaker = make()
    breaker.trip(0.0, for_s)
    assert breaker.state == FORCED_OPEN


def test_trip_for_a_time_then_probes() -> None:
    """Also how another worker's opening is taken over; tripping again sets the time anew."""
    breaker = make(success_threshold=1)
    breaker.trip(0.0, 30.0, "sibling")
    assert (breaker.state, breaker.next_deadline()) == (OPEN, 30.0)
    breaker.trip(10.0, 30.0)
    assert breaker.next_deadline() == 40.0
    assert (breaker.opened_count, len(breaker.take_transitions())) == (1, 1)
    call(breaker, OK, 40.0)
    assert breaker.state == CLOSED


def test_reset_forgets_the_window_and_the_row() -> None:
    """A closed breaker starts anew too, and calls in flight at that moment teach nothing."""
    breaker = make(consecutive=3, open_multiplier=2.0)
    permit = breaker.admit(0.0)
    call(breaker, BAD)
    call(breaker, BAD)
    breaker.reset(0.0)
    breaker.record(permit, BAD, 0.1, 0.0)
    call(breaker, BAD)
    call(breaker, BAD)
    assert breaker.state == CLOSED
    assert (breaker.snapshot().calls, breaker.in_flight, breaker.take_transitions()) == (2, 0, [])


def test_disabled_watches_nothing() -> None:
    """Every call passes with the unwatched permit."""
    breaker = opened(make())
    breaker.disable(1.0)
    for _ in range(10):
        permit = breaker.admit(1.0)
        assert permit == UNWATCHED
        breaker.record(permit, BAD, 0.1, 1.0)
    assert (breaker.state, breaker.in_flight, breaker.snapshot().calls) == (DISABLED, 0, 0)
    assert breaker.retry_after(1.0) == 0.0


def test_metrics_only_counts_what_it_would_have_rejected() -> None:
    """And never changes state by itself."""
    breaker = make(kind="time", size=2)
    breaker.metrics_only(0.0)
    for _ in range(4):
        call(breaker, BAD)
    assert breaker.would_reject == 0
    for _ in range(3):
        call(breaker, BAD)
    assert (breaker.state, breaker.would_reject, breaker.rejected) == (METRICS_ONLY, 3, 0)
    assert breaker.snapshot().failures == 7
    call(breaker, OK, 10.0)
    assert breaker.would_reject == 3


# -- modes


def test_shadow_moves_through_the_states_and_rejects_nobody() -> None:
    """Calls that enforcement would have rejected pass unwatched and are counted."""
    breaker = opened(make(mode=SHADOW, half_open_calls=1, success_threshold=1))
    for _ in range(3):
        assert breaker.admit(1.0) == UNWATCHED
    assert (breaker.would_reject, breaker.rejected, breaker.retry_after(1.0)) == (3, 0, 0.0)
    probe = breaker.admit(5.0)
    assert breaker.state == HALF_OPEN and probe > UNWATCHED
    beside = breaker.admit(5.0)
    assert beside == UNWATCHED and breaker.would_reject == 4
    breaker.record(beside, BAD, 0.1, 5.0)
    assert breaker.state == HALF_OPEN
    breaker.record(probe, OK, 0.1, 5.0)
    assert breaker.state == CLOSED


def test_forced_open_in_shadow_rejects_nobody() -> None:
    """Shadow is a promise."""
    breaker = make(mode=SHADOW)
    breaker.trip(0.0)
    assert breaker.admit(0.0) == UNWATCHED and breaker.would_reject == 1


def test_off_is_disabled_and_a_hand_can_still_open_it() -> None:
    """It returns to DISABLED by reset or when the time is up, never to watching."""
    breaker = make(mode=OFF)
    assert breaker.state == DISABLED and breaker.admit(0.0) == UNWATCHED
    breaker.trip(0.0)
    assert breaker.admit(0.0) == REJECTED
    breaker.reset(1.0)
    assert breaker.state == DISABLED
    breaker.trip(2.0, 10.0)
    assert breaker.admit(11.9) == REJECTED
    assert breaker.admit(12.0) == UNWATCHED
    assert breaker.state == DISABLED
    assert breaker.take_transitions()[-1].trigger == "hold_ended"


# -- transitions kept for the reader


def test_transitions_that_nobody_takes_are_bounded_and_counted() -> None:
    """The newest stay."""
    breaker = make()
    for i in range(MAX_PENDING_TRANSITIONS):
        breaker.trip(float(i))
        breaker.reset(float(i))
    assert breaker.transitions_dropped == MAX_PENDING_TRANSITIONS
    kept = breaker.take_transitions()
    assert len(kept) == MAX_PENDING_TRANSITIONS
    assert kept[-1].at == MAX_PENDING_TRANSITIONS - 1.0
    assert all(earlier.to_state == later.from_state for earlier, later in pairwise(kept))


def test_snapshot_shows_what_opened_it() -> None:
    """The window stays readable while the breaker is open."""
    snapshot = opened(make(), now=3.0).snapshot()
    assert (snapshot.state, snapshot.since, snapshot.trigger, snapshot.open_until) == (
        OPEN,
        3.0,
        "failure_rate",
        8.0,
    )
    assert (snapshot.calls, snapshot.failures, snapshot.failure_rate, snapshot.slow_rate) == (
        4,
        4,
        100.0,
        0.0,
    )
    assert (snapshot.opened_count, snapshot.in_flight, snapshot.rejected) == (1, 0, 0)


# -- a new policy for the same key


def test_open_breaker_stays_open_under_a_new_policy() -> None:
    """With its counters, its permits and what nobody has read yet."""
    old = make()
    straggler = old.admit(0.0)
    opened(old)
    old.admit(1.0)
    new = make(min_calls=9, open_for_s=50.0)
    new.carry_over(old, 2.0)
    assert (new.state, new.open_until, new.rejected, new.opened_count) == (OPEN, 5.0, 1, 1)
    assert new.in_flight == 1
    old.record(straggler, OK, 1.0, 2.0)
    assert new.in_flight == 0
    assert [change.trigger for change in new.take_transitions()] == ["failure_rate"]
    assert old.take_transitions() == []


def test_shorter_ceiling_applies_to_the_breaker_that_is_open_now() -> None:
    """Unless a hand holds it open."""
    for held in (False, True):
        old = make(open_for_s=600.0)
        if held:
            old.trip(10.0, 600.0)
        else:
            opened(old, 10.0)
        new = make(open_for_s=1.0, open_for_max_s=2.0)
        new.carry_over(old)
        assert new.open_until == (610.0 if held else 12.0)


@pytest.mark.parametrize(("size", "kept"), [(10, 3), (11, 0)])
def test_window_is_kept_when_its_shape_is_unchanged(size: int, kept: int) -> None:
    """Three failures before the change count with the next one, or not."""
    old = make(size=10, min_calls=4)
    for _ in range(3):
        call(old, BAD)
    new = make(size=size, min_calls=4)
    new.carry_over(old)
    assert new.snapshot().calls == kept
    call(new, BAD)
    assert new.state == (OPEN if kept else CLOSED)


def test_calls_holding_an_older_policy_reach_the_newest_breaker() -> None:
    """Over several changes: what they are admitted to and what they report is one state."""
    first = make(half_open_calls=1, success_threshold=1)
    half_open(first)
    probe = first.admit(5.0)
    second = make(half_open_calls=1, success_threshold=1)
    second.carry_over(first)
    third = make(half_open_calls=1, success_threshold=1)
    third.carry_over(second)
    assert third.admit(5.0) == REJECTED
    assert first.admit(5.0) == REJECTED
    assert third.rejected == 2
    assert first.retry_after(5.0) == third.retry_after(5.0) == 5.0
    first.release(probe, 5.0)
    again = second.admit(5.0)
    assert again == third.epoch
    second.record(again, OK, 0.1, 5.0)
    assert third.state == CLOSED
    assert first.has_transitions()
    assert [change.trigger for change in first.take_transitions()] == ["probes_passed"]
    assert not third.has_transitions()


def test_breaker_hands_over_once() -> None:
    """A second heir would split the state."""
    old, new = make(), make()
    new.carry_over(old)
    with pytest.raises(ValueError, match="already handed over"):
        make().carry_over(old)
    with pytest.raises(ValueError, match="already handed over"):
        new.carry_over(new)


def test_policy_that_says_off_disables_and_the_way_back_starts_fresh() -> None:
    """Both changes are transitions that say why."""
    old = opened(make())
    permit = opened(make()).epoch
    off = make(mode=OFF)
    off.carry_over(old, 7.0)
    assert (off.state, off.since) == (DISABLED, 7.0)
    old.record(permit, BAD, 0.1, 7.0)
    on = make()
    on.carry_over(off, 8.0)
    assert (on.state, on.since, on.snapshot().calls) == (CLOSED, 8.0, 0)
    assert [change.trigger for change in on.take_transitions()] == ["failure_rate", "policy", "policy"]


def test_what_a_hand_has_done_survives_a_new_policy() -> None:
    """Forced open stays forced open even when the policy is off; disabled by hand stays disabled."""
    forced = make(mode=OFF)
    forced.trip(0.0)
    still_off = make(mode=OFF)
    still_off.carry_over(forced, 1.0)
    assert still_off.state == FORCED_OPEN
    enforcing = make()
    enforcing.carry_over(still_off, 2.0)
    assert enforcing.state == FORCED_OPEN
    enforcing.disable(3.0)
    last = make()
    last.carry_over(enforcing, 4.0)
    assert last.state == DISABLED


def test_probe_timeout_follows_the_new_policy() -> None:
    """A policy without one does not inherit it."""
    old = half_open(make(half_open_timeout_s=2.0))
    old.admit(5.0)
    kept, dropped = make(half_open_timeout_s=3.0), make()
    kept.carry_over(old)
    assert kept.next_deadline() == 7.0
    dropped.carry_over(kept)
    assert dropped.next_deadline() == inf


def test_failed_probings_count_under_the_new_policy() -> None:
    """The next opening grows from the new base, as often as it has failed, within the new ceiling."""
    old = half_open(
        make(open_for_s=1.0, open_multiplier=8.0, half_open_calls=1, success_threshold=1), now=1.0
    )
    new = make(
        open_for_s=0.5, open_multiplier=4.0, open_for_max_s=4.0, half_open_calls=1, success_threshold=1
    )
    new.carry_over(old)
    call(new, BAD, 1.0)
    assert (new.state, new.open_until) == (OPEN, 3.0)


def test_probes_from_before_a_policy_change_count_and_a_failed_one_never_closes() -> None:
    """Two passed are more than the new policy asks for; the next result decides, by what it is."""
    for code, state in ((OK, CLOSED), (BAD, OPEN)):
        old = half_open(make(half_open_calls=3, success_threshold=3, failure_rate=100.0))
        call(old, OK, 5.0)
        call(old, OK, 5.0)
        new = make(half_open_calls=1, success_threshold=1)
        new.carry_over(old)
        assert (new.state, new.probes_passed) == (HALF_OPEN, 2)
        call(new, code, 5.0)
        assert new.state == state


def test_new_policy_that_is_still_off_changes_nothing() -> None:
    """No transition where the state is the same."""
    old, new = make(mode=OFF), make(mode=OFF)
    new.carry_over(old, 5.0)
    assert (new.state, new.since, new.take_transitions()) == (DISABLED, 0.0, [])


# -- options


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "calls"),
        ("size", 0),
        ("min_calls", 0),
        ("failure_rate", -0.1),
        ("failure_rate", 100.1),
        ("failure_rate", nan),
        ("consecutive", -1),
        ("slow_call_duration_s", 0.0),
        ("slow_call_rate", 100.1),
        ("open_for_s", 0.0),
        ("open_for_s", inf),
        ("open_for_max_s", nan),
        ("open_multiplier", 0.9),
        ("open_jitter", 1.1),
        ("half_open_calls", 0),
        ("success_threshold", 0),
        ("half_open_timeout_s", -1.0),
        ("mode", 0),
    ],
)
def test_option_that_makes_no_sense_is_refused_by_name(field: str, value: object) -> None:
    """The message names the field and what it may be."""
    with pytest.raises(ValueError, match=f"breaker: {field} must be"):
        make(**{field: value})  # type: ignore[arg-type]


def test_defaults_are_those_of_the_documentation() -> None:
    """A policy that says nothing about breakers gets these."""
    options = BreakerOptions()
    assert (options.kind, options.size, options.min_calls, options.failure_rate) == ("count", 100, 20, 50.0)
    assert (options.consecutive, options.slow_call_duration_s, options.slow_call_rate) == (0, inf, 100.0)
    assert (options.open_for_s, options.open_for_max_s, options.open_multiplier) == (5.0, 60.0, 1.0)
    assert (options.half_open_calls, options.success_threshold, options.half_open_timeout_s) == (5, 3, 30.0)
    assert options.mode == ENFORCE
