"""Documents and journals, in SQL that every database of ours understands. What is written goes into a
transaction that is open: with the records of a commit, and with whatever a call changes that leaves an entry
in the audit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from seawall_control.domain import records
from seawall_control.domain.records import (
    Append,
    Change,
    Claim,
    Committed,
    Delete,
    Document,
    Entry,
    Put,
    Touched,
    next_entry,
)
from seawall_control.store.rows import int64
from seawall_control.store.statements import Questions, Statements

_DOCUMENT: Final = "SELECT kind, name, version, body, update_time_us FROM documents WHERE kind = ?"
_ENTRY: Final = "SELECT topic, number, time_us, body, chain FROM journal WHERE topic = ?"
_LAST: Final = 2**63 - 1
"""No entry has this number."""

Tell = Callable[[str, str], Awaitable[None]]
"""Tells other control planes of a document, by kind and name."""


async def write(db: Statements, changes: Sequence[Change], at_us: int, tell: Tell | None = None) -> Committed:
    """Make these changes. Raise `DocumentConflict`."""
    documents: list[Document] = []
    entries: list[Entry] = []
    touched: list[Touched | None] = []
    for change in changes:
        if isinstance(change, Append):
            entries.append(await _append(db, change, at_us))
            touched.append(records.touched_by(entries[-1], None))
            continue
        found = await document(db, change.kind, change.name)
        version, before = (0, None) if found is None else (found.version, found.body)
        if isinstance(change, Claim):
            if records.is_claimed(change, version, before):
                continue
        else:
            records.check_expected(change, version)
        touched.append(records.touched_by(change, before))
        if isinstance(change, Delete):
            await db.change("DELETE FROM documents WHERE kind = ? AND name = ?", (change.kind, change.name))
        else:
            documents.append(await _put(db, change, version + 1, at_us))
        if tell is not None:
            await tell(change.kind, change.name)
    return Committed(tuple(documents), tuple(entries), tuple(filter(None, touched)))


async def _append(db: Statements, change: Append, at_us: int) -> Entry:
    newest = await entries(db, change.topic, limit=1)
    made = next_entry(newest[0] if newest else None, change, at_us)
    await db.change(
        "INSERT INTO journal (topic, number, time_us, body, chain) VALUES (?, ?, ?, ?, ?)",
        (made.topic, made.number, made.time_us, made.body, made.chain),
    )
    return made


async def _put(db: Statements, change: Put | Claim, version: int, at_us: int) -> Document:
    made = Document(change.kind, change.name, version, change.body, at_us)
    await db.change(
        "INSERT INTO documents (kind, name, version, body, update_time_us) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (kind, name) DO UPDATE SET version = excluded.version, body = excluded.body, "
        "update_time_us = excluded.update_time_us",
        (made.kind, made.name, made.version, made.body, made.update_time_us),
    )
    return made


async def document(db: Questions, kind: str, name: str) -> Document | None:
    """See `RecordStore.document`."""
    found = await db.rows(f"{_DOCUMENT} AND name = ?", (kind, name))
    return Document(*found[0]) if found else None


async def documents(db: Questions, kind: str, *, after: str, limit: int) -> Sequence[Document]:
    """See `RecordStore.documents`."""
    found = await db.rows(f"{_DOCUMENT} AND name > ? ORDER BY name LIMIT ?", (kind, after, limit))
    return [Document(*row) for row in found]


async def entries(
    db: Questions, topic: str, *, before: int = 0, limit: int, oldest_first: bool = False, after: int = 0
) -> Sequence[Entry]:
    """See `RecordStore.entries`."""
    found = await db.rows(
        f"{_ENTRY} AND number > ? AND number < ? ORDER BY number {'ASC' if oldest_first else 'DESC'} LIMIT ?",
        (topic, int64(after), int64(before or _LAST), limit),
    )
    return [Entry(*row) for row in found]


async def trim(db: Statements, topic: str, *, keep: int, before_us: int) -> int:
    """See `RecordStore.trim`."""
    return await db.change(
        "DELETE FROM journal WHERE topic = ? AND time_us < ? "
        "AND number <= (SELECT max(number) FROM journal WHERE topic = ?) - ?",
        (topic, int64(before_us), topic, max(1, keep)),
    )
