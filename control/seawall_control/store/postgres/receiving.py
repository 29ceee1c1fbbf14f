"""How new events are written, and how it is known what others wrote.

Theory: this process and the server are to work at the same time, and to wait for each other seldom. The
server copies events in while it is worked out here what their groups and counts become; the connection is
waited for by whatever needs it next. What is then written of groups, counts and spools waits until something
is asked, or until the end, and is one statement.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from seawall_control.domain.events import Event
from seawall_control.domain.rollups import KEY_FIELDS, Key
from seawall_control.domain.sequences import Arrivals
from seawall_control.store.intake import INSERTED, New
from seawall_control.store.intake_sql import Before, Wanted, key_of
from seawall_control.store.postgres import rollup_keys
from seawall_control.store.postgres.statements import PostgresStatements, array_text, kinds_of, unnested
from seawall_control.store.postgres.target import Connection
from seawall_control.store.postgres.writer import Open
from seawall_control.store.rows import arrivals_of, event_row

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

_NUMBER, _SPOOL, _EVENT, _GROUP, _KEY = range(5)
_NO_KEY: Final = ", ".join(["NULL"] * len(KEY_FIELDS))
_BEFORE: Final = (
    f"SELECT {_NUMBER} AS what, NULL AS one, NULL AS two, NULL AS three, "
    "pg_current_xact_id()::text::bigint AS number, NULL::bigint AS other, "
    f"{', '.join(f'NULL::{_type(field)}' for field in KEY_FIELDS)} "
    f"UNION ALL SELECT {_SPOOL}, s.proxy, s.spool_id, s.seen, s.assumed_through, NULL, {_NO_KEY} "
    "FROM unnest($1::text::text[], $2::text::text[]) AS asked (proxy, spool_id) "
    "JOIN spools AS s USING (proxy, spool_id) "
    f"UNION ALL SELECT {_EVENT}, id, NULL, NULL, NULL, NULL, {_NO_KEY} FROM events "
    "WHERE id = ANY((SELECT $3::text::text[])::text[]) "
    f"UNION ALL SELECT {_GROUP}, id, NULL, NULL, g.xmin::text::bigint, NULL, {_NO_KEY} "
    "FROM unnest($4::text::text[]) AS asked (id) JOIN event_groups AS g USING (id) "
    f"UNION ALL SELECT {_KEY}, NULL, NULL, NULL, width, start, {', '.join(KEY_FIELDS)} "
    "FROM unnest($5::text::bigint[], $6::text::bigint[]) AS asked (width, start) "
    "JOIN event_rollups USING (width, start)"
)
"""All that has to be known, in one question; and the number of the transaction, which is asked for anyway."""
_BEFORE_REPORTS: Final = (
    f"{_BEFORE} UNION ALL SELECT {_EVENT}, id, NULL, NULL, NULL, NULL, {_NO_KEY} FROM counted_ids "
    "WHERE id = ANY((SELECT $3::text::text[])::text[])"
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

    async def before(self, wanted: Wanted) -> Before:
        """See `Receiving.before`."""
        await self.settled()
        rows = await self._db.fetch(
            _BEFORE_REPORTS if wanted.reported else _BEFORE,
            array_text([proxy for proxy, _ in wanted.spools]),
            array_text([spool_id for _, spool_id in wanted.spools]),
            array_text(wanted.ids),
            array_text(wanted.groups),
            array_text([int(width) for width, _ in wanted.buckets]),
            array_text([start for _, start in wanted.buckets]),
        )
        arrivals: dict[tuple[str, str], Arrivals] = {}
        ids: set[str] = set()
        stamps: dict[str, int] = {}
        keys: dict[tuple[int, int], list[Key]] = {bucket: [] for bucket in wanted.buckets}
        for row in rows:
            what = row[0]
            if what == _GROUP:
                stamps[row[1]] = row[4]
            elif what == _KEY:
                keys[row[4], row[5]].append(key_of(row[6:]))
            elif what == _EVENT:
                ids.add(row[1])
            elif what == _SPOOL:
                arrivals[row[1], row[2]] = arrivals_of(row[3:5])
            else:
                self._transaction.number = row[4]
        return Before(arrivals, ids, stamps, keys)

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
        waiting, self._waiting = self._waiting, {}
        # Before anything is waited for: the server is to find its next statement ready.
        one = as_one(waiting) if waiting else None
        if copying is not None:
            await copying
        if one is not None:
            statement, columns = one
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
