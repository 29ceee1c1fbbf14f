"""Events are copied in by the server while their groups are worked out here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncpg
import pytest

from seawall_control.domain.events import Batch, Event, Json
from seawall_control.domain.rollups import RollupQuery, Width
from seawall_control.domain.taking import Reception
from seawall_control.store.postgres import open_store
from seawall_control.store.postgres.receiving import _BEFORE, _BEFORE_REPORTS
from seawall_control.store.postgres.statements import array_text
from tests.conformance.store.test_port import NOW_US, event
from tests.kit.postgres import PostgresServer

DAYS = RollupQuery(Width.DAY, 0, 2**40)


def batch(size: int) -> Batch:
    """Return a batch of two groups."""
    return Batch("p", "s", tuple((n, event(n, fingerprint=f"v1:{n % 2}")) for n in range(1, size + 1)))


def copying() -> bool:
    """Tell whether events are on their way."""
    return any(task.get_name() == "seawall-store-copy" and not task.done() for task in asyncio.all_tasks())


async def test_groups_are_worked_out_while_events_are_copied(postgres_server: PostgresServer) -> None:
    """The reason of a new group is asked for at a moment at which the server has the events."""
    store = await open_store(postgres_server.url_of(await postgres_server.new_database()))
    seen: list[bool] = []

    def why(_: Event) -> Mapping[str, Json]:
        seen.append(copying())
        return {}

    try:
        assert len((await store.ingest(batch(300), Reception(NOW_US, why=why))).stored) == 300
        assert seen == [True, True]
        assert not copying()
    finally:
        await store.aclose()


async def test_commit_of_what_is_known_goes_to_the_server_four_times(postgres_server: PostgresServer) -> None:
    """What was there before is supposed: to ask would be a trip more, and nobody works meanwhile."""
    store = await open_store(postgres_server.url_of(await postgres_server.new_database()))
    asked: list[str] = []

    def logged(query: Any) -> None:
        asked.append(query.query.split()[0].rstrip(";"))

    try:
        await store.ingest(batch(300), Reception(NOW_US))
        assert store._writer._db is not None
        store._writer._db.add_query_logger(logged)
        later = Batch("p", "s", tuple((n, event(n, fingerprint=f"v1:{n % 2}")) for n in range(301, 401)))
        assert len((await store.ingest(later, Reception(NOW_US))).stored) == 100
        # COPY, which is the second of them, is not told of.
        assert asked == ["BEGIN", "WITH", "COMMIT"]
    finally:
        await store.aclose()


async def test_what_is_asked_for_is_read_once_whatever_the_plan(postgres_server: PostgresServer) -> None:
    """A server that looks through a small table row by row would read an array's text for each of them."""
    url = postgres_server.url_of(await postgres_server.new_database())
    store = await open_store(url)
    try:
        events = tuple((n, event(n, fingerprint=f"v1:{n}")) for n in range(1, 201))
        assert len((await store.ingest(Batch("p", "s", events), Reception(NOW_US))).stored) == 200
        ids = [one.id for _, one in events]
        prints = [one.fingerprint for _, one in events]
        texts = [array_text(values) for values in (["p"], ["s"], ids, prints, [], [])]
        db = await asyncpg.connect(url)
        try:
            for question in (_BEFORE, _BEFORE_REPORTS):
                plan = [row[0] for row in await db.fetch(f"EXPLAIN {question}", *texts)]
                assert any("event_groups" in line for line in plan)
                assert [line for line in plan if "Filter:" in line and "[]" in line] == []
        finally:
            await db.close()
    finally:
        await store.aclose()


@pytest.mark.parametrize("size", [1, 300])
async def test_mistake_meanwhile_changes_nothing(postgres_server: PostgresServer, size: int) -> None:
    """What is on its way comes to its end and goes with the rest; the connection takes the next change."""
    store = await open_store(postgres_server.url_of(await postgres_server.new_database()))

    def wrong(_: Event) -> Mapping[str, Json]:
        raise ZeroDivisionError

    try:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await store.ingest(batch(size), Reception(NOW_US, why=wrong))
        assert await store.rollups(DAYS) == []
        assert len((await store.ingest(batch(size), Reception(NOW_US))).stored) == size
        assert [row.events for row in await store.rollups(DAYS)] == [size]
        assert store._writer.reconnects == 0
    finally:
        await store.aclose()
