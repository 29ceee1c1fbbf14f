"""Policies in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seawall_control.domain.errors import NotFound
from seawall_control.domain.revisions import Applied, Draft, Remembered, Revision, check_repeat, next_revision
from seawall_control.store import rows as r
from seawall_control.store.postgres.adapter import Adapter
from seawall_control.store.postgres.target import Connection
from seawall_control.store.rows import int64

_READ: Final = f"SELECT {r.REVISION_COLUMNS}, document FROM revisions WHERE policy_set = $1"
_ONE: Final = f"{_READ} AND revision = $2"
_NEWEST: Final = f"{_READ} ORDER BY revision DESC LIMIT 1"
_REQUEST: Final = (
    "SELECT policy_set, asked_hash, rollback_of, revision, changed FROM requests WHERE request_id = $1"
)


class PostgresPolicies(Adapter):
    """Implements `PolicyStore`."""

    async def apply(self, draft: Draft) -> Applied:
        """See `PolicyStore.apply`."""

        async def work(db: Connection) -> Applied:
            applied = await self._apply_in(db, draft)
            # Also for content that is in effect already: applying it again asks those who refused it.
            await self._tell(db, policy_set=draft.policy_set)
            return applied

        return await self._writer.do(work, area="policies")

    async def _apply_in(self, db: Connection, draft: Draft) -> Applied:
        if draft.request_id:
            row = await db.fetchrow(_REQUEST, draft.request_id)
            if row is not None:
                before = Remembered(row[0], row[1], row[2], row[3], bool(row[4]))
                check_repeat(before, draft)
                made = await db.fetchrow(_ONE, before.policy_set, before.revision)
                if made is None:
                    raise NotFound(f"policy set {before.policy_set} has no revision {before.revision}")
                return Applied(r.revision_of(tuple(made)), before.changed, repeated=True)
        latest = await db.fetchrow(_NEWEST, draft.policy_set)
        applied = next_revision(None if latest is None else r.revision_of(tuple(latest)), draft)
        new = applied.revision
        if applied.changed:
            await db.execute(
                f"INSERT INTO revisions ({r.REVISION_COLUMNS}, document) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                new.policy_set,
                new.revision,
                new.hash,
                new.author,
                new.message,
                new.create_time_us,
                new.rollback_of,
                new.document,
            )
        if draft.request_id:
            await db.execute(
                "INSERT INTO requests (request_id, policy_set, asked_hash, rollback_of, revision, changed, "
                "create_time_us) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                draft.request_id,
                draft.policy_set,
                draft.hash,
                draft.rollback_of,
                new.revision,
                int(applied.changed),
                draft.create_time_us,
            )
        return applied

    async def answered(self, request_id: str) -> Applied | None:
        """See `PolicyStore.answered`."""
        row = await self._readers.row(
            "SELECT policy_set, revision, changed FROM requests WHERE request_id = $1", request_id
        )
        return (
            None if row is None else Applied(await self.revision(row[0], row[1]), bool(row[2]), repeated=True)
        )

    async def revision(self, policy_set: str, number: int) -> Revision:
        """See `PolicyStore.revision`."""
        if number == 0:
            latest = await self.latest(policy_set)
            if latest is None:
                raise NotFound(f"policy set {policy_set} has no revision")
            return latest
        row = await self._readers.row(_ONE, policy_set, int64(number))
        if row is None:
            raise NotFound(f"policy set {policy_set} has no revision {number}")
        return r.revision_of(row)

    async def latest(self, policy_set: str) -> Revision | None:
        """See `PolicyStore.latest`."""
        row = await self._readers.row(_NEWEST, policy_set)
        return None if row is None else r.revision_of(row)

    async def revisions(self, policy_set: str, *, before: int, limit: int) -> Sequence[Revision]:
        """See `PolicyStore.revisions`."""
        found = await self._readers.rows(
            f"SELECT {r.REVISION_COLUMNS} FROM revisions WHERE policy_set = $1 "
            "AND ($2::bigint = 0 OR revision < $2) ORDER BY revision DESC LIMIT $3",
            policy_set,
            int64(before),
            limit,
        )
        return [r.revision_of(row) for row in found]
