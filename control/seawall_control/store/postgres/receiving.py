"""How new events are written, and how it is known what others wrote.

Theory: this process and the server are to work at the same time, and to wait for each other seldom. The
server copies events in while it is worked out here what their groups and counts become; the connection is
waited for by whatever needs it next. What is then written of groups, counts and spools waits until something
is asked, or until the end, and is one statement.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from seawall_control.domain.events import Event
from seawall_control.store.intake import INSERTED, New
from seawall_control.store.postgres import rollup_keys
from seawall_control.store.postgres.statements import PostgresStatements, array_text, kinds_of, unnested
from seawall_control.store.postgres.target import Connection
from seawall_control.store.postgres.writer import Open
from seawall_control.store.rows import event_row

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

Made: TypeAlias = Mapping[str, tuple[Event, tuple[Any, ...]]]
"""Events and their rows, by id."""


def made(events: Iterable[Event]) -> Made:
    """Return the rows of events, which are made while their turn has not come yet."""
    return {event.id: (event, event_row(event)) for event in events}


class PostgresReceiving(PostgresStatements):
    """A connection within a transaction as `Receiving`; made by `receiving`."""

    def __init__(self, db: Connection, transaction: Open, rows: Sequence[Made]) -> None:
        super().__init__(db)
        self._transaction = transaction
        self._made: dict[str, tuple[Event, tuple[Any, ...]]] = {}
        for some in rows:
            self._made.update(some)
        self._copying: asyncio.Task[str] | None = None
        self._waiting: dict[str, Sequence[Sequence[Any]]] = {}
        """Rows that are still to be written, by statement. No two of these concern one table."""

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

    async def insert_events(self, new: Sequence[New]) -> None:
        """See `Receiving.insert_events`. COPY is the quickest way in and knows no exceptions: when a row is
        there already against all that is known, the writer runs the changes again with care.

        Returns when the rows are on their way.
        """
        rows = [(*self._row(event), spool_id, seq) for event, spool_id, seq in new]
        await self.settled()
        if self._transaction.with_care:
            await self._db.execute(_INSERT, *map(list, zip(*rows, strict=True)))
            return
        copy = self._db.copy_records_to_table("events", records=rows, columns=INSERTED)
        self._copying = asyncio.get_running_loop().create_task(copy, name="seawall-store-copy")
        # Its first step writes all of it to the connection, without waiting for an answer.
        await asyncio.sleep(0)

    async def add_counts(self, rows: Sequence[Sequence[Any]]) -> None:
        """See `Receiving.add_counts`."""
        await self.many(rollup_keys.PUT_COUNT, list(map(rollup_keys.numbered, rows)))

    def _row(self, event: Event) -> tuple[Any, ...]:
        found = self._made.get(event.id)
        # One with the same id may have come from somebody else, and one may have been put into another group.
        return found[1] if found is not None and found[0] is event else event_row(event)

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """See `Statements.rows`."""
        await self.settled()
        return await super().rows(sql, values)

    async def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """See `Statements.change`."""
        await self.settled()
        return await super().change(sql, values)

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """See `Statements.many`. Returns before anything is written."""
        if sql in self._waiting:
            await self.settled()
        if rows:
            self._waiting[sql] = rows

    async def settled(self) -> None:
        """Wait until everything so far is done. Raises what became of it."""
        copying, self._copying = self._copying, None
        if copying is not None:
            await copying
        if self._waiting:
            statement, columns = as_one(self._waiting)
            self._waiting = {}
            await self._db.execute(statement, *columns)

    async def given_up(self) -> None:
        """Leave the connection free for whoever rolls back."""
        copying, self._copying = self._copying, None
        if copying is not None:
            with contextlib.suppress(Exception):
                await copying


def as_one(waiting: Mapping[str, Sequence[Sequence[Any]]]) -> tuple[str, list[str]]:
    """Return one statement that does what several do, each with its rows, and the columns that it takes."""
    parts: list[str] = []
    columns: list[str] = []
    for sql, rows in waiting.items():
        parts.append(unnested(sql, kinds_of(rows[0]), len(columns)))
        columns.extend(map(array_text, zip(*rows, strict=True)))
    *others, last = parts
    named = ", ".join(f"part_{number} AS ({part})" for number, part in enumerate(others))
    return (f"WITH {named} {last}" if named else last), columns


@contextlib.asynccontextmanager
async def receiving(
    db: Connection, transaction: Open, rows: Sequence[Made]
) -> AsyncIterator[PostgresReceiving]:
    """Give a connection as `Receiving`; everything is written when it is given back. `rows` are those of what
    is received, as far as they have been made.
    """
    found = PostgresReceiving(db, transaction, rows)
    try:
        yield found
        await found.settled()
    except BaseException:
        await found.given_up()
        raise
