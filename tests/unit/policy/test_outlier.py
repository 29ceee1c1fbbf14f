"""Outlier detection, part by part: what is slow, what is too much, who goes and who comes back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from random import Random
from statistics import median

import pytest

from seawall_policy import status
from seawall_policy.outlier import sequential
from seawall_policy.outlier.detector import OutlierDetector
from seawall_policy.outlier.options import (
    OFF,
    SHADOW,
    LatencyOptions,
    OutlierOptions,
    RateOptions,
    ShareOptions,
)
from seawall_policy.outlier.rates import above_the_threshold, below_the_mean
from seawall_policy.outlier.standing import EJECTED, RETURNED, SPARED, ejection_s
from seawall_policy.outlier.tally import IN, LOCAL, OUT, OUT_OF_TIME, STATUS, TRIAL, TRIAL_CALLS, Tally
from seawall_policy.outlier.times import BUCKETS, ENDS, KEPT, Times, bucket_of, slow_from

QUIET = LatencyOptions(mode=OFF)
DEAF = ShareOptions(min_calls=100_000)


def detector(
    options: OutlierOptions, names: str = "abc", draw: Callable[[], float] = lambda: 0.5
) -> tuple[OutlierDetector, list[Tally]]:
    """Return a detector with endpoints of one letter each."""
    made = OutlierDetector(options, draw, 0.0)
    tallies = [made.add(index, name, 0.0) for index, name in enumerate(names)]
    made.wake(0.0)
    return made, tallies


def one(made: OutlierDetector, tally: Tally, now: float, code: int = 0, took: float = 0.0) -> None:
    """Let an attempt end at `now`."""
    tally.began(now - took)
    tally.answered(now - took, now)
    if tally.ended(now - took, code, STATUS, now):
        made.look_at(tally, now)


def told(made: OutlierDetector) -> list[tuple[int, str, str]]:
    """Take the verdicts."""
    taken = [(verdict.kind, verdict.address, verdict.reason) for verdict in made.verdicts]
    made.verdicts.clear()
    return taken


# ------------------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    "make",
    [
        lambda: OutlierOptions(mode=0),
        lambda: OutlierOptions(interval_s=0.0),
        lambda: OutlierOptions(ejection_s=-1.0),
        lambda: OutlierOptions(max_ejection_s=0.0),
        lambda: OutlierOptions(consecutive=-1),
        lambda: OutlierOptions(jitter=1.5),
        lambda: OutlierOptions(max_ejected=1.5),
        lambda: RateOptions(0.0, 5),
        lambda: RateOptions(1.9, 0),
        lambda: RateOptions(1.9, 5, 0),
        lambda: RateOptions(1.9, 5, 1, 1.5),
        lambda: ShareOptions(share=1.0),
        lambda: ShareOptions(min_calls=0),
        lambda: ShareOptions(enforcement=-0.5),
        lambda: LatencyOptions(mad_factor=0.0),
        lambda: LatencyOptions(share=0.0),
        lambda: LatencyOptions(min_ratio=0.5),
        lambda: LatencyOptions(silence_s=0.0),
        lambda: LatencyOptions(mode=9),
    ],
)
def test_out_of_range(make: Callable[[], object]) -> None:
    """Constructors refuse what makes no sense."""
    with pytest.raises(ValueError, match="outlier"):
        make()


@pytest.mark.parametrize(
    ("members", "share", "most"),
    [(1, 0.5, 0), (2, 0.1, 1), (3, 0.5, 1), (4, 0.5, 2), (10, 0.1, 1), (4, 1.0, 3)],
)
def test_how_many_may_be_out(members: int, share: float, most: int) -> None:
    """One always may be, the last one never."""
    assert OutlierOptions(max_ejected=share).most_out(members) == most


@pytest.mark.parametrize(
    ("times", "expected"),
    [(1, 5.0), (2, 10.0), (3, 15.0), (59, 295.0), (60, 300.0), (61, 300.0), (1000, 300.0)],
)
def test_durations_of_ejections(times: int, expected: float) -> None:
    """The n-th lasts n times as long, up to the ceiling (envoy #26758, #37602), and up to a tenth longer."""
    options = OutlierOptions()
    assert ejection_s(times, options, 0.0) == pytest.approx(expected)
    assert ejection_s(times, options, 0.999) == pytest.approx(expected * 1.0999)


def test_a_first_ejection_may_be_longer_than_the_ceiling() -> None:
    """Then it is the ceiling."""
    assert ejection_s(3, OutlierOptions(ejection_s=10.0, max_ejection_s=2.0, jitter=0.0), 0.5) == 10.0


# ------------------------------------------------------------------------------------ times


def test_buckets_hold_what_they_say() -> None:
    """A time is in the first bucket whose end is not below it."""
    for seconds in (0.0, 0.00005, 0.0001, 0.00011, 0.0071, 1.0, 37.0, 1e9):
        bucket = bucket_of(seconds)
        assert bucket == BUCKETS - 1 or seconds <= ENDS[bucket] * (1 + 1e-9)
        assert bucket == 0 or seconds > ENDS[bucket - 1] * (1 - 1e-9)


def test_slow_is_far_from_the_middle() -> None:
    """Each of the three distances must be passed; they are measured in buckets, a fifth wide."""
    dice = Random(5)
    seen = [dice.gauss(0.05, 0.01) for _ in range(999)]
    times = Times()
    for seconds in seen:
        times.add(seconds)
    middle = median(seen)
    spread = median([abs(seconds - middle) for seconds in seen])
    wide = LatencyOptions(mad_factor=6.0, min_ratio=1.0, min_excess_s=0.0)
    assert slow_from(times.counts, times.total, wide) == pytest.approx(middle + 6 * spread, rel=0.5)
    ratio = LatencyOptions(mad_factor=0.001, min_ratio=4.0, min_excess_s=0.0)
    assert slow_from(times.counts, times.total, ratio) == pytest.approx(4 * middle, rel=0.2)
    excess = LatencyOptions(mad_factor=0.001, min_ratio=1.0, min_excess_s=1.0)
    assert slow_from(times.counts, times.total, excess) == pytest.approx(middle + 1.0, rel=0.02)
    assert slow_from(times.counts, 4, LatencyOptions(min_calls=5)) == inf


def test_half_is_forgotten_once_there_is_enough() -> None:
    """A service with little traffic is remembered for longer."""
    times = Times()
    for _ in range(KEPT - 1):
        times.add(0.01)
    times.fade()
    assert times.total == KEPT - 1
    times.add(0.01)
    times.fade()
    assert times.total == KEPT // 2
    assert sum(times.counts) == times.total


# ------------------------------------------------------------------------------------ the sequential test


def test_four_bad_ones_in_a_row_are_enough_beside_none() -> None:
    """And three are not."""
    others = sequential.share_of(0, 200)
    assert sequential.moved(0.0, 3, 0, 0.3, others) < sequential.THRESHOLD
    assert sequential.moved(0.0, 4, 0, 0.3, others) >= sequential.THRESHOLD


def test_the_score_never_falls_below_nothing() -> None:
    """Long peace is no credit."""
    assert sequential.moved(0.0, 0, 1000, 0.3, 0.01) == 0.0


@pytest.mark.parametrize("others", [0.02, 0.1, 0.3, 0.6, 0.99])
def test_being_as_bad_as_the_others_is_nothing(others: float) -> None:
    """The expected step of an endpoint like the others is downwards, whatever they are like."""
    bad = round(1000 * others)
    assert sequential.moved(0.0, bad, 1000 - bad, 0.3, others) == 0.0


def test_where_the_others_are_bad_it_takes_more() -> None:
    """Three times what they are is looked for: a third more than a fifth may be the calls."""
    assert sequential.moved(0.0, 350, 650, 0.3, 0.2) == 0.0
    assert sequential.moved(0.0, 600, 400, 0.3, 0.2) > sequential.THRESHOLD


@pytest.mark.parametrize("share", [0.12, 0.2, 0.5, 1.0])
def test_a_share_above_a_third_of_what_is_looked_for_is_found(share: float) -> None:
    """Sooner or later."""
    bad = round(1000 * share)
    assert sequential.moved(0.0, bad, 1000 - bad, 0.3, sequential.LEAST_SHARE) > sequential.THRESHOLD


# ------------------------------------------------------------------------------------ gRFC A50


def test_below_the_mean() -> None:
    """Population standard deviation of those with enough calls, as in gRFC A50."""
    options = RateOptions(1.9, 5, 10)
    assert below_the_mean([100, 100, 100, 100, 50], [0, 0, 0, 0, 50], options) == [4]
    assert below_the_mean([100, 100, 100, 100, 100], [0, 0, 0, 0, 0], options) == []
    assert below_the_mean([100, 100, 100, 5, 5], [0, 0, 0, 0, 4], options) == []
    # Four endpoints: nobody can be 1.9 away.
    assert below_the_mean([100, 100, 100, 0], [0, 0, 0, 100], RateOptions(1.9, 3, 10)) == []


def test_above_the_threshold() -> None:
    """Above, not at; the worst first; only when enough endpoints have enough calls."""
    options = RateOptions(0.85, 3, 20)
    assert above_the_threshold([3, 2, 100], [17, 18, 0], options) == [1]
    assert above_the_threshold([2, 0, 100], [18, 20, 0], options) == [1, 0]
    assert above_the_threshold([2, 0, 10], [18, 20, 0], options) == []


def test_rates_are_compared_once_in_an_interval() -> None:
    """With draws for `enforcement`; what is not enforced is counted with its reason."""
    for draw, kind, why in ((0.2, EJECTED, ""), (0.7, SPARED, "enforcement_percentage")):
        options = OutlierOptions(
            consecutive=0,
            failure_percentage=RateOptions(0.5, 2, 5, enforcement=0.5),
            failure_share=DEAF,
            latency=QUIET,
            jitter=0.0,
        )
        made, tallies = detector(options, draw=partial(float, draw))
        for _ in range(6):
            one(made, tallies[0], 0.5, code=status.INTERNAL)
            one(made, tallies[1], 0.5)
        made.look(0.9)
        assert not made.verdicts
        made.look(1.0)
        assert [(v.kind, v.address, v.why) for v in made.verdicts] == [(kind, "a", why)]


def test_the_success_rate_ejects() -> None:
    """The algorithm is in use where it is asked for."""
    options = OutlierOptions(
        consecutive=0, success_rate=RateOptions(1.9, 5, 10), failure_share=DEAF, latency=QUIET
    )
    made, tallies = detector(options, "abcde")
    for number in range(20):
        for tally in tallies:
            one(made, tally, 0.5, code=2 if tally.address == "c" and number % 2 else 0)
    made.look(1.0)
    assert told(made) == [(EJECTED, "c", "success_rate")]


# ------------------------------------------------------------------------------------ tallies


def test_overdue_counts_none_too_many() -> None:
    """However attempts begin and end, those that are said to be overdue are; and once it counts them all."""
    dice = Random(11)
    options = OutlierOptions()
    made, tallies = detector(options)
    tally = tallies[0]
    tally.limit_s = 0.03
    waiting: list[float] = []
    now = 0.0
    for _ in range(3000):
        now += dice.expovariate(200)
        if dice.random() < 0.5:
            tally.began(now)
            waiting.append(now)
        elif waiting:
            started = waiting.pop(dice.randrange(len(waiting)) if dice.random() < 0.3 else 0)
            if dice.random() < 0.8:
                tally.answered(started, now)
            else:
                tally.gave_up(started, now)
        if dice.random() < 0.1:
            assert tally.overdue(now) <= sum(1 for started in waiting if now - started > tally.limit_s)
        assert 0 <= tally.late <= max(tally.waiting, tally.late)
        assert tally.waiting == len(waiting)
    tally.overdue(now + 0.1)
    assert tally.overdue(now + 0.2) == len(waiting)
    assert made.asleep is False


def test_a_deadline_that_nobody_could_keep_does_not_count() -> None:
    """DEADLINE_EXCEEDED is the endpoint's only where the others need less time; then it is."""
    _, tallies = detector(OutlierOptions(failure_share=DEAF))
    tally = tallies[0]
    tally.limit_s = 0.1
    for how in (STATUS, OUT_OF_TIME):
        assert not tally.ended(1.0, status.DEADLINE_EXCEEDED, how, 1.05)
    assert tally.failed == 0
    tally.ended(1.0, status.DEADLINE_EXCEEDED, OUT_OF_TIME, 1.2)
    assert tally.failed == 1


def test_stragglers_teach_nothing() -> None:
    """Attempts from before an ejection do not count after it, nor while it lasts."""
    made, tallies = detector(OutlierOptions(consecutive=2, jitter=0.0, latency=QUIET, failure_share=DEAF))
    tally = tallies[0]
    tally.began(0.05)
    one(made, tally, 0.1, code=14)
    one(made, tally, 0.1, code=14)
    assert tally.state == OUT
    assert not tally.ended(0.05, 14, STATUS, 0.2)
    made.look(5.2)
    assert tally.state == TRIAL
    tally.answered(0.05, 5.3)
    assert not tally.ended(0.05, 14, STATUS, 5.3)
    assert (tally.failed_run, tally.waiting, tally.failed) == (0, 0, 0)


def test_what_is_lost_at_one_moment_counts_once() -> None:
    """One connection is one failure, whatever was on it."""
    made, tallies = detector(OutlierOptions(consecutive_local=2, latency=QUIET))
    for _ in range(10):
        assert not tallies[0].ended(0.5, 14, LOCAL, 1.0)
    assert tallies[0].ended(0.5, 14, LOCAL, 1.1)
    made.look_at(tallies[0], 1.1)
    assert told(made) == [(EJECTED, "a", "consecutive_local")]


# ------------------------------------------------------------------------------------ ejections


def out(made: OutlierDetector, tally: Tally, now: float, times: int = 5, friend: Tally | None = None) -> None:
    """Let so many attempts in a row fail, and each time one of a friend go well."""
    for number in range(times):
        at = now + number * 1e-4
        one(made, tally, at, code=14)
        if friend is not None:
            one(made, friend, at + 5e-5)


BARE = OutlierOptions(jitter=0.0, latency=QUIET, failure_share=DEAF)


def test_no_more_are_out_than_may_be() -> None:
    """Half of four are two; a third stays and is counted with the reason."""
    made, tallies = detector(BARE, "abcd")
    for number, tally in enumerate(tallies[:3]):
        out(made, tally, 1.0 + number / 10, friend=tallies[3])
    assert made.out() == 2
    assert made.verdicts[-1].why == "max_ejection_overflow"


def test_the_last_reachable_one_stays() -> None:
    """It makes no difference whether the others are ejected or away."""
    made, tallies = detector(BARE, "ab")
    tallies[1].reachable = False
    out(made, tallies[0], 1.0)
    assert tallies[0].state == IN
    assert told(made) == [(SPARED, "a", "consecutive")]


def test_failures_of_all_are_nobodys() -> None:
    """As long as no other endpoint has done well since, a run of failures ejects nobody."""
    made, tallies = detector(BARE)
    one(made, tallies[1], 0.9)
    for number in range(20):
        for tally in tallies:
            one(made, tally, 1.0 + number / 100, code=14)
    assert not made.verdicts
    for number in range(10):
        one(made, tallies[1], 2.0 + number / 10)
        one(made, tallies[0], 2.05 + number / 10, code=14)
    assert told(made) == [(EJECTED, "a", "consecutive")]


def test_what_began_before_a_common_failure_is_no_excuse_for_one() -> None:
    """One elsewhere that began earlier and ends well does not say that the others are well."""
    made, tallies = detector(BARE)
    for started in (0.98, 0.99):
        tallies[1].began(started)
    for number in range(5):
        tallies[0].began(1.0)
        at = 1.001 + number / 1000
        if number in (1, 2):
            tallies[1].answered(0.97 + number / 100, at)
            tallies[1].ended(0.97 + number / 100, 0, STATUS, at)
        tallies[0].answered(1.0, at)
        if tallies[0].ended(1.0, 14, STATUS, at):
            made.look_at(tallies[0], at)
    assert tallies[0].failed_run == 5
    assert not made.verdicts


def test_on_trial() -> None:
    """One attempt at first, more with each two that go well, all after eight; one bad one ends it."""
    made, tallies = detector(OutlierOptions(jitter=0.0, latency=QUIET))
    out(made, tallies[0], 0.3, friend=tallies[1])
    assert (tallies[0].state, tallies[0].room()) == (OUT, 1)
    made.look(5.31)
    rooms = []
    for _ in range(TRIAL_CALLS):
        rooms.append(tallies[0].room())
        one(made, tallies[0], 5.4)
    assert rooms == [1, 1, 2, 2, 3, 3, 4, 4]
    assert tallies[0].state == IN
    made, tallies = detector(OutlierOptions(jitter=0.0, latency=QUIET))
    out(made, tallies[0], 0.3)
    for number in range(200):
        one(made, tallies[1], 5.1 + number / 1000)
    made.look(5.31)
    told(made)
    tallies[0].began(5.315)
    for number in range(20):
        one(made, tallies[1], 5.32 + number / 1000)
    tallies[0].answered(5.315, 5.35)
    assert tallies[0].ended(5.315, 13, STATUS, 5.35)
    made.look_at(tallies[0], 5.35)
    assert told(made) == [(EJECTED, "a", "failure_share")]
    assert tallies[0].until == pytest.approx(15.35)


def test_a_trial_without_attempts_ends_too() -> None:
    """After five seconds."""
    made, tallies = detector(BARE)
    out(made, tallies[0], 1.0)
    made.look(6.1)
    assert tallies[0].state == TRIAL
    made.look(11.2)
    assert tallies[0].state == IN


def test_peace_shrinks_what_ejections_have_grown() -> None:
    """Each interval without anything bad takes one off, also those without any call."""
    made, tallies = detector(BARE)
    tallies[0].times_out = 5
    made.look(1.0)
    assert tallies[0].times_out == 4
    one(made, tallies[0], 1.5, code=14)
    made.look(2.0)
    assert tallies[0].times_out == 4
    made.look(3.0)
    made.look(9.0)
    assert made.asleep
    left = tallies[0].times_out
    made.wake(20.0)
    assert tallies[0].times_out == 0 < left


def test_another_configuration_keeps_the_phase_and_the_state() -> None:
    """What has passed of an interval counts for the new one."""
    made, tallies = detector(OutlierOptions(interval_s=10.0, jitter=0.0, latency=QUIET, failure_share=DEAF))
    out(made, tallies[0], 3.0)
    tallies[1].times_out = 1
    made.configure(OutlierOptions(interval_s=5.0, jitter=0.0, latency=QUIET, failure_share=DEAF), 4.0)
    assert tallies[0].state == OUT
    made.look(4.9)
    assert tallies[1].times_out == 1
    made.look(5.0)
    assert tallies[1].times_out == 0


def test_off_lets_everybody_back() -> None:
    """And says so."""
    made, tallies = detector(BARE)
    out(made, tallies[0], 1.0)
    told(made)
    made.release_all(2.0)
    assert tallies[0].state == IN
    assert [(v.kind, v.why) for v in made.verdicts] == [(RETURNED, "policy")]


def test_shadow_goes_through_the_motions() -> None:
    """The whole state machine runs, and every ejection is one that was spared."""
    made, tallies = detector(OutlierOptions(mode=SHADOW, jitter=0.0, latency=QUIET, failure_share=DEAF))
    out(made, tallies[0], 1.0, times=12)
    assert told(made) == [(SPARED, "a", "consecutive")]
    made.look(6.1)
    assert told(made) == []
    assert tallies[0].state == TRIAL


def test_a_sibling_is_followed_within_the_cap() -> None:
    """What another worker ejected is ejected until the same moment, if one more may be out."""
    made, tallies = detector(BARE)
    made.follow(tallies[0], 7.0, 1.0)
    made.follow(tallies[1], 7.0, 1.0)
    made.follow(tallies[2], 0.5, 1.0)
    assert [tally.state for tally in tallies] == [OUT, IN, IN]
    assert tallies[0].until == 7.0
    assert told(made) == [(EJECTED, "a", "sibling")]


def test_jitter_makes_it_longer() -> None:
    """By a drawn share."""
    made, tallies = detector(OutlierOptions(jitter=0.2, latency=QUIET), draw=lambda: 0.5)
    out(made, tallies[0], 1.0)
    assert tallies[0].until == pytest.approx(6.5, abs=0.001)


def test_when_it_wants_to_be_told_the_time() -> None:
    """Every 50 ms while there are calls, then when somebody comes back, then never."""
    made, tallies = detector(BARE)
    out(made, tallies[0], 1.0)
    assert made.next_deadline(1.0) == pytest.approx(1.05)
    made.look(1.1)
    made.look(4.0)
    assert made.asleep
    assert all(tally.asleep for tally in tallies)
    assert made.next_deadline(4.0) == tallies[0].until
    made.look(tallies[0].until)
    assert made.next_deadline(6.0) == inf


def test_only_endpoints_of_the_same_group_are_compared_by_time() -> None:
    """An endpoint that is far away is slower, and no outlier."""
    for group, expected in ((0, OUT), (1, IN)):
        made, tallies = detector(OutlierOptions(jitter=0.0))
        tallies[2].group = group
        for number in range(400):
            now = 0.1 + number / 100
            one(made, tallies[0], now, took=0.005)
            one(made, tallies[1], now + 0.001, took=0.005)
            one(made, tallies[2], now + 0.002, took=0.08)
            if number % 5 == 0:
                made.look(now + 0.003)
            if tallies[2].state == OUT:
                break
        assert tallies[2].state == expected


def test_what_is_slow_is_what_the_others_nearby_say() -> None:
    """Two endpoints near and two far away: each pair has its own measure, and one that nobody is near to has
    none, so that its attempts are not late beside those of the others.
    """
    made, tallies = detector(OutlierOptions(jitter=0.0), "abcde")
    far = (0.005, 0.005, 0.08, 0.08, 0.08)
    for tally, group in zip(tallies, (0, 0, 1, 1, 2), strict=True):
        tally.group = group
    for number in range(200):
        now = 0.1 + number / 100
        for tally, took in zip(tallies, far, strict=True):
            one(made, tally, now, took=took)
        if number % 5 == 0:
            made.look(now + 0.003)
    assert [tally.limit_s < 0.08 for tally in tallies] == [True, True, False, False, False]
    assert 0.08 < tallies[2].limit_s < inf
    assert tallies[4].limit_s == inf
    assert all(tally.state == IN for tally in tallies)
