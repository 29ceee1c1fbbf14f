"""Does what a runbook asks for, says beforehand what it would do, and takes it back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from seawall_control.domain.errors import ControlError, FieldProblem, StoreUnavailable
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.engine import Case
from seawall_control.domain.healing.runbooks import Runbook
from seawall_control.services.healing.actions import fleet, hooks, policies, process, record, tuning
from seawall_control.services.healing.actions.base import Done, Handler, Note, NothingToDo, Reach, Verdict

PREVIEW_S: Final = 10.0
"""How long it may take to find out what would be done."""
TABLE: Final[Mapping[Action, type[Handler]]] = {
    Action.HOLD_BREAKER_OPEN: fleet.HoldBreakerOpen,
    Action.RESET_BREAKER: fleet.ResetBreaker,
    Action.DRAIN_ENDPOINT: fleet.DrainEndpoint,
    Action.ARCHIVE_GROUP: record.ArchiveGroup,
    Action.ARCHIVE_EVENTS: record.ArchiveEvents,
    Action.ROLL_BACK_POLICY: policies.RollBackPolicy,
    Action.APPLY_REVISION: policies.ApplyRevision,
    Action.TUNE: tuning.Tune,
    Action.CLEAN_DISK: record.CleanDisk,
    Action.FREE_MEMORY: process.FreeMemory,
    Action.CHECK_STORE: process.CheckStore,
    Action.COMMAND: hooks.RunCommand,
    Action.WEBHOOK: hooks.AskByWebhook,
}

_log = logging.getLogger("seawall.control.healing")


class Actuators:
    """The hands."""

    def __init__(self, reach: Reach) -> None:
        self._handlers = {action: kind(reach) for action, kind in TABLE.items()}
        self._hooks = reach.hooks

    def problem(self, runbook: Runbook) -> FieldProblem | None:
        """Tell what this control plane does not have of what a runbook needs: a hook that it was not started
        with would be missed when it is needed.
        """
        name = str(runbook.parameters.get("hook", ""))
        if runbook.action is not Action.COMMAND or not name or name in self._hooks:
            return None
        known = ", ".join(sorted(self._hooks)) or "none"
        return FieldProblem(
            "runbook.parameters.hook",
            f"there is no hook {name[:64]!r} here (there are: {known}); start the control plane with "
            f"--hook {name[:64]}=COMMAND first, or set the mode to off or dry_run",
        )

    async def preview(self, case: Case) -> str:
        """Say what the action of a case would do now. Never raises but when cancelled."""
        try:
            async with asyncio.timeout(PREVIEW_S):
                return await self._handlers[case.runbook.action].preview(case)
        except TimeoutError:
            return f"what would be done could not be found out within {PREVIEW_S:g} s"
        except Exception as error:  # noqa: BLE001 - a proposal is made all the same
            return f"would fail: {_said(error, case)}"

    async def idle(self, case: Case) -> str:
        """Return why the action of a case has nothing to act on now; empty where it has something, or where
        that is not known.
        """
        try:
            async with asyncio.timeout(PREVIEW_S):
                await self._handlers[case.runbook.action].preview(case)
        except NothingToDo as error:
            return str(error)
        except Exception:  # noqa: BLE001 - what is wrong is said by the plan, or by doing it
            return ""
        return ""

    async def basis(self, case: Case) -> str:
        """Return what a preview of the case's action stands on now. Raise `ControlError`."""
        try:
            async with asyncio.timeout(PREVIEW_S):
                return await self._handlers[case.runbook.action].basis(case)
        except TimeoutError:
            raise StoreUnavailable(
                f"what would be done could not be found out within {PREVIEW_S:g} s; try again"
            ) from None

    async def do(self, case: Case, note: Note) -> Done:
        """Do the action of a case. Never raises but when cancelled: what went wrong is in the answer."""
        try:
            return await self._handlers[case.runbook.action].do_noting(case, note)
        except Exception as error:  # noqa: BLE001 - a case that never ends would hold its subject for ever
            return Done(ok=False, text=_said(error, case))

    async def judge(self, case: Case) -> Verdict | None:
        """Ask the action of a case whether it helped; None: later. Never raises but when cancelled."""
        try:
            return await self._handlers[case.runbook.action].judge(case)
        except Exception as error:  # noqa: BLE001 - what cannot be judged has not helped
            return Verdict(helped=False, text=_said(error, case))

    async def undo(self, case: Case) -> Done:
        """Take the action of a case back. Never raises but when cancelled."""
        try:
            return await self._handlers[case.runbook.action].undo(case)
        except Exception as error:  # noqa: BLE001 - the case has to say that it was not taken back
            return Done(ok=False, text=_said(error, case))


def _said(error: Exception, case: Case) -> str:
    if isinstance(error, ControlError):
        return str(error)[:500]
    if isinstance(error, (OSError, ValueError)):
        return f"{type(error).__name__}: {error}"[:500]
    _log.error("an action failed by our fault", exc_info=error, extra={"fields": {"case": case.id}})
    return f"internal error ({type(error).__name__}); the log says more"
