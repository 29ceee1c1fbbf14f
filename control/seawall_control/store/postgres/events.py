"""Error events in SQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Final

from seawall_control.domain.changes import DAY_US, changed
from seawall_control.domain.errors import ControlError, NotFound
from seawall_control.domain.events import MICROS, Batch, Event, EventChange, EventCounts
from seawall_control.domain.recent import COUNTED
from seawall_control.domain.taking import PLAIN, Ingested, Received, Reception
from seawall_control.store import rows as r
from seawall_control.store import witness
from seawall_control.store.event_pages import SqlEventPages
from seawall_control.store.event_walks import POSTGRES, Dialect
from seawall_control.store.filter_sql import numbered
from seawall_control.store.postgres.adapter import Adapter
from seawall_control.store.postgres.receiving import Made, made, receiving
from seawall_control.store.postgres.statements import PostgresQuestions, PostgresStatements
from seawall_control.store.postgres.target import Connection
from seawall_control.store.rows import int64
from seawall_control.store.statements import Questions, Statements

_HOUR_US: Final = 3600 * MICROS
_UPDATE: Final = numbered(f"UPDATE events SET {', '.join(f'{c} = ?' for c in r.EVENT_COLUMNS)} WHERE id = ?")


class PostgresEvents(Adapter, SqlEventPages):
    """Implements `EventStore`."""

    _dialect: ClassVar[Dialect] = POSTGRES

    def _asking(self) -> Questions:
        return PostgresQuestions(self._readers)

    async def _change_events(
        self, work: Callable[[Statements], Awaitable[int]], *, deletes: bool = False
    ) -> int:
        async def change(db: Connection) -> int:
            return await work(PostgresStatements(db))

        return await self._writer.do(change, area="events", told=witness.events, upkeep=True)

    async def ingest(self, batch: Batch, how: Reception = PLAIN) -> Ingested:
        """See `EventStore.ingest`."""
        rows = made(event for _, event in batch.events)
        return await self._writer.do_together(
            self._batches, (batch, how, rows), weight=max(1, len(batch.events)), area="events"
        )

    async def report(self, events: Sequence[Event], how: Reception = PLAIN) -> Received:
        """See `EventStore.report`."""
        return await self._writer.do_together(
            self._reports, (events, how, made(events)), weight=max(1, len(events)), area="events"
        )

    async def _batches(
        self, db: Connection, sent: Sequence[tuple[Batch, Reception, Made]]
    ) -> Sequence[Ingested | ControlError]:
        async with receiving(db, self._writer.open, [rows for _, _, rows in sent]) as transaction:
            return await self._intake.batches(transaction, [(batch, how) for batch, how, _ in sent])

    async def _reports(
        self, db: Connection, sent: Sequence[tuple[Sequence[Event], Reception, Made]]
    ) -> Sequence[Received]:
        async with receiving(db, self._writer.open, [rows for _, _, rows in sent]) as transaction:
            return await self._intake.reports(transaction, [(events, how) for events, how, _ in sent])

    async def event(self, event_id: str) -> Event:
        """See `EventStore.event`."""
        row = await self._readers.row(f"SELECT {r.EVENT_SELECT} FROM events WHERE id = $1", event_id)
        if row is None:
            raise NotFound(f"there is no event {event_id[:64]!r}")
        return r.event_of(row)

    async def update_event(self, event_id: str, change: EventChange, *, at_us: int) -> Event:
        """See `EventStore.update_event`."""

        async def work(db: Connection) -> Event:
            row = await db.fetchrow(f"SELECT {r.EVENT_SELECT} FROM events WHERE id = $1", event_id)
            if row is None:
                raise NotFound(f"there is no event {event_id[:64]!r}")
            after = changed(r.event_of(tuple(row)), change, at_us=at_us)
            await db.execute(_UPDATE, *r.event_row(after), event_id)
            return after

        return await self._writer.do(work, area="events")

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
