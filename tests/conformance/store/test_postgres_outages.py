"""The database goes away and comes back: what was acknowledged is there, once, and nobody is told a guess."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from seawall_control.domain.errors import StoreUnavailable
from seawall_control.domain.events import Batch
from seawall_control.domain.filters import EVERYTHING
from seawall_control.store.port import EventQuery
from seawall_control.store.postgres import PostgresStore, open_store, writer
from tests.conformance.store.test_port import draft, event
from tests.kit.cut import Wire
from tests.kit.postgres import PostgresServer
from tests.kit.processes import PATIENCE_S

CLIENTS = "datname = current_database() AND backend_type = 'client backend'"
"""Sessions that somebody has opened; the server's own, such as a vacuum's, come and go."""


@pytest.fixture(scope="module")
def server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A server of our own, since it is killed."""
    own = PostgresServer(postgres_server.binaries, "fsync=off", "shared_buffers=32MB")
    try:
        own.start()
        yield own
    finally:
        own.remove()


@pytest.fixture
async def url(server: PostgresServer) -> str:
    """The URL of an empty database."""
    return server.url_of(await server.new_database())


async def until_well(store: PostgresStore) -> None:
    """Wait until the store takes changes again by itself."""
    async with asyncio.timeout(PATIENCE_S):
        while (await store.report_state()).state != "ok":  # noqa: ASYNC110 - nobody tells but the store itself
            await asyncio.sleep(0.02)


async def stored_ids(store: PostgresStore) -> Counter[str]:
    """Return how often each id is stored."""
    return Counter(found.id for found in await store.events(EventQuery(EVERYTHING, 100_000)))


async def test_server_crash_loses_nothing_that_was_acknowledged(server: PostgresServer, url: str) -> None:
    """Killed three times under ingest: a spool that repeats what was not acknowledged ends with each event
    stored once, and the store comes back by itself.
    """
    store = await open_store(url)
    produced = 900
    acknowledged = 0
    refused = 0
    done = asyncio.Event()

    async def spool() -> None:
        nonlocal acknowledged, refused
        while acknowledged < produced:
            first = acknowledged + 1
            batch = Batch("p", "s", tuple((i, event(i, proxy="p")) for i in range(first, first + 10)))
            try:
                acknowledged = (await store.ingest(batch)).through_seq
            except StoreUnavailable:
                refused += 1
                await asyncio.sleep(0.05)
        done.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(spool())
        for part in (1, 2, 3):
            async with asyncio.timeout(PATIENCE_S):
                while acknowledged < part * produced / 4:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(server.start)
    assert refused
    assert await stored_ids(store) == Counter({event(i).id: 1 for i in range(1, produced + 1)})
    assert (await store.counts(at_us=0)).total == produced
    assert not store.failed.is_set()
    await store.aclose()


async def test_store_says_that_it_is_ill_and_comes_back_by_itself(server: PostgresServer, url: str) -> None:
    """While the server is away changes and questions are refused at once with the reason; nobody has to ask
    for the store to be well again.
    """
    store = await open_store(url)
    await store.report([event(1)])
    await asyncio.to_thread(server.kill)
    try:
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.report([event(2)])
        with pytest.raises(StoreUnavailable):
            await store.event(event(1).id)
        report = await store.report_state()
        assert report.state == "failed"
        assert "database" in report.detail
    finally:
        await asyncio.to_thread(server.start)
    await until_well(store)
    assert await store.event(event(1).id) == event(1)
    assert len((await store.report([event(2)])).stored) == 1
    await store.aclose()


@pytest.fixture
async def wire(server: PostgresServer) -> AsyncIterator[Wire]:
    """A wire to the server."""
    found = Wire(server.port)
    yield found
    await found.aclose()


@pytest.mark.parametrize("how", ["before", "after"])
async def test_connection_lost_during_a_commit(
    server: PostgresServer, url: str, wire: Wire, how: str
) -> None:
    """Whoever waits for a commit whose answer was lost is told what became of it, not what is likely."""
    port = await wire.start()
    store = await open_store(url.replace(f":{server.port}/", f":{port}/") + "?sslmode=disable")
    await store.report([event(1)])
    wire.cut = how  # type: ignore[assignment]
    if how == "after":
        assert [e.id for e in (await store.report([event(2)])).stored] == [event(2).id]
    else:
        with pytest.raises(StoreUnavailable):
            await store.report([event(2)])
    assert wire.cuts == 1
    await until_well(store)
    wire.cut = how  # type: ignore[assignment]
    applied = await asyncio.gather(store.apply(draft("a")), return_exceptions=True)
    assert isinstance(applied[0], StoreUnavailable) == (how == "before")
    await until_well(store)
    other = await open_store(url)
    assert len(await other.events(EventQuery(EVERYTHING, 9))) == (2 if how == "after" else 1)
    assert (await other.latest("default") is not None) == (how == "after")
    assert len((await store.report([event(3)])).stored) == 1
    await store.aclose()
    await other.aclose()


async def test_outcome_that_nobody_can_tell_is_not_guessed(
    server: PostgresServer, url: str, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the server cannot be asked in time, the caller hears just that, and may repeat the change."""
    monkeypatch.setattr(writer, "OUTCOME_LIMIT_S", 0.5)
    port = await wire.start()
    store = await open_store(url.replace(f":{server.port}/", f":{port}/") + "?sslmode=disable")
    wire.cut = "after"
    wire.refuse = True
    batch = Batch("p", "s", ((1, event(1, proxy="p")),))
    with pytest.raises(StoreUnavailable, match="not known yet; repeating it is safe"):
        await store.ingest(batch)
    wire.refuse = False
    await until_well(store)
    again = await store.ingest(batch)
    assert (again.through_seq, again.stored, again.duplicates) == (1, (), 1)
    await store.aclose()


async def test_schema_that_a_newer_control_plane_migrated_ends_the_older_one(
    server: PostgresServer, url: str
) -> None:
    """On the next connection the older one notices, and asks to be ended rather than write what it no longer
    knows.
    """
    store = await open_store(url)
    database = url.rpartition("/")[2]
    await server.execute("INSERT INTO seawall_migrations (number, name) VALUES (999, 'later')", database)
    await store.report([event(1)])
    await server.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
        database,
    )
    async with asyncio.timeout(PATIENCE_S):
        while not store.failed.is_set():
            with pytest.raises(StoreUnavailable):
                await store.report([event(2)])
            await asyncio.sleep(0.02)
    await store.aclose()


async def test_question_survives_the_end_of_every_reading_connection(
    server: PostgresServer, url: str
) -> None:
    """All of the pool end at once, and before anybody has noticed: each is met at most once."""
    store = await open_store(url)
    await store.report([event(1)])
    pool = store._readers._pool
    connections = [await pool.acquire() for _ in range(pool.get_max_size())]
    for db in connections:
        await pool.release(db)
    database = url.rpartition("/")[2]

    def end_them() -> None:
        """Without giving this process's loop a chance to hear of it."""
        asyncio.run(
            server.execute(
                "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "
                f"WHERE {CLIENTS} AND pid <> pg_backend_pid()",
                database,
            )
        )

    thread = threading.Thread(target=end_them)
    thread.start()
    thread.join()
    assert await store.event(event(1).id) == event(1)
    await store.aclose()


async def test_backends_that_are_ended_are_replaced(server: PostgresServer, url: str) -> None:
    """An administrator ends all our connections: a change may be refused, questions are asked again."""
    store = await open_store(url)
    await store.report([event(1)])
    database = url.rpartition("/")[2]
    for number in range(2, 6):
        # Waits until each has ended: one that is only told to may end under the change after the next.
        await server.execute(
            "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "
            f"WHERE {CLIENTS} AND pid <> pg_backend_pid()",
            database,
        )
        assert await store.event(event(1).id) == event(1)
        await asyncio.gather(store.report([event(number)]), return_exceptions=True)
        await until_well(store)
        await store.report([event(number)])
    assert (await store.counts(at_us=0)).total == 5
    db = await asyncpg.connect(url)
    sessions = await db.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {CLIENTS}")
    assert sessions <= 7, "one to write, one to listen, up to four to read, and this one"
    await db.close()
    await store.aclose()
