"""Commands of operators, done one after the other; each has its answer on the stream that it came by."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from seawall.v1 import fleet_pb2
from seawall_proxy.runtime.control.outbox import Outbox
from seawall_proxy.runtime.control.reports import Reports

log = logging.getLogger("seawall.control")

MAX_COMMANDS: Final = 64

RunCommand: TypeAlias = Callable[[fleet_pb2.Command], Awaitable[tuple[bool, str]]]
"""Does what it is told; returns whether it was done, and why not."""


class Commands:
    """Takes commands, has them done, answers."""

    def __init__(self, outbox: Outbox, reports: Reports, command: RunCommand) -> None:
        self._outbox: Outbox = outbox
        self._reports: Reports = reports
        self._command: RunCommand = command
        self._waiting: deque[tuple[int, fleet_pb2.Command]] = deque()
        self._waits: asyncio.Event = asyncio.Event()

    def take(self, command: fleet_pb2.Command) -> None:
        """Have a command done when those before it are."""
        session = self._outbox.session
        if len(self._waiting) >= MAX_COMMANDS:
            self._answer(command.id, session, False, f"{MAX_COMMANDS} commands are waiting already")
            return
        self._waiting.append((session, command))
        self._waits.set()

    async def run(self) -> None:
        """Do what comes until cancelled."""
        while True:
            await self._waits.wait()
            self._waits.clear()
            while self._waiting:
                session, command = self._waiting.popleft()
                try:
                    ok, message = await self._command(command)
                except Exception as error:
                    log.exception("command %s failed", command.id)
                    ok, message = False, f"{type(error).__name__}: {error}"
                self._answer(command.id, session, ok, message)

    def _answer(self, command_id: str, session: int, ok: bool, message: str) -> None:
        result = fleet_pb2.CommandResult(id=command_id, ok=ok, message=message)
        answer = fleet_pb2.ConnectRequest(command_result=result)
        # The statistics first: whoever reads them after the answer sees what the command did.
        report = self._reports.quietly()
        self._outbox.answer(session, *(() if report is None else (report,)), answer)
