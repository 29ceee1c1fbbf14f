"""Error events in SQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from seawall_control.domain.changes import DAY_US, changed
from seawall_control.domain.errors import NotFound
from seawall_control.domain.events import MICROS, Batch, Event, EventChange, EventCounts
from seawall_control.domain.recent import COUNTED
from seawall_control.domain.taking import PLAIN, Ingested, Received, Reception
from seawall_control.store import rows as r
from seawall_control.store import witness
from seawall_control.store.event_pages import SqlEventPages
from seawall_control.store.sqlite.adapter import Adapter, SqliteQuestions
from seawall_control.store.sqlite.thread import SqliteStatements
from seawall_control.store.statements import Questions, Statements

_HOUR_US: Final = 3600 * MICROS
_UPDATE: Final = f"UPDATE events SET {', '.join(f'{column} = ?' for column in r.EVENT_COLUMNS)} WHERE id = ?"


class SqliteEvents(Adapter, SqlEventPages):
    """Implements `EventStore`."""

    def _asking(self) -> Questions:
        return SqliteQuestions(self._readers)

    async def _change_events(
        self, work: Callable[[Statements], Awaitable[int]], *, deletes: bool = False
    ) -> int:
        async def change(db: SqliteStatements) -> int:
            if deletes:
                self._writer.reclaim_soon()
            return await work(db)

        return await self._writer.do(change, told=witness.events, upkeep=True)

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
            raise NotFound(f"there is no event {event_id[:64]!r}")
        return r.event_of(row)

    async def update_event(self, event_id: str, change: EventChange, *, at_us: int) -> Event:
        """See `EventStore.update_event`."""

        async def work(db: SqliteStatements) -> Event:
            for row in await db.rows(f"SELECT {r.EVENT_SELECT} FROM events WHERE id = ?", (event_id,)):
                after = changed(r.event_of(row), change, at_us=at_us)
                await db.change(_UPDATE, (*r.event_row(after), event_id))
                return after
            raise NotFound(f"there is no event {event_id[:64]!r}")

        return await self._writer.do(work)

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
