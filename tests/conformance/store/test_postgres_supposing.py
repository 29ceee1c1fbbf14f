"""What is supposed of the database and is not so: nothing is lost, and nothing counts twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from seawall_control.domain.events import MICROS, Batch, Event
from seawall_control.domain.filters import EVERYTHING
from seawall_control.domain.flood import FloodLimits, Gates, Pressure
from seawall_control.domain.rollups import MAX_KEYS, OTHER, RollupQuery, Width
from seawall_control.domain.taking import Ingested, Reception
from seawall_control.store.port import EventQuery
from seawall_control.store.postgres import PostgresStore, open_store
from tests.conformance.store.test_port import NOW_US, event

HOW = Reception(NOW_US)
MINUTE_US = 60 * MICROS
EVER = 2**40


@pytest.fixture
async def one(url: str) -> AsyncIterator[PostgresStore]:
    """A control plane's store."""
    store = await open_store(url)
    yield store
    await store.aclose()


@pytest.fixture
async def two(url: str) -> AsyncIterator[PostgresStore]:
    """That of another one, on the same database."""
    store = await open_store(url)
    yield store
    await store.aclose()


def said(number: int, **more: object) -> Event:
    """Return an event of the one group."""
    return event(number, **{"fingerprint": "v1:a", "route": "r", **more})


def batch(numbers: range, *, spool: str = "s", **more: object) -> Batch:
    """Return a batch whose events have the numbers of the spool as their ids."""
    return Batch("p", spool, tuple((n, said(n, **more)) for n in numbers))


async def days(store: PostgresStore) -> int:
    """Return how many events are counted by day."""
    return sum(row.events for row in await store.rollups(RollupQuery(Width.DAY, 0, EVER)))


async def stored(store: PostgresStore) -> int:
    """Return how many events are stored."""
    return len(await store.events(EventQuery(EVERYTHING, 1000)))


async def test_spool_that_goes_on_at_another_plane_is_taken_in_once(
    one: PostgresStore, two: PostgresStore
) -> None:
    """It comes back with what the first has not seen there, and with what was acknowledged by the other."""
    for numbers in (range(1, 11), range(11, 21)):
        assert len((await one.ingest(batch(numbers), HOW)).stored) == 10
    assert len((await two.ingest(batch(range(21, 41)), HOW)).stored) == 20
    found: Ingested = await one.ingest(batch(range(31, 51)), HOW)
    assert (len(found.stored), found.duplicates, found.through_seq) == (10, 10, 50)
    assert (await stored(one), await days(one), (await one.group("v1:a")).events) == (50, 50, 50)


async def test_two_planes_that_write_one_group_count_exactly(one: PostgresStore, two: PostgresStore) -> None:
    """By turns and at once: each supposes that the group is as it left it."""
    for turn in range(12):
        numbers = range(100 * turn + 1, 100 * turn + 11)
        sent = [
            store.ingest(
                batch(range(k * 10_000 + numbers.start, k * 10_000 + numbers.stop), spool=str(k)), HOW
            )
            for k, store in enumerate((one, two))
        ]
        taken = await asyncio.gather(*sent) if turn % 2 else [await some for some in sent]
        assert [len(some.stored) for some in taken] == [10, 10]
    for store in (one, two):
        assert (await days(store), (await store.group("v1:a")).events) == (240, 240)
    assert (one._writer.reconnects, two._writer.reconnects) == (0, 0)


async def test_bucket_that_another_plane_has_begun_is_not_taken_for_empty(
    one: PostgresStore, two: PostgresStore
) -> None:
    """It may be full, and has no room then."""

    def at(minute: int, numbers: range, spool: str) -> Batch:
        events = ((n, said(n, method=f"/m/{n}", timestamp_us=NOW_US + minute * MINUTE_US)) for n in numbers)
        return Batch("p", spool, tuple(events))

    for store, spool in ((one, "x"), (two, "y")):
        assert (await store.ingest(at(0, range(1, 2), spool), HOW)).through_seq == 1
    full = range(1000, 1000 + MAX_KEYS)
    await two.ingest(at(5, full, "y"), HOW)
    assert len((await one.ingest(at(5, range(2, 12), "x"), HOW)).stored) == 10
    minute = (NOW_US + 5 * MINUTE_US) // MINUTE_US * 60
    found = await one.rollups(RollupQuery(Width.MINUTE, minute, minute + 1, by=("method",)))
    assert len(found) == MAX_KEYS + 1
    assert {row.values[0]: row.events for row in found}[OTHER] == 10


async def test_counts_that_are_gone_are_begun_anew(one: PostgresStore, url: str) -> None:
    """Another plane has cleaned up: what comes now is counted all the same."""
    for numbers in (range(1, 11), range(11, 21)):
        await one.ingest(batch(numbers), HOW)
    db = await asyncpg.connect(url, server_settings={"seawall.event_buckets": "kept"})
    try:
        for table in ("event_rollups", "event_buckets"):
            await db.execute(f"DELETE FROM {table} WHERE width = {int(Width.DAY)}")
    finally:
        await db.close()
    assert len((await one.ingest(batch(range(21, 26)), HOW)).stored) == 5
    assert (await days(one), (await one.group("v1:a")).events) == (5, 25)


@pytest.mark.parametrize("burst", [1000, 1])
async def test_event_that_is_there_under_another_number_counts_once(one: PostgresStore, burst: int) -> None:
    """Whether it would be stored now or only counted."""
    limits = FloodLimits(rate=0.001, burst=burst, last=1, samples=1)
    how = Reception(NOW_US, Gates(limits, lambda: 0.0, lambda: 0.5, Pressure()))
    first = await one.ingest(batch(range(1, 11)), how)
    assert len(first.stored) + len(first.counted) == 10
    there = first.stored[0]
    await one.ingest(batch(range(11, 13)), how)
    again = tuple((20 + n, said(n)) for n in range(15, 18))
    found = await one.ingest(Batch("p", "s", ((13, there), *again)), how)
    assert (found.duplicates, len(found.stored) + len(found.counted)) == (1, 3)
    assert (await days(one), (await one.group("v1:a")).events) == (15, 15)


async def test_what_was_sent_before_is_checked_though_nothing_is_written(
    one: PostgresStore, url: str
) -> None:
    """An acknowledgement stands on what is there, not on what is remembered."""
    for numbers in (range(1, 11), range(11, 21)):
        await one.ingest(batch(numbers), HOW)
    assert (await one.ingest(batch(range(11, 21)), HOW)).duplicates == 10
    db = await asyncpg.connect(url)
    try:
        await db.execute("DELETE FROM spools")
        await db.execute("DELETE FROM events")
    finally:
        await db.close()
    assert len((await one.ingest(batch(range(11, 21)), HOW)).stored) == 10
