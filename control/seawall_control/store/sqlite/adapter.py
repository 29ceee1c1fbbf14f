"""What the parts of the store share: the writer and the readers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiosqlite

from seawall_control.store.group_sql import marks, slices
from seawall_control.store.sqlite.readers import Readers
from seawall_control.store.sqlite.writer import Writer


class Adapter:
    """Base of the parts: changes go through the writer, questions through the readers."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers


async def _among(
    rows: Callable[[str, Sequence[Any]], Awaitable[Sequence[Sequence[Any]]]], sql: str, values: Sequence[str]
) -> Sequence[Sequence[Any]]:
    found: list[Sequence[Any]] = []
    for part in slices(values):
        found.extend(await rows(f"{sql} ({marks(len(part))})", part))
    return found


class SqliteStatements:
    """The writing connection as `group_sql.Statements`."""

    def __init__(self, db: aiosqlite.Connection) -> None:
        self._db = db

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """See `Statements.rows`."""
        return list(await self._db.execute_fetchall(sql, values))

    async def among(self, sql: str, values: Sequence[str]) -> Sequence[Sequence[Any]]:
        """See `Statements.among`."""
        return await _among(self.rows, sql, values)

    async def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """See `Statements.change`."""
        return (await self._db.execute(sql, values)).rowcount

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """See `Statements.many`."""
        await self._db.executemany(sql, rows)


class SqliteQuestions:
    """The reading connections as `group_sql.Statements`."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """See `Statements.rows`."""
        return await self._readers.rows(sql, values)

    async def among(self, sql: str, values: Sequence[str]) -> Sequence[Sequence[Any]]:
        """See `Statements.among`."""
        return await _among(self.rows, sql, values)

    async def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Readers change nothing."""
        raise NotImplementedError

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Readers change nothing."""
        raise NotImplementedError
