"""One proxy's stream on our side: what waits to be sent, in bounded room.

A newer push takes the place of one that has not gone out; acknowledgements of one spool merge, since they are
cumulative; commands wait in a short line. So a proxy that does not read costs nothing but this.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Final, TypeAlias

from seawall.v1 import fleet_pb2
from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import Refusal
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.domain.subscription import Push, Subscription

MAX_COMMANDS: Final = 64
MAX_ACK_REFUSALS: Final = 1000


@dataclass(frozen=True, slots=True)
class SendPush:
    """A policy to apply."""

    push: Push
    body: bytes
    """A `PolicyPush` without its nonce, encoded: the same object for all proxies."""


@dataclass(frozen=True, slots=True)
class SendAck:
    """A cumulative acknowledgement."""

    spool_id: str
    through_seq: int
    refusals: tuple[Refusal, ...]
    send_from: int = 0


@dataclass(frozen=True, slots=True)
class SendCommand:
    """A command."""

    command: fleet_pb2.Command


Outgoing: TypeAlias = SendPush | SendAck | SendCommand


class Session:
    """An open stream of a proxy."""

    def __init__(self, record: ProxyRecord, subscription: Subscription, *, since_s: float) -> None:
        self.record = record
        self.subscription = subscription
        self.since_s = since_s
        self.ends_s = inf
        """When it is to end so that the proxy connects anew, in monotonic seconds."""
        self.is_retiring = False
        self.batches = 0
        """Batches of events that were read and are not stored yet."""
        self.remembered_s = since_s
        """When its record was last written for that alone."""
        self.says_goodbye = False
        """Whether this run of the proxy says so when it ends in order."""
        self.goodbye: str | None = None
        """Why the proxy ends, once it has said so."""
        self.waiting_commands: dict[str, asyncio.Future[fleet_pb2.CommandResult]] = {}
        self._push: SendPush | None = None
        self._acks: dict[str, SendAck] = {}
        self._commands: deque[SendCommand] = deque()
        self._something = asyncio.Event()
        self._finished = False
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        return f"<Session of {self.record.node}: {self.subscription!r}>"

    @property
    def is_closed(self) -> bool:
        """Whether it is we who ended it, or are about to."""
        return self._closed.done() or self.is_retiring

    @property
    def node(self) -> str:
        """Node name."""
        return self.record.node

    def send_push(self, push: Push, body: bytes) -> None:
        """Send a policy, instead of one that has not gone out yet."""
        self._push = SendPush(push, body)
        self._something.set()

    def send_ack(
        self, spool_id: str, through_seq: int, refusals: tuple[Refusal, ...], send_from: int = 0
    ) -> None:
        """Acknowledge a spool, together with an acknowledgement that has not gone out yet."""
        before = self._acks.get(spool_id)
        if before is not None:
            through_seq = max(through_seq, before.through_seq)
            refusals = (*before.refusals, *refusals)[-MAX_ACK_REFUSALS:]
            send_from = send_from or before.send_from
        self._acks[spool_id] = SendAck(spool_id, through_seq, refusals, send_from)
        self._something.set()

    def send_command(self, command: fleet_pb2.Command) -> bool:
        """Send a command; False when too many wait already."""
        if len(self._commands) >= MAX_COMMANDS:
            return False
        self._commands.append(SendCommand(command))
        self._something.set()
        return True

    def finish(self) -> None:
        """Send what waits, then end the stream without an error."""
        self._finished = True
        self._something.set()

    def retire(self) -> None:
        """End the stream without an error as soon as nothing is under way on it: no batch that is not
        acknowledged, no push and no command that is not answered. Call it again until it has ended.
        """
        self.is_retiring = True
        self._something.set()

    @property
    def _is_quiet(self) -> bool:
        return not (self.batches or self.subscription.is_waiting or self.waiting_commands)

    def close(self, error: ControlError) -> None:
        """End the stream now with an error."""
        if not self._closed.done():
            self._closed.set_exception(error)
            self._closed.exception()  # read, so that a stream that ends at the same moment leaves no warning

    async def closed(self) -> None:
        """Wait until the stream is to end, and raise why."""
        await asyncio.shield(self._closed)

    async def next(self) -> Outgoing | None:
        """Return what is to be sent next; None at the end."""
        while True:
            if self._push is not None:
                push, self._push = self._push, None
                return push
            if self._commands:
                return self._commands.popleft()
            if self._acks:
                return self._acks.pop(next(iter(self._acks)))
            if self._finished or (self.is_retiring and self._is_quiet):
                return None
            self._something.clear()
            await self._something.wait()
