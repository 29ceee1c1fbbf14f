"""Events in the order in which they were stored."""

from __future__ import annotations

from collections.abc import Sequence

from seawall_control.domain.errors import PositionLost
from seawall_control.domain.events import Event
from seawall_control.domain.positions import START, Position
from seawall_control.store import rows as r
from seawall_control.store.postgres.adapter import Adapter


class PostgresPositions(Adapter):
    """Implements the part of `EventStore` that goes by arrival. Events are numbered under the lock of their
    area, so a larger row number was committed later, and no number is given twice.
    """

    async def newest_position(self) -> Position:
        """See `EventStore.newest_position`."""
        row = await self._readers.row("SELECT n, id FROM events ORDER BY n DESC LIMIT 1")
        return START if row is None else Position(*row)

    async def stored_after(self, position: Position, *, limit: int) -> Sequence[tuple[Position, Event]]:
        """See `EventStore.stored_after`. A position is lost when the database is another one than that which
        gave it: restored from before it, or new.
        """
        found = await self._readers.rows(
            f"SELECT n, {r.EVENT_SELECT} FROM events WHERE n >= $1 ORDER BY n LIMIT $2",
            position.number,
            limit + 1,
        )
        here = found[0] if found and found[0][0] == position.number else None
        if here is not None and here[1] != position.id:
            raise PositionLost(position.number)
        if not found and position.number > 0:
            given = await self._readers.row(
                "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('events', 'n')::regclass), 0)"
            )
            if given is None or position.number > given[0]:
                raise PositionLost(position.number)
        after = found[1:] if here is not None else found[:limit]
        return [(Position(row[0], row[1]), r.event_of(row[1:])) for row in map(tuple, after)]
