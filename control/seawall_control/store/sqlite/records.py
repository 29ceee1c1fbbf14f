"""Documents and journals in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seawall_control.domain import records
from seawall_control.domain.records import Append, Change, Committed, Delete, Document, Entry, Put, Touched
from seawall_control.store.rows import int64
from seawall_control.store.sqlite.adapter import Adapter
from seawall_control.store.sqlite.journal import ENTRY, append
from seawall_control.store.sqlite.thread import SqliteStatements

_DOCUMENT: Final = "SELECT kind, name, version, body, update_time_us FROM documents WHERE kind = ?"


class SqliteRecords(Adapter):
    """Implements `RecordStore`."""

    async def commit(self, changes: Sequence[Change], *, at_us: int) -> Committed:
        """See `RecordStore.commit`."""
        records.check(changes)

        async def work(db: SqliteStatements) -> Committed:
            documents: list[Document] = []
            entries: list[Entry] = []
            touched: list[Touched | None] = []
            for change in changes:
                if isinstance(change, Append):
                    entries.append(await append(db, change, at_us))
                    touched.append(records.touched_by(entries[-1], None))
                    continue
                version, before = await _found(db, change)
                records.check_expected(change, version)
                touched.append(records.touched_by(change, before))
                if isinstance(change, Put):
                    documents.append(await _put(db, change, version + 1, at_us))
                else:
                    await db.change(
                        "DELETE FROM documents WHERE kind = ? AND name = ?", (change.kind, change.name)
                    )
            return Committed(tuple(documents), tuple(entries), tuple(filter(None, touched)))

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


async def _found(db: SqliteStatements, change: Put | Delete) -> tuple[int, str | None]:
    """Return version and body of the document that a change is about; 0 and None when there is none."""
    for row in await db.rows(
        "SELECT version, body FROM documents WHERE kind = ? AND name = ?", (change.kind, change.name)
    ):
        return int(row[0]), str(row[1])
    return 0, None


async def _put(db: SqliteStatements, change: Put, version: int, at_us: int) -> Document:
    made = Document(change.kind, change.name, version, change.body, at_us)
    await db.change(
        "INSERT OR REPLACE INTO documents (kind, name, version, body, update_time_us) VALUES (?, ?, ?, ?, ?)",
        (made.kind, made.name, made.version, made.body, made.update_time_us),
    )
    return made
