"""Last good answers: keys, ages and bounds, by example."""

from __future__ import annotations

import pytest

from seawall_policy.kept_answer import OVERHEAD_BYTES, KeptAnswer
from seawall_policy.last_good import LastGoodOptions, LastGoodStore

ANSWER = KeptAnswer(0, (), b"x", ())


def test_what_makes_a_key() -> None:
    """Path, request, and metadata by name and value; what is not asked for does not matter."""
    plain = LastGoodOptions(1.0)
    by_tenant = LastGoodOptions(1.0, metadata=(b"x-tenant",))
    tenant_only = LastGoodOptions(1.0, by_request=False, metadata=(b"x-tenant",))
    other_name = LastGoodOptions(1.0, metadata=(b"x-region",))
    keys = [
        plain.key(b"/a", [], b"1"),
        plain.key(b"/b", [], b"1"),
        plain.key(b"/a", [], b"2"),
        by_tenant.key(b"/a", [b"red"], b"1"),
        by_tenant.key(b"/a", [b"blue"], b"1"),
        by_tenant.key(b"/a", [None], b"1"),
        by_tenant.key(b"/a", [b""], b"1"),
        other_name.key(b"/a", [b"red"], b"1"),
        tenant_only.key(b"/a", [b"red"], b"1"),
    ]
    assert len(set(keys)) == len(keys)
    assert tenant_only.key(b"/a", [b"red"], b"1") == tenant_only.key(b"/a", [b"red"], b"2")


def test_age_to_the_moment() -> None:
    """As old as `max_age` is young enough."""
    store = LastGoodStore(10, 10_000, 5.0)
    store.keep(b"k", ANSWER, 1.0)
    assert store.find(b"k", 3.0, 2.0) is not None
    assert store.find(b"k", 3.1, 2.0) is None
    assert store.find(b"k", 6.0, 5.0) is not None
    assert store.find(b"k", 6.1, 5.0) is None
    assert len(store) == 0
    assert store.bytes == 0


def test_what_is_asked_for_stays() -> None:
    """Being served is a use, so an outage does not push out what it lives on."""
    store = LastGoodStore(2, 10_000, 5.0)
    store.keep(b"a", ANSWER, 0.0)
    store.keep(b"b", ANSWER, 0.0)
    assert store.find(b"a", 1.0, 5.0) is not None
    store.keep(b"c", ANSWER, 1.0)
    assert store.find(b"b", 1.0, 5.0) is None
    assert store.find(b"a", 1.0, 5.0) is not None


def test_an_answer_for_which_there_is_no_room_drops_the_one_before() -> None:
    """What was kept under its key is not the last good one any more."""
    store = LastGoodStore(2, OVERHEAD_BYTES + 10, 5.0)
    assert store.keep(b"a", ANSWER, 0.0)
    assert not store.keep(b"a", KeptAnswer(0, (), b"x" * 11, ()), 1.0)
    assert store.find(b"a", 1.0, 5.0) is None


@pytest.mark.parametrize(
    "wrong", [{"max_age_s": 0.0}, {"max_age_s": float("nan")}, {"max_entries": 0}, {"memory_bytes": 0}]
)
def test_options_are_checked(wrong: dict[str, float]) -> None:
    """Nothing that cannot work is taken."""
    with pytest.raises(ValueError, match="last_good needs"):
        LastGoodOptions(**{"max_age_s": 1.0, **wrong})  # type: ignore[arg-type]
