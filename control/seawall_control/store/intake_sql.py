"""What taking events in asks and writes beside events, groups and rollups; store/intake.py says when."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from seawall_control.domain.escalation import WEEK_HOURS, History
from seawall_control.domain.events import Batch
from seawall_control.domain.ingest import Intake as Numbers
from seawall_control.domain.ingest import is_forked as proves_fork
from seawall_control.domain.rollups import KEY_FIELDS, Key, Width
from seawall_control.domain.sequences import Arrivals
from seawall_control.store import rows as r
from seawall_control.store.statements import Questions, Statements, marks, slices

MAX_NOTES: Final = 10_000
"""Remembered gaps and refusals; the oldest go first. They are for people, the marks do not need them."""
MAX_COUNTED_IDS: Final = 100_000
"""Ids of reported events that are remembered though the events are only counted; the oldest go first."""


_KEYS: Final = f"SELECT {', '.join(KEY_FIELDS)} FROM event_rollups WHERE width = ? AND start = ?"


class Mistaken(Exception):
    """The store is not what it was taken to be; nothing may be changed."""


class Wanted(NamedTuple):
    """What has to be known before events are taken in."""

    ids: Sequence[str]
    """Of the events. No id is there twice."""
    reported: bool
    """Whether they came without numbers."""
    spools: Sequence[tuple[str, str]] = ()
    groups: Mapping[str, int] = {}
    """Ids of groups that are remembered, and their stamps."""
    buckets: Sequence[tuple[Width, int]] = ()
    """Width and start of buckets whose keys are not known."""


class Before(NamedTuple):
    """What the store said."""

    arrivals: Mapping[tuple[str, str], Arrivals]
    """Of those spools that are not new."""
    ids: Collection[str] | None
    """Those of events that are stored or, for reports, were only counted lately. None: not asked for, whoever
    inserts such an event is told.
    """
    stamps: Mapping[str, int] | None
    """Of those groups that are there; None where they are as they are remembered."""
    keys: Mapping[tuple[int, int], Collection[Key]]
    """Of the buckets."""
    newest: Mapping[int, int] = {}
    """The start of the last bucket of each width, where that is told."""


async def before(db: Questions, wanted: Wanted) -> Before:
    """Return what is wanted, with a question for each table."""
    keys: dict[tuple[int, int], list[Key]] = {}
    for bucket in wanted.buckets:
        keys[bucket] = [key_of(row) for row in await db.rows(_KEYS, [int(one) for one in bucket])]
    return Before(
        await arrivals_of_spools(db, wanted.spools),
        await known_ids(db, wanted.ids, reported=wanted.reported),
        None,
        keys,
    )


def key_of(row: Sequence[Any]) -> Key:
    """Return the key of a row that is one of its fields."""
    component, route, method, code, category, severity, kind, outcome = row
    return component, route, method, code, category, severity, kind, outcome


async def known_ids(db: Questions, ids: Sequence[str], *, reported: bool) -> set[str]:
    """Return those ids that are stored or, for reports (which have no numbers), were only counted lately."""
    if not ids:
        return set()
    found = {row[0] for row in await db.among("SELECT id FROM events WHERE id IN", ids)}
    if reported:
        found.update(row[0] for row in await db.among("SELECT id FROM counted_ids WHERE id IN", ids))
    return found


async def evict(db: Statements, ids: Sequence[str]) -> list[str]:
    """Delete events that gave their place to newer ones; return the ids of those that were there."""
    found: list[str] = []
    for part in slices(ids):
        rows = await db.rows(f"DELETE FROM events WHERE id IN ({marks(len(part))}) RETURNING id", part)
        found.extend(row[0] for row in rows)
    return found


async def remember_counted(db: Statements, ids: Sequence[str]) -> None:
    """Remember the ids of reported events that are not stored, so that a repeated report counts once."""
    await db.many(
        "INSERT INTO counted_ids (id) VALUES (?) ON CONFLICT (id) DO NOTHING",
        [(event_id,) for event_id in ids],
    )
    await db.change(
        f"DELETE FROM counted_ids WHERE n <= (SELECT max(n) FROM counted_ids) - {MAX_COUNTED_IDS}"
    )


async def histories_of(db: Questions, ids: Sequence[str], hour: int) -> dict[str, History]:
    """Return the hours of the last week of several groups, the newest last."""
    found: dict[str, list[tuple[int, int, bool]]] = {}
    if ids:
        for row in await db.among(
            "SELECT group_id, hour, events, flagged FROM group_hours "
            f"WHERE hour >= {hour - WEEK_HOURS} AND hour < {hour} AND group_id IN",
            ids,
        ):
            found.setdefault(row[0], []).append((row[1], row[2], bool(row[3])))
    return {group_id: sorted(hours) for group_id, hours in found.items()}


async def arrivals_of_spools(
    db: Questions, spools: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Arrivals]:
    """Return what has arrived of spools; nothing of those that are new."""
    if not spools:
        return {}
    rows = await db.rows(
        "SELECT proxy, spool_id, seen, assumed_through FROM spools WHERE "
        + " OR ".join(["proxy = ? AND spool_id = ?"] * len(spools)),
        [text for spool in spools for text in spool],
    )
    return {(row[0], row[1]): r.arrivals_of(row[2:]) for row in rows}


async def is_forked(db: Questions, batch: Batch, found: Numbers) -> bool:
    """Tell whether numbers of a batch that were seen before are stored with other events."""
    stored: dict[int, str] = {}
    for part in slices([seq for seq, _ in found.again]):
        rows = await db.rows(
            f"SELECT seq, id FROM events WHERE proxy = ? AND spool_id = ? AND seq IN ({marks(len(part))})",
            [batch.proxy, batch.spool_id, *part],
        )
        stored.update((int(row[0]), str(row[1])) for row in rows)
    return proves_fork(found.again, stored)


async def note(db: Statements, taken: Sequence[tuple[Batch, Numbers]]) -> None:
    """Write down what was declared lost or was refused."""
    gaps = [
        (batch.proxy, batch.spool_id, gap.from_seq, gap.to_seq, gap.reason)
        for batch, found in taken
        for gap in found.gaps
    ]
    refusals = [
        (batch.proxy, batch.spool_id, refusal.seq, refusal.reason)
        for batch, found in taken
        for refusal in found.refusals
    ]
    if gaps:
        await db.many(
            "INSERT INTO spool_gaps (proxy, spool_id, from_seq, to_seq, reason) VALUES (?, ?, ?, ?, ?)", gaps
        )
        await db.change(f"DELETE FROM spool_gaps WHERE n <= (SELECT max(n) FROM spool_gaps) - {MAX_NOTES}")
    if refusals:
        await db.many(
            "INSERT INTO spool_refusals (proxy, spool_id, seq, reason) VALUES (?, ?, ?, ?)", refusals
        )
        await db.change(
            f"DELETE FROM spool_refusals WHERE n <= (SELECT max(n) FROM spool_refusals) - {MAX_NOTES}"
        )
