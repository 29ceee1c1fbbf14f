"""Ways of picking one of several slots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product
from random import Random

import pytest

from seawall_policy import status
from seawall_policy.balance.least_request import draw_two, is_less_busy
from seawall_policy.balance.peak_ewma import (
    DECAY_S,
    DEFAULT_RTT_S,
    EXHAUSTED_S,
    FAILURE_S,
    MAX_PENALTY_S,
    PeakEwma,
    scored_latency,
)
from seawall_policy.balance.ring_hash import HashRing
from seawall_policy.balance.round_robin import Turns
from seawall_policy.balance.weighted import NONE, WeightedDraw
from seawall_policy.balance.xxhash64 import xxh64


def grid(n: int) -> list[float]:
    """Return n draws spread evenly over [0, 1)."""
    return [(i + 0.5) / n for i in range(n)]


def spread_draws() -> Callable[[], float]:
    """Return draws that are the same in each run."""
    return Random(7).random


def half() -> float:
    """Return always the same draw."""
    return 0.5


class TestDraws:
    def test_equal_weights_give_equal_chances(self) -> None:
        """Over an even grid each slot is drawn equally often."""
        pool = WeightedDraw([4, 7, 9], [3.0, 3.0, 3.0])
        assert Counter(pool.pick(draw) for draw in grid(300)) == {4: 100, 7: 100, 9: 100}

    def test_chances_follow_the_weights(self) -> None:
        """Over an even grid each slot is drawn as often as its weight says."""
        pool = WeightedDraw([4, 7, 9], [1.0, 2.0, 3.0])
        assert Counter(pool.pick(draw) for draw in grid(600)) == {4: 100, 7: 200, 9: 300}

    def test_the_ends_of_the_range(self) -> None:
        """The lowest and the highest draw find the first and the last slot."""
        pool = WeightedDraw([4, 7], [1.0, 0.1])
        assert (pool.pick(0.0), pool.pick(1.0 - 2**-53)) == (4, 7)

    def test_nobody(self) -> None:
        """Without slots there is none to draw, and leaving all out leaves none."""
        assert WeightedDraw([], []).pick(0.5) == NONE
        assert WeightedDraw([1, 70], [1.0, 2.0]).without(1 << 1 | 1 << 70).pick(0.5) == NONE

    def test_leaving_out(self) -> None:
        """Slots that are left out are not drawn, also beyond 64; the rest keep their shares."""
        pool = WeightedDraw([1, 70, 3], [1.0, 2.0, 3.0]).without(1 << 70)
        assert Counter(pool.pick(draw) for draw in grid(400)) == {1: 100, 3: 300}


class TestTurns:
    def test_equal_weights_take_turns(self) -> None:
        """Each once a round, in order."""
        turns = Turns()
        turns.set([2, 0, 5], [1.0, 1.0, 1.0], half)
        assert [turns.take() for _ in range(7)] == [2, 0, 5, 2, 0, 5, 2]

    def test_nobody(self) -> None:
        """Without slots there are no turns."""
        turns = Turns()
        assert turns.take() == NONE
        turns.set([], [], half)
        assert turns.take() == NONE

    def test_turns_of_a_heavy_slot_are_spread_out(self) -> None:
        """Smooth: with weights 4, 1, 1 the heavy one never waits for more than two turns of others."""
        turns = Turns()
        turns.set([0, 1, 2], [4.0, 1.0, 1.0], half)
        taken = [turns.take() for _ in range(60)]
        assert Counter(taken) == {0: 40, 1: 10, 2: 10}
        assert "0000000" not in "".join(map(str, taken))
        assert all(0 in taken[at : at + 3] for at in range(57))

    def test_frequent_changes_do_not_favour_the_heavy(self) -> None:
        """Weights that are set again after every turn give the same shares."""
        turns = Turns()
        draws = spread_draws()
        taken: Counter[int] = Counter()
        for _ in range(600):
            turns.set([0, 1, 2], [4.0, 1.0, 1.0], draws)
            taken[turns.take()] += 1
        assert taken[0] == pytest.approx(400, abs=4)
        assert taken[1] == pytest.approx(100, abs=4)

    def test_slots_come_and_go(self) -> None:
        """A slot that left has no turns, one that came has its share soon."""
        turns = Turns()
        draws = spread_draws()
        turns.set([0, 1], [2.0, 1.0], draws)
        for _ in range(9):
            turns.take()
        turns.set([1, 2], [1.0, 3.0], draws)
        assert Counter(turns.take() for _ in range(40)) == pytest.approx({1: 10, 2: 30}, abs=1)


class TestTwoChoices:
    def test_the_two_are_different(self) -> None:
        """Whatever the weights and the draws, nobody is compared with itself; one alone is."""
        for weights in ([1.0] * 4, [1.0, 9.0, 1.0, 1.0]):
            pool = WeightedDraw([0, 1, 2, 3], weights)
            for a, b, c in product(grid(8), repeat=3):
                draws = iter((a, b, c))
                first, second = draw_two(pool, lambda: next(draws))  # noqa: B023
                assert first != second
        assert draw_two(WeightedDraw([5], [1.0]), half) == (0, 0)

    def test_equal_weights_give_every_pair_an_equal_chance(self) -> None:
        """Both places are drawn evenly."""
        pool = WeightedDraw([0, 1, 2], [1.0] * 3)
        pairs: Counter[tuple[int, int]] = Counter()
        for a, b in product(grid(6), grid(6)):
            draws = iter((a, b))
            pairs[draw_two(pool, lambda: next(draws))] += 1  # noqa: B023
        assert set(pairs.values()) == {6}
        assert len(pairs) == 6

    def test_less_busy(self) -> None:
        """Fewer in flight wins; with weights the higher w / (active + 1); an idle one keeps its place."""
        assert is_less_busy(1, 1.0, 2, 1.0)
        assert not is_less_busy(2, 1.0, 2, 1.0)
        assert not is_less_busy(0, 100.0, 0, 1.0)
        assert is_less_busy(5, 10.0, 1, 1.0)
        assert not is_less_busy(9, 10.0, 1, 2.0)

    def test_shares_follow_weights_while_idle_and_loads_while_busy(self) -> None:
        """Nothing in flight: shares are the weights'. Calls that stay: loads are the weights'."""
        pool = WeightedDraw([0, 1, 2], [1.0, 2.0, 3.0])
        draws = spread_draws()
        idle = Counter(draw_two(pool, draws)[0] for _ in range(6000))
        assert [idle[slot] / 1000 for slot in range(3)] == pytest.approx([1, 2, 3], abs=0.15)
        active = [0, 0, 0]
        for _ in range(600):
            first, second = draw_two(pool, draws)
            better = is_less_busy(active[second], pool.weights[second], active[first], pool.weights[first])
            active[second if better else first] += 1
        assert active == pytest.approx([100, 200, 300], rel=0.1)


class TestPeakEwma:
    def test_nothing_is_known_at_first(self) -> None:
        """The default, times work in flight, over the weight."""
        ewma = PeakEwma(5.0)
        assert ewma.estimate(5.0) == DEFAULT_RTT_S
        assert ewma.cost(3, 2.0, 5.0) == pytest.approx(DEFAULT_RTT_S * 4 / 2)

    def test_a_peak_counts_at_once_and_fades(self) -> None:
        """A higher latency is the estimate; e^-1 of it is left one decay later."""
        ewma = PeakEwma(0.0)
        ewma.observe(DEFAULT_RTT_S * 1.1, 0.5)
        assert ewma.estimate(0.5) == DEFAULT_RTT_S * 1.1
        ewma.observe(2.0, 1.0)
        assert ewma.estimate(1.0) == 2.0
        assert ewma.estimate(1.0 + DECAY_S) == pytest.approx(2.0 * 0.36788, rel=1e-4)

    def test_a_lower_latency_pulls_the_estimate_down(self) -> None:
        """The more the longer ago the last one was."""
        soon, late = PeakEwma(0.0), PeakEwma(0.0)
        for ewma in (soon, late):
            ewma.observe(1.0, 0.0)
        soon.observe(0.1, 1.0)
        late.observe(0.1, 20.0)
        assert soon.estimate(1.0) == pytest.approx(0.1 + 0.9 * 0.904837, rel=1e-4)
        assert late.estimate(20.0) == pytest.approx(0.1 + 0.9 * 0.135335, rel=1e-4)

    def test_giving_up_says_only_that_it_takes_longer(self) -> None:
        """A wait that ended early does not make an endpoint look fast, a long one makes it look slow."""
        ewma = PeakEwma(0.0)
        ewma.exceeded(0.001, 0.0)
        assert ewma.estimate(0.0) == DEFAULT_RTT_S
        ewma.exceeded(4.0, 0.0)
        assert ewma.estimate(0.0) == 4.0

    def test_failures_are_penalties(self) -> None:
        """What fails fast is not fast; what the server asks for counts, within five minutes."""
        assert scored_latency(0.001, status.OK) == 0.001
        assert scored_latency(0.001, status.NOT_FOUND) == 0.001
        assert scored_latency(0.001, status.UNAVAILABLE) == FAILURE_S
        assert scored_latency(3.0, status.INTERNAL) == 3.0
        assert scored_latency(0.001, status.RESOURCE_EXHAUSTED) == EXHAUSTED_S
        assert scored_latency(0.001, status.RESOURCE_EXHAUSTED, 60.0) == 60.0
        assert scored_latency(0.001, status.RESOURCE_EXHAUSTED, 1e9) == MAX_PENALTY_S

    def test_a_fast_failing_endpoint_does_not_attract_calls(self) -> None:
        """Beside a good one that takes 50 ms, one that fails after 1 ms gets few calls."""
        good, bad = PeakEwma(0.0), PeakEwma(0.0)
        taken = 0
        for call in range(1000):
            now = call * 0.01
            if bad.cost(0, 1.0, now) < good.cost(0, 1.0, now):
                taken += 1
                bad.observe(scored_latency(0.001, status.UNAVAILABLE), now)
            else:
                good.observe(0.05, now)
        assert taken <= 5


def test_a_ring_remembers_no_long_keys() -> None:
    """Clients choose keys: what is remembered of them is bounded in bytes too."""
    ring = HashRing([0], ["a"], [1.0])
    for size in (1, 128, 129, 10_000):
        assert ring.hash(b"k" * size) == xxh64(b"k" * size)
    assert sorted(len(key) for key in ring._hashes) == [1, 128]
