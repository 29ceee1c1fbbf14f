"""How records are written within a transaction that is open: those of a commit, and those that go with
whatever a call changes that leaves an entry in the audit.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from seawall_control.store.sqlite.thread import SqliteStatements

ENTRY: Final = "SELECT topic, number, time_us, body, chain FROM journal WHERE topic = ?"


async def write(db: SqliteStatements, changes: Sequence[Change], at_us: int) -> Committed:
    """Make these changes. Raise `DocumentConflict`."""
    documents: list[Document] = []
    entries: list[Entry] = []
    touched: list[Touched | None] = []
    for change in changes:
        if isinstance(change, Append):
            entries.append(await _append(db, change, at_us))
            touched.append(records.touched_by(entries[-1], None))
            continue
        version, before = await _found(db, change)
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
    return Committed(tuple(documents), tuple(entries), tuple(filter(None, touched)))


async def _append(db: SqliteStatements, change: Append, at_us: int) -> Entry:
    last = None
    for row in await db.rows(f"{ENTRY} ORDER BY number DESC LIMIT 1", (change.topic,)):
        last = Entry(*row)
    made = next_entry(last, change, at_us)
    await db.change(
        "INSERT INTO journal (topic, number, time_us, body, chain) VALUES (?, ?, ?, ?, ?)",
        (made.topic, made.number, made.time_us, made.body, made.chain),
    )
    return made


async def _found(db: SqliteStatements, change: Put | Claim | Delete) -> tuple[int, str | None]:
    """Return version and body of the document that a change is about; 0 and None when there is none."""
    for row in await db.rows(
        "SELECT version, body FROM documents WHERE kind = ? AND name = ?", (change.kind, change.name)
    ):
        return int(row[0]), str(row[1])
    return 0, None


async def _put(db: SqliteStatements, change: Put | Claim, version: int, at_us: int) -> Document:
    made = Document(change.kind, change.name, version, change.body, at_us)
    await db.change(
        "INSERT OR REPLACE INTO documents (kind, name, version, body, update_time_us) VALUES (?, ?, ?, ?, ?)",
        (made.kind, made.name, made.version, made.body, made.update_time_us),
    )
    return made
