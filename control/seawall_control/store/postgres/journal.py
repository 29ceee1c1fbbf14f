"""How an entry of a journal is added: with the records of its commit, and with whatever a call changes that
leaves an entry in the audit. The transaction holds the lock of the area `records`.
"""

from __future__ import annotations

from typing import Final

from seawall_control.domain.records import Append, Entry, next_entry
from seawall_control.store.postgres.target import Connection

ENTRY: Final = "SELECT topic, number, time_us, body, chain FROM journal WHERE topic = $1"


async def append(db: Connection, change: Append, at_us: int) -> Entry:
    """Add an entry within the transaction that is open."""
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
