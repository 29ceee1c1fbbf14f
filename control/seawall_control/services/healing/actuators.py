"""Does what a runbook asks for, and takes it back."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import shlex
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from seawall.v1 import admin_operations_pb2 as pb
from seawall.v1 import fleet_pb2, stats_pb2
from seawall_control.domain.errors import ControlError, PreconditionFailed
from seawall_control.domain.events import MICROS, Json
from seawall_control.domain.groups import Until
from seawall_control.domain.healing.actions import Action, checked
from seawall_control.domain.healing.engine import Case
from seawall_control.domain.machine import MIB
from seawall_control.services.commands import CommandOutcome
from seawall_control.services.edge import Clock
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
from seawall_control.services.groups import GroupService
from seawall_control.services.healing.signals import Signals
from seawall_control.services.machine import Machine
from seawall_control.services.operations import FleetOperations
from seawall_control.services.policies import PolicyService

ACTOR: Final = "seawall-healing"
MAX_OUTPUT: Final = 2048
"""Bytes of a hook's output that are kept."""
CLEAN_DAYS: Final = (30.0, 14.0, 7.0, 3.0, 1.0, 0.25)
"""Ages of resolved events that a full disk may cost, the oldest first."""
_DAY_US: Final = 86400 * MICROS

_log = logging.getLogger("seawall.control.healing")


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an action."""

    ok: bool
    text: str
    undo: str = ""


Ask = Callable[[str, str, Mapping[str, Json]], Awaitable[None]]
"""Sends a signed document with an id to the webhook channel of a name; raises `ControlError`."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What actions may lay hands on."""

    fleet: Fleet
    policies: PolicyService
    events: EventService
    operations: FleetOperations
    groups: GroupService
    ask: Ask
    signals: Signals
    clock: Clock
    machine: Machine
    hooks: Mapping[str, str]
    """Commands by the name that runbooks call them; only whoever starts the process can add one."""


class Actuators:
    """The hands."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._table: Mapping[Action, Callable[[Case], Awaitable[Done]]] = {
            Action.HOLD_BREAKER_OPEN: self._hold,
            Action.RESET_BREAKER: self._reset,
            Action.DRAIN_ENDPOINT: self._drain,
            Action.ARCHIVE_GROUP: self._archive,
            Action.ROLL_BACK_POLICY: self._roll_back,
            Action.APPLY_REVISION: self._apply,
            Action.CLEAN_DISK: self._clean,
            Action.FREE_MEMORY: self._free,
            Action.CHECK_STORE: self._check,
            Action.COMMAND: self._command,
            Action.WEBHOOK: self._webhook,
        }

    async def do(self, case: Case) -> Done:
        """Do the action of a case. Never raises but when cancelled: what went wrong is in the answer."""
        try:
            return await self._table[case.runbook.action](case)
        except (ControlError, OSError, ValueError) as error:
            return Done(ok=False, text=f"{type(error).__name__}: {error}"[:500])
        except Exception as error:  # noqa: BLE001 - a case that never ends would hold its subject for ever
            _log.exception("an action failed by our fault", extra={"fields": {"case": case.id}})
            return Done(ok=False, text=f"internal error ({type(error).__name__}); the log says more")

    async def undo(self, case: Case) -> Done:
        """Take the action of a case back."""
        try:
            if case.runbook.action in (Action.HOLD_BREAKER_OPEN, Action.DRAIN_ENDPOINT):
                ended = await self._reach.operations.cancel(
                    case.undo, actor=ACTOR, reason=f"{case.id}: it did not help"
                )
                return Done(ok=True, text=f"operation {ended.id} is cancelled")
            if case.runbook.action is Action.ARCHIVE_GROUP:
                await self._reach.groups.reopen(case.undo, note=f"{case.id}: it did not help", actor=ACTOR)
                return Done(ok=True, text="the group is open again")
            policy_set, _, number = case.undo.rpartition("/")
            made = await self._reach.policies.rollback(
                policy_set=policy_set,
                revision=int(number),
                author=ACTOR,
                message=f"{case.id}: {case.runbook.name} did not help",
            )
            return Done(ok=True, text=f"back to the content of revision {number} as revision {made.revision}")
        except (ControlError, OSError, ValueError) as error:
            return Done(ok=False, text=f"{type(error).__name__}: {error}"[:500])

    # ---------------------------------------------------------------------------------------------- breakers

    async def _hold(self, case: Case) -> Done:
        route = await self._route(case)
        held = pb.HoldBreakerAction(breaker=route, state=stats_pb2.BREAKER_STATE_FORCED_OPEN)
        return await self._operation(case, pb.OperationAction(hold_breaker=held), "held open")

    async def _drain(self, case: Case) -> Done:
        kind, _, rest = case.subject.partition("/")
        cluster, _, address = rest.partition("/")
        if kind != "endpoint" or not address:
            raise PreconditionFailed(f"{case.runbook.action} is for endpoints, not for {case.subject}")
        if not self._reach.signals.others_in(cluster, address):
            raise PreconditionFailed(
                f"no other endpoint of {cluster} takes calls; the last one is not drained"
            )
        drained = pb.DrainAction(cluster=cluster, address=address)
        return await self._operation(case, pb.OperationAction(drain=drained), "drained")

    async def _operation(self, case: Case, action: pb.OperationAction, what: str) -> Done:
        """Do it at every proxy, also at those that connect before the time is over."""
        seconds = _number(case, "duration_s")
        operation = await self._reach.operations.start(
            action, length_s=seconds, actor=ACTOR, reason=f"{case.id}: {case.evidence}"[:512]
        )
        outcomes = [
            CommandOutcome(node, ok=ack.ok, message=ack.message) for node, ack in operation.acks.items()
        ]
        done = _told(outcomes, f"{what} for {seconds:g} s")
        if not done.ok:
            await self._reach.operations.cancel(operation.id, actor=ACTOR, reason=done.text[:512])
        return Done(done.ok, done.text, undo=operation.id if done.ok else "")

    async def _archive(self, case: Case) -> Done:
        kind, _, group = case.subject.partition("/")
        if kind != "group":
            raise PreconditionFailed(f"{case.runbook.action} is for groups, not for {case.subject}")
        done = await self._reach.groups.update(
            group, archive=(Until.ESCALATING, 0), note=f"{case.id}: {case.evidence}"[:500], actor=ACTOR
        )
        return Done(ok=True, text="muted until it escalates", undo=done.id)

    async def _route(self, case: Case) -> str:
        route = await self._reach.signals.route_of(case.subject)
        if not route:
            raise PreconditionFailed(f"{case.runbook.action} is for routes, not for {case.subject}")
        return route

    async def _reset(self, case: Case) -> Done:
        command = fleet_pb2.Command(
            reset_breaker=fleet_pb2.ResetBreakerCommand(
                breaker=await self._route(case), reason=f"{case.id}: {case.evidence}"[:512], actor=ACTOR
            )
        )
        return _told(await self._reach.fleet.command("", command), "reset")

    # ---------------------------------------------------------------------------------------------- policies

    async def _roll_back(self, case: Case) -> Done:
        parameters = checked(case.runbook.action, case.runbook.parameters)
        policy_set = str(parameters["policy_set"])
        newest = await self._reach.policies.revision(policy_set=policy_set)
        age_s = (self._reach.clock.now_us() - newest.create_time_us) / MICROS
        if age_s > _number(case, "max_age_s"):
            raise PreconditionFailed(
                f"{newest.name} is {age_s:.0f} s old, more than max_age_s; it is not blamed"
            )
        if newest.rollback_of:
            raise PreconditionFailed(f"{newest.name} is a way back already; there is no further one")
        made = await self._reach.policies.rollback(
            policy_set=policy_set,
            etag=newest.hash,
            author=ACTOR,
            message=f"{case.id}: {case.evidence}"[:500],
        )
        return Done(
            ok=True,
            text=f"revision {newest.revision} was taken back by revision {made.revision}",
            undo=f"{policy_set}/{newest.revision}",
        )

    async def _apply(self, case: Case) -> Done:
        parameters = checked(case.runbook.action, case.runbook.parameters)
        policy_set = str(parameters["policy_set"])
        number = int(_number(case, "revision"))
        newest = await self._reach.policies.revision(policy_set=policy_set)
        made = await self._reach.policies.rollback(
            policy_set=policy_set,
            revision=number,
            etag=newest.hash,
            author=ACTOR,
            message=f"{case.id}: {case.evidence}"[:500],
        )
        return Done(
            ok=True,
            text=f"the content of revision {number} is in effect as revision {made.revision}",
            undo=f"{policy_set}/{newest.revision}" if made.revision != newest.revision else "",
        )

    # ----------------------------------------------------------------------------------------------- machine

    async def _clean(self, case: Case) -> Done:
        wanted = _number(case, "free_share")
        deleted = 0
        days = CLEAN_DAYS[0]
        free = await self._free_share()
        for days in CLEAN_DAYS:
            if free >= wanted:
                break
            deleted += await self._reach.events.delete_resolved(older_than_us=int(days * _DAY_US))
            free = await self._free_share()
        text = f"{deleted} resolved events deleted, {free:.0%} of the disk is free"
        if free < wanted and deleted == 0:
            return Done(
                ok=False, text=f"{text}; nothing is left that may go: unresolved events are never deleted"
            )
        return Done(ok=True, text=text)

    async def _free_share(self) -> float:
        disk = (await self._reach.machine.look(max_age_s=0)).disk
        return 1 - disk.used_share if disk is not None else 0.0

    async def _free(self, case: Case) -> Done:
        before = (await self._reach.machine.look(max_age_s=0)).resident_bytes
        await asyncio.to_thread(_give_back)
        after = (await self._reach.machine.look(max_age_s=0)).resident_bytes
        return Done(
            ok=True, text=f"{case.subject}: {before / MIB:.0f} MiB before, {after / MIB:.0f} MiB after"
        )

    async def _check(self, case: Case) -> Done:
        findings = await self._reach.signals.check_store()
        found = "; ".join(findings[:10])[:1000]
        return Done(ok=True, text=found or f"{case.subject} is sound")

    # ------------------------------------------------------------------------------------------------- hooks

    async def _webhook(self, case: Case) -> Done:
        parameters = checked(case.runbook.action, case.runbook.parameters)
        channel, what = str(parameters["channel"]), str(parameters["what"])
        document: dict[str, Json] = {
            "type": "seawall.healing",
            "version": 1,
            "id": case.id,
            "what": what,
            "subject": case.subject,
            "runbook": case.runbook.name,
            "evidence": case.evidence,
        }
        await self._reach.ask(channel, case.id, document)
        return Done(ok=True, text=f"{channel} was asked to {what}")

    async def _command(self, case: Case) -> Done:
        parameters = checked(case.runbook.action, case.runbook.parameters)
        name, timeout_s = str(parameters["hook"]), _number(case, "timeout_s")
        command = self._reach.hooks.get(name)
        if command is None:
            raise PreconditionFailed(
                f"there is no hook {name!r}; start the control plane with --hook {name}=COMMAND"
            )
        process = await asyncio.create_subprocess_exec(
            *shlex.split(command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={
                **os.environ,
                "SEAWALL_CASE": case.id,
                "SEAWALL_RUNBOOK": case.runbook.name,
                "SEAWALL_SUBJECT": case.subject,
                "SEAWALL_EVIDENCE": case.evidence,
            },
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(timeout_s):
                said = await _output(process)
                code = await process.wait()
        except TimeoutError:
            return Done(ok=False, text=f"{name} did not end within {timeout_s:g} s and was killed")
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return Done(ok=code == 0, text=f"{name} ended with {code}: {said}".rstrip(": "))


def _number(case: Case, name: str) -> float:
    """Return a parameter that is a number."""
    value = checked(case.runbook.action, case.runbook.parameters)[name]
    assert isinstance(value, float)
    return value


async def _output(process: asyncio.subprocess.Process) -> str:
    """Return the beginning of what a process says, reading all of it so that it is not held up."""
    kept = b""
    assert process.stdout is not None
    while data := await process.stdout.read(4096):
        kept = (kept + data)[:MAX_OUTPUT]
    return kept.decode(errors="replace").strip()


def _give_back() -> None:
    gc.collect()
    # glibc keeps freed memory for itself unless it is asked; other C libraries have no such call.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _told(outcomes: list[CommandOutcome], what: str) -> Done:
    if not outcomes:
        return Done(ok=False, text="no proxy is connected")
    failed = [f"{o.proxy}: {o.message}" for o in outcomes if not o.ok]
    good = len(outcomes) - len(failed)
    text = f"{what} on {good} of {len(outcomes)} proxies"
    return Done(ok=good > 0, text=f"{text}; {'; '.join(failed[:5])}" if failed else text)
