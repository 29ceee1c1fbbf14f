"""The guards of a rollout: harm is found with few calls; chance is not taken for harm, however often one
looks.
"""

from __future__ import annotations

import random

import pytest

from seawall_control.domain.rollout.guards import OTHERS, Verdict, compare, p_value, slower_than
from seawall_control.domain.rollout.strategy import Guards
from seawall_control.domain.statistics import LATENCY_BOUNDS_S, Counters

GUARDS = Guards()


def counters(calls: int, *, failed: int = 0, code: int = 14, rejected: int = 0, slow: int = 0) -> Counters:
    """Return calls that took up to 10 ms, and `slow` that took up to 1 s."""
    by_code = [0] * 17
    by_code[0], by_code[code] = calls - failed, failed
    buckets = [0] * (len(LATENCY_BOUNDS_S) + 1)
    buckets[LATENCY_BOUNDS_S.index(0.01)] = calls - slow
    buckets[LATENCY_BOUNDS_S.index(1.0)] = slow
    return Counters(by_code=tuple(by_code), rejected=rejected, latency_buckets=tuple(buckets))


def test_harm_is_found_with_few_calls() -> None:
    """Every call fails: a hundred are more than enough; the finding says so in words and numbers."""
    judged = compare(GUARDS, {"pay": counters(100, failed=100)}, {"pay": counters(900)}, LATENCY_BOUNDS_S)
    assert judged.verdict is Verdict.ROLLBACK
    worst = judged.findings[0]
    assert (worst.guard, worst.route, worst.canary, worst.rest) == ("error_rate", "pay", 1.0, 0.0)
    assert worst.p_value < 1e-6
    assert worst.text == (
        "route pay: 100.00 % of 100 calls failed with the new revision, 0.00 % of 900 with the old one; "
        "1 points more are allowed (p < 0.0001)"
    )


@pytest.mark.parametrize(
    ("ours", "guard"),
    [
        (counters(2000, failed=200), "error_rate"),
        (counters(2000, rejected=200), "rejections"),
        (counters(2000, slow=200), "latency"),
    ],
)
def test_each_guard_trips_alone(ours: Counters, guard: str) -> None:
    """Ten per cent worse in one respect is enough."""
    judged = compare(GUARDS, {"r": ours}, {"r": counters(18_000)}, LATENCY_BOUNDS_S)
    tripped = [found.guard for found in judged.findings if found.verdict is Verdict.ROLLBACK]
    assert (judged.verdict, tripped) == (Verdict.ROLLBACK, [guard])


def test_answers_to_callers_are_no_harm() -> None:
    """NOT_FOUND is the caller's business."""
    judged = compare(
        GUARDS, {"r": counters(2000, failed=500, code=5)}, {"r": counters(9000)}, LATENCY_BOUNDS_S
    )
    assert judged.verdict is Verdict.CONTINUE


def test_a_bad_day_for_all_is_no_harm() -> None:
    """The comparison is with the others at the same time, not with zero."""
    judged = compare(
        GUARDS, {"r": counters(2000, failed=1000)}, {"r": counters(9000, failed=4500)}, LATENCY_BOUNDS_S
    )
    assert judged.verdict is Verdict.CONTINUE


def test_few_calls_prove_nothing() -> None:
    """Below min_calls the verdict is to wait, and says how many are missing."""
    judged = compare(GUARDS, {"r": counters(99)}, {"r": counters(9000)}, LATENCY_BOUNDS_S)
    assert judged.verdict is Verdict.WAIT
    assert judged.findings[0].text == "99 of the 100 calls that are needed went through the new revision"
    assert compare(Guards(min_calls=0), {}, {}, LATENCY_BOUNDS_S).verdict is Verdict.CONTINUE


def test_one_broken_route_is_found_among_many() -> None:
    """A route of its own is not hidden by the traffic of the others."""
    ours = {f"r{n}": counters(5000) for n in range(20)} | {"small": counters(150, failed=150)}
    theirs = {f"r{n}": counters(45_000) for n in range(20)} | {"small": counters(1350)}
    judged = compare(GUARDS, ours, theirs, LATENCY_BOUNDS_S)
    assert judged.verdict is Verdict.ROLLBACK
    assert judged.findings[0].route == "small"


def test_routes_with_few_calls_are_compared_together() -> None:
    """Thirty routes with ten calls each that all fail are three hundred failures."""
    ours = {f"r{n}": counters(10, failed=10) for n in range(30)}
    theirs = {f"r{n}": counters(90) for n in range(30)}
    judged = compare(GUARDS, ours, theirs, LATENCY_BOUNDS_S)
    assert judged.verdict is Verdict.ROLLBACK
    assert judged.findings[0].route == OTHERS


def test_a_single_route_with_few_calls_keeps_its_name() -> None:
    """Twenty calls that all fail are enough, and it is said where."""
    judged = compare(GUARDS, {"pay": counters(20, failed=20)}, {"pay": counters(60)}, LATENCY_BOUNDS_S)
    assert judged.verdict is Verdict.ROLLBACK
    assert judged.findings[0].route == "pay"


def test_a_route_that_only_the_new_revision_has_is_not_held_against_it() -> None:
    """There is nothing to compare it with."""
    judged = compare(
        GUARDS, {"new": counters(500, failed=500), "r": counters(500)}, {"r": counters(900)}, LATENCY_BOUNDS_S
    )
    assert judged.verdict is Verdict.CONTINUE


def test_without_anything_to_compare_with_it_says_so() -> None:
    """A fleet of one after its restart: numbers, but no comparison."""
    judged = compare(GUARDS, {"r": counters(500, failed=500)}, {}, LATENCY_BOUNDS_S)
    assert judged.verdict is Verdict.CONTINUE
    assert "none through the old one to compare them with" in judged.findings[0].text


def test_small_growth_of_latency_is_never_harm() -> None:
    """From 1 ms to 3 ms is three times as long, and nobody notices."""
    fast = [0] * (len(LATENCY_BOUNDS_S) + 1)
    fast[LATENCY_BOUNDS_S.index(0.001)] = 9000
    slower = [0] * (len(LATENCY_BOUNDS_S) + 1)
    slower[LATENCY_BOUNDS_S.index(0.003)] = 9000
    ok = (9000,)
    judged = compare(
        GUARDS,
        {"r": Counters(by_code=ok, latency_buckets=tuple(slower))},
        {"r": Counters(by_code=ok, latency_buckets=tuple(fast))},
        LATENCY_BOUNDS_S,
    )
    assert judged.verdict is Verdict.CONTINUE


def test_slower_than_rounds_up_to_a_bound() -> None:
    """Whatever may have been within the limit counts as within it."""
    assert slower_than((1.0, 2.0, 4.0), (5, 6, 7, 8), 2.0) == 15
    assert slower_than((1.0, 2.0, 4.0), (5, 6, 7, 8), 2.5) == 8
    assert slower_than((1.0, 2.0, 4.0), (5, 6, 7, 8), 9.0) == 0


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.002, 0.05, 0.3])
def test_looking_often_does_not_make_chance_into_harm(share: float) -> None:
    """Five hundred looks at each of 300 harmless rollouts: no more of them trip than the level allows,
    although the margin is nothing at all.
    """
    dice = random.Random(7)
    tripped = 0
    for _ in range(300):
        bad = calls = rest_bad = rest_calls = 0
        for _ in range(500):
            calls, rest_calls = calls + 10, rest_calls + 40
            bad += sum(dice.random() < share for _ in range(10))
            rest_bad += sum(dice.random() < share for _ in range(40))
            if calls >= 100 and p_value(bad, calls, rest_bad, rest_calls, margin=0.0) <= 0.01:
                tripped += 1
                break
    assert tripped <= 300 * 0.01 + 2


def test_real_harm_is_found_soon() -> None:
    """Three points more errors, above one that is allowed: found within a few thousand calls."""
    dice = random.Random(3)
    needed = []
    for _ in range(40):
        bad = calls = rest_bad = rest_calls = 0
        while p_value(bad, calls, rest_bad, rest_calls, margin=0.01) > 0.01 / 3:
            calls, rest_calls = calls + 50, rest_calls + 450
            bad += sum(dice.random() < 0.04 for _ in range(50))
            rest_bad += sum(dice.random() < 0.01 for _ in range(450))
            assert calls < 20_000
        needed.append(calls)
    assert sorted(needed)[20] < 4000
