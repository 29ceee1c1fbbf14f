"""Groups and rollups in SQLite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from seawall_control.domain.records import Touched
from seawall_control.store import witness
from seawall_control.store.group_store import SqlGroups
from seawall_control.store.sqlite.adapter import Adapter, SqliteQuestions
from seawall_control.store.sqlite.thread import SqliteStatements
from seawall_control.store.statements import Questions, Statements

T = TypeVar("T")


class SqliteGroups(Adapter, SqlGroups):
    """Implements `GroupStore`."""

    def _asking(self) -> Questions:
        return SqliteQuestions(self._readers)

    async def _change_groups(
        self,
        work: Callable[[Statements], Awaitable[T]],
        *,
        upkeep: bool = False,
        told: Callable[[T], Sequence[Touched]] = witness.touched,
    ) -> T:
        async def change(db: SqliteStatements) -> T:
            if upkeep:
                self._writer.reclaim_soon()
            self._intake.known.forget()
            return await work(db)

        return await self._writer.do(change, told=told, upkeep=upkeep)
