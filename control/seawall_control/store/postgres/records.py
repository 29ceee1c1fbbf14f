"""Documents and journals in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seawall_control.domain import records
from seawall_control.domain.records import Change, Committed, Document, Entry
from seawall_control.store.postgres.adapter import Adapter
from seawall_control.store.postgres.journal import ENTRY, write
from seawall_control.store.postgres.target import Connection
from seawall_control.store.rows import int64

_DOCUMENT: Final = "SELECT kind, name, version, body, update_time_us FROM documents WHERE kind = $1"


class PostgresRecords(Adapter):
    """Implements `RecordStore`."""

    async def commit(self, changes: Sequence[Change], *, at_us: int) -> Committed:
        """See `RecordStore.commit`."""
        records.check(changes)

        async def work(db: Connection) -> Committed:
            return await write(db, changes, at_us, self._told)

        return await self._writer.do(work, weight=max(1, len(changes)), area="records")

    async def _told(self, db: Connection, kind: str, name: str) -> None:
        await self._tell(db, kind=kind, name=name)

    async def document(self, kind: str, name: str) -> Document | None:
        """See `RecordStore.document`."""
        row = await self._readers.row(f"{_DOCUMENT} AND name = $2", kind, name)
        return None if row is None else Document(*row)

    async def documents(self, kind: str, *, after: str = "", limit: int = 1000) -> Sequence[Document]:
        """See `RecordStore.documents`."""
        found = await self._readers.rows(
            f"{_DOCUMENT} AND name > $2 ORDER BY name LIMIT $3", kind, after, limit
        )
        return [Document(*row) for row in found]

    async def entries(
        self, topic: str, *, before: int = 0, limit: int = 100, oldest_first: bool = False, after: int = 0
    ) -> Sequence[Entry]:
        """See `RecordStore.entries`."""
        found = await self._readers.rows(
            f"{ENTRY} AND number > $2 AND ($3::bigint = 0 OR number < $3) "
            f"ORDER BY number {'ASC' if oldest_first else 'DESC'} LIMIT $4",
            topic,
            int64(after),
            int64(before),
            limit,
        )
        return [Entry(*row) for row in found]

    async def trim(self, topic: str, *, keep: int, before_us: int) -> int:
        """See `RecordStore.trim`."""

        async def work(db: Connection) -> int:
            gone = await db.fetchval(
                "WITH gone AS (DELETE FROM journal WHERE topic = $1 AND time_us < $2 "
                "AND number <= (SELECT max(number) FROM journal WHERE topic = $1) - $3::bigint RETURNING 1) "
                "SELECT count(*) FROM gone",
                topic,
                int64(before_us),
                int64(max(1, keep)),
            )
            return int(gone)

        return await self._writer.do(work, area="records")
