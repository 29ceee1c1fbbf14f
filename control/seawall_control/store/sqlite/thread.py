"""The writing connection, which lives in a thread of its own and is given whole transactions.

To go to that thread and back costs more than most statements do, so what belongs together is run there in
one go. Changes are coroutines, as they are on every database; here nothing that they await waits, so each is
run to its end by one step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

import aiosqlite

from seawall_control.store.intake import INSERTED, PUT_COUNT, New
from seawall_control.store.intake_sql import Before, Wanted, before
from seawall_control.store.rows import event_row
from seawall_control.store.statements import marks, slices
from seawall_control.store.supposing import Supposed

UPKEEP_S: Final = 0.004
"""For the statements of a piece of upkeep. Writing what they changed takes as long again, or longer."""
_TOGETHER: Final = 5
"""Rows between two looks at the clock: each is in eight indexes, whose pages may have to be read first."""

T = TypeVar("T")

_INSERT = f"INSERT INTO events ({', '.join(INSERTED)}) VALUES ({marks(len(INSERTED))}) ON CONFLICT DO NOTHING"


class WritingConnection(aiosqlite.Connection):
    """A connection that also runs a function in its thread."""

    async def within(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what the function returns for the connection proper."""
        run: Any = self._execute
        found: T = await run(work, self._conn)
        return found


async def writing_connection(path: Path) -> WritingConnection:
    """Open a connection that writes. Raises what SQLite raises."""
    db = WritingConnection(
        lambda: sqlite3.connect(path, isolation_level=None, cached_statements=256), iter_chunk_size=64
    )
    _ = await db
    return db


def finished(change: Awaitable[T]) -> T:
    """Return the result of a change that waits for nothing but its connection."""
    steps = change.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("a change waits for something else than its connection, within the transaction")


class SqliteStatements:
    """The connection proper as `Statements`, within its thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """See `Statements.rows`."""
        return self._db.execute(sql, values).fetchall()

    async def among(self, sql: str, values: Sequence[str]) -> Sequence[Sequence[Any]]:
        """See `Statements.among`."""
        found: list[Sequence[Any]] = []
        for part in slices(values):
            found.extend(self._db.execute(f"{sql} ({marks(len(part))})", part))
        return found

    async def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """See `Statements.change`."""
        return self._db.execute(sql, values).rowcount

    async def some(self, sql: str, first: Sequence[Any], values: Sequence[Any]) -> tuple[int, int]:
        """See `Statements.some`."""
        until = perf_counter() + UPKEEP_S
        done = changed = 0
        for part in slices(values, _TOGETHER):
            changed += self._db.execute(f"{sql} ({marks(len(part))})", (*first, *part)).rowcount
            done += len(part)
            if perf_counter() > until:
                break
        return done, changed

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """See `Statements.many`."""
        self._db.executemany(sql, rows)

    supposes: Final = False

    def suppose(self, supposed: Supposed) -> None:
        """See `Receiving.suppose`: a question here is no trip to anywhere, so nobody comes here."""
        raise AssertionError(f"SQLite supposes nothing, and was told to suppose {supposed}")

    async def before(self, wanted: Wanted) -> Before:
        """See `Receiving.before`."""
        return await before(self, wanted)

    async def insert_events(self, new: Sequence[New]) -> None:
        """See `Receiving.insert_events`."""
        self._db.executemany(_INSERT, [(*event_row(one[0]), one[1], one[2]) for one in new])

    async def add_counts(self, new: Sequence[Sequence[Any]], there: Sequence[Sequence[Any]]) -> None:
        """See `Receiving.add_counts`."""
        self._db.executemany(PUT_COUNT, [*new, *there])
