"""Policies in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seawall_control.domain.errors import NotFound
from seawall_control.domain.revisions import Applied, Draft, Remembered, Revision, check_repeat, next_revision
from seawall_control.store import rows as r
from seawall_control.store.rows import int64
from seawall_control.store.sqlite.adapter import Adapter
from seawall_control.store.sqlite.thread import SqliteStatements

_READ: Final = f"SELECT {r.REVISION_COLUMNS}, document FROM revisions WHERE policy_set = ?"
_ONE: Final = f"{_READ} AND revision = ?"
_NEWEST: Final = f"{_READ} ORDER BY revision DESC LIMIT 1"
_REQUEST: Final = (
    "SELECT policy_set, asked_hash, rollback_of, revision, changed FROM requests WHERE request_id = ?"
)


class SqlitePolicies(Adapter):
    """Implements `PolicyStore`."""

    async def apply(self, draft: Draft) -> Applied:
        """See `PolicyStore.apply`."""

        async def work(db: SqliteStatements) -> Applied:
            if draft.request_id:
                for row in await db.rows(_REQUEST, (draft.request_id,)):
                    before = Remembered(row[0], row[1], row[2], row[3], bool(row[4]))
                    check_repeat(before, draft)
                    return Applied(
                        await self._revision_in(db, before.policy_set, before.revision),
                        before.changed,
                        repeated=True,
                    )
            latest = await self._latest_in(db, draft.policy_set)
            applied = next_revision(latest, draft)
            made = applied.revision
            if applied.changed:
                await db.change(
                    f"INSERT INTO revisions ({r.REVISION_COLUMNS}, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        made.policy_set,
                        made.revision,
                        made.hash,
                        made.author,
                        made.message,
                        made.create_time_us,
                        made.rollback_of,
                        made.document,
                    ),
                )
            if draft.request_id:
                await db.change(
                    "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        draft.request_id,
                        draft.policy_set,
                        draft.hash,
                        draft.rollback_of,
                        made.revision,
                        int(applied.changed),
                        draft.create_time_us,
                    ),
                )
            return applied

        return await self._writer.do(work)

    async def answered(self, request_id: str) -> Applied | None:
        """See `PolicyStore.answered`."""
        row = await self._readers.row(
            "SELECT policy_set, revision, changed FROM requests WHERE request_id = ?", (request_id,)
        )
        return (
            None if row is None else Applied(await self.revision(row[0], row[1]), bool(row[2]), repeated=True)
        )

    async def _revision_in(self, db: SqliteStatements, policy_set: str, number: int) -> Revision:
        for row in await db.rows(_ONE, (policy_set, number)):
            return r.revision_of(row)
        raise NotFound(f"policy set {policy_set} has no revision {number}")

    async def _latest_in(self, db: SqliteStatements, policy_set: str) -> Revision | None:
        for row in await db.rows(_NEWEST, (policy_set,)):
            return r.revision_of(row)
        return None

    async def revision(self, policy_set: str, number: int) -> Revision:
        """See `PolicyStore.revision`."""
        if number == 0:
            latest = await self.latest(policy_set)
            if latest is None:
                raise NotFound(f"policy set {policy_set} has no revision")
            return latest
        row = await self._readers.row(
            _ONE,
            (policy_set, int64(number)),
        )
        if row is None:
            raise NotFound(f"policy set {policy_set} has no revision {number}")
        return r.revision_of(row)

    async def latest(self, policy_set: str) -> Revision | None:
        """See `PolicyStore.latest`."""
        row = await self._readers.row(
            _NEWEST,
            (policy_set,),
        )
        return None if row is None else r.revision_of(row)

    async def revisions(self, policy_set: str, *, before: int, limit: int) -> Sequence[Revision]:
        """See `PolicyStore.revisions`."""
        found = await self._readers.rows(
            f"SELECT {r.REVISION_COLUMNS} FROM revisions WHERE policy_set = ? AND (? = 0 OR revision < ?) "
            "ORDER BY revision DESC LIMIT ?",
            (policy_set, int64(before), int64(before), limit),
        )
        return [r.revision_of(row) for row in found]
