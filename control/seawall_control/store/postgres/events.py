"""Error events in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from seawall_control.domain.changes import DAY_US, changed
from seawall_control.domain.errors import ControlError, NotFound
from seawall_control.domain.events import MICROS, Batch, Event, EventChange, EventCounts
from seawall_control.domain.filters import Node
from seawall_control.domain.recent import COUNTED
from seawall_control.domain.taking import PLAIN, Ingested, Received, Reception
from seawall_control.store import rows as r
from seawall_control.store import witness
from seawall_control.store.filter_sql import numbered, to_sql
from seawall_control.store.port import EventQuery
from seawall_control.store.postgres.adapter import Adapter
from seawall_control.store.postgres.receiving import PostgresReceiving
from seawall_control.store.postgres.target import Connection
from seawall_control.store.rows import int64

BULK: Final = 2000
"""Rows changed in one transaction by a bulk change, so that others get their turn."""
_HOUR_US: Final = 3600 * MICROS
_UPDATE: Final = numbered(f"UPDATE events SET {', '.join(f'{c} = ?' for c in r.EVENT_COLUMNS)} WHERE id = ?")


class PostgresEvents(Adapter):
    """Implements `EventStore`."""

    async def ingest(self, batch: Batch, how: Reception = PLAIN) -> Ingested:
        """See `EventStore.ingest`."""
        return await self._writer.do_together(
            self._batches, (batch, how), weight=max(1, len(batch.events)), area="events"
        )

    async def report(self, events: Sequence[Event], how: Reception = PLAIN) -> Received:
        """See `EventStore.report`."""
        return await self._writer.do_together(
            self._reports, (events, how), weight=max(1, len(events)), area="events"
        )

    async def _batches(
        self, db: Connection, sent: Sequence[tuple[Batch, Reception]]
    ) -> Sequence[Ingested | ControlError]:
        return await self._intake.batches(PostgresReceiving(db, self._writer.open), sent)

    async def _reports(
        self, db: Connection, sent: Sequence[tuple[Sequence[Event], Reception]]
    ) -> Sequence[Received]:
        return await self._intake.reports(PostgresReceiving(db, self._writer.open), sent)

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
