"""Actions on policies: a revision taken back, or one put in effect that was prepared."""

from __future__ import annotations

from typing import Final

from seawall_control.domain.errors import PreconditionFailed
from seawall_control.domain.events import MICROS
from seawall_control.domain.healing.engine import Case
from seawall_control.domain.revisions import Revision
from seawall_control.services.healing.actions.base import (
    ACTOR,
    AtOnce,
    Done,
    NothingToDo,
    number,
    reason,
    text,
)

AHEAD_S: Final = 60.0
"""Clocks of control planes may differ by so much."""


class _Revisions(AtOnce):
    async def undo(self, case: Case) -> Done:
        """See `Handler.undo`."""
        policy_set, revision, *made_then = case.undo.split("/")
        newest = await self._reach.policies.revision(policy_set=policy_set)
        if made_then and newest.revision > int(made_then[0]) and newest.rollback_of == int(revision):
            return Done(
                ok=True, text=f"revision {newest.revision} has the content of revision {revision} again"
            )
        if made_then and newest.revision != int(made_then[0]):
            raise PreconditionFailed(
                f"revision {newest.revision} of {newest.author or 'nobody known'} was applied since; it stays"
            )
        back = await self._reach.policies.rollback(
            policy_set=policy_set,
            revision=int(revision),
            etag=newest.hash,
            author=ACTOR,
            message=f"{case.id}: {case.runbook.name} did not help",
        )
        made = back.applied.revision
        return Done(ok=True, text=f"back to the content of revision {revision} as revision {made.revision}")


class RollBackPolicy(_Revisions):
    """Takes a young revision back."""

    async def _blamed(self, case: Case) -> Revision:
        newest = await self._reach.policies.revision(policy_set=text(case, "policy_set"))
        age_s = (self._reach.clock.now_us() - newest.create_time_us) / MICROS
        if age_s < -AHEAD_S:
            raise NothingToDo(f"{newest.name} was made by a clock that was ahead; nobody knows its age")
        if age_s > number(case, "max_age_s"):
            raise NothingToDo(f"{newest.name} is {age_s:.0f} s old, more than max_age_s; it is not blamed")
        if newest.rollback_of:
            raise NothingToDo(f"{newest.name} is a way back already; there is no further one")
        return newest

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        newest = await self._blamed(case)
        if newest.revision < 2:
            raise NothingToDo("there is only one revision, and nothing to go back to")
        return f"would take revision {newest.revision} of {newest.author or 'nobody known'} back"

    async def do(self, case: Case) -> Done:
        """See `Handler.do`."""
        newest = await self._blamed(case)
        back = await self._reach.policies.rollback(
            policy_set=newest.policy_set, etag=newest.hash, author=ACTOR, message=reason(case)
        )
        made = back.applied.revision
        return Done(
            ok=True,
            text=f"revision {newest.revision} was taken back by revision {made.revision}",
            undo=f"{newest.policy_set}/{newest.revision}/{made.revision}",
        )


class ApplyRevision(_Revisions):
    """Puts a revision in effect that was prepared for the case."""

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        policy_set, wanted = text(case, "policy_set"), int(number(case, "revision"))
        newest = await self._reach.policies.revision(policy_set=policy_set)
        prepared = await self._reach.policies.revision(policy_set=policy_set, number=wanted)
        if prepared.hash == newest.hash:
            return f"would change nothing: the content of revision {wanted} is in effect"
        return f"would put the content of revision {wanted} in effect instead of revision {newest.revision}"

    async def do(self, case: Case) -> Done:
        """See `Handler.do`."""
        policy_set, wanted = text(case, "policy_set"), int(number(case, "revision"))
        newest = await self._reach.policies.revision(policy_set=policy_set)
        back = await self._reach.policies.rollback(
            policy_set=policy_set,
            revision=wanted,
            etag=newest.hash,
            author=ACTOR,
            message=reason(case),
        )
        made = back.applied.revision
        return Done(
            ok=True,
            text=f"the content of revision {wanted} is in effect as revision {made.revision}",
            undo=f"{policy_set}/{newest.revision}/{made.revision}"
            if made.revision != newest.revision
            else "",
        )
