"""Actions that others do: commands of the operator, and systems that are asked by a signed message."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from typing import Final

from seawall_control.domain.errors import PreconditionFailed
from seawall_control.domain.events import Json
from seawall_control.domain.healing.engine import Case
from seawall_control.services.healing.actions.base import AtOnce, Done, number, text

MAX_OUTPUT: Final = 2048
"""Bytes of a hook's output that are kept."""


class RunCommand(AtOnce):
    """Runs a command that the control plane was started with."""

    def _words(self, case: Case) -> list[str]:
        name = text(case, "hook")
        command = self._reach.hooks.get(name)
        if command is None:
            raise PreconditionFailed(
                f"there is no hook {name!r}; start the control plane with --hook {name}=COMMAND"
            )
        return shlex.split(command)

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        words = self._words(case)
        return f"would run {shlex.join(words)[:300]} for {case.subject}"

    async def do(self, case: Case) -> Done:
        """See `Handler.do`."""
        name, timeout_s = text(case, "hook"), number(case, "timeout_s")
        process = await asyncio.create_subprocess_exec(
            *self._words(case),
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


class AskByWebhook(AtOnce):
    """Asks another system over an alert channel."""

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        channel = await self._reach.asker.channel(text(case, "channel"))
        return f"would ask {channel.name} to {text(case, 'what')} {case.subject}"

    async def do(self, case: Case) -> Done:
        """See `Handler.do`."""
        channel, what = text(case, "channel"), text(case, "what")
        document: dict[str, Json] = {
            "type": "seawall.healing",
            "version": 1,
            "id": case.id,
            "what": what,
            "subject": case.subject,
            "runbook": case.runbook.name,
            "evidence": case.evidence,
        }
        await self._reach.asker.ask(channel, case.id, document)
        return Done(ok=True, text=f"{channel} was asked to {what}")


async def _output(process: asyncio.subprocess.Process) -> str:
    """Return the beginning of what a process says, reading all of it so that it is not held up."""
    kept = b""
    assert process.stdout is not None
    while data := await process.stdout.read(4096):
        kept = (kept + data)[:MAX_OUTPUT]
    return kept.decode(errors="replace").strip()
