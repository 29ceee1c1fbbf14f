"""Groups and rollups in PostgreSQL. They change under the lock of the events, with which they are counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, TypeVar

from seawall_control.domain.records import Touched
from seawall_control.store import witness
from seawall_control.store.group_store import SqlGroups
from seawall_control.store.postgres.adapter import Adapter
from seawall_control.store.postgres.statements import PostgresQuestions, PostgresStatements
from seawall_control.store.postgres.target import Connection
from seawall_control.store.statements import Questions, Statements

T = TypeVar("T")


class PostgresGroups(Adapter, SqlGroups):
    """Implements `GroupStore`."""

    _find: ClassVar[str] = "strpos"

    def _asking(self) -> Questions:
        return PostgresQuestions(self._readers)

    async def _change_groups(
        self,
        work: Callable[[Statements], Awaitable[T]],
        *,
        upkeep: bool = False,
        told: Callable[[T], Sequence[Touched]] = witness.touched,
    ) -> T:
        async def change(db: Connection) -> T:
            self._intake.known.forget()
            return await work(PostgresStatements(db))

        return await self._writer.do(change, area="events", told=told, upkeep=upkeep)
