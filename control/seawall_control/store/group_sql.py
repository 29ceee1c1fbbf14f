"""Groups in SQL that every database of ours understands; the rules are the domain's.

New events change them in another place (intake.py); counts over time are read in rollup_sql.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from seawall_control.domain import groups as g
from seawall_control.domain.errors import InvalidRequest, NotFound
from seawall_control.domain.escalation import HOUR_US, WEEK_HOURS, History
from seawall_control.domain.events import MICROS
from seawall_control.domain.groups import Change, Group
from seawall_control.domain.retention import GROUP_HOURS_DAYS
from seawall_control.domain.rollups import Width
from seawall_control.store.filter_sql import to_sql
from seawall_control.store.group_rows import GROUP_SELECT, PUT_GROUP, PUT_HOUR, group_of, group_row
from seawall_control.store.port import GroupQuery
from seawall_control.store.statements import Questions, Statements, marks, slices

_BUCKETS: Final = 4
"""Buckets of rollups deleted in one transaction: some two thousand rows."""
_HOURS: Final = 1000
"""Hours of groups deleted in one transaction; an hour may have ten thousand of them."""
_AGED: Final = 500
"""Groups whose state changes by time in one transaction."""


async def hours_of(db: Questions, group_id: str, hour: int, hours: int = WEEK_HOURS) -> History:
    """Return the hours of a group before one, the newest last."""
    rows = await db.rows(
        "SELECT hour, events, flagged FROM group_hours WHERE group_id = ? AND hour >= ? AND hour < ? "
        "ORDER BY hour",
        (group_id, hour - hours, hour),
    )
    return [(row[0], row[1], bool(row[2])) for row in rows]


# -------------------------------------------------------------------------------------------------- reading

ORDER_COLUMNS: Final[Mapping[str, str]] = {
    "last_seen": "last_seen_us",
    "first_seen": "first_seen_us",
    "events": "events",
}


async def group(db: Questions, group_id: str) -> Group:
    """Return a group, also by a fingerprint that was merged into it. Raise `NotFound`."""
    rows = await db.rows(
        f"SELECT {GROUP_SELECT} FROM event_groups WHERE id = "
        "coalesce((SELECT group_id FROM group_aliases WHERE fingerprint = ?), ?)",
        (group_id, group_id),
    )
    if not rows:
        raise NotFound(f"there is no group {group_id[:128]!r}; `seawall groups list` shows them")
    return group_of(rows[0])


async def groups(db: Questions, query: GroupQuery, *, find: str = "instr") -> list[Group]:
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


async def members(db: Questions, group_id: str) -> tuple[str, ...]:
    """Return the fingerprints of a group, its own first."""
    rows = await db.rows(
        "SELECT fingerprint FROM group_aliases WHERE group_id = ? ORDER BY fingerprint", (group_id,)
    )
    return (group_id, *(row[0] for row in rows))


# ------------------------------------------------------------------------------------------------- changing


async def change_group(db: Statements, group_id: str, change: Callable[[Group], Group]) -> Group:
    """Change a group by a function that raises when it does not like what it sees. Raise `NotFound`."""
    after = change(await group(db, group_id))
    await db.many(PUT_GROUP, [group_row(after)])
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
        await db.many(PUT_GROUP, after)
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
        await db.many(PUT_HOUR, [(target.id, *row) for row in hours])
        await db.change("DELETE FROM group_hours WHERE group_id = ?", (other.id,))
        await db.change("DELETE FROM event_groups WHERE id = ?", (other.id,))
    await db.many(PUT_GROUP, [group_row(after)])
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
    await db.many(PUT_GROUP, [group_row(after)])
    return after


# ------------------------------------------------------------------------------------------------ retention


async def archived_prints(db: Questions) -> list[str]:
    """Return the fingerprints of all muted groups."""
    state = int(g.GroupState.ARCHIVED)
    rows = await db.rows(
        f"SELECT id FROM event_groups WHERE state = {state} UNION SELECT fingerprint FROM group_aliases "
        f"JOIN event_groups ON event_groups.id = group_aliases.group_id WHERE event_groups.state = {state} "
        "ORDER BY 1"
    )
    return [row[0] for row in rows]


async def prune_counts(db: Statements, keeping: Mapping[Width, int], at_us: int) -> int:
    """Delete rollups that are older than they are kept, and hours of groups, some buckets at once; return how
    many rows.
    """
    total = 0
    for width, kept_s in keeping.items():
        starts = await db.rows(
            "SELECT start FROM event_buckets WHERE width = ? AND start < ? ORDER BY start LIMIT ?",
            (int(width), at_us // MICROS - kept_s, _BUCKETS),
        )
        if starts:
            last = (int(width), starts[-1][0])
            await db.change("DELETE FROM event_buckets WHERE width = ? AND start <= ?", last)
            total += await db.change("DELETE FROM event_rollups WHERE width = ? AND start <= ?", last)
    oldest = at_us // HOUR_US - GROUP_HOURS_DAYS * 24
    return total + await db.change(
        "DELETE FROM group_hours WHERE (group_id, hour) IN "
        "(SELECT group_id, hour FROM group_hours WHERE hour < ? ORDER BY hour LIMIT ?)",
        (oldest, _HOURS),
    )


_FORGOTTEN: Final = (
    f"SELECT id FROM event_groups WHERE state = {int(g.GroupState.RESOLVED)} "
    "AND last_seen_us < ? AND since_us < ? "
    "AND NOT EXISTS (SELECT 1 FROM events WHERE events.fingerprint = event_groups.id) "
    "AND NOT EXISTS (SELECT 1 FROM group_aliases "
    "JOIN events ON events.fingerprint = group_aliases.fingerprint "
    "WHERE group_aliases.group_id = event_groups.id)"
)


async def forgotten_groups(db: Questions, before_us: int) -> list[str]:
    """Return some hundred resolved groups of which nothing has been heard since and nothing is stored."""
    rows = await db.rows(
        f"{_FORGOTTEN} ORDER BY last_seen_us, id LIMIT ?",
        (before_us, before_us, _AGED),
    )
    return [row[0] for row in rows]


async def delete_forgotten(db: Statements, ids: Sequence[str], before_us: int) -> int:
    """Delete those of the groups that are still forgotten; return how many."""
    total = 0
    for part in slices(ids):
        rows = await db.rows(f"{_FORGOTTEN} AND id IN ({marks(len(part))})", (before_us, before_us, *part))
        gone = [row[0] for row in rows]
        for table, column in (
            ("group_hours", "group_id"),
            ("group_aliases", "group_id"),
            ("event_groups", "id"),
        ):
            if gone:
                await db.change(f"DELETE FROM {table} WHERE {column} IN ({marks(len(gone))})", gone)
        total += len(gone)
    return total
