"""What waits at the same moment is made together, and everybody gets the answer to what was theirs."""

from __future__ import annotations

import asyncio
from typing import Any

from seawall_control.domain.errors import ControlError, EtagMismatch, InvalidRequest
from seawall_control.domain.events import Batch, Event
from seawall_control.domain.filters import EVERYTHING
from seawall_control.domain.flood import FloodLimits, Gates, Pressure
from seawall_control.domain.group_changes import assigned
from seawall_control.domain.groups import Became, Group
from seawall_control.domain.rollups import RollupQuery, Width
from seawall_control.domain.sequences import MAX_ISLANDS
from seawall_control.domain.taking import Reception
from seawall_control.store.port import EventQuery, Store
from tests.conformance.store.test_port import NOW_US, draft, event

EVER = 2**40


def said(number: int, fingerprint: str, **more: object) -> Event:
    """Return an event of a group."""
    return event(number, fingerprint=fingerprint, route="r", **more)


def batch(spool: str, numbers: range, fingerprint: str) -> Batch:
    """Return a batch whose events are numbered like their ids."""
    return Batch("p", spool, tuple((n + 1 - numbers.start, said(n, fingerprint)) for n in numbers))


async def everything(store: Store) -> tuple[int, int]:
    """Return how many events are stored, and how many are counted by day."""
    found = await store.events(EventQuery(EVERYTHING, 1000))
    days = await store.rollups(RollupQuery(Width.DAY, 0, EVER))
    return len(found), sum(row.events for row in days)


async def test_everybody_gets_the_answer_to_what_was_theirs(store: Store) -> None:
    """Batches of several spools and reports, with events in common, and another change between them."""
    results: list[Any] = await asyncio.gather(
        store.ingest(batch("one", range(10), "v1:a")),
        store.apply(draft("x")),
        store.ingest(batch("two", range(5, 15), "v1:a")),
        store.report([said(n, "v1:b") for n in range(14, 20)]),
        store.ingest(batch("one", range(12), "v1:a")),
        store.report([said(19, "v1:b"), said(20, "v1:c")]),
        store.ingest(Batch("p", "empty")),
    )
    one, _, two, first, again, second, empty = results
    taken = [*one.stored, *two.stored, *again.stored, *first.stored, *second.stored, *empty.stored]
    assert sorted(e.id for e in taken) == [event(n).id for n in range(21)], "each event is new to one caller"
    assert (one.through_seq, two.through_seq, again.through_seq, empty.through_seq) == (12, 10, 12, 0) or (
        one.through_seq == 10 and again.through_seq == 12
    )
    assert sum(r.duplicates for r in (one, two, again)) + sum(len(r.stored) for r in (one, two, again)) == 32
    changes = [change for r in (one, two, again, first, second) for change in r.changes]
    assert sorted((c.group.id, c.became) for c in changes) == [
        ("v1:a", Became.NEW), ("v1:b", Became.NEW), ("v1:c", Became.NEW)
    ]  # fmt: skip
    assert await everything(store) == (21, 21)
    assert sum([(await store.group(f"v1:{name}")).events for name in "abc"]) == 21


async def test_refused_one_changes_nothing_and_leaves_the_others_alone(store: Store) -> None:
    """Too many holes, and a wrong etag in the same commit: what is run twice for it is counted once."""
    holes = Batch("p", "s", tuple((2 * n, event(1000 + n)) for n in range(1, MAX_ISLANDS + 10)))
    results = await asyncio.gather(
        store.ingest(batch("one", range(10), "v1:a")),
        store.ingest(holes),
        store.apply(draft("y", etag="wrong")),
        store.ingest(batch("two", range(10, 20), "v1:a")),
        return_exceptions=True,
    )
    kinds = [type(r) if isinstance(r, ControlError) else len(r.stored) for r in results]  # type: ignore[union-attr]
    assert kinds == [10, InvalidRequest, EtagMismatch, 10]
    assert await everything(store) == (20, 20)
    assert (await store.group("v1:a")).events == 20
    assert (await store.ingest(batch("one", range(10), "v1:a"))).duplicates == 10


async def test_two_ways_of_receiving_in_one_commit(store: Store) -> None:
    """What waits together and is to be received differently is written one after the other: counts add up."""
    first, second = Reception(NOW_US, why=lambda _: {"by": "one"}), Reception(NOW_US, why=lambda _: {})
    await asyncio.gather(
        *(
            store.ingest(batch(f"s{n}", range(10 * n, 10 * n + 10), "v1:a"), (first, second)[n % 2])
            for n in range(6)
        )
    )
    assert await everything(store) == (60, 60)
    assert (await store.group("v1:a")).events == 60


async def test_second_way_of_receiving_knows_what_the_first_has_written(store: Store) -> None:
    """What is asked once for a whole commit is not taken for what is there after its first half."""
    await store.ingest(batch("before", range(2), "v1:a"), Reception(NOW_US))
    _, *taken = await asyncio.gather(
        store.apply(draft("x")),  # they gather behind this one
        store.ingest(batch("one", range(10, 16), "v1:a"), Reception(NOW_US)),
        store.ingest(batch("two", range(13, 20), "v1:a"), Reception(0)),
        store.ingest(batch("three", range(15, 23), "v1:a"), Reception(NOW_US)),
    )
    assert sum(len(one.stored) for one in taken) == 13
    assert await everything(store) == (15, 15)
    assert (await store.group("v1:a")).events == 15


async def test_same_event_from_two_proxies_is_the_first_ones(store: Store) -> None:
    """Two say different things under one id, in one commit: one of the two is stored, whole."""
    one = [said(n, "v1:a", message="one") for n in range(20)]
    two = [said(n, "v1:b", message="two") for n in range(20)]
    how = Reception(NOW_US)
    sent = [Batch("p", name, tuple(enumerate(events, 1))) for name, events in (("a", one), ("b", two))]
    taken = await asyncio.gather(*(store.ingest(some, how) for some in sent))
    assert sum(len(t.stored) for t in taken) == 20
    found = await store.events(EventQuery(EVERYTHING, 100))
    assert {(e.message, e.fingerprint) for e in found} in ({("one", "v1:a")}, {("two", "v1:b")})


async def test_operators_and_events_see_each_other(store: Store) -> None:
    """A group is changed by people and by events, in one commit and in several: nothing of either is lost."""
    how = Reception(NOW_US)
    await store.ingest(batch("s", range(5), "v1:a"), how)
    for turn in range(1, 6):

        def given(group: Group, turn: int = turn) -> Group:
            return assigned(group, f"ann{turn}", at_us=NOW_US, actor="x")

        def taken_in(one: Group, others: Any, turn: int = turn) -> Group:
            return assigned(one, f"bob{turn}", at_us=NOW_US, actor="x")

        await asyncio.gather(
            store.ingest(Batch("p", f"a{turn}", ((1, said(100 * turn, "v1:a")),)), how),
            store.change_group("v1:a", given),
            store.ingest(Batch("p", f"b{turn}", ((1, said(100 * turn + 1, "v1:a")),)), how),
        )
        found = await store.group("v1:a")
        assert (found.events, found.assignee, found.version) == (5 + 3 * turn - 1, f"ann{turn}", 2 * turn)
        await store.ingest(Batch("p", f"c{turn}", ((1, said(100 * turn + 2, f"v1:x{turn}")),)), how)
        await store.merge_groups("v1:a", [f"v1:x{turn}"], lambda one, _: one)
        await store.ingest(Batch("p", f"d{turn}", ((1, said(100 * turn + 3, f"v1:x{turn}")),)), how)
        await store.change_group("v1:a", lambda one: assigned(one, "", at_us=NOW_US, actor="x"))
        assert (await store.group(f"v1:x{turn}")).id == "v1:a"


async def test_flood_from_several_sides_is_counted_exactly(store: Store) -> None:
    """One sieve decides over what came together, and each caller learns what was stored of its own."""
    gates = Gates(FloodLimits(rate=0.001, burst=10, last=3, samples=2), lambda: 0.0, lambda: 0.5, Pressure())
    how = Reception(NOW_US, gates)
    results = await asyncio.gather(
        *(store.ingest(batch(f"s{n}", range(100 * n, 100 * n + 50), "v1:a"), how) for n in range(4))
    )
    for n, found in enumerate(results):
        ids = {e.id for e in (*found.stored, *found.counted)}
        assert ids == {event(i).id for i in range(100 * n, 100 * n + 50)}
    group = await store.group("v1:a")
    stored, counted = await everything(store)
    assert (group.events, counted, group.counted) == (200, 200, 200 - stored)
    assert stored == 15
