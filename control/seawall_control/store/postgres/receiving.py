"""How new events are written, and how it is known what others wrote."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from seawall_control.store.intake import INSERTED
from seawall_control.store.postgres.adapter import PostgresStatements
from seawall_control.store.postgres.target import Connection
from seawall_control.store.postgres.writer import Open

_SMALL: Final = frozenset({"severity", "resolved", "kind", "category", "outcome"})
_WIDE: Final = frozenset({"timestamp_us", "resolved_at_us", "latency_us", "policy_revision", "seq"})
_STAMPS: Final = 2**32
"""A row is stamped with the lower half of its transaction's number."""


def _type(column: str) -> str:
    return "smallint" if column in _SMALL else "bigint" if column in _WIDE else "text"


_INSERT: Final = (
    f"INSERT INTO events ({', '.join(INSERTED)}) SELECT * FROM "
    f"unnest({', '.join(f'${i}::{_type(column)}[]' for i, column in enumerate(INSERTED, start=1))}) "
    "ON CONFLICT DO NOTHING"
)


class PostgresReceiving(PostgresStatements):
    """A connection within a transaction as `Receiving`."""

    def __init__(self, db: Connection, transaction: Open) -> None:
        super().__init__(db)
        self._transaction = transaction

    @property
    def stamp(self) -> int:
        """See `Receiving.stamp`. Rows that are written within a savepoint have another one, and are read
        again.
        """
        return self._transaction.number % _STAMPS

    async def changed(self, stamps: Mapping[str, int]) -> Collection[str]:
        """See `Receiving.changed`."""
        if not stamps:
            return ()
        rows = await self.among("SELECT id, xmin::text FROM event_groups WHERE id IN", list(stamps))
        now = {row[0]: int(row[1]) for row in rows}
        return {one for one, stamp in stamps.items() if now.get(one) != stamp}

    async def insert_events(self, rows: Sequence[Sequence[Any]]) -> None:
        """See `Receiving.insert_events`. COPY is the quickest way in and knows no exceptions: when a row is
        there already against all that is known, the writer runs the changes again with care.
        """
        if self._transaction.with_care:
            await self._db.execute(_INSERT, *map(list, zip(*rows, strict=True)))
        else:
            await self._db.copy_records_to_table("events", records=rows, columns=INSERTED)
