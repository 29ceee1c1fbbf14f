"""How pages of events are found: every filter walks an index in the order of pages, and those that no index
serves alone are walked in pieces.

Nothing is timed. What is looked at is which indexes are named, that the databases use them so, and that no
plan reads the whole table or sorts. Where a piece ends is read from the indexes alone: rows lie all over a
disk.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from seawall_control.domain.events import Event, Severity
from seawall_control.domain.filters import FIELDS, Compare, Op, Or, parse
from seawall_control.store import postgres
from seawall_control.store.event_pages import EXAMINED
from seawall_control.store.event_walks import (
    BY_OTHER_ROUTE,
    MAX_STRETCHES,
    POSTGRES,
    SQLITE,
    Dialect,
    Key,
    statement,
    walk_of,
)
from seawall_control.store.filter_sql import numbered
from seawall_control.store.port import EventQuery
from seawall_control.store.rows import EVENT_SELECT
from seawall_control.store.sqlite import open_store
from seawall_control.store.sqlite.opening import FILE_NAME
from seawall_control.store.sqlite.store import SqliteStore
from tests.kit.postgres import PostgresServer
from tests.kit.processes import PATIENCE_S

TIME, STATE, COMPONENT, GROUP = "by_time", "by_state", "by_component", "by_fingerprint"
JOB, TRACE, ROUTE = "by_job", "by_trace", "by_component by_other_route"
EXACT, BOUNDED = True, False

FILTERS: dict[str, tuple[str, int, bool]] = {
    "": (TIME, 1, EXACT),
    'timestamp >= "2026-11-01T00:00:00Z"': (TIME, 1, EXACT),
    'timestamp > "2026-11-01T00:00:00Z" AND timestamp < "2026-11-02T00:00:00Z"': (TIME, 1, EXACT),
    "severity = CRITICAL": (STATE, 2, EXACT),
    "severity >= HIGH": (STATE, 4, EXACT),
    "severity != LOW": (STATE, 6, EXACT),
    "severity = LOW OR severity = HIGH": (STATE, 4, EXACT),
    "resolved = false": (STATE, 4, EXACT),
    "resolved != false": (STATE, 4, EXACT),
    "resolved = false AND severity = CRITICAL": (STATE, 1, EXACT),
    'NOT resolved = true AND severity > MEDIUM AND timestamp > "2026-11-01T00:00:00Z"': (STATE, 2, EXACT),
    "severity = HIGH AND kind = CALL_FAILED AND resolved = false": (STATE, 1, BOUNDED),
    "component = c": (COMPONENT, 1, EXACT),
    "component = c OR component = d": (COMPONENT, 2, EXACT),
    "component = c AND resolved = false": (COMPONENT, 1, BOUNDED),
    "route = r": (ROUTE, 2, BOUNDED),
    "route = r OR route = s": (ROUTE, 4, BOUNDED),
    "route = r AND severity >= HIGH": (ROUTE, 2, BOUNDED),
    "route = r AND code = INTERNAL": (ROUTE, 2, BOUNDED),
    "job_id = j": (JOB, 1, EXACT),
    "job_id = j AND route = r": (JOB, 1, BOUNDED),
    "trace_id = t": (TRACE, 1, EXACT),
    "trace_id = t AND job_id = j": (JOB, 1, BOUNDED),
    'fingerprint = "v1:1"': (GROUP, 1, EXACT),
    'fingerprint = "v1:1" OR fingerprint = "v1:2"': (GROUP, 2, EXACT),
    'fingerprint = "v1:1" AND resolved = false': (GROUP, 1, BOUNDED),
    'fingerprint = "v1:1" AND route = r': (GROUP, 1, BOUNDED),
    # No index serves these.
    "kind = BREAKER_OPENED": (TIME, 1, BOUNDED),
    "code = INTERNAL": (TIME, 1, BOUNDED),
    "code = INTERNAL AND resolved = false": (STATE, 4, BOUNDED),
    "method = m": (TIME, 1, BOUNDED),
    "proxy = p": (TIME, 1, BOUNDED),
    "endpoint = e": (TIME, 1, BOUNDED),
    "reason = x": (TIME, 1, BOUNDED),
    "category = TRANSIENT": (TIME, 1, BOUNDED),
    "outcome = FAILED": (TIME, 1, BOUNDED),
    "error_type = x": (TIME, 1, BOUNDED),
    "message:words": (TIME, 1, BOUNDED),
    'message:words AND timestamp > "2026-11-01T00:00:00Z"': (TIME, 1, BOUNDED),
    "route:r": (TIME, 1, BOUNDED),
    'route = ""': (TIME, 1, BOUNDED),
    'job_id = ""': (TIME, 1, BOUNDED),
    "NOT trace_id:*": (TIME, 1, BOUNDED),
    "route = r OR component = c": (TIME, 1, BOUNDED),
    'timestamp != "2026-11-01T00:00:00Z"': (TIME, 1, BOUNDED),
}
EDGES: list[tuple[Key | None, Key | None]] = [
    (None, None),
    ((1_790_000_000_000_000, "x"), None),
    ((1_790_000_000_000_000, "x"), (1_780_000_000_000_000, "y")),
]


@pytest.mark.parametrize("text", FILTERS)
def test_walks(text: str) -> None:
    """Each filter walks the index that tells its events apart best, and the rest of it is bounded."""
    index, stretches, exact = FILTERS[text]
    walk = walk_of(parse(text))
    assert {stretch.index for stretch in walk.stretches} == {f"events_{name}" for name in index.split()}
    assert (len(walk.stretches), walk.is_exact) == (stretches, exact)


def test_filters_that_contradict_themselves_walk_nothing() -> None:
    """They are no reason to look at anything."""
    for text in (
        "severity = LOW AND severity = HIGH",
        "resolved = true AND resolved = false",
        "NOT resolved:*",
    ):
        assert walk_of(parse(text)).stretches == ()


def test_too_many_stretches_are_walked_by_time() -> None:
    """A statement has a bounded number of parts."""
    for column, most in (("route", MAX_STRETCHES // 2), ("component", MAX_STRETCHES)):
        nodes = [Compare(FIELDS[column], Op.EQ, f"x{number}") for number in range(most + 1)]
        assert len(walk_of(Or(tuple(nodes[:most]))).stretches) == MAX_STRETCHES
        walk = walk_of(Or(tuple(nodes)))
        assert [stretch.index for stretch in walk.stretches] == ["events_by_time"]
        assert walk.rest == (Or(tuple(nodes)),)


def plans_of(text: str, dialect: Dialect) -> list[tuple[str, list[Any], bool]]:
    """Return all statements of a filter, and whether they ask for keys, which are in the indexes."""
    walk = walk_of(parse(text))
    found = []
    for descending in (True, False):
        for after, until in EDGES:
            first, last = (after, until) if descending else (until, after)
            for columns, with_rest in ((EVENT_SELECT, True), ("timestamp_us, id", False)):
                sql, values = statement(
                    walk, columns, dialect, descending=descending,
                    after=first, until=last, limit=50, with_rest=with_rest,
                )  # fmt: skip
                found.append((sql, values, not with_rest))
    return found


@pytest.fixture(scope="module")
async def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store."""
    directory = tmp_path_factory.mktemp("plans")
    await (await open_store(directory)).aclose()
    return directory / FILE_NAME


@pytest.mark.parametrize("text", FILTERS)
def test_sqlite_walks_them(text: str, file: Path) -> None:
    """The plan has the named indexes, no sorting, and no reading of the table by itself."""
    with sqlite3.connect(file) as db:
        for sql, values, keys in plans_of(text, SQLITE):
            plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
            looks = [line for line in plan if line.startswith(("SEARCH", "SCAN"))]
            assert len(looks) == FILTERS[text][1], plan
            assert all("INDEX events_by_" in line for line in looks), plan
            assert not any("TEMP B-TREE" in line for line in plan), plan
            # SQLite looks at rows for the condition that a partial index has: of the few exceptions.
            alone = [line for line in looks if "USING COVERING INDEX" in line or BY_OTHER_ROUTE in line]
            assert not keys or alone == looks, plan
            if FILTERS[text][0] != TIME:
                assert all(line.startswith("SEARCH") for line in looks), plan


@pytest.fixture(scope="module")
async def database(postgres_server: PostgresServer) -> str:
    """The URL of a store with some events."""
    url = postgres_server.url_of(await postgres_server.new_database())
    store = await postgres.open_store(url)
    events = [
        Event(
            id=f"00000000-0000-4000-8000-{n:012d}",
            timestamp_us=1_780_000_000_000_000 + n,
            severity=Severity.LOW,
            component="c",
            message="m",
        )
        for n in range(100)
    ]
    await store.report(events)
    await store.aclose()
    return url


async def test_postgres_walks_them(database: str) -> None:
    """The plan of a table that is large enough has the indexes, and neither reads it nor sorts it."""
    db = await asyncpg.connect(database)
    # What is in an index alone is, once the rows are known to be seen by all.
    await db.execute("VACUUM events")
    await db.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
    for text, (index, _, _) in FILTERS.items():
        for sql, values, keys in plans_of(text, POSTGRES):
            plan = "\n".join(row[0] for row in await db.fetch(f"EXPLAIN {numbered(sql)}", *values))
            assert "Seq Scan" not in plan and "->  Sort" not in plan, plan
            for name in index.split():
                assert name in plan, (text, plan)
            assert not keys or "Index Scan" not in plan, (text, plan)
    await db.close()


async def test_what_no_index_serves_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A piece asks first where it ends, and the statement for its rows says so."""
    store = await open_store(tmp_path)
    # A page that is late is read ahead, which asks once more.
    store._ahead.late_s = PATIENCE_S
    asked: list[str] = []
    rows = store._readers.rows

    async def heard(sql: str, parameters: Any = ()) -> Any:
        asked.append(sql)
        return await rows(sql, parameters)

    monkeypatch.setattr(store._readers, "rows", heard)
    await store.report([_event(n) for n in range(5)])
    for text, (_, _, exact) in FILTERS.items():
        asked.clear()
        await store.scan(EventQuery(parse(text), 50), examine=3)
        assert len(asked) == (1 if exact else 2), text
        assert exact or "OFFSET" in asked[0], text
    await store.aclose()


def _event(number: int) -> Event:
    return Event(
        id=f"00000000-0000-4000-8000-{number:012d}",
        timestamp_us=1_780_000_000_000_000 + number,
        severity=Severity.HIGH,
        component="route/r",
        message="m",
        route="r",
        fingerprint="v1:1",
    )


async def test_the_writer_does_not_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bulk changes name rows by their numbers: the one connection that writes never looks through events."""
    store: SqliteStore = await open_store(tmp_path)
    await store.report([_event(n) for n in range(700)])
    said: list[str] = []
    await store._db.set_trace_callback(said.append)
    found = await store.resolve(parse("message:m"), resolution="", at_us=1, dry_run=False)
    again = await store.resolve([_event(1).id], resolution="", at_us=1, dry_run=False)
    archived = await store.delete_events([_event(n).id for n in range(100)])
    gone = await store.delete_resolved(before_us=2**60, dry_run=False)
    await store._db.set_trace_callback(lambda _: None)
    assert (found, again, archived, gone, EXAMINED) == (700, 0, 100, 600, 5000)
    told = set(said)
    assert [one for one in told if re.search(r"SELECT .* FROM events\b", one)] == []
    changes = [one for one in told if one.startswith(("DELETE FROM events WHERE", "UPDATE events SET"))]
    # As many in one statement as there is time for, and each once.
    assert sum(one.count(",", one.rindex(" IN (")) + 1 for one in changes) == 700 + 100 + 600
    for one in changes:
        plan = [row[3] for row in await store._db.execute_fetchall(f"EXPLAIN QUERY PLAN {one}")]
        # By row numbers or by ids, never through all events of a state.
        assert plan[0] in (
            "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH events USING INDEX sqlite_autoindex_events_1 (id=?)",
        )
    await store.aclose()
