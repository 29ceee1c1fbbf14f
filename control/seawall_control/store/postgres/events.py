"""Error events in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from seawall_control.domain.changes import DAY_US, changed
from seawall_control.domain.errors import InvalidRequest, NotFound
from seawall_control.domain.events import MICROS, Batch, Event, EventChange, EventCounts
from seawall_control.domain.filters import Node
from seawall_control.domain.ingest import Intake, take_in
from seawall_control.domain.recent import COUNTED
from seawall_control.domain.rollups import Bound
from seawall_control.domain.sequences import TooManyIslands
from seawall_control.domain.taking import PLAIN, Ingested, Received, Reception
from seawall_control.store import group_sql, witness
from seawall_control.store import rows as r
from seawall_control.store.filter_sql import numbered, to_sql
from seawall_control.store.port import EventQuery
from seawall_control.store.postgres.adapter import Adapter, PostgresStatements
from seawall_control.store.postgres.readers import Readers
from seawall_control.store.postgres.target import Connection
from seawall_control.store.postgres.writer import Writer
from seawall_control.store.rows import int64

BULK: Final = 2000
"""Rows changed in one transaction by a bulk change, so that others get their turn."""
MAX_NOTES: Final = 10_000
"""Remembered gaps and refusals; the oldest go first. They are for people, the marks do not need them."""
_HOUR_US: Final = 3600 * MICROS
_SMALL: Final = frozenset({"severity", "resolved", "kind", "category", "outcome"})
_WIDE: Final = frozenset({"timestamp_us", "resolved_at_us", "latency_us", "policy_revision", "seq"})
_COLUMNS: Final = (*r.EVENT_COLUMNS, "spool_id", "seq")


def _type(column: str) -> str:
    return "smallint" if column in _SMALL else "bigint" if column in _WIDE else "text"


# One statement whatever the number of events: a column is sent as one array.
_INSERT: Final = (
    f"INSERT INTO events ({', '.join(_COLUMNS)}) SELECT * FROM "
    f"unnest({', '.join(f'${i}::{_type(column)}[]' for i, column in enumerate(_COLUMNS, start=1))}) "
    "ON CONFLICT DO NOTHING"
)
_UPDATE: Final = numbered(f"UPDATE events SET {', '.join(f'{c} = ?' for c in r.EVENT_COLUMNS)} WHERE id = ?")


async def _receive(
    db: Connection,
    events: Sequence[tuple[Event, str | None, int | None]],
    how: Reception,
    bound: Bound,
    *,
    reported: bool,
) -> Received:
    """Store or count the events whose ids are new. The area's lock keeps others from coming between the look
    and the insert.
    """
    first: dict[str, tuple[Event, str | None, int | None]] = {}
    for event, spool_id, seq in events:
        first.setdefault(event.id, (event, spool_id, seq))
    said = PostgresStatements(db)
    known = await group_sql.known_ids(said, list(first), reported=reported)
    new = [event for event_id, (event, _, _) in first.items() if event_id not in known]

    async def insert(kept: Sequence[Event]) -> None:
        rows = [(*r.event_row(event), *first[event.id][1:]) for event in kept]
        await db.execute(_INSERT, *(list(column) for column in zip(*rows, strict=True)))

    return await group_sql.receive(said, new, how, bound, insert, reported=reported)


async def _note(db: Connection, batch: Batch, intake: Intake) -> None:
    if intake.gaps:
        await db.executemany(
            "INSERT INTO spool_gaps (proxy, spool_id, from_seq, to_seq, reason) VALUES ($1, $2, $3, $4, $5)",
            [(batch.proxy, batch.spool_id, gap.from_seq, gap.to_seq, gap.reason) for gap in intake.gaps],
        )
        await db.execute(f"DELETE FROM spool_gaps WHERE n <= (SELECT max(n) FROM spool_gaps) - {MAX_NOTES}")
    if intake.refusals:
        await db.executemany(
            "INSERT INTO spool_refusals (proxy, spool_id, seq, reason) VALUES ($1, $2, $3, $4)",
            [(batch.proxy, batch.spool_id, refusal.seq, refusal.reason) for refusal in intake.refusals],
        )
        await db.execute(
            f"DELETE FROM spool_refusals WHERE n <= (SELECT max(n) FROM spool_refusals) - {MAX_NOTES}"
        )


class PostgresEvents(Adapter):
    """Implements `EventStore`."""

    def __init__(self, writer: Writer, readers: Readers, instance: str) -> None:
        super().__init__(writer, readers, instance)
        self._bound = Bound()

    async def ingest(self, batch: Batch, how: Reception = PLAIN) -> Ingested:
        """See `EventStore.ingest`."""

        async def work(db: Connection) -> Ingested:
            row = await db.fetchrow(
                "SELECT seen, assumed_through FROM spools WHERE proxy = $1 AND spool_id = $2",
                batch.proxy,
                batch.spool_id,
            )
            known = None if row is None else r.arrivals_of(tuple(row))
            try:
                intake = take_in(known, batch)
            except TooManyIslands as error:
                raise InvalidRequest(f"spool {batch.spool_id}: {error}") from None
            events = [(event, batch.spool_id, seq) for seq, event in intake.events]
            new = await _receive(db, events, how, self._bound, reported=False)
            await _note(db, batch, intake)
            if intake.arrivals != known:
                await db.execute(
                    "INSERT INTO spools (proxy, spool_id, seen, assumed_through) VALUES ($1, $2, $3, $4) "
                    "ON CONFLICT (proxy, spool_id) DO UPDATE SET seen = excluded.seen, "
                    "assumed_through = excluded.assumed_through",
                    batch.proxy,
                    batch.spool_id,
                    *r.arrivals_row(intake.arrivals),
                )
            again = len(events) - len(new.stored) - len(new.counted)
            return Ingested(
                intake.arrivals.through,
                new.stored,
                intake.duplicates + again,
                intake.assumed_through,
                new.counted,
                new.changes,
            )

        return await self._writer.do(work, weight=max(1, len(batch.events)), area="events")

    async def report(self, events: Sequence[Event], how: Reception = PLAIN) -> Received:
        """See `EventStore.report`."""

        async def work(db: Connection) -> Received:
            return await _receive(
                db, [(event, None, None) for event in events], how, self._bound, reported=True
            )

        return await self._writer.do(work, weight=max(1, len(events)), area="events")

    async def event(self, event_id: str) -> Event:
        """See `EventStore.event`."""
        row = await self._readers.row(f"SELECT {r.EVENT_SELECT} FROM events WHERE id = $1", event_id)
        if row is None:
            raise NotFound(f"there is no event {event_id}")
        return r.event_of(row)

    async def events(self, query: EventQuery) -> Sequence[Event]:
        """See `EventStore.events`."""
        found = await self._readers.rows(*page_sql(query))
        return [r.event_of(row) for row in found]

    async def update_event(self, event_id: str, change: EventChange, *, at_us: int) -> Event:
        """See `EventStore.update_event`."""

        async def work(db: Connection) -> Event:
            row = await db.fetchrow(f"SELECT {r.EVENT_SELECT} FROM events WHERE id = $1", event_id)
            if row is None:
                raise NotFound(f"there is no event {event_id}")
            after = changed(r.event_of(tuple(row)), change, at_us=at_us)
            await db.execute(_UPDATE, *r.event_row(after), event_id)
            return after

        return await self._writer.do(work, area="events")

    async def resolve(self, ids: Sequence[str] | Node, *, resolution: str, at_us: int, dry_run: bool) -> int:
        """See `EventStore.resolve`."""
        parameters: list[Any]
        if isinstance(ids, Sequence):
            condition, parameters = "id = ANY(?::text[])", [list(dict.fromkeys(ids))]
        else:
            condition, given = to_sql(ids, find="strpos")
            parameters = list(given)
        where = f"resolved = 0 AND ({condition})"
        if dry_run:
            sql = numbered(f"SELECT count(*) FROM events WHERE {where}")
            return int((await self._readers.rows(sql, *parameters))[0][0])
        # Some thousand in a transaction, up to the newest row of this moment.
        last = int((await self._readers.rows("SELECT coalesce(max(n), 0) FROM events"))[0][0])
        sql = numbered(
            f"WITH chosen AS (SELECT n FROM events WHERE {where} AND n > ? AND n <= ? "
            f"ORDER BY n LIMIT {BULK}), "
            "done AS (UPDATE events SET resolved = 1, resolved_at_us = ?, resolution = ? "
            "FROM chosen WHERE events.n = chosen.n) "
            "SELECT count(*), coalesce(max(n), 0) FROM chosen"
        )
        total = at = 0
        while True:

            async def work(db: Connection, low: int = at) -> tuple[int, int]:
                row = await db.fetchrow(sql, *parameters, low, last, int64(at_us), resolution)
                return (0, 0) if row is None else (row[0], row[1])

            touched, at = await self._writer.do(
                work, area="events", told=lambda done: witness.events(done[0])
            )
            total += touched
            if touched < BULK:
                return total

    async def counts(self, *, at_us: int) -> EventCounts:
        """See `EventStore.counts`: sums over counter rows, and a bounded stretch of the time index."""
        since = at_us - DAY_US
        whole = -(-since // _HOUR_US)
        found = await self._readers.rows(
            "SELECT severity::int, resolved::int, events FROM event_counts WHERE events > 0 "
            "UNION ALL SELECT 0, 0, coalesce(sum(events), 0)::bigint FROM event_hours WHERE hour >= $1 "
            "UNION ALL SELECT 0, 1, count(*) FROM "
            "(SELECT 1 FROM events WHERE timestamp_us >= $2 AND timestamp_us < $3 "
            f"LIMIT {COUNTED}) AS oldest "
            "UNION ALL SELECT 0, 2, coalesce(sum(events), 0)::bigint FROM event_hours WHERE hour = $4",
            int64(whole),
            int64(since),
            int64(whole * _HOUR_US),
            int64(whole - 1),
        )
        return r.counts_of(found, share=(whole * _HOUR_US - since) / _HOUR_US)

    async def delete_resolved(self, *, before_us: int, dry_run: bool) -> int:
        """See `EventStore.delete_resolved`."""
        where = "resolved = 1 AND timestamp_us < $1"
        if dry_run:
            sql = f"SELECT count(*) FROM events WHERE {where}"
            return int((await self._readers.rows(sql, int64(before_us)))[0][0])
        total = 0
        while True:

            async def work(db: Connection) -> int:
                touched = await db.fetchval(
                    f"WITH chosen AS (SELECT n FROM events WHERE {where} "
                    f"ORDER BY timestamp_us LIMIT {BULK}), "
                    "gone AS (DELETE FROM events USING chosen WHERE events.n = chosen.n) "
                    "SELECT count(*) FROM chosen",
                    int64(before_us),
                )
                await db.execute("DELETE FROM event_hours WHERE events = 0")
                return int(touched)

            touched = await self._writer.do(work, area="events", told=witness.events)
            total += touched
            if touched < BULK:
                return total


def page_sql(query: EventQuery) -> tuple[Any, ...]:
    """Return the statement for a page of events and its parameters."""
    condition, parameters = to_sql(query.filter, find="strpos")
    order, below = ("DESC", "<") if query.descending else ("ASC", ">")
    if query.after is not None:
        condition = f"({condition}) AND (timestamp_us, id) {below} (?, ?)"
        parameters.extend(query.after)
    sql = numbered(
        f"SELECT {r.EVENT_SELECT} FROM events WHERE {condition} "
        f"ORDER BY timestamp_us {order}, id {order} LIMIT ?"
    )
    return (sql, *parameters, query.limit)
