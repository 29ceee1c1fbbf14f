"""Documents and journals in PostgreSQL; the statements are store/record_sql.py's."""

from __future__ import annotations

from collections.abc import Sequence

from seawall_control.domain import records
from seawall_control.domain.records import Change, Committed, Document, Entry
from seawall_control.store import record_sql
from seawall_control.store.postgres.adapter import Adapter
from seawall_control.store.postgres.statements import PostgresQuestions, PostgresStatements
from seawall_control.store.postgres.target import Connection


class PostgresRecords(Adapter):
    """Implements `RecordStore`."""

    async def commit(self, changes: Sequence[Change], *, at_us: int) -> Committed:
        """See `RecordStore.commit`."""
        records.check(changes)

        async def work(db: Connection) -> Committed:
            async def tell(kind: str, name: str) -> None:
                await self._tell(db, kind=kind, name=name)

            return await record_sql.write(PostgresStatements(db), changes, at_us, tell)

        return await self._writer.do(work, weight=max(1, len(changes)), area="records")

    async def document(self, kind: str, name: str) -> Document | None:
        """See `RecordStore.document`."""
        return await record_sql.document(PostgresQuestions(self._readers), kind, name)

    async def documents(self, kind: str, *, after: str = "", limit: int = 1000) -> Sequence[Document]:
        """See `RecordStore.documents`."""
        return await record_sql.documents(PostgresQuestions(self._readers), kind, after=after, limit=limit)

    async def entries(
        self, topic: str, *, before: int = 0, limit: int = 100, oldest_first: bool = False, after: int = 0
    ) -> Sequence[Entry]:
        """See `RecordStore.entries`."""
        db = PostgresQuestions(self._readers)
        return await record_sql.entries(
            db, topic, before=before, limit=limit, oldest_first=oldest_first, after=after
        )

    async def trim(self, topic: str, *, keep: int, before_us: int) -> int:
        """See `RecordStore.trim`."""

        async def work(db: Connection) -> int:
            return await record_sql.trim(PostgresStatements(db), topic, keep=keep, before_us=before_us)

        return await self._writer.do(work, area="records")
