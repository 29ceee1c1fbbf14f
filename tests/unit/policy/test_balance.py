"""Picking one of several endpoints."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from seawall_policy.balance import count_eligible, pick_p2c, pick_random, pick_round_robin


def flags(text: str) -> list[bool]:
    """Return eligibility written as ones and zeros."""
    return [letter == "1" for letter in text]


def grid(n: int) -> list[float]:
    """Return n draws spread evenly over [0, 1)."""
    return [(i + 0.5) / n for i in range(n)]


def test_round_robin_takes_turns() -> None:
    """All eligible: each once a round, in order."""
    assert [pick_round_robin(counter, 3, flags("111")) for counter in range(7)] == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("text", ["0111", "1011", "1101", "1110", "1010", "0011", "1100", "0001"])
def test_round_robin_spreads_the_turns_of_missing_endpoints_evenly(text: str) -> None:
    """No neighbour of an ejected endpoint carries two loads."""
    eligible = flags(text)
    rounds = 12
    taken = Counter(pick_round_robin(counter, 4, eligible) for counter in range(4 * rounds))
    assert set(taken) == {i for i in range(4) if eligible[i]}
    assert len(set(taken.values())) == 1


def test_round_robin_two_missing_neighbours_do_not_favour_one_endpoint_in_a_round() -> None:
    """Their turns of one round go to different endpoints."""
    eligible = flags("0011")
    for start in range(0, 40, 4):
        assert pick_round_robin(start, 4, eligible) != pick_round_robin(start + 1, 4, eligible)


def test_nothing_to_pick() -> None:
    """No endpoints, none eligible, or all tried already."""
    assert pick_round_robin(5, 0, []) == -1
    assert pick_round_robin(5, 2, flags("00")) == -1
    assert pick_round_robin(5, 2, flags("11"), 0b11) == -1
    assert pick_random(0, [], 0.5) == -1
    assert pick_random(2, flags("00"), 0.5) == -1
    assert pick_p2c([], [], 0.1, 0.2) == -1
    assert pick_p2c([0, 0], flags("00"), 0.1, 0.2) == -1
    assert pick_p2c([0], flags("1"), 0.1, 0.2, 0b1) == -1
    assert count_eligible(3, flags("110"), 0b010) == 1


def test_tried_endpoints_are_not_picked_again() -> None:
    """By any picker, at any draw, also beyond 64 endpoints."""
    n = 70
    tried = ((1 << n) - 1) & ~(1 << 69) & ~(1 << 3)
    everyone = [True] * n
    assert {pick_round_robin(counter, n, everyone, tried) for counter in range(2 * n)} == {3, 69}
    assert {pick_random(n, everyone, draw, tried) for draw in grid(20)} == {3, 69}
    assert {pick_p2c([0] * n, everyone, a, b, tried) for a, b in product(grid(9), grid(9))} == {3, 69}


def test_random_gives_equal_chances() -> None:
    """Over an even grid of draws each eligible endpoint is picked equally often."""
    taken = Counter(pick_random(5, flags("10110"), draw) for draw in grid(300))
    assert taken == {0: 100, 2: 100, 3: 100}


def test_two_choices_take_the_less_busy_one() -> None:
    """With two endpoints it is always the less busy of all."""
    for a, b in product(grid(4), grid(4)):
        assert pick_p2c([5, 4], flags("11"), a, b) == 1
        assert pick_p2c([3, 4], flags("11"), a, b) == 0


def test_two_choices_never_compare_an_endpoint_with_itself() -> None:
    """The busiest is never picked, because its partner is always another."""
    for a, b in product(grid(30), grid(30)):
        assert pick_p2c([0, 9, 0, 0], flags("1111"), a, b) != 1


def test_equally_busy_endpoints_get_equal_chances() -> None:
    """The first of the two drawn is taken."""
    taken = Counter(pick_p2c([7, 7, 7], flags("111"), a, b) for a, b in product(grid(60), grid(60)))
    assert set(taken.values()) == {1200}


@pytest.mark.parametrize(
    ("text", "excluded"), [("0111", 0), ("1110", 0), ("1111", 0b0010), ("1011", 0), ("10110", 0b1)]
)
def test_two_choices_among_the_eligible_are_fair(text: str, excluded: int) -> None:
    """A guess that failed is followed by a fresh one that does not favour anybody: equal chances within 2
    %.
    """
    eligible = flags(text)
    n = len(eligible)
    steps = 180
    taken = Counter(pick_p2c([1] * n, eligible, a, b, excluded) for a, b in product(grid(steps), grid(steps)))
    able = [i for i in range(n) if eligible[i] and not (excluded >> i) & 1]
    assert sorted(taken) == able
    share = steps * steps / len(able)
    assert all(abs(count - share) < 0.02 * share for count in taken.values())


def test_the_only_eligible_endpoint_is_taken_however_busy() -> None:
    """There is no choice."""
    assert {pick_p2c([0, 99, 0], flags("010"), a, b) for a, b in product(grid(5), grid(5))} == {1}
    assert pick_p2c([99], flags("1"), 0.9, 0.9) == 0
