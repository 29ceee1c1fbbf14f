"""Commands to proxies: sent on their stream, answered on it, or not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from seawall.v1 import fleet_pb2
from seawall_control.domain.errors import NotFound
from seawall_control.services.edge import Ids
from seawall_control.services.session import Session

COMMAND_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What a proxy made of a command."""

    proxy: str
    ok: bool
    message: str
    answered: bool = True
    """Whether the proxy said so; otherwise it may have done it or not."""


class Commands:
    """Sends commands and waits for what proxies make of them."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    async def send(self, session: Session, command: fleet_pb2.Command) -> CommandOutcome:
        """Send a command on a stream and return what the proxy made of it."""
        own = fleet_pb2.Command()
        own.CopyFrom(command)
        own.id = self._ids.new()
        answer: asyncio.Future[fleet_pb2.CommandResult] = asyncio.get_running_loop().create_future()
        if not session.send_command(own):
            return unanswered(session.node, "too many commands wait for this proxy")
        session.waiting_commands[own.id] = answer
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                result = await answer
            return CommandOutcome(session.node, ok=result.ok, message=result.message)
        except TimeoutError:
            return unanswered(session.node, f"no answer within {COMMAND_TIMEOUT_S:g} s")
        except NotFound as error:
            return unanswered(session.node, str(error))
        finally:
            session.waiting_commands.pop(own.id, None)

    def answered(self, session: Session, result: fleet_pb2.CommandResult) -> None:
        """Take a proxy's answer."""
        future = session.waiting_commands.get(result.id)
        if future is not None and not future.done():
            future.set_result(result)


def unanswered(node: str, why: str) -> CommandOutcome:
    """Return the outcome of a command that a proxy has said nothing about."""
    return CommandOutcome(node, ok=False, message=why, answered=False)
