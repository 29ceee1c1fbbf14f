"""Policies in PostgreSQL; the statements are store/policy_sql.py's."""

from __future__ import annotations

from collections.abc import Sequence

from seawall_control.domain.revisions import Applied, Draft, Revision
from seawall_control.store import policy_sql, witness
from seawall_control.store.postgres.adapter import Adapter
from seawall_control.store.postgres.statements import PostgresQuestions, PostgresStatements
from seawall_control.store.postgres.target import Connection


class PostgresPolicies(Adapter):
    """Implements `PolicyStore`."""

    async def apply(self, draft: Draft) -> Applied:
        """See `PolicyStore.apply`."""
        return (await self.apply_all([draft]))[0]

    async def apply_all(self, drafts: Sequence[Draft]) -> Sequence[Applied]:
        """See `PolicyStore.apply_all`."""

        async def work(db: Connection) -> Sequence[Applied]:
            applied = await policy_sql.apply_all(PostgresStatements(db), drafts)
            for draft in drafts:
                # Also for content that is in effect already: applying it again asks those who refused it.
                await self._tell(db, policy_set=draft.policy_set)
            return applied

        return await self._writer.do(work, area="policies", told=witness.applied)

    async def extending(self, policy_set: str) -> Sequence[str]:
        """See `PolicyStore.extending`."""
        return await policy_sql.extending(PostgresQuestions(self._readers), policy_set)

    async def answered(self, request_id: str) -> Applied | None:
        """See `PolicyStore.answered`."""
        return await policy_sql.answered(PostgresQuestions(self._readers), request_id)

    async def revision(self, policy_set: str, number: int) -> Revision:
        """See `PolicyStore.revision`."""
        return await policy_sql.revision(PostgresQuestions(self._readers), policy_set, number)

    async def latest(self, policy_set: str) -> Revision | None:
        """See `PolicyStore.latest`."""
        return await policy_sql.latest(PostgresQuestions(self._readers), policy_set)

    async def revisions(self, policy_set: str, *, before: int, limit: int) -> Sequence[Revision]:
        """See `PolicyStore.revisions`."""
        return await policy_sql.revisions(
            PostgresQuestions(self._readers), policy_set, before=before, limit=limit
        )
