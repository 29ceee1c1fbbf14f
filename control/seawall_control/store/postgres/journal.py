"""How records are written within a transaction that is open: those of a commit, and those that go with
whatever a call changes that leaves an entry in the audit. The transaction holds the lock of the area
`records`.
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
from seawall_control.store.postgres.target import Connection

ENTRY: Final = "SELECT topic, number, time_us, body, chain FROM journal WHERE topic = $1"

Tell = Callable[[Connection, str, str], Awaitable[None]]
"""Tells other control planes of a document, by kind and name."""


async def write(db: Connection, changes: Sequence[Change], at_us: int, tell: Tell | None = None) -> Committed:
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
            await db.execute("DELETE FROM documents WHERE kind = $1 AND name = $2", change.kind, change.name)
        else:
            documents.append(await _put(db, change, version + 1, at_us))
        if tell is not None:
            await tell(db, change.kind, change.name)
    return Committed(tuple(documents), tuple(entries), tuple(filter(None, touched)))


async def _append(db: Connection, change: Append, at_us: int) -> Entry:
    row = await db.fetchrow(f"{ENTRY} ORDER BY number DESC LIMIT 1", change.topic)
    made = next_entry(None if row is None else Entry(*row), change, at_us)
    await db.execute(
        "INSERT INTO journal (topic, number, time_us, body, chain) VALUES ($1, $2, $3, $4, $5)",
        made.topic,
        made.number,
        made.time_us,
        made.body,
        made.chain,
    )
    return made


async def _found(db: Connection, change: Put | Claim | Delete) -> tuple[int, str | None]:
    """Return version and body of the document that a change is about; 0 and None when there is none."""
    row = await db.fetchrow(
        "SELECT version, body FROM documents WHERE kind = $1 AND name = $2", change.kind, change.name
    )
    return (0, None) if row is None else (int(row[0]), str(row[1]))


async def _put(db: Connection, change: Put | Claim, version: int, at_us: int) -> Document:
    made = Document(change.kind, change.name, version, change.body, at_us)
    await db.execute(
        "INSERT INTO documents (kind, name, version, body, update_time_us) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (kind, name) DO UPDATE SET version = excluded.version, body = excluded.body, "
        "update_time_us = excluded.update_time_us",
        made.kind,
        made.name,
        made.version,
        made.body,
        made.update_time_us,
    )
    return made
