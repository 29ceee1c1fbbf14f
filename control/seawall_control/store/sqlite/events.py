"""Error events in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import aiosqlite

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
from seawall_control.store.filter_sql import to_sql
from seawall_control.store.group_sql import marks
from seawall_control.store.port import EventQuery
from seawall_control.store.sqlite.adapter import Adapter, SqliteStatements
from seawall_control.store.sqlite.readers import Readers
from seawall_control.store.sqlite.writer import Writer

_BULK: Final = 2000
"""Rows changed in one transaction by a bulk change, so that others get their turn."""
MAX_NOTES: Final = 10_000
"""Remembered gaps and refusals; the oldest go first. They are for people, the marks do not need them."""
_HOUR_US: Final = 3600 * MICROS
_INSERT: Final = (
    f"INSERT INTO events ({r.EVENT_SELECT}, spool_id, seq) VALUES ({marks(len(r.EVENT_COLUMNS) + 2)}) "
    "ON CONFLICT DO NOTHING"
)
_UPDATE: Final = f"UPDATE events SET {', '.join(f'{column} = ?' for column in r.EVENT_COLUMNS)} WHERE id = ?"


async def _receive(
    db: aiosqlite.Connection,
    events: Sequence[tuple[Event, str | None, int | None]],
    how: Reception,
    bound: Bound,
    *,
    reported: bool,
) -> Received:
    """Store or count the events whose ids are new. There is one writer, so nobody comes between the look and
    the insert.
    """
    said = SqliteStatements(db)
    known = await group_sql.known_ids(said, [event.id for event, _, _ in events], reported=reported)
    new: dict[str, tuple[Event, str | None, int | None]] = {}
    for event, spool_id, seq in events:
        if event.id not in known:
            new.setdefault(event.id, (event, spool_id, seq))

    async def insert(kept: Sequence[Event]) -> None:
        await db.executemany(_INSERT, [(*r.event_row(event), *new[event.id][1:]) for event in kept])

    return await group_sql.receive(
        said, [event for event, _, _ in new.values()], how, bound, insert, reported=reported
    )


async def _note(db: aiosqlite.Connection, batch: Batch, intake: Intake) -> None:
    if intake.gaps:
        await db.executemany(
            "INSERT INTO spool_gaps (proxy, spool_id, from_seq, to_seq, reason) VALUES (?, ?, ?, ?, ?)",
            [(batch.proxy, batch.spool_id, gap.from_seq, gap.to_seq, gap.reason) for gap in intake.gaps],
        )
        await db.execute(f"DELETE FROM spool_gaps WHERE n <= (SELECT max(n) FROM spool_gaps) - {MAX_NOTES}")
    if intake.refusals:
        await db.executemany(
            "INSERT INTO spool_refusals (proxy, spool_id, seq, reason) VALUES (?, ?, ?, ?)",
            [(batch.proxy, batch.spool_id, refusal.seq, refusal.reason) for refusal in intake.refusals],
        )
        await db.execute(
            f"DELETE FROM spool_refusals WHERE n <= (SELECT max(n) FROM spool_refusals) - {MAX_NOTES}"
        )


class SqliteEvents(Adapter):
    """Implements `EventStore`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        super().__init__(writer, readers)
        self._bound = Bound()

    async def ingest(self, batch: Batch, how: Reception = PLAIN) -> Ingested:
        """See `EventStore.ingest`."""

        async def work(db: aiosqlite.Connection) -> Ingested:
            known = None
            sql = "SELECT seen, assumed_through FROM spools WHERE proxy = ? AND spool_id = ?"
            for row in await db.execute_fetchall(sql, (batch.proxy, batch.spool_id)):
                known = r.arrivals_of(row)
            try:
                intake = take_in(known, batch)
            except TooManyIslands as error:
                raise InvalidRequest(f"spool {batch.spool_id}: {error}") from None
            events = [(event, batch.spool_id, seq) for seq, event in intake.events]
            new = await _receive(db, events, how, self._bound, reported=False)
            await _note(db, batch, intake)
            if intake.arrivals != known:
                await db.execute(
                    "INSERT INTO spools VALUES (?, ?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET seen = excluded.seen, "
                    "assumed_through = excluded.assumed_through",
                    (batch.proxy, batch.spool_id, *r.arrivals_row(intake.arrivals)),
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

        return await self._writer.do(work, weight=max(1, len(batch.events)))

    async def report(self, events: Sequence[Event], how: Reception = PLAIN) -> Received:
        """See `EventStore.report`."""

        async def work(db: aiosqlite.Connection) -> Received:
            return await _receive(
                db, [(event, None, None) for event in events], how, self._bound, reported=True
            )

        return await self._writer.do(work, weight=max(1, len(events)))

    async def event(self, event_id: str) -> Event:
        """See `EventStore.event`."""
        row = await self._readers.row(f"SELECT {r.EVENT_SELECT} FROM events WHERE id = ?", (event_id,))
        if row is None:
            raise NotFound(f"there is no event {event_id}")
        return r.event_of(row)

    async def events(self, query: EventQuery) -> Sequence[Event]:
        """See `EventStore.events`."""
        condition, parameters = to_sql(query.filter)
        order, below = ("DESC", "<") if query.descending else ("ASC", ">")
        if query.after is not None:
            condition = f"({condition}) AND (timestamp_us, id) {below} (?, ?)"
            parameters.extend(query.after)
        found = await self._readers.rows(
            f"SELECT {r.EVENT_SELECT} FROM events WHERE {condition} "
            f"ORDER BY timestamp_us {order}, id {order} LIMIT ?",
            (*parameters, query.limit),
        )
        return [r.event_of(row) for row in found]

    async def update_event(self, event_id: str, change: EventChange, *, at_us: int) -> Event:
        """See `EventStore.update_event`."""

        async def work(db: aiosqlite.Connection) -> Event:
            for row in await db.execute_fetchall(
                f"SELECT {r.EVENT_SELECT} FROM events WHERE id = ?", (event_id,)
            ):
                after = changed(r.event_of(row), change, at_us=at_us)
                await db.execute(_UPDATE, (*r.event_row(after), event_id))
                return after
            raise NotFound(f"there is no event {event_id}")

        return await self._writer.do(work)

    async def resolve(self, ids: Sequence[str] | Node, *, resolution: str, at_us: int, dry_run: bool) -> int:
        """See `EventStore.resolve`."""
        if isinstance(ids, Sequence):
            wanted = list(dict.fromkeys(ids))
            conditions = [
                (f"id IN ({marks(len(part))})", list[str | int](part)) for part in group_sql.slices(wanted)
            ]
        else:
            conditions = [to_sql(ids)]
        total = 0
        for condition, parameters in conditions:
            where = f"resolved = 0 AND ({condition})"
            if dry_run:
                total += (await self._readers.rows(f"SELECT count(*) FROM events WHERE {where}", parameters))[
                    0
                ][0]
            else:
                total += await self._in_bulk(
                    f"SELECT n FROM events WHERE {where}",
                    parameters,
                    "UPDATE events SET resolved = 1, resolved_at_us = ?, resolution = ? "
                    "WHERE resolved = 0 AND n IN",
                    (at_us, resolution),
                )
        return total

    async def _in_bulk(self, select: str, wanted: Sequence[Any], change: str, values: Sequence[Any]) -> int:
        """Change the selected rows, some thousand in a transaction, up to the newest row of this moment."""
        last = (await self._readers.rows("SELECT coalesce(max(n), 0) FROM events"))[0][0]
        total = at = 0
        while True:
            low = at

            async def work(db: aiosqlite.Connection, low: int = low) -> tuple[int, int, int]:
                found = list(
                    await db.execute_fetchall(
                        f"{select} AND n > ? AND n <= ? ORDER BY n LIMIT {_BULK}", (*wanted, low, last)
                    )
                )
                numbers = [row[0] for row in found]
                touched = 0
                for part in group_sql.slices(numbers):
                    cursor = await db.execute(f"{change} ({marks(len(part))})", (*values, *part))
                    touched += cursor.rowcount
                return len(numbers), numbers[-1] if numbers else low, touched

            size, at, touched = await self._writer.do(work, told=lambda done: witness.events(done[2]))
            total += touched
            if size < _BULK:
                return total

    async def counts(self, *, at_us: int) -> EventCounts:
        """See `EventStore.counts`: sums over counter rows, and a bounded stretch of the time index."""
        since = at_us - DAY_US
        whole = -(-since // _HOUR_US)
        found = await self._readers.rows(
            "SELECT severity, resolved, events FROM event_counts WHERE events > 0 "
            "UNION ALL SELECT 0, 0, coalesce(sum(events), 0) FROM event_hours WHERE hour >= ? "
            "UNION ALL SELECT 0, 1, count(*) FROM "
            f"(SELECT 1 FROM events WHERE timestamp_us >= ? AND timestamp_us < ? LIMIT {COUNTED}) "
            "UNION ALL SELECT 0, 2, coalesce(sum(events), 0) FROM event_hours WHERE hour = ?",
            (whole, since, whole * _HOUR_US, whole - 1),
        )
        return r.counts_of(found, share=(whole * _HOUR_US - since) / _HOUR_US)

    async def delete_resolved(self, *, before_us: int, dry_run: bool) -> int:
        """See `EventStore.delete_resolved`."""
        where = "resolved = 1 AND timestamp_us < ?"
        if dry_run:
            number: int = (
                await self._readers.rows(f"SELECT count(*) FROM events WHERE {where}", (before_us,))
            )[0][0]
            return number
        total = 0
        while True:

            async def work(db: aiosqlite.Connection) -> int:
                cursor = await db.execute(
                    "DELETE FROM events WHERE n IN "
                    f"(SELECT n FROM events WHERE {where} ORDER BY timestamp_us LIMIT {_BULK})",
                    (before_us,),
                )
                await db.execute("DELETE FROM event_hours WHERE events = 0")
                self._writer.reclaim_soon()
                return cursor.rowcount

            touched = await self._writer.do(work, told=witness.events)
            total += touched
            if touched < _BULK:
                return total
