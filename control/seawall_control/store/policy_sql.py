"""Policies in SQL that every database of ours understands; the rules are the domain's.

An adapter lends its connection as `Statements`. Parameters are written `?`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seawall_control.domain.errors import NotFound
from seawall_control.domain.inheritance import MAX_LINE, check_circle, check_followers, check_pin
from seawall_control.domain.revisions import Applied, Draft, Remembered, Revision, check_repeat, next_revision
from seawall_control.store import rows as r
from seawall_control.store.rows import int64
from seawall_control.store.statements import Questions, Statements, marks

_ALL: Final = f"{r.REVISION_COLUMNS}, {r.REVISION_BODIES}"
_READ: Final = f"SELECT {_ALL} FROM revisions WHERE policy_set = ?"
_ONE: Final = f"{_READ} AND revision = ?"
_NEWEST: Final = f"{_READ} ORDER BY revision DESC LIMIT 1"
_NUMBER: Final = "SELECT max(revision) FROM revisions WHERE policy_set = ?"
_BASE: Final = "SELECT base FROM revisions WHERE policy_set = ? ORDER BY revision DESC LIMIT 1"
_EXTENDING: Final = (
    "SELECT DISTINCT r.policy_set FROM revisions AS r WHERE r.base = ? AND r.base <> '' AND r.revision = "
    "(SELECT max(n.revision) FROM revisions AS n WHERE n.policy_set = r.policy_set) ORDER BY r.policy_set"
)
_INSERT: Final = f"INSERT INTO revisions ({_ALL}) VALUES ({marks(len(_ALL.split(', ')))})"


async def apply_all(db: Statements, drafts: Sequence[Draft]) -> tuple[Applied, ...]:
    """See `PolicyStore.apply_all`; within a transaction that is rolled back by an error."""
    asked = drafts[0]
    if asked.request_id:
        for row in await db.rows(
            "SELECT policy_set, asked_hash, rollback_of, revision, changed FROM requests "
            "WHERE request_id = ?",
            (asked.request_id,),
        ):
            before = Remembered(row[0], row[1], row[2], row[3], bool(row[4]))
            check_repeat(before, asked)
            first = Applied(
                await revision(db, before.policy_set, before.revision), before.changed, repeated=True
            )
            rest = [await revision(db, draft.policy_set, 0) for draft in drafts[1:]]
            return (first, *(Applied(newest, changed=False) for newest in rest))
    made = [await _applied(db, draft) for draft in drafts]
    for draft, applied in zip(drafts, made, strict=True):
        if draft.base:
            check_pin(draft, (await db.rows(_NUMBER, (draft.base,)))[0][0] or 0)
        if applied.changed:
            check_circle(draft, await _bases(db, draft.policy_set))
            check_followers(draft, await extending(db, draft.policy_set), drafts)
    if asked.request_id:
        await db.change(
            "INSERT INTO requests (request_id, policy_set, asked_hash, rollback_of, revision, changed, "
            "create_time_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                asked.request_id,
                asked.policy_set,
                asked.asked_hash,
                asked.rollback_of,
                made[0].revision.revision,
                int(made[0].changed),
                asked.create_time_us,
            ),
        )
    return tuple(made)


async def _bases(db: Questions, policy_set: str) -> list[str]:
    """Return what a set extends, nearest first, by the newest revisions."""
    found: list[str] = []
    name = policy_set
    while name and len(found) < MAX_LINE:
        rows = await db.rows(_BASE, (name,))
        name = rows[0][0] if rows else ""
        found += [name] if name else []
    return found


async def _applied(db: Statements, draft: Draft) -> Applied:
    applied = next_revision(await latest(db, draft.policy_set), draft)
    if applied.changed:
        await db.change(_INSERT, r.revision_row(applied.revision))
    return applied


async def extending(db: Questions, policy_set: str) -> list[str]:
    """See `PolicyStore.extending`."""
    return [row[0] for row in await db.rows(_EXTENDING, (policy_set,))]


async def answered(db: Questions, request_id: str) -> Applied | None:
    """See `PolicyStore.answered`."""
    for row in await db.rows(
        "SELECT policy_set, revision, changed FROM requests WHERE request_id = ?", (request_id,)
    ):
        return Applied(await revision(db, row[0], row[1]), bool(row[2]), repeated=True)
    return None


async def revision(db: Questions, policy_set: str, number: int) -> Revision:
    """See `PolicyStore.revision`."""
    if number == 0:
        newest = await latest(db, policy_set)
        if newest is None:
            raise NotFound(f"policy set {policy_set} has no revision")
        return newest
    for row in await db.rows(_ONE, (policy_set, int64(number))):
        return r.revision_of(row)
    raise NotFound(f"policy set {policy_set} has no revision {number}")


async def latest(db: Questions, policy_set: str) -> Revision | None:
    """See `PolicyStore.latest`."""
    for row in await db.rows(_NEWEST, (policy_set,)):
        return r.revision_of(row)
    return None


async def revisions(db: Questions, policy_set: str, *, before: int, limit: int) -> list[Revision]:
    """See `PolicyStore.revisions`."""
    below = int64(before) if before else 2**63 - 1
    found = await db.rows(
        f"SELECT {r.REVISION_COLUMNS} FROM revisions WHERE policy_set = ? AND revision < ? "
        "ORDER BY revision DESC LIMIT ?",
        (policy_set, below, limit),
    )
    return [r.revision_of(row) for row in found]
