"""Error events in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from seawall_control.domain.changes import DAY_US, changed
from seawall_control.domain.errors import NotFound
from seawall_control.domain.events import MICROS, Batch, Event, EventChange, EventCounts
from seawall_control.domain.filters import Node
from seawall_control.domain.recent import COUNTED
from seawall_control.domain.taking import PLAIN, Ingested, Received, Reception
from seawall_control.store import rows as r
from seawall_control.store import witness
from seawall_control.store.filter_sql import to_sql
from seawall_control.store.port import EventQuery
from seawall_control.store.sqlite.adapter import Adapter
from seawall_control.store.sqlite.thread import SqliteStatements
from seawall_control.store.statements import marks, slices

_BULK: Final = 2000
"""Rows changed in one transaction by a bulk change, so that others get their turn."""
_HOUR_US: Final = 3600 * MICROS
_UPDATE: Final = f"UPDATE events SET {', '.join(f'{column} = ?' for column in r.EVENT_COLUMNS)} WHERE id = ?"


class SqliteEvents(Adapter):
    """Implements `EventStore`."""

    async def ingest(self, batch: Batch, how: Reception = PLAIN) -> Ingested:
        """See `EventStore.ingest`."""
        return await self._writer.do_together(
            self._intake.batches, (batch, how), weight=max(1, len(batch.events))
        )

    async def report(self, events: Sequence[Event], how: Reception = PLAIN) -> Received:
        """See `EventStore.report`."""
        return await self._writer.do_together(self._intake.reports, (events, how), weight=max(1, len(events)))

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

        async def work(db: SqliteStatements) -> Event:
            for row in await db.rows(f"SELECT {r.EVENT_SELECT} FROM events WHERE id = ?", (event_id,)):
                after = changed(r.event_of(row), change, at_us=at_us)
                await db.change(_UPDATE, (*r.event_row(after), event_id))
                return after
            raise NotFound(f"there is no event {event_id}")

        return await self._writer.do(work)

    async def resolve(self, ids: Sequence[str] | Node, *, resolution: str, at_us: int, dry_run: bool) -> int:
        """See `EventStore.resolve`."""
        if isinstance(ids, Sequence):
            wanted = list(dict.fromkeys(ids))
            conditions = [(f"id IN ({marks(len(part))})", list[str | int](part)) for part in slices(wanted)]
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

            async def work(db: SqliteStatements, low: int = low) -> tuple[int, int, int]:
                found = list(
                    await db.rows(
                        f"{select} AND n > ? AND n <= ? ORDER BY n LIMIT {_BULK}", (*wanted, low, last)
                    )
                )
                numbers = [row[0] for row in found]
                touched = 0
                for part in slices(numbers):
                    touched += await db.change(f"{change} ({marks(len(part))})", (*values, *part))
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

            async def work(db: SqliteStatements) -> int:
                touched = await db.change(
                    "DELETE FROM events WHERE n IN "
                    f"(SELECT n FROM events WHERE {where} ORDER BY timestamp_us LIMIT {_BULK})",
                    (before_us,),
                )
                await db.change("DELETE FROM event_hours WHERE events = 0")
                self._writer.reclaim_soon()
                return touched

            touched = await self._writer.do(work, told=witness.events)
            total += touched
            if touched < _BULK:
                return total
