"""Documents and journals in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seawall_control.domain import records
from seawall_control.domain.records import Change, Committed, Document, Entry
from seawall_control.store.rows import int64
from seawall_control.store.sqlite.adapter import Adapter
from seawall_control.store.sqlite.journal import ENTRY, write
from seawall_control.store.sqlite.thread import SqliteStatements

_DOCUMENT: Final = "SELECT kind, name, version, body, update_time_us FROM documents WHERE kind = ?"


class SqliteRecords(Adapter):
    """Implements `RecordStore`."""

    async def commit(self, changes: Sequence[Change], *, at_us: int) -> Committed:
        """See `RecordStore.commit`."""
        records.check(changes)

        async def work(db: SqliteStatements) -> Committed:
            return await write(db, changes, at_us)

        return await self._writer.do(work, weight=len(changes))

    async def document(self, kind: str, name: str) -> Document | None:
        """See `RecordStore.document`."""
        row = await self._readers.row(f"{_DOCUMENT} AND name = ?", (kind, name))
        return None if row is None else Document(*row)

    async def documents(self, kind: str, *, after: str = "", limit: int = 1000) -> Sequence[Document]:
        """See `RecordStore.documents`."""
        found = await self._readers.rows(
            f"{_DOCUMENT} AND name > ? ORDER BY name LIMIT ?", (kind, after, limit)
        )
        return [Document(*row) for row in found]

    async def entries(
        self, topic: str, *, before: int = 0, limit: int = 100, oldest_first: bool = False, after: int = 0
    ) -> Sequence[Entry]:
        """See `RecordStore.entries`."""
        found = await self._readers.rows(
            f"{ENTRY} AND number > ? AND (? = 0 OR number < ?) "
            f"ORDER BY number {'ASC' if oldest_first else 'DESC'} LIMIT ?",
            (topic, int64(after), int64(before), int64(before), limit),
        )
        return [Entry(*row) for row in found]

    async def trim(self, topic: str, *, keep: int, before_us: int) -> int:
        """See `RecordStore.trim`."""

        async def work(db: SqliteStatements) -> int:
            return await db.change(
                "DELETE FROM journal WHERE topic = ?1 AND time_us < ?2 "
                "AND number <= (SELECT max(number) FROM journal WHERE topic = ?1) - ?3",
                (topic, int64(before_us), max(1, keep)),
            )

        return await self._writer.do(work)
