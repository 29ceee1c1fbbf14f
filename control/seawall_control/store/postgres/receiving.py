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
from typing import Any, Final, NamedTuple, TypeAlias

from seawall_control.domain.events import Event
from seawall_control.domain.rollups import KEY_FIELDS, Key, Width
from seawall_control.domain.sequences import Arrivals
from seawall_control.store.intake import INSERTED, New
from seawall_control.store.intake_sql import Before, Mistaken, Wanted, key_of
from seawall_control.store.postgres import rollup_keys
from seawall_control.store.postgres.statements import PostgresStatements, array_text, kinds_of, unnested
from seawall_control.store.postgres.target import Connection
from seawall_control.store.postgres.writer import Open
from seawall_control.store.rows import arrivals_of, arrivals_row, event_row
from seawall_control.store.supposing import Supposed

_SMALL: Final = frozenset({"severity", "resolved", "kind", "category", "outcome"})
_WIDE: Final = frozenset({"timestamp_us", "resolved_at_us", "latency_us", "policy_revision", "seq"})
_TELLS: Final = " RETURNING 1"
_THIS: Final = "pg_current_xact_id()::text::bigint"
_SPOOLS: Final = (
    "SELECT count(*) FROM (VALUES (?, ?, ?, ?)) AS s (proxy, spool_id, seen, assumed_through) "
    "JOIN spools USING (proxy, spool_id, seen, assumed_through)"
)
_STAMPED: Final = (
    "SELECT count(*) FROM (VALUES (?, ?)) AS s (id, stamp) JOIN event_groups AS g USING (id) "
    "WHERE g.xmin::text::bigint = s.stamp"
)
_BEGUN: Final = (
    "SELECT count(*) FROM (VALUES (?, ?)) AS s (width, start) WHERE EXISTS "
    "(SELECT FROM event_rollups AS c WHERE c.width = s.width AND c.start = s.start)"
)


def _type(column: str) -> str:
    return "smallint" if column in _SMALL else "bigint" if column in _WIDE else "text"


_INSERT: Final = (
    f"INSERT INTO events ({', '.join(INSERTED)}) SELECT * FROM "
    f"unnest({', '.join(f'${i}::{_type(column)}[]' for i, column in enumerate(INSERTED, start=1))}) "
    "ON CONFLICT DO NOTHING"
)

_NUMBER, _SPOOL, _EVENT, _GROUP, _KEY, _NEWEST = range(6)
_NO_KEY: Final = ", ".join(["NULL"] * len(KEY_FIELDS))
_BEFORE: Final = (
    f"SELECT {_NUMBER} AS what, NULL AS one, NULL AS two, NULL AS three, "
    f"{_THIS} AS number, NULL::bigint AS other, "
    f"{', '.join(f'NULL::{_type(field)}' for field in KEY_FIELDS)} "
    f"UNION ALL SELECT {_SPOOL}, s.proxy, s.spool_id, s.seen, s.assumed_through, NULL, {_NO_KEY} "
    "FROM unnest($1::text::text[], $2::text::text[]) AS asked (proxy, spool_id) "
    "JOIN spools AS s USING (proxy, spool_id) "
    f"UNION ALL SELECT {_EVENT}, id, NULL, NULL, NULL, NULL, {_NO_KEY} FROM events "
    "WHERE id = ANY((SELECT $3::text::text[])::text[]) "
    f"UNION ALL SELECT {_GROUP}, id, NULL, NULL, g.xmin::text::bigint, NULL, {_NO_KEY} "
    "FROM unnest($4::text::text[]) AS asked (id) JOIN event_groups AS g USING (id) "
    f"UNION ALL SELECT {_NEWEST}, NULL, NULL, NULL, width, newest.start, {_NO_KEY} "
    f"FROM (VALUES {', '.join(f'({int(width)})' for width in Width)}) AS asked (width), "
    "LATERAL (SELECT start FROM event_buckets AS b WHERE b.width = asked.width ORDER BY start DESC LIMIT 1) "
    "AS newest "
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
        """Rows that are still to be written, by statement. No two of these concern one row."""
        self._supposed: Supposed | None = None
        """What the next of these statements has to make sure of."""

    @property
    def supposes(self) -> bool:
        """See `Receiving.supposes`."""
        return not self._transaction.with_care

    def suppose(self, supposed: Supposed) -> None:
        """See `Receiving.suppose`."""
        self._supposed = supposed

    async def before(self, wanted: Wanted) -> Before:
        """See `Receiving.before`."""
        await self.settled()
        rows = await self._db.fetch(
            _BEFORE_REPORTS if wanted.reported else _BEFORE,
            array_text([proxy for proxy, _ in wanted.spools]),
            array_text([spool_id for _, spool_id in wanted.spools]),
            array_text(wanted.ids),
            array_text(list(wanted.groups)),
            array_text([int(width) for width, _ in wanted.buckets]),
            array_text([start for _, start in wanted.buckets]),
        )
        arrivals: dict[tuple[str, str], Arrivals] = {}
        ids: set[str] = set()
        stamps: dict[str, int] = {}
        newest: dict[int, int] = {}
        keys: dict[tuple[int, int], list[Key]] = {bucket: [] for bucket in wanted.buckets}
        for row in rows:
            what = row[0]
            if what == _GROUP:
                stamps[row[1]] = row[4]
            elif what == _KEY:
                keys[row[4], row[5]].append(key_of(row[6:]))
            elif what == _EVENT:
                ids.add(row[1])
            elif what == _NEWEST:
                newest[row[4]] = row[5]
            elif what == _SPOOL:
                arrivals[row[1], row[2]] = arrivals_of(row[3:5])
            else:
                self._transaction.number = row[4]
        return Before(arrivals, ids, stamps, keys, newest)

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

    async def add_counts(self, new: Sequence[Sequence[Any]], there: Sequence[Sequence[Any]]) -> None:
        """See `Receiving.add_counts`. Counts that are said to be there are only looked for, unless that has
        proved wrong: those that are missing would be lost.
        """
        if self._transaction.with_care:
            new, there = [*new, *there], []
        await self.many(rollup_keys.PUT_COUNT, list(map(rollup_keys.numbered, new)))
        await self.many(rollup_keys.ADD_COUNT, list(map(rollup_keys.added, there)))

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

    async def settled(self, *, for_good: bool = False) -> None:
        """Wait until everything so far is done, and `for_good`: until it is known to be right. Raises what
        became of it.
        """
        copying, self._copying = self._copying, None
        waiting, self._waiting = self._waiting, {}
        checks: list[Check] = []
        if self._supposed is not None and (waiting or for_good):
            checks, self._supposed = checks_of(self._supposed), None
        # Before anything is waited for: the server is to find its next statement ready.
        one = as_one(waiting, checks) if waiting or checks else None
        if copying is not None:
            await copying
        if one is not None:
            found = await self._db.fetchrow(one.statement, *one.columns)
            if found is not None:
                self._transaction.number = found[0]
            if one.expected and (found is None or tuple(found)[1:] != one.expected):
                raise Mistaken

    async def given_up(self) -> None:
        """Leave the connection free for whoever rolls back."""
        copying, self._copying = self._copying, None
        if copying is not None:
            with contextlib.suppress(Exception):
                await copying


class One(NamedTuple):
    """One statement that does what several do."""

    statement: str
    columns: list[str]
    """What it takes."""
    expected: tuple[int, ...]
    """What it returns after the number of the transaction, if all is as it was taken to be; nothing where
    there is nothing to tell.
    """


class Check(NamedTuple):
    """A question about what was there before any of a statement's parts wrote something."""

    sql: str
    """Returns a number."""
    rows: Sequence[Sequence[Any]]
    expected: int


def checks_of(supposed: Supposed) -> list[Check]:
    """Return the questions that show whether something is so."""
    spools = [(*spool, *arrivals_row(arrivals)) for spool, arrivals in supposed.spools.items()]
    found = [
        Check(_SPOOLS, spools, len(spools)),
        Check(_STAMPED, list(supposed.groups.items()), len(supposed.groups)),
        Check(_BEGUN, [(int(width), start) for width, start in supposed.buckets], 0),
    ]
    return [check for check in found if check.rows]


def as_one(waiting: Mapping[str, Sequence[Sequence[Any]]], checks: Sequence[Check] = ()) -> One:
    """Return one statement that does what several do, each with its rows. It tells for each of those that end
    with `RETURNING 1` how many rows that found, and what is checked.
    """
    parts: list[str] = []
    columns: list[str] = []
    told: list[str] = []
    expected: list[int] = []
    for number, (sql, rows) in enumerate(waiting.items()):
        parts.append(unnested(sql, kinds_of(rows[0]), len(columns)))
        columns.extend(map(array_text, zip(*rows, strict=True)))
        if sql.endswith(_TELLS):
            told.append(f"(SELECT count(*) FROM part_{number})")
            expected.append(len(rows))
    for check in checks:
        told.append(f"({unnested(check.sql, kinds_of(check.rows[0]), len(columns))})")
        columns.extend(map(array_text, zip(*check.rows, strict=True)))
        expected.append(check.expected)
    if told:
        parts.append(f"SELECT {_THIS}, {', '.join(told)}")
    *others, last = parts
    named = ", ".join(f"part_{number} AS ({part})" for number, part in enumerate(others))
    return One(f"WITH {named} {last}" if named else last, columns, tuple(expected))


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
        await found.settled(for_good=True)
    except BaseException:
        await found.given_up()
        raise
