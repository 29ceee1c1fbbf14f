"""What every store promises about counts over time: no answer is older than its question."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from seawall_control.domain import group_changes as by_hand
from seawall_control.domain import rollups
from seawall_control.domain.events import MICROS, Event, EventKind, Severity
from seawall_control.domain.filters import EVERYTHING
from seawall_control.domain.retention import Prune
from seawall_control.domain.rollups import KEY_FIELDS, MAX_BUCKETS, Bucket, RollupQuery, RollupRow, Width
from seawall_control.store.port import Store
from tests.conformance.store.test_port import HOUR_US, NOW_US, event

HOUR_S = 3600
NOW_S = NOW_US // MICROS
DAY = RollupQuery(Width.HOUR, NOW_S - 86_400, NOW_S + 1)
WAYS = [(), ("route",), ("severity",), ("code", "kind"), KEY_FIELDS]


def made(number: int, *, hours_ago: int = 0, route: str = "a", code: str = "INTERNAL") -> Event:
    """Return an event some hours old."""
    return event(
        number,
        timestamp_us=NOW_US - hours_ago * HOUR_US,
        route=route,
        code=code,
        severity=Severity(1 + number % 4),
        kind=EventKind.CALL_FAILED,
        fingerprint=f"v1:{route}",
    )


def expected(events: Sequence[Event], query: RollupQuery) -> list[RollupRow]:
    """Return the answer, from nothing but the events."""
    sums: dict[tuple[int, tuple[str | int, ...]], int] = {}
    for one in events:
        start = one.timestamp_us // MICROS // query.width * query.width
        if query.from_s <= start < query.to_s and all(getattr(one, k) == v for k, v in query.only):
            at = (start, tuple(getattr(one, field) for field in query.by))
            sums[at] = sums.get(at, 0) + 1
    return [RollupRow(*at, sums[at]) for at in sorted(sums)]


async def agrees(store: Store, events: Sequence[Event], width: Width = Width.HOUR) -> None:
    """Ask in every way, and for the buckets."""
    query = replace(DAY, width=width)
    for by in WAYS:
        assert await store.rollups(replace(query, by=by)) == expected(events, replace(query, by=by))
        only = replace(query, by=by, only=(("route", "b"),))
        assert await store.rollups(only) == expected(events, only)
    buckets = await store.buckets(width, query.from_s, query.to_s)
    assert [(one.start, one.events) for one in buckets] == [
        (row.start, row.events) for row in expected(events, query)
    ]
    keys = [row for one in buckets for row in one.sums(KEY_FIELDS)]
    assert keys == expected(events, replace(query, by=KEY_FIELDS))


async def test_late_events_are_in_the_next_answer(store: Store) -> None:
    """Hours that were asked about and are over get more events, with keys that they had and new ones."""
    dice = random.Random(4)
    events: list[Event] = []
    for step in range(30):
        new = [
            made(
                100 * step + n, hours_ago=dice.randrange(30), route=dice.choice("abc"), code=dice.choice("XY")
            )
            for n in range(dice.randrange(4))
        ]
        await store.report(new)
        events.extend(new)
        await agrees(store, events)
    await agrees(store, events, Width.DAY)
    await agrees(store, events, Width.MINUTE)


async def test_bucket_that_is_unchanged_is_the_same_and_one_that_changed_is_another(store: Store) -> None:
    """Whoever works something out from a bucket may go by that."""
    await store.report([made(1, hours_ago=3), made(2, hours_ago=5)])

    async def asked() -> dict[int, Bucket]:
        return {one.start: one for one in await store.buckets(Width.HOUR, NOW_S - 86_400, NOW_S)}

    before = await asked()
    await store.report([made(3, hours_ago=5)])
    after = await asked()
    changed = (NOW_S - 5 * HOUR_S) // HOUR_S * HOUR_S
    assert [one.events for one in after.values()] == [2, 1]
    assert (before[changed].events, before[changed].counts) == (1, (1,))
    assert after[changed] is not before[changed]


async def test_what_is_done_to_events_and_groups_leaves_counts_alone(store: Store) -> None:
    """Merging, splitting, resolving, deleting, and what is reported again."""
    events = [made(n, hours_ago=n % 5, route="ab"[n % 2]) for n in range(20)]
    await store.report(events)
    await agrees(store, events)
    await store.merge_groups("v1:a", ["v1:b"], lambda target, _: target)
    await agrees(store, events)
    more = [made(50, hours_ago=2, route="b")]
    await store.report([*more, *events])
    await agrees(store, [*events, *more])
    await store.split_group("v1:a", ["v1:b"], lambda target: target)
    await store.change_group("v1:a", lambda one: by_hand.resolved(one, at_us=NOW_US, actor="ann"))
    await store.resolve(EVERYTHING, resolution="done", at_us=NOW_US, dry_run=False)
    assert await store.prune_events(Prune(2**62, limit=100)) == 21
    await agrees(store, [*events, *more])


async def test_bucket_that_was_deleted_and_comes_again_is_not_taken_for_the_one_before(store: Store) -> None:
    """Late events make it anew, with as many events as it had, of other keys."""
    old = [made(1, hours_ago=10, route="a"), made(2, hours_ago=10, route="a")]
    new = [made(3, route="c")]
    await store.report([*old, *new])
    await agrees(store, [*old, *new])
    while await store.prune_counts({Width.HOUR: 5 * HOUR_S}, at_us=NOW_US):
        pass
    await agrees(store, new)
    late = [made(4, hours_ago=10, route="b"), made(5, hours_ago=10, route="b")]
    await store.report(late)
    await agrees(store, [*late, *new])
    assert [row.events for row in await store.rollups(replace(DAY, width=Width.DAY))] == [5]


async def test_full_bucket_is_remembered_with_what_it_counts_under_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while it fills up, and sums stay exact."""
    monkeypatch.setattr(rollups, "MAX_KEYS", 3)
    for number in range(10):
        await store.report([made(number, hours_ago=1, route=f"r{number}")])
        rows = await store.rollups(replace(DAY, by=("route",)))
        assert sum(row.events for row in rows) == number + 1
        others = [row.events for row in rows if row.values == ("_other",)]
        assert others == ([number - 2] if number > 2 else [])
    assert await store.rollups(replace(DAY, only=(("route", "_other"),))) == [
        RollupRow((NOW_S - HOUR_S) // HOUR_S * HOUR_S, (), 7)
    ]


async def test_sums_over_more_buckets_than_are_remembered_are_summed_up_all_the_same(store: Store) -> None:
    """In the same order and within the limit; buckets themselves are not given."""
    query = RollupQuery(Width.MINUTE, NOW_S - 86_400, NOW_S + 1, ("route",))
    minutes = MAX_BUCKETS + 20
    events = [
        event(n, timestamp_us=NOW_US - n * 60 * MICROS, route="ab"[n % 2], kind=EventKind.CALL_FAILED)
        for n in range(minutes)
    ]
    await store.report(events)
    for one in (query, replace(query, only=(("route", "b"),)), replace(query, by=())):
        assert await store.rollups(one) == expected(events, one)
        assert await store.rollups(replace(one, limit=7)) == expected(events, one)[:7]
    with pytest.raises(ValueError, match="buckets at once"):
        await store.buckets(Width.MINUTE, query.from_s, query.to_s)
    few = replace(query, from_s=NOW_S - 3600)
    assert await store.rollups(replace(few, limit=7)) == expected(events, few)[:7]
