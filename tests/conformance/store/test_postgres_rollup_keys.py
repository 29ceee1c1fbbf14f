"""Counts are found by a number that the control plane makes; a migration makes those of earlier counts."""

from __future__ import annotations

import asyncpg
import pytest

from seawall_control.domain.rollups import RollupQuery, Width
from seawall_control.store.postgres import open_store, opening
from seawall_control.store.postgres.opening import migrations
from seawall_control.store.postgres.rollup_keys import number_of
from tests.conformance.store.test_port import event
from tests.kit.postgres import PostgresServer

KEYS = [
    ("route/r", "r", "/m", "UNAVAILABLE", 1, 2, 3, 4),
    ("route/rä€😀", "rä€😀", "", "", 0, 4, 0, 0),
    ("", "", "rä€😀", "", 0, 4, 0, 0),
    ("_other", "_other", "_other", "_other", 0, 1, 0, 0),
]


async def test_counts_of_before_are_added_to(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number that the migration gives is the one by which the next event looks."""
    url = postgres_server.url_of(await postgres_server.new_database())
    monkeypatch.setattr(opening, "migrations", lambda: migrations()[:7])
    await (await open_store(url)).aclose()
    first = event(1, component="route/r€", route="r€", method="/m/ü", code="UNAVAILABLE")
    db = await asyncpg.connect(url, server_settings={"seawall.event_buckets": "kept"})
    start = first.timestamp_us // 86_400_000_000 * 86_400
    key = ("r€", "/m/ü", "UNAVAILABLE", int(first.category), int(first.severity), int(first.kind))
    await db.execute(
        "INSERT INTO event_rollups VALUES (86400, $1, $2, $3, $4, $5, $6, $7, $8, 10)",
        start, *key, int(first.outcome),
    )  # fmt: skip
    await db.execute("INSERT INTO event_buckets VALUES (86400, $1, 1, 10)", start)
    await db.executemany(
        "INSERT INTO event_rollups VALUES (60, 0, $1, $2, $3, $4, $5, $6, $7, 1)",
        [key[1:] for key in KEYS],
    )
    monkeypatch.undo()
    store = await open_store(url)
    try:
        found = await db.fetch("SELECT key FROM event_rollups WHERE width = 60 ORDER BY key")
        assert [row[0] for row in found] == sorted(map(number_of, KEYS))
        assert len((await store.report([first])).stored) == 1
        assert await db.fetchval("SELECT count(*) FROM event_rollups WHERE width = 86400") == 1
        days = await store.rollups(RollupQuery(Width.DAY, 0, 2**40, ("component", "route", "method")))
        assert [(row.values, row.events) for row in days] == [(("route/r€", "r€", "/m/ü"), 11)]
    finally:
        await db.close()
        await store.aclose()


def test_numbers_tell_keys_apart() -> None:
    """Also those whose texts are the same one after the other."""
    assert len(set(map(number_of, KEYS))) == len(KEYS)
    assert number_of(("c", "ab", "c", "", 0, 1, 0, 0)) != number_of(("c", "a", "bc", "", 0, 1, 0, 0))
    assert number_of(("c", "a", "", "b", 0, 1, 0, 0)) != number_of(("c", "a", "b", "", 0, 1, 0, 0))
