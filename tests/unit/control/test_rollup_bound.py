"""How many keys a bucket has: which are known, and for how long."""

from __future__ import annotations

from seawall_control.domain.rollups import MAX_KEYS, OTHER, Bound, Key, Width


def key(number: int) -> Key:
    """Return one of many keys."""
    return ("route/r", "r", f"/m/{number}", "UNAVAILABLE", 1, 2, 3, 4)


def test_full_bucket_counts_the_rest_as_others() -> None:
    """Also when all of it comes at once."""
    bound = Bound()
    bound.learn(Width.MINUTE, 0, [])
    counts = bound.bounded(Width.MINUTE, 0, {key(n): 1 for n in range(MAX_KEYS + 100)})
    assert sum(counts.values()) == MAX_KEYS + 100
    assert counts[OTHER, OTHER, OTHER, "UNAVAILABLE", 1, 2, 3, 4] == 100


def test_what_is_learned_is_known_until_it_is_counted() -> None:
    """A batch may have more buckets than are remembered between batches; none is taken for empty."""
    bound = Bound()
    full = [key(n) for n in range(MAX_KEYS)]
    many = Bound.BUCKETS + 50
    for start in range(many):
        bound.learn(Width.MINUTE, start, full)
    for start in range(many):
        assert [k[2] for k in bound.bounded(Width.MINUTE, start, {key(-1): 1})] == [OTHER]
    bound.trim()
    assert [bound.knows(Width.MINUTE, start) for start in (49, 50, many - 1)] == [False, True, True]
