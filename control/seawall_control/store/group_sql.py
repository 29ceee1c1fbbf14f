"""Groups and rollups in SQL that every database of ours understands; the rules are the domain's.

An adapter lends its connection as `Statements`. Parameters are written `?`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from seawall_control.domain import groups as g
from seawall_control.domain.errors import InvalidRequest, NotFound
from seawall_control.domain.escalation import HOUR_US, WEEK_HOURS, History
from seawall_control.domain.events import MICROS, Event
from seawall_control.domain.groups import Arrival, Change, Group
from seawall_control.domain.retention import GROUP_HOURS_DAYS, Prune
from seawall_control.domain.rollups import (
    KEY_FIELDS,
    Bound,
    Key,
    RollupQuery,
    RollupRow,
    Width,
    counted,
    widened,
)
from seawall_control.domain.taking import Received, Reception, arrivals_of, grouped_by, prints_of
from seawall_control.store.filter_sql import to_sql
from seawall_control.store.group_rows import GROUP_COLUMNS, GROUP_SELECT, group_of, group_row
from seawall_control.store.port import GroupQuery

_SLICE: Final = 400
"""Values in one IN list."""
_BUCKETS: Final = 60
"""Buckets deleted in one transaction."""
_AGED: Final = 500
"""Groups whose state changes by time in one transaction."""
MAX_COUNTED_IDS: Final = 100_000
"""Ids of reported events that are remembered though the events are only counted; the oldest go first."""
_KEYS: Final = ", ".join(KEY_FIELDS)


class Statements(Protocol):
    """A connection within a transaction, or one that only reads."""

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """Return all rows of a statement."""
        ...

    async def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement and return how many rows it changed."""
        ...

    async def among(self, sql: str, values: Sequence[str]) -> Sequence[Sequence[Any]]:
        """Return all rows of a statement that ends with `IN`, for any number of texts."""
        ...

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, with a statement that has one `VALUES (?, ...)`. No two rows may conflict with each
        other, unless the statement then does nothing; none of the values may be None.
        """
        ...


T = TypeVar("T")
Insert = Callable[[Sequence[Event]], Awaitable[None]]


def marks(values: int) -> str:
    """Return so many question marks."""
    return ", ".join("?" * values)


def slices(values: Sequence[T]) -> Iterable[Sequence[T]]:
    """Return the values in parts that fit into one statement."""
    return (values[i : i + _SLICE] for i in range(0, len(values), _SLICE))


_PUT: Final = (
    f"INSERT INTO event_groups ({GROUP_SELECT}) VALUES ({marks(len(GROUP_COLUMNS))}) "
    "ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in GROUP_COLUMNS[1:])
)
_PUT_HOUR: Final = (
    "INSERT INTO group_hours (group_id, hour, events, flagged) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (group_id, hour) DO UPDATE SET events = group_hours.events + excluded.events, "
    "flagged = CASE WHEN excluded.flagged = 1 THEN 1 ELSE group_hours.flagged END"
)
_PUT_ROLLUP: Final = (
    f"INSERT INTO event_rollups (width, start, {_KEYS}, events) VALUES ({marks(len(KEY_FIELDS) + 3)}) "
    f"ON CONFLICT (width, start, {_KEYS}) DO UPDATE SET events = event_rollups.events + excluded.events"
)


async def known_ids(db: Statements, ids: Sequence[str], *, reported: bool) -> set[str]:
    """Return those ids that are stored or, for reports (which have no numbers), were only counted lately."""
    found = {row[0] for row in await db.among("SELECT id FROM events WHERE id IN", ids)}
    if reported:
        found.update(row[0] for row in await db.among("SELECT id FROM counted_ids WHERE id IN", ids))
    return found


async def receive(
    db: Statements, events: Sequence[Event], how: Reception, bound: Bound, insert: Insert, *, reported: bool
) -> Received:
    """Store or count events that are new, within the transaction that makes them known.

    `insert` writes event rows. There is one writer, so nobody comes between the look and the change.
    """
    if not events:
        return Received()
    at_us = how.at_us or max(event.timestamp_us for event in events)
    before, pairs = await _assigned(db, events)
    sifted = how.sieve.sift(pairs)
    stored = [event for _, event in pairs if event.id in sifted.stored]
    if stored:
        await insert(stored)
    # Only now: SQLite gives the number of the newest row again once that is gone, and readers go by it.
    gone = await _evict(db, [event_id for _, event_id in sifted.evicted])
    left = tuple(event for _, event in pairs if event.id not in sifted.stored)
    if reported and (left or gone):
        await db.many(
            "INSERT INTO counted_ids (id) VALUES (?) ON CONFLICT (id) DO NOTHING",
            [(event_id,) for event_id in (*(event.id for event in left), *gone)],
        )
        await db.change(
            f"DELETE FROM counted_ids WHERE n <= (SELECT max(n) FROM counted_ids) - {MAX_COUNTED_IDS}"
        )
    changes = await _advance(db, before, arrivals_of(pairs, sifted, gone), how, at_us)
    await _roll_up(db, [event for _, event in pairs], bound)
    return Received(tuple(stored), left, changes)


async def _assigned(
    db: Statements, events: Sequence[Event]
) -> tuple[dict[str, Group], list[tuple[str, Event]]]:
    prints = prints_of(events)
    aliases = {
        row[0]: row[1]
        for row in await db.among(
            "SELECT fingerprint, group_id FROM group_aliases WHERE fingerprint IN", prints
        )
    }
    ids = list(dict.fromkeys(aliases.get(fingerprint, fingerprint) for fingerprint in prints))
    known = await groups_by_id(db, ids)
    room = len(ids) - len(known)
    if room:
        number = (await db.rows("SELECT count(*) FROM event_groups"))[0][0]
        room = max(0, g.MAX_GROUPS - number)
    pairs = grouped_by(events, aliases, known, room)
    if g.OVERFLOW not in known and any(group == g.OVERFLOW for group, _ in pairs):
        known.update(await groups_by_id(db, [g.OVERFLOW]))
    return known, pairs


async def groups_by_id(db: Statements, ids: Sequence[str]) -> dict[str, Group]:
    """Return those of the groups that exist."""
    sql = f"SELECT {GROUP_SELECT} FROM event_groups WHERE id IN"
    return {group.id: group for group in map(group_of, await db.among(sql, ids))}


async def _evict(db: Statements, ids: Sequence[str]) -> list[str]:
    found: list[str] = []
    for part in slices(ids):
        rows = await db.rows(f"DELETE FROM events WHERE id IN ({marks(len(part))}) RETURNING id", part)
        found.extend(row[0] for row in rows)
    return found


async def _advance(
    db: Statements, before: Mapping[str, Group], arrivals: Mapping[str, Arrival], how: Reception, at_us: int
) -> tuple[Change, ...]:
    hour = at_us // HOUR_US
    changes: list[Change] = []
    rows: list[Sequence[Any]] = []
    hours: list[Sequence[Any]] = []
    for group_id, arrival in arrivals.items():
        known = before.get(group_id)
        history = await hours_of(db, group_id, hour) if g.needs_history(known, at_us) else ()
        parts = how.why(arrival.events[0]) if known is None else None
        taken = g.taken(known, group_id, arrival, at_us=at_us, history=history, parts=parts)
        changes.extend(taken.changes)
        rows.append(group_row(taken.group))
        hours.extend(
            (group_id, at, number, int(taken.flagged and at == hour)) for at, number in arrival.hours.items()
        )
    await db.many(_PUT, rows)
    await db.many(_PUT_HOUR, hours)
    return tuple(changes)


async def hours_of(db: Statements, group_id: str, hour: int, hours: int = WEEK_HOURS) -> History:
    """Return the hours of a group before one, the newest last."""
    rows = await db.rows(
        "SELECT hour, events, flagged FROM group_hours WHERE group_id = ? AND hour >= ? AND hour < ? "
        "ORDER BY hour",
        (group_id, hour - hours, hour),
    )
    return [(row[0], row[1], bool(row[2])) for row in rows]


async def _roll_up(db: Statements, events: Sequence[Event], bound: Bound) -> None:
    minutes = counted(events)
    rows: list[Sequence[Any]] = []
    for width in Width:
        counts = widened(minutes, width)
        for _, start in bound.unknown((width, start) for start, _ in counts):
            keys = await db.rows(
                f"SELECT {_KEYS} FROM event_rollups WHERE width = ? AND start = ?", (int(width), start)
            )
            bound.learn(width, start, (Key(*row) for row in keys))
        rows.extend(
            (int(width), start, *key, number) for (start, key), number in bound.bounded(width, counts).items()
        )
    await db.many(_PUT_ROLLUP, rows)


# -------------------------------------------------------------------------------------------------- reading

ORDER_COLUMNS: Final[Mapping[str, str]] = {
    "last_seen": "last_seen_us",
    "first_seen": "first_seen_us",
    "events": "events",
}


async def group(db: Statements, group_id: str) -> Group:
    """Return a group, also by a fingerprint that was merged into it. Raise `NotFound`."""
    rows = await db.rows(
        f"SELECT {GROUP_SELECT} FROM event_groups WHERE id = "
        "coalesce((SELECT group_id FROM group_aliases WHERE fingerprint = ?), ?)",
        (group_id, group_id),
    )
    if not rows:
        raise NotFound(f"there is no group {group_id[:128]}; `seawall groups list` shows them")
    return group_of(rows[0])


async def groups(db: Statements, query: GroupQuery, *, find: str = "instr") -> list[Group]:
    """Return a page of groups."""
    condition, values = to_sql(query.filter, find=find)
    column = ORDER_COLUMNS[query.order]
    order, below = ("DESC", "<") if query.descending else ("ASC", ">")
    if query.after is not None:
        condition = f"({condition}) AND ({column}, id) {below} (?, ?)"
        values.extend(query.after)
    rows = await db.rows(
        f"SELECT {GROUP_SELECT} FROM event_groups WHERE {condition} "
        f"ORDER BY {column} {order}, id {order} LIMIT ?",
        (*values, query.limit),
    )
    return [group_of(row) for row in rows]


async def members(db: Statements, group_id: str) -> tuple[str, ...]:
    """Return the fingerprints of a group, its own first."""
    rows = await db.rows(
        "SELECT fingerprint FROM group_aliases WHERE group_id = ? ORDER BY fingerprint", (group_id,)
    )
    return (group_id, *(row[0] for row in rows))


async def rollups(db: Statements, query: RollupQuery) -> list[RollupRow]:
    """Return the sums of a query."""
    by = "".join(f", {field}" for field in query.by)
    only = "".join(f" AND {field} = ?" for field, _ in query.only)
    rows = await db.rows(
        f"SELECT start{by}, sum(events) FROM event_rollups "
        f"WHERE width = ? AND start >= ? AND start < ?{only} "
        f"GROUP BY start{by} ORDER BY start{by} LIMIT ?",
        (int(query.width), query.from_s, query.to_s, *(value for _, value in query.only), query.limit),
    )
    return [RollupRow(row[0], tuple(row[1:-1]), int(row[-1])) for row in rows]


# ------------------------------------------------------------------------------------------------- changing


async def change_group(db: Statements, group_id: str, change: Callable[[Group], Group]) -> Group:
    """Change a group by a function that raises when it does not like what it sees. Raise `NotFound`."""
    after = change(await group(db, group_id))
    await db.many(_PUT, [group_row(after)])
    return after


async def age_groups(db: Statements, at_us: int) -> tuple[tuple[Change, ...], int]:
    """Change the states that time changes, some hundred at once; return the changes and how many groups there
    were.
    """
    rows = await db.rows(
        f"SELECT {GROUP_SELECT} FROM event_groups WHERE due_us > 0 AND due_us <= ? ORDER BY due_us LIMIT ?",
        (at_us, _AGED),
    )
    changes: list[Change] = []
    after = []
    for row in rows:
        aged, found = g.aged(group_of(row), at_us=at_us)
        after.append(group_row(aged))
        changes.extend(found)
    if after:
        await db.many(_PUT, after)
    return tuple(changes), len(after)


async def merge_groups(
    db: Statements, into: str, ids: Sequence[str], change: Callable[[Group, Sequence[Group]], Group]
) -> Group:
    """Make several groups one. Raise `NotFound`, and `InvalidRequest` when there is nothing to merge or too
    much.
    """
    target = await group(db, into)
    others = [
        found for found in [await group(db, one) for one in dict.fromkeys(ids)] if found.id != target.id
    ]
    others = list({other.id: other for other in others}.values())
    if not others:
        raise InvalidRequest("name at least one other group to merge")
    prints = len(await members(db, target.id))
    for other in others:
        prints += len(await members(db, other.id))
    if prints > g.MAX_MEMBERS:
        raise InvalidRequest(
            f"the group would have {prints} fingerprints; at most {g.MAX_MEMBERS} are allowed"
        )
    after = change(target, others)
    for other in others:
        await db.change("UPDATE group_aliases SET group_id = ? WHERE group_id = ?", (target.id, other.id))
        await db.change(
            "INSERT INTO group_aliases (fingerprint, group_id) VALUES (?, ?)", (other.id, target.id)
        )
        hours = await db.rows("SELECT hour, events, flagged FROM group_hours WHERE group_id = ?", (other.id,))
        await db.many(_PUT_HOUR, [(target.id, *row) for row in hours])
        await db.change("DELETE FROM group_hours WHERE group_id = ?", (other.id,))
        await db.change("DELETE FROM event_groups WHERE id = ?", (other.id,))
    await db.many(_PUT, [group_row(after)])
    return after


async def split_group(
    db: Statements, group_id: str, prints: Sequence[str], change: Callable[[Group], Group]
) -> Group:
    """Take fingerprints out of a group; what comes of them from now on makes groups of their own."""
    target = await group(db, group_id)
    known = set((await members(db, target.id))[1:])
    unknown = [one for one in prints if one not in known]
    if unknown or not prints:
        raise InvalidRequest(
            f"{unknown[0][:128]!r} was not merged into group {target.id}"
            if unknown
            else "name the fingerprints to take out of the group"
        )
    for part in slices(list(dict.fromkeys(prints))):
        await db.change(f"DELETE FROM group_aliases WHERE fingerprint IN ({marks(len(part))})", part)
    after = change(target)
    await db.many(_PUT, [group_row(after)])
    return after


# ------------------------------------------------------------------------------------------------ retention


async def prune_events(db: Statements, prune: Prune) -> int:
    """Delete the oldest events that a rule names, at most as many as it says; return how many."""
    where = "resolved = 1 AND timestamp_us < ?"
    if prune.muted:
        where = (
            "resolved = 0 AND timestamp_us < ? AND fingerprint IN ("
            f"SELECT id FROM event_groups WHERE state = {int(g.GroupState.ARCHIVED)} UNION ALL "
            "SELECT fingerprint FROM group_aliases "
            "JOIN event_groups ON event_groups.id = group_aliases.group_id "
            f"WHERE event_groups.state = {int(g.GroupState.ARCHIVED)})"
        )
    values: list[Any] = [prune.before_us]
    if prune.severity is not None:
        where += " AND severity = ?"
        values.append(int(prune.severity))
    deleted = await db.change(
        f"DELETE FROM events WHERE n IN (SELECT n FROM events WHERE {where} ORDER BY timestamp_us LIMIT ?)",
        (*values, prune.limit),
    )
    if deleted:
        await db.change("DELETE FROM event_hours WHERE events = 0")
    return deleted


async def prune_counts(db: Statements, keeping: Mapping[Width, int], at_us: int) -> int:
    """Delete rollups that are older than they are kept, and hours of groups, some buckets at once; return how
    many rows.
    """
    total = 0
    for width, kept_s in keeping.items():
        starts = await db.rows(
            "SELECT DISTINCT start FROM event_rollups WHERE width = ? AND start < ? ORDER BY start LIMIT ?",
            (int(width), at_us // MICROS - kept_s, _BUCKETS),
        )
        if starts:
            total += await db.change(
                "DELETE FROM event_rollups WHERE width = ? AND start <= ?", (int(width), starts[-1][0])
            )
    oldest = at_us // HOUR_US - GROUP_HOURS_DAYS * 24
    hours = await db.rows(
        "SELECT DISTINCT hour FROM group_hours WHERE hour < ? ORDER BY hour LIMIT ?", (oldest, _BUCKETS)
    )
    if hours:
        total += await db.change("DELETE FROM group_hours WHERE hour <= ?", (hours[-1][0],))
    return total


async def prune_groups(db: Statements, before_us: int) -> int:
    """Delete resolved groups of which nothing has been heard since and nothing is stored, some hundred at
    once; return how many.
    """
    rows = await db.rows(
        f"SELECT id FROM event_groups WHERE state = {int(g.GroupState.RESOLVED)} "
        "AND last_seen_us < ? AND since_us < ? "
        "AND NOT EXISTS (SELECT 1 FROM events WHERE events.fingerprint = event_groups.id) "
        "AND NOT EXISTS (SELECT 1 FROM group_aliases "
        "JOIN events ON events.fingerprint = group_aliases.fingerprint "
        "WHERE group_aliases.group_id = event_groups.id) ORDER BY last_seen_us, id LIMIT ?",
        (before_us, before_us, _AGED),
    )
    for part in slices([row[0] for row in rows]):
        for table, column in (
            ("group_hours", "group_id"),
            ("group_aliases", "group_id"),
            ("event_groups", "id"),
        ):
            await db.change(f"DELETE FROM {table} WHERE {column} IN ({marks(len(part))})", part)
    return len(rows)
