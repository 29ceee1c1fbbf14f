"""Balancing beside naive references, for any weights, states and draws."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from seawall_policy.balance.least_request import draw_two, is_less_busy
from seawall_policy.balance.levels import level_of, spread
from seawall_policy.balance.ring_hash import HashRing
from seawall_policy.balance.round_robin import Turns
from seawall_policy.balance.weighted import NONE, WeightedDraw
from seawall_policy.balance.xxhash64 import xxh64

DRAWS = st.floats(0.0, 1.0, exclude_max=True)
WEIGHTS = st.lists(st.integers(1, 5), min_size=1, max_size=6)


@given(WEIGHTS, st.lists(DRAWS, min_size=6, max_size=6), st.integers(1, 60))
def test_turns_keep_to_the_weights(weights: list[int], draws: list[float], picks: int) -> None:
    """After any number of turns nobody is a whole turn away from its share of the rounds."""
    turns = Turns()
    given_draws = iter(draws)
    turns.set(list(range(len(weights))), [float(w) for w in weights], lambda: next(given_draws))
    taken = [0] * len(weights)
    for _ in range(picks):
        taken[turns.take()] += 1
    # There is a moment at which everybody has had floor or ceil of weight x moment turns.
    lowest = max(Fraction(count - 1, weight) for count, weight in zip(taken, weights, strict=True))
    highest = min(Fraction(count + 1, weight) for count, weight in zip(taken, weights, strict=True))
    assert lowest <= highest


@given(WEIGHTS, DRAWS, st.integers(0, 63))
def test_a_weighted_draw_is_the_interval_it_falls_in(weights: list[int], draw: float, excluded: int) -> None:
    """Found by binary search as by walking along."""
    slots = list(range(len(weights)))
    pool = WeightedDraw(slots, [float(w) for w in weights]).without(excluded)
    left = [slot for slot in slots if not excluded >> slot & 1]
    picked = pool.pick(draw)
    if not left:
        assert picked == NONE
        return
    assert picked in left
    point = draw * sum(weights[slot] for slot in left)
    before = sum(weights[slot] for slot in left if slot < picked)
    # Equal weights multiply in another order.
    assert before - 1e-9 <= point <= before + weights[picked] + 1e-9


@given(st.data(), st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4)), min_size=2, max_size=5))
def test_the_busiest_of_equals_is_never_taken(data: st.DataObject, members: list[tuple[int, int]]) -> None:
    """Whatever is drawn, the one of the two with the higher weight per call is taken, unless the first is
    idle.
    """
    pool = WeightedDraw(list(range(len(members))), [float(w) for w, _ in members])
    first, second = draw_two(pool, lambda: data.draw(DRAWS))
    assert first != second
    (w1, a1), (w2, a2) = members[first], members[second]
    expected = a1 > 0 and Fraction(w2, a2 + 1) > Fraction(w1, a1 + 1)
    assert is_less_busy(a2, float(w2), a1, float(w1)) == expected


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=4),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
def test_levels_beside_a_naive_account(levels: list[tuple[int, int]], threshold: float) -> None:
    """Calls are handed down percent by percent; shares make one, and only levels in need panic."""
    totals = [total for total, _ in levels]
    available = [min(total, able) for total, able in levels]
    plan = spread(totals, available, threshold)
    health = [
        min(Fraction(1), Fraction(14 * able, 10 * total)) if total else Fraction(0)
        for total, able in zip(totals, available, strict=True)
    ]
    whole = sum(health)
    if sum(totals) == 0:
        assert not any(plan.shares)
        return
    assert abs(sum(plan.shares) - 1.0) < 1e-9
    if whole == 0:
        assert plan.shares == [total / sum(totals) for total in totals]
        return
    left = Fraction(1)
    for level, share in enumerate(plan.shares):
        take = min(left, health[level] if whole >= 1 else health[level] / whole)
        left -= take
        assert abs(share - float(take)) < 1e-9
        low = totals[level] > 0 and available[level] < threshold * totals[level]
        assert plan.panic[level] == (low and whole < 1)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=4), DRAWS)
def test_a_drawn_level_has_a_share(shares: list[float], draw: float) -> None:
    """No call goes to a level that has none."""
    total = sum(shares)
    if total > 0:
        assert shares[level_of([share / total for share in shares], draw)] > 0


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=5),
    st.binary(max_size=40),
    st.integers(0, 31),
    st.integers(0, 31),
)
def test_the_ring_beside_walking_over_all_points(
    weights: list[int], key: bytes, allowed: int, excluded: int
) -> None:
    """The slot of a key is that of the nearest point of all that belong to allowed ones."""
    slots = list(range(len(weights)))
    ring = HashRing(slots, [f"h{slot}" for slot in slots], [float(w) for w in weights], 8, 64)
    able = [slot for slot in slots if allowed >> slot & 1 and not excluded >> slot & 1]
    picked = ring.pick(ring.hash(key), allowed, excluded)
    points = sorted(
        (xxh64(f"h{slot}_{number}".encode()), slot)
        for slot in able
        for number in range(ring._owners.count(slot))
    )
    if not points:
        assert picked == NONE
        return
    at = xxh64(key)
    assert picked == min(points, key=lambda point: ((point[0] - at) % 2**64, point[1]))[1]
