"""What every store promises about groups, floods and counts, by example."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall_control.domain import group_changes as by_hand
from seawall_control.domain import groups as g
from seawall_control.domain import rollups
from seawall_control.domain.errors import InvalidRequest, NotFound, PreconditionFailed
from seawall_control.domain.events import Batch, Event, EventKind, Severity
from seawall_control.domain.filters import EVERYTHING
from seawall_control.domain.flood import FloodLimits, Gates, Pressure
from seawall_control.domain.retention import Prune
from seawall_control.domain.rollups import RollupQuery, Width
from seawall_control.domain.taking import Reception
from seawall_control.store.port import EventQuery, GroupQuery, Store
from tests.conformance.store.test_port import HOUR_US, NOW_US, event

LIMITS = FloodLimits(rate=0.001, burst=3, last=2, samples=1)
ALL = RollupQuery(Width.DAY, 0, 2**40)


def reception(limits: FloodLimits = LIMITS, *, at_us: int = NOW_US) -> Reception:
    """Return how to receive, with a sieve of its own."""
    gates = Gates(limits, lambda: at_us / 1e6, lambda: 0.99, Pressure())
    return Reception(at_us, gates, lambda one: {"given": one.fingerprint})


def said(number: int, fingerprint: str = "v1:a", **more: object) -> Event:
    """Return an event of a group."""
    return event(number, fingerprint=fingerprint, route="r", kind=EventKind.CALL_FAILED, **more)


def batch(*numbers: int, fingerprint: str = "v1:a") -> Batch:
    """Return a batch whose sequence numbers are those of its events."""
    return Batch("p", "s", tuple((number, said(number, fingerprint)) for number in numbers))


async def stored(store: Store) -> list[int]:
    """Return the numbers of the events that are stored."""
    found = await store.events(EventQuery(EVERYTHING, 1000, descending=False))
    return [int(one.id[-4:]) for one in found]


async def test_flood_keeps_its_beginning_its_end_and_a_sample_and_counts_the_rest(store: Store) -> None:
    """Of thousands the first three, the last two and one between are stored; every one is counted."""
    how = reception()
    for start in range(1, 1001, 100):
        found = await store.ingest(batch(*range(start, start + 100)), how)
        assert found.through_seq == start + 99
    assert len(await stored(store)) == 6
    assert {1, 2, 3, 999, 1000} < set(await stored(store))
    group = await store.group("v1:a")
    assert (group.events, group.counted, group.state) == (1000, 994, g.GroupState.NEW)
    assert (group.first_seen_us, group.last_seen_us) == (NOW_US + 1, NOW_US + 1000)
    assert [row.events for row in await store.rollups(ALL)] == [1000]
    assert sum(n for _, n, _ in await store.group_hours("v1:a", hour=2**40, hours=2**40)) == 1000


async def test_counted_events_are_counted_once(store: Store) -> None:
    """A batch that comes again changes no count, stored or not, in part or as a whole."""
    how = reception()
    first = await store.ingest(batch(*range(1, 21)), how)
    assert (len(first.stored), len(first.counted)) == (6, 14)
    again = await store.ingest(batch(*range(1, 23)), how)
    assert (again.duplicates, len(again.stored) + len(again.counted), again.through_seq) == (20, 2, 22)
    group = await store.group("v1:a")
    assert (group.events, group.counted) == (22, 22 - len(await stored(store)))


async def test_reports_are_counted_once_by_id(store: Store) -> None:
    """A report has no number; ids that were only counted are remembered too, evicted ones among them."""
    how = reception()
    events = [said(number) for number in range(1, 31)]
    first = await store.report(events[:10], how)
    assert len(first.stored) + len(first.counted) == 10
    for _ in range(2):
        await store.report(events, how)
    assert (await store.group("v1:a")).events == 30
    assert [row.events for row in await store.rollups(ALL)] == [30]


async def test_evicted_reports_are_remembered(store: Store) -> None:
    """One that was stored and gave its place to a newer one is not new when it is reported again."""
    how = reception()
    for _ in range(2):
        for number in range(1, 21):
            await store.report([said(number)], how)
    group = await store.group("v1:a")
    assert (group.events, group.counted) == (20, 14)
    assert len(await stored(store)) == 6


async def test_groups_are_flooded_one_by_one(store: Store) -> None:
    """A quiet group beside a loud one loses nothing."""
    how = reception()
    await store.ingest(batch(*range(1, 101)), how)
    await store.ingest(batch(*range(101, 104), fingerprint="v1:b"), how)
    assert (await store.group("v1:b")).counted == 0
    assert {101, 102, 103} < set(await stored(store))


async def test_first_event_makes_a_group_and_says_why(store: Store) -> None:
    """One change is told; text is that of the newest event, severity the highest."""
    found = await store.report([said(1, severity=Severity.HIGH, message="old")], reception())
    assert [(c.became, c.group.id) for c in found.changes] == [(g.Became.NEW, "v1:a")]
    more = await store.report(
        [said(2, message="new"), said(3, timestamp_us=NOW_US - 5, message="late")], reception()
    )
    assert more.changes == ()
    group = await store.group("v1:a")
    assert (group.message, group.severity, group.events) == ("new", Severity.HIGH, 3)
    assert (group.parts, group.first_seen_us) == ({"given": "v1:a"}, NOW_US - 5)
    with pytest.raises(NotFound):
        await store.group("v1:b")


async def test_resolved_group_comes_back_only_with_what_is_newer(store: Store) -> None:
    """An event that a proxy held back does not count as a regression, one of after the resolution does."""
    await store.report([said(1)], reception())
    await store.change_group("v1:a", lambda one: by_hand.resolved(one, at_us=NOW_US + 100, actor="ann"))
    late = await store.report([said(2)], reception(at_us=NOW_US + HOUR_US))
    assert (await store.group("v1:a")).state is g.GroupState.RESOLVED and late.changes == ()
    back = await store.report([said(200)], reception(at_us=NOW_US + HOUR_US))
    assert [c.became for c in back.changes] == [g.Became.REGRESSED]
    assert (await store.group("v1:a")).state is g.GroupState.REGRESSED


async def test_group_that_gets_too_loud_escalates_once_and_its_spike_is_no_baseline(store: Store) -> None:
    """More than ten times the busiest hour; the spike's hour is flagged, so the limit stays where it was."""
    number = 0
    for hour in range(3):
        at_us = NOW_US + hour * HOUR_US
        for _ in range(4):
            number += 1
            await store.report([said(number, timestamp_us=at_us)], reception(at_us=at_us))
    at_us = NOW_US + 3 * HOUR_US
    changes = []
    for _ in range(100):
        number += 1
        found = await store.report([said(number, timestamp_us=at_us)], reception(at_us=at_us))
        changes += [(c.became, c.events, c.limit) for c in found.changes]
    assert changes == [(g.Became.ESCALATING, 41, 40)]
    assert (await store.age_groups(at_us=at_us))[1] == 0
    await store.age_groups(at_us=at_us + 3 * HOUR_US)
    assert (await store.group("v1:a")).state is g.GroupState.ONGOING
    at_us += 3 * HOUR_US
    await store.report([said(number + 1, timestamp_us=at_us)], reception(at_us=at_us))
    assert (await store.group("v1:a")).limit == 40


async def test_muted_group_comes_back_when_its_condition_is_met(store: Store) -> None:
    """Until a time, until a number of further events; for ever means for ever."""
    await store.report([said(1), said(2, "v1:b"), said(3, "v1:c")], reception())

    async def mute(name: str, until: g.Until, value: int) -> None:
        await store.change_group(
            name, lambda one: by_hand.archived(one, until, value, at_us=NOW_US, actor="ann")
        )

    await mute("v1:a", g.Until.TIME, NOW_US + HOUR_US)
    await mute("v1:b", g.Until.COUNT, 2)
    await mute("v1:c", g.Until.FOREVER, 0)
    assert await store.age_groups(at_us=NOW_US + HOUR_US - 1) == ((), 0)
    changes, number = await store.age_groups(at_us=NOW_US + HOUR_US)
    assert ([c.became for c in changes], number) == ([g.Became.UNMUTED], 1)
    assert (await store.report([said(4, "v1:b"), said(5, "v1:c")], reception())).changes == ()
    assert [c.became for c in (await store.report([said(6, "v1:b")], reception())).changes] == [
        g.Became.UNMUTED
    ]
    assert (await store.group("v1:c")).state is g.GroupState.ARCHIVED


async def test_change_that_raises_leaves_the_group_as_it_was(store: Store) -> None:
    """The functions of the domain may refuse."""
    await store.report([said(1)], reception())
    before = await store.group("v1:a")
    with pytest.raises(PreconditionFailed):
        await store.change_group("v1:a", lambda one: by_hand.reopened(one, at_us=NOW_US, actor="ann"))
    assert await store.group("v1:a") == before


async def test_merged_groups_are_one_and_stay_so(store: Store) -> None:
    """Numbers add up, later events of both go to the one, and names lead to it; split ends that."""
    await store.report([said(1), said(2, "v1:b"), said(3, "v1:b")], reception())
    merged = await store.merge_groups(
        "v1:a", ["v1:b", "v1:a"], lambda one, more: by_hand.merged(one, more, at_us=NOW_US, actor="ann")
    )
    assert merged.events == 3
    await store.report([said(4, "v1:b")], reception())
    assert await store.group("v1:b") == await store.group("v1:a")
    assert (await store.group("v1:a")).events == 4
    assert list(await store.members("v1:a")) == ["v1:a", "v1:b"]
    assert len(await store.groups(GroupQuery(EVERYTHING, 10))) == 1
    with pytest.raises(InvalidRequest, match="at least one other"):
        await store.merge_groups("v1:a", ["v1:b"], lambda one, _: one)
    with pytest.raises(InvalidRequest, match="was not merged"):
        await store.split_group("v1:a", ["v1:c"], lambda one: one)
    await store.split_group("v1:a", ["v1:b"], lambda one: one)
    assert len((await store.report([said(5, "v1:b")], reception())).changes) == 1
    assert (await store.group("v1:b")).events == 1


async def test_flood_of_fingerprints_shares_one_group(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups are bounded; what has no room is one group, with one sieve."""
    monkeypatch.setattr(g, "MAX_GROUPS", 5)
    how = reception()
    for number in range(1, 51):
        await store.report([said(number, f"v1:{number}")], how)
    found = {group.id: group.events for group in await store.groups(GroupQuery(EVERYTHING, 100))}
    assert found == {**{f"v1:{number}": 1 for number in range(1, 6)}, g.OVERFLOW: 45}
    assert len(await stored(store)) == 5 + 6
    assert sum(row.events for row in await store.rollups(ALL)) == 50


async def test_flood_of_keys_is_counted_under_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets are bounded, sums stay exact."""
    monkeypatch.setattr(rollups, "MAX_KEYS", 3)
    for number in range(1, 21):
        await store.report(
            [said(number, code="UNAVAILABLE") if number < 3 else replace(said(number), route=f"r{number}")]
        )
    rows = await store.rollups(replace(ALL, by=("route",)))
    assert {row.values[0]: row.events for row in rows} == {"r": 2, "r3": 1, "r4": 1, "_other": 16}


async def test_retention_leaves_what_is_unresolved_and_every_count(store: Store) -> None:
    """By severity and age, oldest first and some at a time; muted groups only when asked for."""
    await store.report(
        [said(n, severity=Severity.LOW if n % 2 else Severity.HIGH, resolved=n <= 10) for n in range(1, 21)]
    )
    assert await store.prune_events(Prune(NOW_US + 9, Severity.LOW, limit=3)) == 3
    assert await store.prune_events(Prune(NOW_US + 9, Severity.LOW)) == 1
    assert await stored(store) == [2, 4, 6, 8, 9, *range(10, 21)]
    assert await store.prune_events(Prune(2**62, muted=True)) == 0
    await store.change_group(
        "v1:a", lambda one: by_hand.archived(one, g.Until.FOREVER, 0, at_us=NOW_US, actor="ann")
    )
    assert await store.prune_events(Prune(NOW_US + 16, muted=True)) == 5
    assert await store.prune_events(Prune(2**62)) == 6
    assert await stored(store) == [16, 17, 18, 19, 20]
    assert (await store.group("v1:a")).events == 20
    assert [row.events for row in await store.rollups(ALL)] == [20]
    assert (await store.counts(at_us=NOW_US)).total == 5


async def test_counts_and_groups_are_kept_for_a_while(store: Store) -> None:
    """Minutes go before hours; a group goes when it is resolved, old and empty."""
    await store.report([said(1, resolved=True)])
    kept = {Width.MINUTE: 3600, Width.HOUR: 7200}
    at_us = NOW_US + 90 * 60 * 1_000_000
    while await store.prune_counts(kept, at_us=at_us):
        pass
    assert [len(await store.rollups(replace(ALL, width=width))) for width in Width] == [0, 1, 1]
    later_us = NOW_US + 30 * 24 * HOUR_US
    assert await store.prune_groups(before_us=later_us) == 0
    await store.change_group("v1:a", lambda one: by_hand.resolved(one, at_us=NOW_US + 5, actor="ann"))
    assert await store.prune_groups(before_us=later_us) == 0
    await store.prune_events(Prune(2**62))
    assert await store.prune_groups(before_us=NOW_US + 5) == 0
    assert await store.prune_groups(before_us=later_us) == 1
    with pytest.raises(NotFound):
        await store.group("v1:a")
