"""Levels, panic, slow start and the ring."""

from __future__ import annotations

import pytest

from seawall_policy.balance.levels import level_of, spread
from seawall_policy.balance.ring_hash import HashRing, points_of
from seawall_policy.balance.slow_start import SlowStart
from seawall_policy.balance.weighted import NONE
from seawall_policy.balance.xxhash64 import xxh64


def shares(*levels: tuple[int, int]) -> list[float]:
    """Return the shares in percent of levels given as (endpoints, available)."""
    plan = spread([total for total, _ in levels], [available for _, available in levels])
    return [round(100 * share) for share in plan.shares]


class TestSpread:
    @pytest.mark.parametrize(
        ("available", "expected"),
        # The table of Envoy's "Priority levels" for two levels, the second one whole.
        [(100, 100), (72, 100), (71, 99), (50, 70), (25, 35), (0, 0)],
    )
    def test_the_second_level_takes_what_the_first_cannot(self, available: int, expected: int) -> None:
        """1.4 times the available share stays."""
        assert shares((100, available), (100, 100)) == [expected, 100 - expected]

    @pytest.mark.parametrize(
        ("first", "second", "third", "expected"),
        [
            (100, 100, 100, [100, 0, 0]),
            (72, 72, 100, [100, 0, 0]),
            (71, 71, 100, [99, 1, 0]),
            (50, 60, 100, [70, 30, 0]),
            (25, 100, 100, [35, 65, 0]),
            (25, 25, 100, [35, 35, 30]),
            (25, 25, 20, [36, 36, 29]),
        ],
    )
    def test_three_levels(self, first: int, second: int, third: int, expected: list[int]) -> None:
        """Envoy's table for three levels; too little altogether is scaled up."""
        assert shares((100, first), (100, second), (100, third)) == pytest.approx(expected, abs=1)

    def test_panic_needs_too_little_altogether(self) -> None:
        """A level below the threshold does not panic while others can take its calls."""
        assert spread([10, 10], [1, 10]).panic == [False, False]
        assert spread([10, 10], [1, 4]).panic == [True, True]
        assert spread([10, 10], [4, 5]).panic == [False, False]
        assert spread([10], [4]).panic == [True]
        assert spread([10], [5]).panic == [False]
        assert spread([10], [4], 0.3).panic == [False]
        assert spread([10], [0], 0.0).panic == [False]

    def test_nobody_is_available(self) -> None:
        """Calls go by the number of endpoints, and health is ignored."""
        plan = spread([3, 1], [0, 0])
        assert plan.shares == [0.75, 0.25]
        assert plan.panic == [True, True]
        assert spread([0], [0]).shares == [0.0]
        assert spread([], []).shares == []

    def test_level_of(self) -> None:
        """A draw finds its level; levels without a share are never drawn."""
        split = [0.0, 0.7, 0.0, 0.3]
        assert [level_of(split, draw) for draw in (0.0, 0.69, 0.71, 0.999999999)] == [1, 1, 3, 3]
        assert [level_of([0.3, 0.4, 0.3], draw) for draw in (0.29, 0.31, 0.69, 0.71)] == [0, 1, 1, 2]
        assert level_of([0.3, 0.3], 0.9999) == 1
        assert level_of([], 0.5) == 0


class TestSlowStart:
    def test_a_straight_line_from_the_least_share(self) -> None:
        """10 % at first, half after half the window, everything at its end."""
        slow = SlowStart(10.0)
        assert [slow.share(age) for age in (-1.0, 0.0, 0.5, 5.0, 10.0, 99.0)] == [
            0.1,
            0.1,
            0.1,
            0.5,
            1.0,
            1.0,
        ]

    def test_aggression(self) -> None:
        """(age / window) to the power of 1 / aggression."""
        assert SlowStart(10.0, 2.0).share(2.5) == pytest.approx(0.5)
        assert SlowStart(10.0, 0.5).share(5.0) == pytest.approx(0.25)
        assert SlowStart(10.0, 0.5, 0.4).share(5.0) == 0.4


class TestRing:
    @pytest.mark.parametrize(
        ("data", "digest"),
        [
            (b"", 0xEF46DB3751D8E999),
            (b"a", 0xD24EC4F1A98C6E5B),
            (b"abc", 0x44BC2CF5AD770999),
            (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
            (b"0123456789abcdef" * 5, 0x0D4CC7D5057880DF),
        ],
    )
    def test_the_hash_is_xxh64(self, data: bytes, digest: int) -> None:
        """Known digests."""
        assert xxh64(data) == digest

    def test_points_follow_weights(self) -> None:
        """The least number of points that gives whole numbers, within the bounds, one at least."""
        assert points_of([1.0, 1.0], 1024, 4096) == [512, 512]
        assert points_of([1.0, 2.0], 9, 4096) == [3, 6]
        assert points_of([1.0, 1000.0], 1024, 4096) == [2, 2000]
        assert points_of([1.0, 9000.0], 1024, 4096) == [1, 4095]
        assert points_of([1.0] * 5, 1, 3) == [1, 1, 1, 1, 1]
        assert points_of([], 1, 3) == []

    def test_a_key_stays_where_it_is(self) -> None:
        """While an endpoint is away only its keys move, over all others; once it is gone few more do."""
        names = [f"10.0.0.{n}:50051" for n in range(5)]
        whole = HashRing([0, 1, 2, 3, 4], names, [1.0] * 5)
        less = HashRing([0, 1, 2, 4], [names[n] for n in (0, 1, 2, 4)], [1.0] * 4)
        keys = [whole.hash(b"user-%d" % n) for n in range(2000)]
        before = [whole.pick(key, 0b11111) for key in keys]
        skipped = [whole.pick(key, 0b10111) for key in keys]
        gone = [less.pick(key, 0b10111) for key in keys]
        assert all(a == b for a, b in zip(before, skipped, strict=True) if a != 3)
        # The ring has about as many points for four as for five, so the four have more each.
        moved = sum(a != b for a, b in zip(before, gone, strict=True) if a != 3)
        assert moved < 0.25 * len(keys)
        assert {b for a, b in zip(before, skipped, strict=True) if a == 3} == {0, 1, 2, 4}
        assert all(300 <= before.count(slot) <= 520 for slot in range(5))

    def test_who_may_be_picked(self) -> None:
        """Only allowed slots that were not tried; NONE when there are none."""
        ring = HashRing([3, 70], ["a", "b"], [1.0, 1.0], 16)
        key = ring.hash(b"x")
        assert ring.pick(key, 1 << 3) == 3
        assert ring.pick(key, 1 << 70) == 70
        assert ring.pick(key, 1 << 70 | 1 << 3, 1 << 3) == 70
        assert ring.pick(key, 1 << 3, 1 << 3) == NONE
        assert ring.pick(key, 1 << 5) == NONE
        assert HashRing([], [], []).pick(key, 1) == NONE

    def test_remembered_hashes_are_bounded(self) -> None:
        """Keys are chosen by callers."""
        ring = HashRing([0], ["a"], [1.0], 1)
        for number in range(10_000):
            ring.hash(b"%d" % number)
        assert len(ring._hashes) <= 4096
