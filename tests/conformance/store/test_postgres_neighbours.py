"""Several control planes on one database."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from seawall_control.domain.errors import EtagMismatch, StoreUnavailable
from seawall_control.domain.events import Batch, Event
from seawall_control.domain.filters import EVERYTHING
from seawall_control.domain.group_changes import merged, remarked, split
from seawall_control.domain.records import Append, Delete, DocumentConflict, Put, broken_link
from seawall_control.domain.rollups import RollupQuery, Width
from seawall_control.store.port import Elsewhere, EventQuery, GroupQuery
from seawall_control.store.postgres import PostgresStore, open_store, target
from tests.conformance.store.test_port import HOUR_US, NOW_US, draft, event
from tests.kit.postgres import PostgresServer
from tests.kit.processes import PATIENCE_S


@pytest.fixture
async def pair(postgres_server: PostgresServer) -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    """Two stores on one database."""
    url = postgres_server.url_of(await postgres_server.new_database())
    one, two = await open_store(url), await open_store(url)
    yield one, two
    await one.aclose()
    await two.aclose()


Pair = tuple[PostgresStore, PostgresStore]


async def eventually(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def soon_leads(store: PostgresStore) -> None:
    """Wait until a store leads."""
    async with asyncio.timeout(PATIENCE_S):
        while not await store.leads():  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.01)


async def test_changes_at_both_are_serialised(pair: Pair) -> None:
    """One line of revisions, one record of events, one chain of entries, whoever writes."""
    one, two = pair
    await one.apply(draft("0"))
    results = await asyncio.gather(
        *(store.apply(draft(str(i), etag="0")) for i in range(1, 9) for store in pair), return_exceptions=True
    )
    # The second of two equal drafts changes nothing or comes late; one of eight contents won.
    won = [r for r in results if not isinstance(r, EtagMismatch)]
    assert len(won) == 1
    await asyncio.gather(*(store.apply(draft(f"x{i}{id(store)}")) for i in range(8) for store in pair))
    assert [r.revision for r in await two.revisions("default", before=0, limit=99)] == list(range(18, 0, -1))

    batches = [
        Batch("p", "s", tuple((i, event(i, proxy="p")) for i in range(first, first + 5)))
        for first in (1, 3, 6, 8, 11)
    ]
    found = await asyncio.gather(*(store.ingest(b) for b in batches for store in pair))
    assert sum(len(f.stored) for f in found) == 15
    assert {e.id for e in await one.events(EventQuery(EVERYTHING, 99))} == {event(i).id for i in range(1, 16)}
    assert (await two.counts(at_us=0)).total == 15

    await asyncio.gather(
        *(store.commit([Append("audit", "{}")], at_us=1) for _ in range(10) for store in pair)
    )
    entries = await one.entries("audit", oldest_first=True)
    assert [e.number for e in entries] == list(range(1, 21))
    assert broken_link(entries) is None

    puts = await asyncio.gather(
        *(store.commit([Put("k", "n", "1", expected=0)], at_us=1) for store in pair), return_exceptions=True
    )
    assert sum(isinstance(p, DocumentConflict) for p in puts) == 1


async def test_bulk_changes_at_both_do_not_block_each_other(pair: Pair) -> None:
    """Resolving, deleting and taking in at once ends, and the counts are exact."""
    one, two = pair
    for start in range(0, 4000, 1000):
        await one.report([event(start + i) for i in range(1000)])
    async with asyncio.timeout(PATIENCE_S):
        resolved = await asyncio.gather(
            one.resolve(EVERYTHING, resolution="r", at_us=1, dry_run=False),
            two.resolve(EVERYTHING, resolution="r", at_us=1, dry_run=False),
            *(two.report([event(5000 + i, severity=4)]) for i in range(20)),
            one.delete_resolved(before_us=2**62, dry_run=False),
        )
        await two.delete_resolved(before_us=2**62, dry_run=False)
    assert resolved[0] + resolved[1] >= 4000  # type: ignore[operator]
    left = await one.events(EventQuery(EVERYTHING, 9999))
    assert (await one.counts(at_us=0)).total == len(left)


async def test_groups_that_the_other_changed_are_seen(pair: Pair) -> None:
    """Each remembers groups between transactions; what the other counts, assigns, merges, splits or deletes
    counts all the same.
    """
    number = 0
    dice = random.Random(7)
    leads = {f"v1:{name}": f"v1:{name}" for name in "abcde"}
    expected: dict[str, int] = {}
    notes: dict[str, int] = {}
    for _ in range(120):
        store = dice.choice(pair)
        one, other = dice.sample(sorted(leads), 2)
        what = dice.random()
        if what < 0.7:
            prints = [dice.choice(sorted(leads)) for _ in range(dice.randrange(1, 5))]
            events = [event(number + n, fingerprint=p) for n, p in enumerate(prints)]
            number += len(prints)
            await store.report(events)
            for fingerprint in prints:
                group = leads[fingerprint]
                expected[group] = expected.get(group, 0) + 1
        elif what < 0.8 and leads[one] in expected:
            await store.change_group(leads[one], lambda group: remarked(group, "x", at_us=1, actor="ann"))
            notes[leads[one]] = notes.get(leads[one], 0) + 1
        elif what < 0.9 and leads[one] != leads[other] and {leads[one], leads[other]} <= expected.keys():
            into, gone = leads[one], leads[other]
            await store.merge_groups(into, [gone], lambda a, b: merged(a, b, at_us=1, actor="ann"))
            expected[into] += expected.pop(gone)
            notes[into] = notes.get(into, 0) + notes.pop(gone, 0)
            leads.update((p, into) for p, group in leads.items() if group == gone)
        elif leads[one] != one:
            await store.split_group(leads[one], [one], lambda group: split(group, "x", at_us=1, actor="ann"))
            leads[one] = one
    for group_id, events_of_it in expected.items():
        found = await dice.choice(pair).group(group_id)
        remarks = sum(a.what == "note" for a in found.activity)
        assert (found.events, remarks) == (events_of_it, notes.get(group_id, 0))
    assert sum(group.events for group in await pair[0].groups(GroupQuery(EVERYTHING, 99))) == number


async def test_each_is_told_what_the_other_changes(pair: Pair) -> None:
    """Applied revisions and documents, also applied again; not its own, and not what was rolled back."""
    one, two = pair
    heard: dict[str, list[Elsewhere]] = {"one": [], "two": []}
    one.watch(heard["one"].append)
    two.watch(heard["two"].append)
    await eventually(lambda: one._watch._db is not None and two._watch._db is not None)
    await one.apply(draft("a", policy_set="shop"))
    await one.apply(draft("a", policy_set="shop"))
    await one.commit([Put("rule", "r", "1"), Append("audit", "{}"), Delete("rule", "gone")], at_us=1)
    with pytest.raises(DocumentConflict):
        await one.commit([Put("rule", "never", "1"), Put("rule", "r", "1", expected=9)], at_us=1)
    with pytest.raises(EtagMismatch):
        await one.apply(draft("b", policy_set="never", etag="x"))
    await two.apply(draft("z", policy_set="last"))
    await eventually(lambda: len(heard["two"]) >= 4 and len(heard["one"]) >= 1)
    assert heard["two"] == [
        Elsewhere(policy_sets=frozenset({"shop"})),
        Elsewhere(policy_sets=frozenset({"shop"})),
        Elsewhere(documents=frozenset({("rule", "r")})),
        Elsewhere(documents=frozenset({("rule", "gone")})),
    ]
    assert heard["one"] == [Elsewhere(policy_sets=frozenset({"last"}))]


async def test_whoever_was_deaf_is_told_that_anything_may_have_changed(pair: Pair) -> None:
    """After the listening connection was lost, and for a message that nobody of us sent."""
    one, two = pair
    heard: list[Elsewhere] = []
    two.watch(heard.append)
    await eventually(lambda: two._watch._db is not None)
    assert two._watch._db is not None
    pid = two._watch._db.get_server_pid()
    db = await asyncpg.connect(one._target.url)
    await db.execute("SELECT pg_terminate_backend($1)", pid)
    await eventually(lambda: heard == [Elsewhere(everything=True)])
    await db.execute("SELECT pg_notify($1, 'rubbish')", two._writer.server.channel)
    await eventually(lambda: len(heard) == 2)
    assert heard[1].everything
    await db.close()


async def test_one_leads(pair: Pair) -> None:
    """One of two, whoever asks first and for as long as it is there; a session that the server ends does not
    lead any more.
    """
    one, two = pair
    await eventually(lambda: one._watch._db is not None and two._watch._db is not None)
    assert await one.leads()
    assert not await two.leads()
    assert await one.leads()
    assert one._watch._db is not None
    db = await asyncpg.connect(one._target.url)
    await db.execute("SELECT pg_terminate_backend($1)", one._watch._db.get_server_pid())
    await db.close()
    await soon_leads(two)
    await eventually(lambda: one._watch._db is not None and not one._watch._db.is_closed())
    assert not await one.leads()
    await two.aclose()
    await soon_leads(one)


async def test_stores_in_two_schemas_of_a_database_are_strangers(postgres_server: PostgresServer) -> None:
    """They neither see each other's rows nor wait for or lead each other."""
    name = await postgres_server.new_database()
    url = postgres_server.url_of(name)
    await postgres_server.execute("CREATE SCHEMA blue", name)
    one, two = await open_store(url), await open_store(f"{url}?search_path=blue")
    await one.report([event(1)])
    assert (await two.counts(at_us=0)).total == 0
    assert one._writer.server.channel != two._writer.server.channel
    await eventually(lambda: one._watch._db is not None and two._watch._db is not None)
    assert await one.leads()
    assert await two.leads()
    await one.aclose()
    await two.aclose()


async def test_counts_of_others_are_in_the_next_answer(pair: Pair) -> None:
    """Whoever wrote them, also into hours that were over and remembered, at once, and where retention at one
    has deleted what the other remembers.
    """
    query = RollupQuery(Width.HOUR, 0, 2**40, ("route",))

    def said(number: int, hours_ago: int, route: str) -> Event:
        return event(number, timestamp_us=NOW_US - hours_ago * HOUR_US, route=route, fingerprint="v1:a")

    async def both(wanted: dict[str, int]) -> None:
        for store in pair:
            found: dict[str, int] = {}
            for row in await store.rollups(query):
                found[str(row.values[0])] = found.get(str(row.values[0]), 0) + row.events
            assert found == wanted
            assert sum(one.events for one in await store.buckets(Width.HOUR, 0, 2**40)) == sum(
                wanted.values()
            )

    one, two = pair
    await one.report([said(1, 9, "a"), said(2, 0, "a")])
    await both({"a": 2})
    await two.report([said(3, 9, "b")])
    await both({"a": 2, "b": 1})
    await asyncio.gather(
        *(
            store.report([said(100 * n + 10 * i, i % 10, "c")])
            for n, store in enumerate(pair, 1)
            for i in range(9)
        )
    )
    await both({"a": 2, "b": 1, "c": 18})
    while await one.prune_counts({Width.HOUR: 5 * 3600}, at_us=NOW_US):
        pass
    left = 1 + 2 * 5
    assert sum(bucket.events for bucket in await two.buckets(Width.HOUR, 0, 2**40)) == left
    gone = [said(1000 + n, 9, "d") for n in range(2)]
    await two.report(gone)
    assert (await one.rollups(query))[0].values == ("d",)


async def test_control_plane_that_does_not_keep_versions_is_refused(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was connected before the migration counts nothing that others would not see, and ends once it
    has looked at the schema again.
    """
    url = postgres_server.url_of(await postgres_server.new_database())
    new = await open_store(url)
    monkeypatch.delitem(target.WRITER, "seawall.event_buckets")
    old = await open_store(url)
    with pytest.raises(StoreUnavailable, match="only together with event_buckets"):
        await old.report([event(1)])
    assert not old.failed.is_set()
    monkeypatch.setattr(old._writer, "_newest", 6)
    with pytest.raises(StoreUnavailable):
        await old.report([event(1)])
    assert old.failed.is_set()
    await new.report([event(2)])
    assert [row.events for row in await new.rollups(RollupQuery(Width.DAY, 0, 2**40))] == [1]
    await old.aclose()
    await new.aclose()
