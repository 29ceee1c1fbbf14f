"""Loads a large record into a store that the store itself has made: its tables are filled while its indexes
and triggers are away, which are made again from what the database says of them. Ten million events take some
minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import asyncpg

from benchmarks.control.bulk import Record
from seawall_control.domain.rollups import KEY_FIELDS
from seawall_control.store import rows as r
from seawall_control.store.group_rows import GROUP_COLUMNS
from seawall_control.store.postgres import rollup_keys
from seawall_control.store.sqlite.opening import FILE_NAME, sync

CHUNK: Final = 50_000
_EVENT_COLUMNS: Final = (*r.EVENT_COLUMNS, "spool_id", "seq")
_ROLLUP_COLUMNS: Final = ("width", "start", *KEY_FIELDS, "events")
Say = Callable[[str], None]


def _beside(record: Record) -> Iterator[tuple[str, Sequence[str], Iterable[Sequence[Any]]]]:
    """Yield tables, columns and rows of what is kept beside the events."""
    counts = [(severity, resolved, number) for (severity, resolved), number in record.counts.items()]
    yield "event_counts", ("severity", "resolved", "events"), counts
    yield "event_hours", ("hour", "events"), record.event_hours()
    yield "event_groups", GROUP_COLUMNS, record.groups()
    yield "group_hours", ("group_id", "hour", "events", "flagged"), record.group_hours()
    yield "event_rollups", _ROLLUP_COLUMNS, record.rollups()
    yield "event_buckets", ("width", "start", "born", "events"), record.buckets()


def _inserting(table: str, columns: Sequence[str]) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - our own names


def _told(rows: Iterable[Any], count: int, say: Say) -> Iterator[list[Any]]:
    """Yield rows in chunks and say now and then how far they are."""
    started, done, said = perf_counter(), 0, perf_counter()
    left = iter(rows)
    while chunk := list(itertools.islice(left, CHUNK)):
        yield chunk
        done += len(chunk)
        if perf_counter() - said > 10 or done == count:
            said = perf_counter()
            rate = done / (said - started)
            say(f"{done:,} of {count:,} events, {rate:,.0f}/s, {(count - done) / rate:,.0f} s left for rows")


def load_sqlite(directory: Path, record: Record, say: Say) -> None:
    """Fill the file in a directory. It is not durable before the end; a crash leaves a file to delete."""
    with contextlib.closing(sqlite3.connect(directory / FILE_NAME, isolation_level=None)) as db:
        for setting in (
            "journal_mode = OFF", "synchronous = OFF", "cache_size = -262144", "temp_store = FILE",
            "locking_mode = EXCLUSIVE", "threads = 2",
        ):  # fmt: skip
            db.execute(f"PRAGMA {setting}").fetchall()
        kept = db.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = 'events' AND sql IS NOT NULL "
            "AND type IN ('index', 'trigger')"
        ).fetchall()
        for kind, name, _ in kept:
            db.execute(f"DROP {kind} {name}")
        statement = _inserting("events", _EVENT_COLUMNS)
        for chunk in _told(record.rows(), record.count, say):
            db.execute("BEGIN")
            db.executemany(statement, chunk)
            db.execute("COMMIT")
        db.execute("BEGIN")
        for table, columns, rows in _beside(record):
            db.executemany(_inserting(table, columns), rows)
        db.execute("COMMIT")
        for number, (kind, name, sql) in enumerate(kept, 1):
            started = perf_counter()
            db.execute(sql)
            say(f"{kind} {name}: {perf_counter() - started:.1f} s ({number} of {len(kept)})")
        db.execute("PRAGMA locking_mode = NORMAL").fetchall()
        db.execute("PRAGMA journal_mode = WAL").fetchall()
    sync(directory / FILE_NAME)


async def load_postgres(url: str, record: Record, say: Say) -> None:
    """Fill a database."""
    db = await asyncpg.connect(url)
    try:
        await db.execute(
            "SET maintenance_work_mem = '512MB'; SET synchronous_commit = off; "
            "SET seawall.event_buckets = 'kept'"
        )
        kept = await db.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'events' AND indexname NOT IN "
            "(SELECT conname FROM pg_constraint WHERE conrelid = 'events'::regclass)"
        )
        for row in kept:
            await db.execute(f"DROP INDEX {row['indexname']}")
        await db.execute("ALTER TABLE events DISABLE TRIGGER USER")
        for chunk in _told(record.rows(), record.count, say):
            await db.copy_records_to_table("events", records=chunk, columns=_EVENT_COLUMNS, timeout=600)
            await asyncio.sleep(0)
        for table, columns, rows in _beside(record):
            if table == "event_rollups":
                columns, rows = (*columns, "key"), map(rollup_keys.numbered, rows)
            await db.copy_records_to_table(table, records=rows, columns=columns, timeout=600)
        for number, row in enumerate(kept, 1):
            started = perf_counter()
            await db.execute(row["indexdef"], timeout=3600)
            say(f"index {row['indexname']}: {perf_counter() - started:.1f} s ({number} of {len(kept)})")
        await db.execute("ALTER TABLE events ENABLE TRIGGER USER")
        await db.execute("VACUUM ANALYZE", timeout=3600)
        await db.execute("CHECKPOINT", timeout=3600)
    finally:
        await db.close()
