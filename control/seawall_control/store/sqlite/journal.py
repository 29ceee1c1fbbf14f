"""How an entry of a journal is added: with the records of its commit, and with whatever a call changes that
leaves an entry in the audit.
"""

from __future__ import annotations

from typing import Final

from seawall_control.domain.records import Append, Entry, next_entry
from seawall_control.store.sqlite.thread import SqliteStatements

ENTRY: Final = "SELECT topic, number, time_us, body, chain FROM journal WHERE topic = ?"


async def append(db: SqliteStatements, change: Append, at_us: int) -> Entry:
    """Add an entry within the transaction that is open."""
    last = None
    for row in await db.rows(f"{ENTRY} ORDER BY number DESC LIMIT 1", (change.topic,)):
        last = Entry(*row)
    made = next_entry(last, change, at_us)
    await db.change(
        "INSERT INTO journal (topic, number, time_us, body, chain) VALUES (?, ?, ?, ?, ?)",
        (made.topic, made.number, made.time_us, made.body, made.chain),
    )
    return made
