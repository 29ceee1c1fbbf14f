"""Pages of events over SQL, and changes of many events; an adapter lends its connections.

The connection that writes never searches: what is to be changed is found by those that read, in pieces of
which each looks at a bounded number of rows, and the change names rows by their numbers. All of it is upkeep,
before which others go, and one transaction changes as many rows as there is time for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from seawall_control.domain.events import Event
from seawall_control.domain.filters import FIELDS, And, Compare, Node, Op, Or
from seawall_control.domain.retention import Prune
from seawall_control.store import rows as r
from seawall_control.store.event_walks import MAX_STRETCHES, SQLITE, Dialect, Key, Walk, statement, walk_of
from seawall_control.store.group_sql import archived_prints
from seawall_control.store.port import EventQuery, Scanned
from seawall_control.store.reading_ahead import MOST, ReadingAhead
from seawall_control.store.statements import Questions, Statements, marks, slices

BULK: Final = 100
"""Rows changed in one transaction at most: an event is in eight indexes, and to take a hundred out of all of
them takes a few hundredths of a second.
"""
EXAMINED: Final = 5000
"""Rows looked at in one piece when rows to be changed are searched for."""

RESTORED: Final = 20
"""Rows put back in one transaction, each by a statement of its own."""
_RESTORE: Final = (
    f"INSERT INTO events ({', '.join(r.EVENT_COLUMNS)}) VALUES ({marks(len(r.EVENT_COLUMNS))}) "
    "ON CONFLICT DO NOTHING"
)

_IS_OPEN: Final = "+resolved = 0"
"""With a sign, so that no index of the state is used: SQLite, which has no statistics, would look through all
events of a state for a few that are named.
"""
_OPEN: Final = Compare(FIELDS["resolved"], Op.EQ, 0)
_DONE: Final = Compare(FIELDS["resolved"], Op.EQ, 1)


class SqlEventPages(ABC):
    """Implements the part of `EventStore` that is about many events."""

    _dialect: ClassVar[Dialect] = SQLITE
    _ahead: ReadingAhead

    @abstractmethod
    def _asking(self) -> Questions:
        """Return connections that only read."""

    @abstractmethod
    async def _change_events(
        self, work: Callable[[Statements], Awaitable[int]], *, deletes: bool = False
    ) -> int:
        """Run a change of so many events in a transaction of its own, as upkeep; `deletes`: it frees room."""

    async def events(self, query: EventQuery) -> Sequence[Event]:
        """See `EventStore.events`."""
        return (await self.scan(query, examine=0)).events

    async def scan(self, query: EventQuery, *, examine: int) -> Scanned:
        """See `EventStore.scan`."""
        walk = walk_of(query.filter)
        until = await self._edge(walk, query, examine)
        with self._ahead.of(walk, query, until, query.limit if walk.is_exact else examine or MOST):
            rows = await self._rows(walk, r.EVENT_SELECT, query, until)
        found = [r.event_of(row) for row in rows]
        if len(found) == query.limit:
            return Scanned(found, (found[-1].timestamp_us, found[-1].id))
        return Scanned(found, until)

    async def _rows(
        self, walk: Walk, columns: str, query: EventQuery, until: Key | None
    ) -> Sequence[Sequence[Any]]:
        """Return rows of a page."""
        sql, values = statement(
            walk,
            columns,
            self._dialect,
            descending=query.descending,
            after=query.after,
            until=until,
            limit=query.limit,
        )
        return await self._asking().rows(sql, values)

    async def _edge(self, walk: Walk, query: EventQuery, examine: int) -> Key | None:
        """Return the key of the row that is the last one to be looked at; None when there are fewer, or when
        every row on the way is one of the page.
        """
        if walk.is_exact or not examine:
            return None
        sql, values = statement(
            walk,
            "timestamp_us, id",
            self._dialect,
            descending=query.descending,
            after=query.after,
            until=None,
            limit=1,
            skip=examine - 1,
            with_rest=False,
        )
        rows = await self._asking().rows(sql, values)
        return (rows[0][0], rows[0][1]) if rows else None

    async def _found(self, wanted: Node, most: int = 0) -> AsyncIterator[list[int]]:
        """Yield the numbers of events of a filter, the oldest first, `BULK` or fewer at once and never none;
        with `most`, those of so many events at most.
        """
        walk = walk_of(wanted)
        query = EventQuery(wanted, min(BULK, most or BULK), descending=False)
        left = most
        while True:
            until = await self._edge(walk, query, EXAMINED)
            rows = await self._rows(walk, "timestamp_us, id, n", query, until)
            if rows:
                yield [row[2] for row in rows]
                left -= len(rows)
            ended = until is None and len(rows) < query.limit
            if ended or (most and left <= 0):
                return
            after = until if len(rows) < query.limit else (rows[-1][0], rows[-1][1])
            query = replace(query, after=after, limit=min(BULK, left) if most else BULK)

    async def resolve(self, ids: Sequence[str] | Node, *, resolution: str, at_us: int, dry_run: bool) -> int:
        """See `EventStore.resolve`."""
        last = (await self._asking().rows("SELECT coalesce(max(n), 0) FROM events"))[0][0]
        total = 0
        found = self._named(ids) if isinstance(ids, Sequence) else self._found(And((_OPEN, ids)))
        async for numbers in found:
            # What came later is left to the next time, or a flood would never be resolved to its end.
            chosen = [number for number in numbers if number <= last]
            if dry_run:
                total += len(chosen)
            elif chosen:
                total += await self._resolved(chosen, resolution, at_us)
        return total

    async def _named(self, ids: Sequence[str]) -> AsyncIterator[list[int]]:
        rows = await self._asking().among(
            f"SELECT n FROM events WHERE {_IS_OPEN} AND id IN", list(dict.fromkeys(ids))
        )
        for start in range(0, len(rows), BULK):
            yield [row[0] for row in rows[start : start + BULK]]

    async def _resolved(self, numbers: Sequence[int], resolution: str, at_us: int) -> int:
        return await self._in_pieces(
            f"UPDATE events SET resolved = 1, resolved_at_us = ?, resolution = ? WHERE {_IS_OPEN} AND n IN",
            (r.int64(at_us), resolution),
            numbers,
        )

    async def _in_pieces(
        self, sql: str, first: Sequence[Any], values: Sequence[Any], *, deletes: bool = False
    ) -> int:
        """Run a statement as `Statements.some` does, until it has been run for all values; return how many
        rows it changed.
        """
        done = reached = total = 0

        async def work(db: Statements) -> int:
            nonlocal reached
            ran, changed = await db.some(sql, first, values[done : done + BULK])
            reached = done + ran
            if deletes and changed:
                await db.change("DELETE FROM event_hours WHERE events = 0")
            return changed

        while done < len(values):
            # Said by the transaction and believed once it is durable: one that fails may be run again.
            reached = done
            total += await self._change_events(work, deletes=deletes)
            done = reached
        return total

    async def delete_resolved(self, *, before_us: int, dry_run: bool) -> int:
        """See `EventStore.delete_resolved`."""
        total = 0
        async for numbers in self._found(And((_DONE, older_than(before_us)))):
            total += len(numbers) if dry_run else await self._deleted(numbers, resolved=1)
        return total

    async def prune_events(self, prune: Prune) -> int:
        """See `GroupStore.prune_events`."""
        wanted: list[Node] = [older_than(prune.before_us)]
        if prune.severity is not None:
            wanted.append(Compare(FIELDS["severity"], Op.EQ, int(prune.severity)))
        if prune.muted:
            return await self._prune_muted(wanted, prune.limit)
        return await self._pruned(And((_DONE, *wanted)), prune.limit, resolved=1)

    async def _prune_muted(self, wanted: Sequence[Node], limit: int) -> int:
        total = 0
        for prints in slices(await archived_prints(self._asking()), MAX_STRETCHES):
            some = Or(tuple(Compare(FIELDS["fingerprint"], Op.EQ, one) for one in prints))
            total += await self._pruned(And((some, _OPEN, *wanted)), limit - total, resolved=0)
            if total >= limit:
                break
        return total

    async def _pruned(self, wanted: Node, most: int, *, resolved: int) -> int:
        total = 0
        async for numbers in self._found(wanted, most):
            total += await self._deleted(numbers, resolved=resolved)
        return total

    async def _deleted(self, numbers: Sequence[int], *, resolved: int) -> int:
        """Delete these rows, those of them that are still in this state; return how many."""
        return await self._in_pieces(
            f"DELETE FROM events WHERE +resolved = {resolved} AND n IN", (), numbers, deletes=True
        )

    async def delete_events(self, ids: Sequence[str]) -> int:
        """See `EventStore.delete_events`."""
        # With a sign, so that SQLite goes by the ids and not through all resolved events.
        return await self._in_pieces(
            "DELETE FROM events WHERE +resolved = 1 AND id IN", (), list(dict.fromkeys(ids)), deletes=True
        )

    async def restore_events(self, events: Sequence[Event]) -> int:
        """See `EventStore.restore_events`."""
        total = 0
        for start in range(0, len(events), RESTORED):
            part = events[start : start + RESTORED]

            async def work(db: Statements, part: Sequence[Event] = part) -> int:
                return sum([await db.change(_RESTORE, r.event_row(event)) for event in part])

            total += await self._change_events(work)
        return total


def older_than(before_us: int) -> Compare:
    """Return the condition on events with a timestamp before this."""
    return Compare(FIELDS["timestamp"], Op.LT, r.int64(before_us))
