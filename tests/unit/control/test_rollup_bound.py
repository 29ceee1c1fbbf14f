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


def test_keys_are_those_that_were_learned_or_counted() -> None:
    """A bucket that was not what it was taken to be is learned again."""
    bound = Bound()
    assert bound.keys(Width.HOUR, 0) == frozenset()
    bound.learn(Width.HOUR, 0, [key(1)])
    before = bound.keys(Width.HOUR, 0)
    bound.bounded(Width.HOUR, 0, {key(2): 1})
    assert sorted(before) == [key(1)] and sorted(bound.keys(Width.HOUR, 0)) == [key(1), key(2)]
    bound.forget(Width.HOUR, 0)
    assert not bound.knows(Width.HOUR, 0) and bound.keys(Width.HOUR, 0) == frozenset()
    bound.forget(Width.HOUR, 0)


def test_bucket_after_all_that_are_known_is_newer() -> None:
    """By width, once the store has said what it has; those that are counted in are known, too."""
    bound = Bound()
    assert not bound.is_newer(Width.MINUTE, 600)
    bound.learn_newest({60: 540})
    assert bound.is_newer(Width.MINUTE, 600)
    assert not bound.is_newer(Width.MINUTE, 540) and not bound.is_newer(Width.HOUR, 3600)
    bound.bounded(Width.MINUTE, 600, {key(1): 1})
    bound.learn_newest({60: 60})
    assert not bound.is_newer(Width.MINUTE, 600) and bound.is_newer(Width.MINUTE, 660)
