"""The SQLite file itself: settings, migrations, refusals, a full disk, readers that never write."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import pytest

from seawall_control.domain.errors import (
    EtagMismatch,
    PreconditionFailed,
    StoreBusy,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from seawall_control.domain.filters import EVERYTHING, parse
from seawall_control.domain.groups import GroupState
from seawall_control.domain.rollups import RollupQuery, Width
from seawall_control.domain.taking import Received
from seawall_control.store import migrating
from seawall_control.store.port import EventQuery
from seawall_control.store.rows import EVENT_COLUMNS, EVENT_SELECT, event_row
from seawall_control.store.sqlite import SqliteStore, checking, open_store, opening, readers, writer
from seawall_control.store.sqlite.opening import APPLICATION_ID, FILE_NAME, migrations
from seawall_control.store.sqlite.thread import SqliteStatements
from tests.conformance.store.test_port import draft, event
from tests.kit.processes import PATIENCE_S

SCHEMA = Path(readers.__file__).with_name("schema.sql")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An empty store."""
    found = await open_store(tmp_path)
    yield found
    await found.aclose()


def schema_of(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the schema without its layout."""
    rows = db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")
    return [(name, " ".join(sql.split())) for name, sql in rows]


def test_migrations_together_are_the_schema() -> None:
    """All migrations in order make exactly what schema.sql says."""
    migrated, written = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    for _, _, text in migrations():
        migrated.executescript(text)
    written.executescript(SCHEMA.read_text(encoding="utf-8"))
    assert schema_of(migrated) == schema_of(written)
    migrated.close()
    written.close()


def whole_statements(script: str) -> list[str]:
    """Split a script; triggers have semicolons inside."""
    found, collected = [], ""
    for line in script.splitlines(keepends=True):
        collected += line
        if sqlite3.complete_statement(collected):
            found.append(collected)
            collected = ""
    return found


async def test_crash_in_a_migration_leaves_all_or_nothing(tmp_path: Path) -> None:
    """After dying behind any statement of a migration, the next start finishes it."""
    statements = whole_statements(migrations()[0][2])
    assert len(statements) > 15
    for stop in range(0, len(statements) + 1, 4):
        directory = tmp_path / str(stop)
        directory.mkdir()
        db = sqlite3.connect(directory / FILE_NAME, isolation_level=None)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("BEGIN IMMEDIATE")
        for statement in statements[:stop]:
            db.execute(statement)
        db.close()
        store = await open_store(directory)
        await store.report([event(1)])
        await store.aclose()


def old_store(directory: Path, newest: int) -> sqlite3.Connection:
    """Return a file as it was when `newest` was the newest migration."""
    directory.mkdir()
    db = sqlite3.connect(directory / FILE_NAME, isolation_level=None)
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for number, _, text in migrations()[:newest]:
        db.executescript(f"BEGIN; {text} PRAGMA user_version = {number}; COMMIT;")
    return db


async def test_events_of_before_there_were_groups_are_grouped(tmp_path: Path) -> None:
    """The upgrade gives stored events their groups and counts, and the next event goes to the same group."""
    db = old_store(tmp_path / "old", 2)
    day_us = 24 * 3_600_000_000
    events = [
        *(event(n, fingerprint="v1:a", route="r", message=f"m{n}", resolved=n < 5) for n in range(10)),
        event(20, fingerprint="v1:b", route="s", resolved=True, resolved_at_us=7),
        event(21, fingerprint="v1:c", route="s", timestamp_us=event(0).timestamp_us - 100 * day_us),
    ]
    marks = ", ".join("?" * len(EVENT_COLUMNS))
    db.executemany(f"INSERT INTO events ({EVENT_SELECT}) VALUES ({marks})", [event_row(e) for e in events])
    db.close()
    store = await open_store(tmp_path / "old")
    a, b, c = [await store.group(f"v1:{name}") for name in "abc"]
    assert (a.state, a.events, a.counted, a.message) == (GroupState.ONGOING, 10, 0, "m9")
    assert (b.state, b.since_us, c.events) == (GroupState.RESOLVED, 7, 1)
    assert a.parts == {"given": "before groups were kept"}
    assert sum(n for _, n, _ in await store.group_hours("v1:a", hour=2**40, hours=2**40)) == 10
    days = await store.rollups(RollupQuery(Width.DAY, 0, 2**40, ("route",)))
    assert [(row.values[0], row.events) for row in days] == [("s", 1), ("r", 10), ("s", 1)]
    hours = await store.rollups(RollupQuery(Width.HOUR, 0, 2**40))
    assert sum(row.events for row in hours) == 11
    await store.report([event(30, fingerprint="v1:a", message="new")])
    assert (await store.group("v1:a")).events == 11
    await store.aclose()


async def test_settings_are_those_that_durability_needs(store: SqliteStore) -> None:
    """WAL, FULL, no memory map, no trust in the file; readers cannot write and do not checkpoint."""
    writer, reader = store._db, store._readers._all[0].db

    async def value(db: aiosqlite.Connection, name: str) -> object:
        return next(iter(await db.execute_fetchall(f"PRAGMA {name}")))[0]

    assert [await value(writer, n) for n in ("journal_mode", "synchronous", "wal_autocheckpoint")] == [
        "wal",
        2,
        1000,
    ]
    assert await value(writer, "auto_vacuum") == 2
    for db in (writer, reader):
        assert [await value(db, n) for n in ("trusted_schema", "cell_size_check", "busy_timeout")] == [
            0,
            1,
            5000,
        ]
    assert [await value(reader, n) for n in ("query_only", "wal_autocheckpoint")] == [1, 0]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await reader.execute("DELETE FROM events")


async def test_second_store_on_one_directory_is_refused(store: SqliteStore, tmp_path: Path) -> None:
    """One writer per file, also within one process."""
    with pytest.raises(StoreRefused, match="another control plane"):
        await open_store(tmp_path)
    await store.report([event(1)])


async def refusal(directory: Path) -> str:
    """Return why a directory is refused."""
    with pytest.raises(StoreRefused) as raised:
        await open_store(directory)
    return str(raised.value)


async def test_files_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    """A newer schema, another program's file, no database, and a damaged one: each is refused with what to
    do.
    """
    store = await open_store(tmp_path / "newer")
    await store.aclose()
    with sqlite3.connect(tmp_path / "newer" / FILE_NAME) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    assert "written by a newer Seawall" in await refusal(tmp_path / "newer")

    (tmp_path / "other").mkdir()
    with sqlite3.connect(tmp_path / "other" / FILE_NAME) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    assert "another program" in await refusal(tmp_path / "other")

    (tmp_path / "text").mkdir()
    (tmp_path / "text" / FILE_NAME).write_bytes(b"hello, I am no database\n" * 100)
    assert "not a database" in await refusal(tmp_path / "text")

    store = await open_store(tmp_path / "damaged")
    await store.report([event(i) for i in range(500)])
    await store.aclose()
    path = tmp_path / "damaged" / FILE_NAME
    raw = bytearray(path.read_bytes())
    for page in range(20, 40):
        raw[page * 4096 + 8 : page * 4096 + 200] = b"\xff" * 192
    path.write_bytes(raw)
    assert "damaged" in await refusal(tmp_path / "damaged")
    # The refused file is let go: a good copy in its place opens.
    path.unlink()
    await (await open_store(tmp_path / "damaged")).aclose()


@pytest.mark.parametrize("harm", ["file", "log", "directory", "replaced"])
async def test_deleted_or_replaced_file_is_noticed_before_the_next_answer(tmp_path: Path, harm: str) -> None:
    """SQLite writes on to what has no name any more: what was told to be stored would be found by nobody."""
    directory = tmp_path / "store"
    store = await open_store(directory)
    await store.apply(draft("a"))
    path = directory / FILE_NAME
    log = path.with_name(path.name + "-wal")
    match harm:
        case "file":
            path.unlink()
        case "log":
            log.unlink()
        case "directory":
            directory.rename(tmp_path / "elsewhere")
        case "replaced":
            copy = tmp_path / "copy"
            copy.write_bytes(path.read_bytes())
            copy.replace(path)
    with pytest.raises(StoreUnavailable, match="replaced" if harm == "replaced" else "is gone"):
        await store.apply(draft("b"))
    assert store.failed.is_set()
    await store.aclose()


async def test_large_file_is_checked_while_it_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start reads what decides about proxies and not millions of events; the check of the running store
    finds what is wrong with those.
    """
    monkeypatch.setattr(opening, "CHECKED_BYTES", 0)
    store = await open_store(tmp_path / "events")
    await store.report([event(i, message="x" * 300) for i in range(500)])
    await store.aclose()
    spoil(tmp_path / "events" / FILE_NAME, "SELECT rootpage FROM sqlite_schema WHERE name = 'events_by_time'")
    store = await open_store(tmp_path / "events")
    assert await store.findings() != []
    await store.aclose()

    store = await open_store(tmp_path / "policies")
    await store.apply(draft("a"))
    await store.aclose()
    spoil(tmp_path / "policies" / FILE_NAME, "SELECT rootpage FROM sqlite_schema WHERE name = 'revisions'")
    with pytest.raises(StoreRefused, match="damaged"):
        await open_store(tmp_path / "policies")


def spoil(path: Path, which: str) -> None:
    """Make the page that a statement names useless."""
    with sqlite3.connect(path) as db:
        page = db.execute(which).fetchone()[0]
    raw = bytearray(path.read_bytes())
    raw[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(raw)


async def test_check_that_takes_too_long_is_given_up(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no damage, and says how a store of that size is checked."""
    await store.report([event(1)])
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with monkeypatch.context() as patched:
        patched.setattr(checking, "LIMIT_S", 0.1)
        patched.setattr(checking, "damage", lambda db, *_, **__: db.execute(endless).fetchall())
        with pytest.raises(StoreBusy, match="a backup checks its copy"):
            await store.findings()
    assert await store.findings() == []


def test_long_migration_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Indexes over millions of events take minutes, and are sorted in files."""
    monkeypatch.setattr(migrating, "PROGRESS_S", 0.0)
    db = sqlite3.connect(":memory:", isolation_level=None)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) SELECT i FROM n"
    many = f"CREATE TABLE t AS {numbers};"
    with caplog.at_level("INFO"):
        opening.migrate(db, 0, [(1, "0001_many.sql", many)])
    said = [record.message for record in caplog.records]
    assert said[0] == "migrating the store" and said[-1] == migrating.MIGRATED
    assert "the migration goes on" in said
    assert db.execute("PRAGMA temp_store").fetchone() == (1,)
    db.close()


async def test_full_store_refuses_changes_keeps_what_it_has_and_resumes(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLITE_FULL rolls the group back, says so, leaves reads alone, and ends when there is room."""
    await store.report([event(i) for i in range(10)])
    pages = next(iter(await store._db.execute_fetchall("PRAGMA page_count")))[0]
    await store._db.execute_fetchall(f"PRAGMA max_page_count = {pages}")
    big = [event(1000 + i, message="x" * 1000) for i in range(400)]
    results = await asyncio.gather(store.report(big), store.apply(draft("a")), return_exceptions=True)
    assert isinstance(results[0], StoreFull)
    assert (await store.report_state()).state == "full"
    said = [record for record in caplog.records if record.message == "a commit failed"]
    assert said and not any(record.exc_info for record in said)  # one line, without a traceback
    assert len(await store.events(EventQuery(EVERYTHING, 1000))) == 10
    assert (await store.counts(at_us=0)).total == 10
    await store._db.execute_fetchall("PRAGMA max_page_count = 1000000")
    assert len((await store.report(big)).stored) == 400
    assert (await store.report_state()).state == "ok"
    assert not store.failed.is_set()


async def test_full_store_finds_out_by_itself_that_there_is_room(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readiness comes back without anybody having to try a change."""
    monkeypatch.setattr(writer, "PROBE_S", 0.01)
    await store.report([event(1)])
    pages = next(iter(await store._db.execute_fetchall("PRAGMA page_count")))[0]
    await store._db.execute_fetchall(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull):
        await store.report([event(1000 + i, message="x" * 1000) for i in range(400)])
    await store._db.execute_fetchall("PRAGMA max_page_count = 1000000")
    async with asyncio.timeout(PATIENCE_S):
        while (await store.report_state()).state != "ok":  # noqa: ASYNC110 - nobody tells but the store itself
            await asyncio.sleep(0.01)


async def test_deleting_gives_room_back(store: SqliteStore, tmp_path: Path) -> None:
    """Retention makes the file smaller, a little at a time."""
    for start in range(0, 4000, 500):
        await store.report([event(start + i, resolved=True, message="x" * 1000) for i in range(500)])
    before = next(iter(await store._db.execute_fetchall("PRAGMA page_count")))[0]
    assert await store.delete_resolved(before_us=2**62, dry_run=False) == 4000
    after = next(iter(await store._db.execute_fetchall("PRAGMA page_count")))[0]
    assert after < before / 4


async def test_refused_change_leaves_the_others_of_its_group_alone(store: SqliteStore) -> None:
    """Changes are committed together and fail alone."""
    await store.apply(draft("a"))
    commits = (await store.report_state()).commits
    results = await asyncio.gather(
        *(store.report([event(i)]) for i in range(20)),
        store.apply(draft("b", etag="wrong")),
        *(store.report([event(i)]) for i in range(20, 40)),
        return_exceptions=True,
    )
    assert isinstance(results[20], EtagMismatch)
    assert sum(isinstance(r, Received) for r in results) == 40
    assert (await store.counts(at_us=0)).total == 40
    assert (await store.report_state()).commits - commits <= 3, "changes that wait share a commit"


async def test_change_that_fails_half_way_leaves_nothing(store: SqliteStore) -> None:
    """What a refused change wrote before it was refused is undone, while its neighbours stay."""

    async def half(db: SqliteStatements) -> None:
        await db.change("DELETE FROM events")
        raise PreconditionFailed("changed its mind")

    await store.report([event(1)])
    results = await asyncio.gather(
        store.report([event(2)]), store._writer.do(half), store.report([event(3)]), return_exceptions=True
    )
    assert isinstance(results[1], PreconditionFailed)
    assert (await store.counts(at_us=0)).total == 3


async def test_change_that_fails_half_way_alone_leaves_nothing(store: SqliteStore) -> None:
    """A refused change that has the commit to itself is undone too, and the writer goes on."""

    async def half(db: SqliteStatements) -> None:
        await db.change("DELETE FROM events")
        raise PreconditionFailed("changed its mind")

    await store.report([event(1)])
    with pytest.raises(PreconditionFailed):
        await store._writer.do(half)
    await store.report([event(2)])
    assert (await store.counts(at_us=0)).total == 2
    assert (await store.report_state()).state == "ok"


async def test_change_that_waits_for_something_else_is_refused(store: SqliteStore) -> None:
    """A transaction is run in the connection's thread in one go: a change that would wait there is a mistake,
    which is told to whoever made it, undone, and holds up nobody.
    """

    async def waits(db: SqliteStatements) -> None:
        await db.change("DELETE FROM events")
        await asyncio.sleep(0)

    await store.report([event(1)])
    results = await asyncio.gather(
        store.report([event(2)]), store._writer.do(waits), store.report([event(3)]), return_exceptions=True
    )
    assert isinstance(results[1], RuntimeError) and "waits for something else" in str(results[1])
    assert (await store.counts(at_us=0)).total == 3


async def test_group_has_savepoints_only_when_one_of_it_is_refused(store: SqliteStore) -> None:
    """A savepoint makes a bulk insert some times as expensive; without a refusal nobody needs one."""
    said: list[str] = []
    await store._db.set_trace_callback(said.append)
    await asyncio.gather(*(store.report([event(i)]) for i in range(10)))
    assert not [one for one in said if one.startswith("SAVEPOINT")]
    assert "COMMIT" in said
    await store.apply(draft("a"))
    said.clear()
    results = await asyncio.gather(
        *(store.report([event(i)]) for i in range(10, 12)),
        store.apply(draft("b", etag="wrong")),
        return_exceptions=True,
    )
    assert isinstance(results[2], EtagMismatch)
    assert [one for one in said if one.startswith("SAVEPOINT")]
    rollups = await store.rollups(RollupQuery(Width.DAY, 0, 2**40))
    assert sum(row.events for row in rollups) == 12, "what was run twice is counted once"


async def test_cancelled_caller_does_not_undo_or_block(store: SqliteStore) -> None:
    """A caller that goes away leaves the change and the writer as they are."""
    task = asyncio.ensure_future(store.report([event(1)]))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.report([event(2)])
    assert (await store.counts(at_us=0)).total in (1, 2)
    assert (await store.event(event(2).id)).id == event(2).id


async def test_slow_query_gives_up(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader does not hold its snapshot for longer than the limit, and can be used again."""
    for start in range(0, 20_000, 500):
        await store.report([event(start + i, message="x" * 500) for i in range(500)])
    monkeypatch.setattr(readers, "LIMIT_S", 0.001)
    with pytest.raises(StoreBusy, match="narrow the filter"):
        await store.events(EventQuery(parse("message:yyyy"), 10))
    monkeypatch.setattr(readers, "LIMIT_S", PATIENCE_S)
    assert await store.events(EventQuery(parse("message:yyyy"), 10)) == []


async def test_long_reader_lets_the_log_grow_only_while_it_reads(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot that is held keeps the log from being reused; once it is let go the log is cut to its limit,
    and nothing was refused meanwhile.
    """
    limit = 768 * 1024  # what eight commits write fits into it
    monkeypatch.setattr(writer, "WAL_LIMIT_BYTES", limit)
    monkeypatch.setattr(writer, "_CHECK_WAL_EVERY", 8)
    reader = await aiosqlite.connect(tmp_path / FILE_NAME, isolation_level=None)
    await reader.execute("BEGIN")
    before = next(iter(await reader.execute_fetchall("SELECT count(*) FROM events")))[0]
    number = 0
    while (await store.report_state()).wal_bytes < 12 * limit:
        await store.report([event(number + i, message="x" * 500) for i in range(200)])
        number += 200
    assert next(iter(await reader.execute_fetchall("SELECT count(*) FROM events")))[0] == before
    await reader.close()
    for _ in range(8):
        number += 1
        await store.report([event(number)])
    # The size is looked at every eighth time.
    while (await store.report_state()).commits % 8:
        number += 1
        await store.report([event(number)])
    assert (await store.report_state()).wal_bytes <= limit
    assert (await store.counts(at_us=0)).total == number


async def test_close_finishes_what_was_accepted_and_refuses_the_rest(tmp_path: Path) -> None:
    """Closing commits what waits, can be repeated and cancelled, and leaves no log behind."""
    store = await open_store(tmp_path)
    waiting = [asyncio.ensure_future(store.report([event(i)])) for i in range(50)]
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(store.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    await store.aclose()
    assert all(len(task.result().stored) == 1 for task in waiting)
    with pytest.raises(StoreUnavailable):
        await store.report([event(99)])
    found = sorted(p.name for p in tmp_path.iterdir())  # noqa: ASYNC240 - nothing else runs
    assert found == ["control.db", "control.lock"]
