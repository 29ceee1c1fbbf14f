"""Groups and rollups in SQLite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiosqlite

from seawall_control.store.group_sql import Statements
from seawall_control.store.group_store import SqlGroups
from seawall_control.store.sqlite.adapter import Adapter, SqliteQuestions, SqliteStatements

T = TypeVar("T")


class SqliteGroups(Adapter, SqlGroups):
    """Implements `GroupStore`."""

    def _asking(self) -> Statements:
        return SqliteQuestions(self._readers)

    async def _change_groups(self, work: Callable[[Statements], Awaitable[T]], *, deletes: bool = False) -> T:
        async def change(db: aiosqlite.Connection) -> T:
            if deletes:
                self._writer.reclaim_soon()
            return await work(SqliteStatements(db))

        return await self._writer.do(change)
