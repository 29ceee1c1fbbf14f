"""Connections that only read: they never write, never checkpoint, and give up after a while.

A reader that stays in its snapshot keeps the write-ahead log from being reused, so every query has a time
limit and pages are fetched by key, each in its own short snapshot.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Final

import aiosqlite

from seawall_control.domain.errors import StoreBusy, StoreUnavailable
from seawall_control.store.sqlite.opening import READER

READERS: Final = 3
LIMIT_S: Final = 5.0
_STEPS: Final = 20_000
"""Virtual machine steps between two looks at the clock: about a millisecond."""


class _Reader:
    def __init__(self, db: aiosqlite.Connection) -> None:
        self.db = db
        self.stop_at = 0.0

    def overdue(self) -> int:
        return 1 if self.stop_at and monotonic() > self.stop_at else 0


class Readers:
    """A few reading connections, lent one at a time."""

    def __init__(self) -> None:
        self._idle: asyncio.Queue[_Reader] = asyncio.Queue()
        self._all: list[_Reader] = []

    async def open(self, path: Path) -> None:
        """Open the connections."""
        for _ in range(READERS):
            db = await aiosqlite.connect(path, isolation_level=None)
            reader = _Reader(db)
            self._all.append(reader)
            for setting in READER:
                await db.execute_fetchall(setting)
            await db.set_progress_handler(reader.overdue, _STEPS)
            self._idle.put_nowait(reader)

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[_Reader]:
        reader = await self._idle.get()
        reader.stop_at = monotonic() + LIMIT_S
        try:
            yield reader
        finally:
            self._idle.put_nowait(reader)

    async def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a query. Raise `StoreBusy` when it takes too long."""
        async with self._lent() as reader:
            try:
                return list(await reader.db.execute_fetchall(sql, parameters))
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    raise StoreBusy(
                        f"the query took more than {LIMIT_S:g} s; narrow the filter, for example by timestamp"
                    ) from None
                raise StoreUnavailable(f"the store cannot be read: {error}") from error

    async def row(self, sql: str, parameters: Sequence[Any] = ()) -> Any | None:
        """Return the first row of a query, or None."""
        rows = await self.rows(sql, parameters)
        return rows[0] if rows else None

    async def aclose(self) -> None:
        """Close the connections."""
        for reader in self._all:
            reader.stop_at = monotonic()
            await reader.db.close()
        self._all.clear()
