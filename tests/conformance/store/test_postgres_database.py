"""The PostgreSQL database itself: schema, settings, refusals, errors that the server gives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from seawall_control.domain.errors import (
    EtagMismatch,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    StoreBusy,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from seawall_control.domain.events import Batch
from seawall_control.domain.filters import EVERYTHING
from seawall_control.domain.groups import GroupState
from seawall_control.domain.records import Put
from seawall_control.domain.rollups import RollupQuery, Width
from seawall_control.domain.taking import Received
from seawall_control.store import migrating, postgres
from seawall_control.store.port import EventQuery
from seawall_control.store.postgres import PostgresStore, open_store, opening, target, writer
from seawall_control.store.postgres.opening import migrations
from seawall_control.store.rows import EVENT_COLUMNS, EVENT_SELECT, event_row
from tests.conformance.store.test_port import draft, event
from tests.kit.postgres import PASSWORD, PostgresServer
from tests.kit.processes import PATIENCE_S

SCHEMA = Path(postgres.__file__).with_name("schema.sql")

# What a schema is made of, by name. Bodies of functions and definitions as the server understands them.
CATALOG = """
SELECT 'column', table_name || '.' || ordinal_position || '.' || column_name,
       concat_ws(' ', data_type, collation_name, is_nullable, column_default, is_identity)
  FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'seawall_migrations'
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes
  WHERE schemaname = 'public' AND tablename <> 'seawall_migrations'
UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
  FROM pg_constraint
  WHERE connamespace = 'public'::regnamespace AND conrelid <> coalesce(to_regclass('seawall_migrations'), 0)
UNION ALL SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) FROM pg_trigger
  WHERE NOT tgisinternal
UNION ALL SELECT 'function', proname, pg_get_functiondef(oid) FROM pg_proc
  WHERE pronamespace = 'public'::regnamespace
ORDER BY 1, 2
"""


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    """An empty store."""
    found = await open_store(url)
    yield found
    await found.aclose()


async def test_migrations_together_are_the_schema(url: str, postgres_server: PostgresServer) -> None:
    """All migrations in order make exactly what schema.sql says."""
    await (await open_store(url)).aclose()
    by_hand = postgres_server.url_of(await postgres_server.new_database())
    found = []
    for address in (url, by_hand):
        db = await asyncpg.connect(address)
        if address == by_hand:
            await db.execute(SCHEMA.read_text(encoding="utf-8"))
        found.append([tuple(row) for row in await db.fetch(CATALOG)])
        await db.close()
    assert found[0] == found[1]
    assert len(found[0]) > 80


async def test_crash_in_a_migration_leaves_all_or_nothing(url: str) -> None:
    """After dying in the middle of a migration, the next start does it whole."""
    db = await asyncpg.connect(url)
    await db.execute("BEGIN")
    await db.execute(migrations()[0][2])
    db.terminate()
    store = await open_store(url)
    await store.report([event(1)])
    await store.aclose()


async def test_control_planes_that_start_at_once_migrate_once(url: str) -> None:
    """Whoever comes first migrates, the others wait and find it done."""
    stores = await asyncio.gather(*(open_store(url) for _ in range(4)))
    results = await asyncio.gather(*(store.report([event(1)]) for store in stores))
    assert sorted(len(found.stored) for found in results) == [0, 0, 0, 1]
    await asyncio.gather(*(store.aclose() for store in stores))


async def test_long_migration_says_that_it_goes_on(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Indexes over millions of events take minutes."""
    monkeypatch.setattr(migrating, "PROGRESS_S", 0.05)
    monkeypatch.setattr(opening, "PROGRESS_S", 0.05)
    slow = (len(migrations()) + 1, "9999_slow.sql", "SELECT pg_sleep(1.5)")
    monkeypatch.setattr(opening, "migrations", lambda: [*migrations(), slow])
    with caplog.at_level("INFO"):
        await (await open_store(url)).aclose()
    said = [
        record.message
        for record in caplog.records
        if getattr(record, "fields", {}).get("migration") == slow[1]
    ]
    assert said[0] == "migrating the store" and said[-1] == migrating.MIGRATED
    assert "the migration goes on" in said


async def test_migration_may_look_at_all_rows(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes later is found by an index; a migration is planned as the server sees fit."""
    text = "".join([f"SELECT 1 / (current_setting('{name}') = 'on')::int; " for name in target.PLANS])
    wholly = (len(migrations()) + 1, "9999_wholly.sql", text)
    monkeypatch.setattr(opening, "migrations", lambda: [*migrations(), wholly])
    store = await open_store(url)
    try:
        assert store._writer._db is not None
        for name in target.PLANS:
            assert await store._writer._db.fetchval(f"SHOW {name}") == "off"
    finally:
        await store.aclose()


async def test_events_of_before_there_were_groups_are_grouped(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upgrade gives stored events their groups and counts, and the next event goes to the same group."""
    monkeypatch.setattr(opening, "migrations", lambda: migrations()[:2])
    await (await open_store(url)).aclose()
    day_us = 24 * 3_600_000_000
    events = [
        *(event(n, fingerprint="v1:a", route="r", message=f"m{n}", resolved=n < 5) for n in range(10)),
        event(20, fingerprint="v1:b", route="s", resolved=True, resolved_at_us=7),
        event(21, fingerprint="v1:c", route="s", timestamp_us=event(0).timestamp_us - 100 * day_us),
    ]
    db = await asyncpg.connect(url)
    marks = ", ".join(f"${i + 1}" for i in range(len(EVENT_COLUMNS)))
    await db.executemany(
        f"INSERT INTO events ({EVENT_SELECT}) VALUES ({marks})", list(map(event_row, events))
    )
    await db.close()
    monkeypatch.undo()
    store = await open_store(url)
    a, b, c = [await store.group(f"v1:{name}") for name in "abc"]
    assert (a.state, a.events, a.counted, a.message) == (GroupState.ONGOING, 10, 0, "m9")
    assert (b.state, b.since_us, c.events) == (GroupState.RESOLVED, 7, 1)
    assert sum(n for _, n, _ in await store.group_hours("v1:a", hour=2**40, hours=2**40)) == 10
    days = await store.rollups(RollupQuery(Width.DAY, 0, 2**40, ("route",)))
    assert [(row.values[0], row.events) for row in days] == [("s", 1), ("r", 10), ("s", 1)]
    await store.report([event(30, fingerprint="v1:a", message="new")])
    assert (await store.group("v1:a")).events == 11
    await store.aclose()


async def test_settings_are_those_that_durability_needs(store: PostgresStore, url: str) -> None:
    """A commit waits for the disk whatever the database's default; nobody waits or sleeps for ever; readers
    cannot write.
    """
    db = await asyncpg.connect(url)
    name = await db.fetchval("SELECT current_database()")
    await db.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    await db.close()
    other = await open_store(url)
    writing = other._writer._db
    assert writing is not None

    async def value(setting: str) -> object:
        return await writing.fetchval("SELECT current_setting($1)", setting)

    assert await value("synchronous_commit") == "on"
    assert [
        await value(f"{name}_timeout") for name in ("statement", "lock", "idle_in_transaction_session")
    ] == [
        "30s",
        "10s",
        "10s",
    ]
    with pytest.raises(StoreUnavailable, match="read-only"):
        await other._readers.rows("DELETE FROM events RETURNING id")
    await other.aclose()


async def refusal(url: str) -> str:
    """Return why a database is refused, which never tells the password."""
    with pytest.raises(StoreRefused) as raised:
        await open_store(url)
    assert PASSWORD not in str(raised.value)
    assert "hunter2" not in str(raised.value)
    return str(raised.value)


async def test_databases_that_will_not_do_are_refused(url: str, postgres_server: PostgresServer) -> None:
    """Each with the place and what to do about it."""
    server = postgres_server
    name = url.rpartition("/")[2]
    assert "cannot be reached" in await refusal("postgresql://seawall:hunter2@127.0.0.1:1/x")
    assert "user and password" in await refusal(server.url_of(name, password="hunter2"))
    assert "there is no database" in await refusal(server.url_of("nowhere"))
    assert "begins with mysql://" in await refusal("mysql://seawall:hunter2@host/x")
    assert "cannot be used" in await refusal(f"{url}?sslmode=sideways")
    ascii_only = await server.new_database("ENCODING SQL_ASCII TEMPLATE template0")
    assert "ENCODING 'UTF8'" in await refusal(server.url_of(ascii_only))

    await server.execute("CREATE ROLE guest LOGIN PASSWORD 'hunter2'")
    await server.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name)
    assert "GRANT CREATE" in await refusal(server.url_of(name, user="guest", password="hunter2"))

    await (await open_store(url)).aclose()
    await server.execute("INSERT INTO seawall_migrations (number, name) VALUES (999, 'later')", name)
    assert "migrated by a newer Seawall" in await refusal(url)


async def test_server_that_may_lose_what_it_acknowledged_is_named(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The tests' server runs without fsync, which every start says; no log has the password."""
    with caplog.at_level(logging.DEBUG):
        store = await open_store(url)
        await store.aclose()
    assert "fsync off" in caplog.text
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(store._target)


async def test_unix_socket(postgres_server: PostgresServer) -> None:
    """A URL may name a socket's directory; the report shows where, and no secret."""
    store = await open_store(postgres_server.socket_url(await postgres_server.new_database()))
    await store.report([event(1)])
    report = await store.report_state()
    assert report.engine == "postgresql"
    assert report.path.startswith("/tmp/seawall-pg-")
    await store.aclose()


async def test_full_disk_refuses_changes_and_resumes(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Error 53100 rolls the group back, says so, leaves reads alone, and ends when there is room."""
    monkeypatch.setattr(writer, "PROBE_S", 0.01)
    await store.report([event(1)])
    db = store._writer._db
    assert db is not None
    await db.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;"
        "CREATE TRIGGER a_full_disk BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION full_disk();"
        "CREATE TRIGGER a_full_disk BEFORE UPDATE ON seawall_migrations FOR EACH ROW "
        "EXECUTE FUNCTION full_disk();"
    )
    results = await asyncio.gather(store.report([event(2)]), store.apply(draft("a")), return_exceptions=True)
    assert isinstance(results[0], StoreFull)
    assert (await store.report_state()).state == "full"
    assert len(await store.events(EventQuery(EVERYTHING, 1000))) == 1
    assert (await store.counts(at_us=0)).total == 1
    admin = await asyncpg.connect(store._target.url)
    await admin.execute("DROP TRIGGER a_full_disk ON events; DROP TRIGGER a_full_disk ON seawall_migrations")
    await admin.close()
    async with asyncio.timeout(PATIENCE_S):
        while (await store.report_state()).state != "ok":  # noqa: ASYNC110 - nobody tells but the store itself
            await asyncio.sleep(0.01)
    assert len((await store.report([event(2)])).stored) == 1
    assert not store.failed.is_set()


async def test_refused_change_leaves_the_others_of_its_group_alone(store: PostgresStore) -> None:
    """Changes are committed together and fail alone."""
    await store.apply(draft("a"))
    commits = (await store.report_state()).commits
    results = await asyncio.gather(
        *(store.report([event(i)]) for i in range(20)),
        store.apply(draft("b", etag="wrong")),
        store.commit([Put("k", "n", "{}", expected=7)], at_us=1),
        *(store.report([event(i)]) for i in range(20, 40)),
        return_exceptions=True,
    )
    assert isinstance(results[20], EtagMismatch)
    assert sum(isinstance(r, Received) for r in results) == 40
    assert (await store.counts(at_us=0)).total == 40
    assert (await store.report_state()).commits - commits <= 3, "changes that wait share a commit"


async def test_change_that_fails_half_way_leaves_nothing(store: PostgresStore) -> None:
    """What a refused change wrote before it was refused is undone, alone in its group or with others."""

    async def half(db: target.Connection) -> None:
        await db.execute("DELETE FROM events")
        raise PreconditionFailed("changed its mind")

    async def wrong(db: target.Connection) -> None:
        await db.execute("DELETE FROM events")
        await db.execute("SELECT 1 / 0")

    await store.report([event(1)])
    results = await asyncio.gather(
        store.report([event(2)]), store._writer.do(half), store.report([event(3)]), return_exceptions=True
    )
    assert isinstance(results[1], PreconditionFailed)
    for work, error in ((half, PreconditionFailed), (wrong, asyncpg.DivisionByZeroError)):
        with pytest.raises(error):
            await store._writer.do(work)
    assert (await store.counts(at_us=0)).total == 3
    assert len(await store.events(EventQuery(EVERYTHING, 9))) == 3


async def test_text_that_the_database_cannot_hold(store: PostgresStore) -> None:
    """PostgreSQL has no zero character in text: the change is refused, its neighbours are not."""
    results = await asyncio.gather(
        store.report([event(1)]), store.report([event(2, message="a\0b")]), return_exceptions=True
    )
    assert isinstance(results[1], InvalidRequest)
    assert len(results[0].stored) == 1  # type: ignore[union-attr]
    with pytest.raises(InvalidRequest):
        await store.event("a\0b")
    with pytest.raises(NotFound):
        await store.event(event(2).id)


async def test_slow_query_gives_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader does not keep the server busy for longer than the limit, and can be used again."""
    monkeypatch.setitem(target.READER, "statement_timeout", "1000")
    store = await open_store(url)
    with pytest.raises(StoreBusy, match="narrow the filter"):
        await store._readers.rows("SELECT pg_sleep(600)")
    assert await store._readers.rows("SELECT 1")
    await store.aclose()


async def test_lock_of_another_control_plane_is_not_waited_for_for_ever(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control plane that froze with the lock costs the others a refused change, not a hang."""
    monkeypatch.setitem(target.WRITER, "lock_timeout", "100")
    store = await open_store(url)
    db = await asyncpg.connect(url)
    await db.execute("SELECT pg_advisory_lock($1, 1)", store._writer.server.lock_class)
    with pytest.raises(StoreUnavailable, match="another control plane"):
        await store.report([event(1)])
    # Before it goes: its server process may take its time to end.
    await db.execute("SELECT pg_advisory_unlock_all()")
    await db.close()
    assert len((await store.report([event(1)])).stored) == 1
    await store.aclose()


async def test_close_finishes_what_was_accepted_and_refuses_the_rest(url: str) -> None:
    """Closing commits what waits, can be repeated and cancelled."""
    store = await open_store(url)
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


async def test_check_finds_what_is_wrong(store: PostgresStore) -> None:
    """A counter that does not count what is there, and an index that is not valid."""
    await store.report([event(i) for i in range(5)])
    assert await store.findings() == []
    db = store._writer._db
    assert db is not None
    await db.execute("UPDATE event_counts SET events = events + 2")
    await db.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'events_by_component'::regclass"
    )
    found = await store.findings()
    assert len(found) == 2
    assert "events_by_component" in found[0] and "off by 2" in found[1]


async def test_row_that_is_there_against_all_that_is_known_is_left_out(
    store: PostgresStore, url: str
) -> None:
    """A number of a spool that was stored behind our back: the others of the batch are stored with care, and
    the batch is not refused for ever; alone and with others.
    """
    admin = await asyncpg.connect(url)
    for first in (1, 101):
        batch = Batch("p", f"s{first}", tuple((n, event(first + n, proxy="p")) for n in range(1, 6)))
        await store.report([event(first + 50, proxy="p")])
        await admin.execute(
            "UPDATE events SET spool_id = $1, seq = 3 WHERE id = $2", batch.spool_id, event(first + 50).id
        )
        others = [store.report([event(first + 60 + n)]) for n in range(3 if first > 1 else 0)]
        found = (await asyncio.gather(store.ingest(batch), *others))[0]
        assert (found.through_seq, len(found.stored)) == (5, 5)  # type: ignore[attr-defined]
    assert (await store.counts(at_us=0)).total == len(await store.events(EventQuery(EVERYTHING, 99))) == 13
    await admin.close()
