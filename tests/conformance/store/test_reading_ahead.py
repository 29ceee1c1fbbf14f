"""Pages whose rows are read ahead are the pages that they would be otherwise.

Here every page is late: what is looked at is what they say, and that rows were in fact read for them.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from seawall_control.domain.events import Event, Severity
from seawall_control.domain.filters import parse
from seawall_control.store import postgres
from seawall_control.store.event_walks import BY_OTHER_ROUTE, POSTGRES, span, walk_of
from seawall_control.store.filter_sql import numbered
from seawall_control.store.memory import MemoryStore
from seawall_control.store.port import EventQuery, Store
from seawall_control.store.postgres.readers import BITMAPS
from seawall_control.store.postgres.store import PostgresStore
from seawall_control.store.postgres.target import READER
from seawall_control.store.reading_ahead import Page
from seawall_control.store.sqlite import open_store
from seawall_control.store.sqlite.ahead import READ, THREADS, SqliteAhead
from seawall_control.store.sqlite.opening import FILE_NAME
from seawall_control.store.sqlite.store import SqliteStore
from tests.conformance.store.test_event_plans import FILTERS
from tests.kit.postgres import PostgresServer

COUNT = 600
START_US = 1_780_000_000_000_000


def made(number: int) -> Event:
    """Return an event; some have the component of another route than theirs, or of none."""
    other = number % 10 == 3
    return Event(
        id=f"00000000-0000-4000-8000-{number * 7919 % COUNT:012d}",
        timestamp_us=START_US + number // 2,
        severity=Severity(1 + number % 4),
        component="c" if number % 5 == 0 else "route/s" if other else "route/r",
        message="words" if number % 3 else "x" * 9000,
        route="" if number % 20 == 3 else "r",
        code="INTERNAL" if number % 7 == 0 else "",
        fingerprint=f"v1:{number % 3}",
        trace_id="t" if number % 2 else "",
        job_id="j" if number % 5 == 0 else "",
        resolved=number % 4 == 0,
        resolved_at_us=1 if number % 4 == 0 else 0,
    )


EVENTS = [made(number) for number in range(COUNT)]


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqliteStore | PostgresStore]:
    """A store with events, all of whose pages are late."""
    found: SqliteStore | PostgresStore
    if request.param == "sqlite":
        found = await open_store(tmp_path / "store")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        found = await postgres.open_store(server.url_of(await server.new_database()))
    await found.report(EVENTS)
    found._ahead.late_s = 0.0
    yield found
    await found.aclose()


async def pages(store: Store, query: EventQuery, examine: int) -> list[list[Event]]:
    """Return all pages to the end."""
    found = []
    while True:
        part = await store.scan(query, examine=examine)
        found.append(list(part.events))
        if part.resume is None:
            return found
        query = replace(query, after=part.resume)


async def test_pages_are_the_same(store: SqliteStore | PostgresStore) -> None:
    """Every filter, in both directions, against the reference."""
    reference = MemoryStore()
    await reference.report(EVENTS)
    for text in FILTERS:
        for descending in (True, False):
            query = EventQuery(parse(text), 40, descending=descending)
            expected = [event for page in await pages(reference, query, 100) for event in page]
            found = await pages(store, query, 100)
            assert [event for page in found for event in page] == expected, text
            assert all(len(page) <= 40 for page in found)
    assert store._ahead.helped > 0


async def test_rows_that_vanish_are_missing_from_no_other_page(store: SqliteStore | PostgresStore) -> None:
    """Events are deleted while pages are read: those that stay are all there, once and in order."""
    gone = [event.id for event in EVENTS if event.resolved]

    async def delete() -> None:
        for start in range(0, len(gone), 10):
            await store.delete_events(gone[start : start + 10])

    deleting = asyncio.create_task(delete())
    query = EventQuery(parse("route = r OR route = s"), 20)
    rounds = 0
    while rounds < 3 or not deleting.done():
        found = [event for page in await pages(store, query, 50) for event in page]
        keys = [(event.timestamp_us, event.id) for event in found]
        assert keys == sorted(keys, reverse=True) and len(set(keys)) == len(keys)
        stayed = {event.id for event in EVENTS if event.route and not event.resolved}
        assert stayed <= {event.id for event in found}
        rounds += 1
    await deleting


async def test_a_page_that_is_cancelled_leaves_nothing(store: SqliteStore | PostgresStore) -> None:
    """Its help ends, other pages are read, and the store closes."""
    for _ in range(5):
        page = asyncio.create_task(pages(store, EventQuery(parse("severity >= HIGH"), 40), 100))
        # Help begins in the second turn, and eight pages take more than five.
        for _ in range(5):
            await asyncio.sleep(0)
        page.cancel()
        with pytest.raises(asyncio.CancelledError):
            await page
    assert len((await pages(store, EventQuery(parse(""), 40), 100))[0]) == 40


class Looked(Page):
    """A page that counts how often threads look whether it is read, and is after so many times."""

    def __init__(self, query: EventQuery, most: int) -> None:
        self.looks: list[str] = []
        self._most = most
        super().__init__(walk_of(query.filter), query, None)

    @property
    def is_read(self) -> bool:
        """See `Page`."""
        self.looks.append(threading.current_thread().name)
        return len(self.looks) > self._most

    @is_read.setter
    def is_read(self, value: bool) -> None:
        pass


async def test_sqlite_reads_the_rows_by_threads_that_end_with_it(tmp_path: Path) -> None:
    """Threads take all rows of a page between them, by their numbers, until it is read; none is there before
    a page is late, or after the store.
    """
    store = await open_store(tmp_path)
    await store.report(EVENTS)
    ahead = store._ahead
    assert isinstance(ahead, SqliteAhead)
    query = EventQuery(parse(""), 101)

    def threads() -> list[str]:
        return [one.name for one in threading.enumerate() if one.name.startswith("seawall-store-ahead")]

    ahead.late_s = 60.0
    assert len(await store.events(query)) == 101
    assert threads() == []
    keys = [(event.timestamp_us, event.id, number) for number, event in enumerate(EVENTS[:101], 1)]
    # One that fails would end at its first rows.
    all_read, soon_read = Looked(query, 1000), Looked(query, 5)
    await ahead.read(all_read, keys)
    assert len(all_read.looks) == 51
    assert set(all_read.looks) <= set(threads())
    await ahead.read(soon_read, keys)
    assert 5 < len(soon_read.looks) <= 5 + THREADS
    await store.aclose()
    assert threads() == []
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {READ}", [1] * READ.count("?"))]
    assert plan[0] == "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"


async def test_postgres_reads_the_rows_by_bitmaps(postgres_server: PostgresServer) -> None:
    """What lies between two keys of any filter is found in the index of its walk, and fetched by a bitmap
    scan, with as many reads at once as the system allows.
    """
    url = postgres_server.url_of(await postgres_server.new_database())
    store = await postgres.open_store(url)
    await store.report(EVENTS)
    await store.aclose()
    db = await asyncpg.connect(url, server_settings=READER)
    await db.execute("SET default_transaction_read_only = off")
    await db.execute("VACUUM ANALYZE events")
    async with db.transaction(readonly=True):
        await db.execute(BITMAPS)
        setting = "SELECT setting, max_val FROM pg_settings WHERE name = 'effective_io_concurrency'"
        [(given, most)] = await db.fetch(setting)
        assert int(given) == min(64, int(most))
        for text, (index, stretches, _) in FILTERS.items():
            for descending in (True, False):
                first, last = (START_US + 200, "x"), (START_US + 100, "y")
                after, until = (first, last) if descending else (last, first)
                sql, values = span(
                    walk_of(parse(text)), "max(latency_us)", POSTGRES,
                    descending=descending, after=after, until=until,
                )  # fmt: skip
                plan = "\n".join(row[0] for row in await db.fetch(f"EXPLAIN {numbered(sql)}", *values))
                assert plan.count("Bitmap Heap Scan") == stretches, (text, plan)
                assert not re.search("Seq Scan|Index Scan using|Index Only", plan), (text, plan)
                # Of a few exceptions the planner may think that any index will do.
                named = {f"events_{name}" for name in index.split()} - {BY_OTHER_ROUTE}
                assert named <= set(re.findall(r"events_by_\w+", plan)), (text, plan)
    assert await db.fetchval("SHOW enable_indexscan") == "on"
    await db.close()
