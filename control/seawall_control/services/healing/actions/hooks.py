"""Actions that others do: commands of the operator, and systems that are asked by a signed message."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
from typing import Final

from seawall_control.domain.errors import PreconditionFailed
from seawall_control.domain.events import Json
from seawall_control.domain.healing.engine import Case
from seawall_control.services.healing.actions.base import AtOnce, Done, number, text

MAX_OUTPUT: Final = 2048
"""Bytes of a hook's output that are kept."""

POLL_S: Final = 0.02
"""Between two looks at a hook that says nothing any more; most end as they close their output."""


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
        told = {
            "SEAWALL_CASE": case.id,
            "SEAWALL_RUNBOOK": case.runbook.name,
            "SEAWALL_SUBJECT": case.subject,
            "SEAWALL_EVIDENCE": case.evidence,
        }
        try:
            async with asyncio.timeout(timeout_s):
                code, said = await run_command(self._words(case), {**os.environ, **told})
        except TimeoutError:
            return Done(ok=False, text=f"{name} did not end within {timeout_s:g} s and was killed")
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


async def run_command(words: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run a command to its end; return its exit code (negative: a signal) and the beginning of what it said.

    Whoever gives it up kills it, with all that it started in its process group. Raise `OSError` where it can
    not be started. The event loop does not start it: uvloop forks and runs Python in the child, which ended
    with SIGSEGV in one of twelve when threads of gRPC were at work, before the command had begun.
    """
    with subprocess.Popen(  # noqa: S603, ASYNC220 - the operator's own command; starting it takes a millisecond or two
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            said = await _output(process)
            while (code := process.poll()) is None:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(POLL_S)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    return code, said


async def _output(process: subprocess.Popen[bytes]) -> str:
    """Return the beginning of what a process says, reading all of it so that it is not held up."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    loop = asyncio.get_running_loop()
    kept = bytearray()
    ended = loop.create_future()

    def more() -> None:
        try:
            data = os.read(pipe, 4096)
        except BlockingIOError:
            return
        kept.extend(data[: MAX_OUTPUT - len(kept)])
        if not data and not ended.done():
            ended.set_result(None)

    loop.add_reader(pipe, more)
    try:
        await ended
    finally:
        loop.remove_reader(pipe)
    return kept.decode(errors="replace").strip()
