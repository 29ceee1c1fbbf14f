"""Documents and journals in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import aiosqlite

from seawall_control.domain import records
from seawall_control.domain.records import Append, Change, Committed, Delete, Document, Entry, Put
from seawall_control.store.rows import int64
from seawall_control.store.sqlite.adapter import Adapter

_DOCUMENT: Final = "SELECT kind, name, version, body, update_time_us FROM documents WHERE kind = ?"
_ENTRY: Final = "SELECT topic, number, time_us, body, chain FROM journal WHERE topic = ?"


class SqliteRecords(Adapter):
    """Implements `RecordStore`."""

    async def commit(self, changes: Sequence[Change], *, at_us: int) -> Committed:
        """See `RecordStore.commit`."""
        records.check(changes)

        async def work(db: aiosqlite.Connection) -> Committed:
            documents: list[Document] = []
            entries: list[Entry] = []
            for change in changes:
                if isinstance(change, Append):
                    entries.append(await _append(db, change, at_us))
                elif isinstance(change, Put):
                    documents.append(await _put(db, change, at_us))
                else:
                    records.check_expected(change, await _version(db, change))
                    await db.execute(
                        "DELETE FROM documents WHERE kind = ? AND name = ?", (change.kind, change.name)
                    )
            return Committed(tuple(documents), tuple(entries))

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
            f"{_ENTRY} AND number > ? AND (? = 0 OR number < ?) "
            f"ORDER BY number {'ASC' if oldest_first else 'DESC'} LIMIT ?",
            (topic, int64(after), int64(before), int64(before), limit),
        )
        return [Entry(*row) for row in found]

    async def trim(self, topic: str, *, keep: int, before_us: int) -> int:
        """See `RecordStore.trim`."""

        async def work(db: aiosqlite.Connection) -> int:
            done = await db.execute(
                "DELETE FROM journal WHERE topic = ?1 AND time_us < ?2 "
                "AND number <= (SELECT max(number) FROM journal WHERE topic = ?1) - ?3",
                (topic, int64(before_us), max(1, keep)),
            )
            return done.rowcount

        return await self._writer.do(work)


async def _version(db: aiosqlite.Connection, change: Put | Delete) -> int:
    for row in await db.execute_fetchall(
        "SELECT version FROM documents WHERE kind = ? AND name = ?", (change.kind, change.name)
    ):
        return int(row[0])
    return 0


async def _put(db: aiosqlite.Connection, change: Put, at_us: int) -> Document:
    version = await _version(db, change)
    records.check_expected(change, version)
    made = Document(change.kind, change.name, version + 1, change.body, at_us)
    await db.execute(
        "INSERT OR REPLACE INTO documents (kind, name, version, body, update_time_us) VALUES (?, ?, ?, ?, ?)",
        (made.kind, made.name, made.version, made.body, made.update_time_us),
    )
    return made


async def _append(db: aiosqlite.Connection, change: Append, at_us: int) -> Entry:
    last = None
    for row in await db.execute_fetchall(f"{_ENTRY} ORDER BY number DESC LIMIT 1", (change.topic,)):
        last = Entry(*row)
    made = records.next_entry(last, change, at_us)
    await db.execute(
        "INSERT INTO journal (topic, number, time_us, body, chain) VALUES (?, ?, ?, ?, ?)",
        (made.topic, made.number, made.time_us, made.body, made.chain),
    )
    return made
