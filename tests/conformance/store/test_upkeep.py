"""What those notice who write while a store is cleaned up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seawall_control.domain.filters import EVERYTHING
from seawall_control.domain.retention import FOREVER_US, Prune
from seawall_control.store import lanes, postgres
from seawall_control.store.port import EventQuery
from seawall_control.store.postgres import statements
from seawall_control.store.sqlite import SqliteStore, open_store, thread
from tests.conformance.store.test_port import event
from tests.kit.postgres import PostgresServer


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store with resolved events."""
    found = await open_store(tmp_path)
    for start in range(0, 4000, 500):
        await found.report([_resolved(start + n) for n in range(500)])
    yield found
    await found.aclose()


def _resolved(number: int) -> Any:
    return replace(event(number, message="x" * 400), resolved=True, resolved_at_us=1)


@pytest.mark.slow
async def test_callers_wait_for_one_piece_of_clean_up_at_most(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clean-up comes in many short transactions, none of them with anything else; it ends all the same."""
    monkeypatch.setattr(thread, "UPKEEP_S", 0.0)
    # On a disk that is slow a piece would soon have waited for long enough to go first.
    monkeypatch.setattr(lanes, "PATIENCE_S", 600.0)
    groups: list[list[int]] = []
    commit = store._writer._commit

    async def noted(group: list[Any]) -> None:
        groups.append([job.weight if job.part is not None else 0 for job in group])
        await commit(group)

    monkeypatch.setattr(store._writer, "_commit", noted)
    cleaning = asyncio.create_task(store.prune_events(Prune(FOREVER_US, limit=200)))
    waited = []
    for number in range(20):
        before = len(groups)
        await store.report([event(10_000 + number)])
        waited.append(len(groups) - before)
        await asyncio.sleep(0.002)
    assert await cleaning == 200
    # The one that runs when the caller comes, and the caller's own.
    assert max(waited) <= 2
    pieces = [group for group in groups if 0 in group]
    assert len(pieces) == 40 and all(len(group) == 1 for group in pieces)


@pytest.mark.slow
async def test_piece_of_clean_up_ends_when_its_time_is_over(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With time enough a hundred rows go at once; without, a few, and none is forgotten."""
    before = store._writer.commits
    assert await store.prune_events(Prune(FOREVER_US, limit=200)) == 200
    with_time = store._writer.commits - before
    monkeypatch.setattr(thread, "UPKEEP_S", 0.0)
    assert await store.prune_events(Prune(FOREVER_US, limit=200)) == 200
    assert store._writer.commits - before - with_time == 40 >= with_time
    assert (await store.counts(at_us=0)).total == 3600
    assert len(await store.events(EventQuery(EVERYTHING, 5000))) == 3600


@pytest.mark.slow
async def test_file_gets_smaller_but_keeps_some_room(store: SqliteStore) -> None:
    """Freed pages are given back when nobody waits, down to a small part of the file; what is left free is
    reported, since new events go there.
    """
    full = (await store.report_state()).size_bytes
    assert await store.prune_events(Prune(FOREVER_US, limit=3000)) == 3000
    for number in range(100):
        await store.report([event(20_000 + number)])
    await store._db.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
    report = await store.report_state()
    assert report.size_bytes < full * 0.6
    assert 0 < report.free_bytes <= report.size_bytes // 32
    assert await store.findings() == []


@pytest.mark.slow
async def test_piece_of_clean_up_ends_in_a_database_too(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty rows at once, where a hundred take too long."""
    found = await postgres.open_store(postgres_server.url_of(await postgres_server.new_database()))
    await found.report([_resolved(n) for n in range(200)])
    before = found._writer.commits
    monkeypatch.setattr(statements, "UPKEEP_S", 0.0)
    assert await found.prune_events(Prune(FOREVER_US, limit=150)) == 150
    assert found._writer.commits - before == 8
    assert (await found.counts(at_us=0)).total == 50
    await found.aclose()
