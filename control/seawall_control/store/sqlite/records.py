"""Documents and journals in SQLite; the statements are store/record_sql.py's."""

from __future__ import annotations

from collections.abc import Sequence

from seawall_control.domain import records
from seawall_control.domain.records import Change, Committed, Document, Entry
from seawall_control.store import record_sql
from seawall_control.store.sqlite.adapter import Adapter, SqliteQuestions
from seawall_control.store.sqlite.thread import SqliteStatements


class SqliteRecords(Adapter):
    """Implements `RecordStore`."""

    async def commit(self, changes: Sequence[Change], *, at_us: int) -> Committed:
        """See `RecordStore.commit`."""
        records.check(changes)

        async def work(db: SqliteStatements) -> Committed:
            return await record_sql.write(db, changes, at_us)

        return await self._writer.do(work, weight=len(changes))

    async def document(self, kind: str, name: str) -> Document | None:
        """See `RecordStore.document`."""
        return await record_sql.document(SqliteQuestions(self._readers), kind, name)

    async def documents(self, kind: str, *, after: str = "", limit: int = 1000) -> Sequence[Document]:
        """See `RecordStore.documents`."""
        return await record_sql.documents(SqliteQuestions(self._readers), kind, after=after, limit=limit)

    async def entries(
        self, topic: str, *, before: int = 0, limit: int = 100, oldest_first: bool = False, after: int = 0
    ) -> Sequence[Entry]:
        """See `RecordStore.entries`."""
        db = SqliteQuestions(self._readers)
        return await record_sql.entries(
            db, topic, before=before, limit=limit, oldest_first=oldest_first, after=after
        )

    async def trim(self, topic: str, *, keep: int, before_us: int) -> int:
        """See `RecordStore.trim`."""

        async def work(db: SqliteStatements) -> int:
            return await record_sql.trim(db, topic, keep=keep, before_us=before_us)

        return await self._writer.do(work)
