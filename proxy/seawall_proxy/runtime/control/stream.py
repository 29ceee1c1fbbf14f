"""One stream to the control plane, from its first message to its end: one task reads, one writes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from time import monotonic
from typing import Final, TypeAlias

import grpc
import grpc.aio

from seawall.v1 import fleet_pb2
from seawall_proxy.runtime.control.commands import Commands
from seawall_proxy.runtime.control.delivery import Delivery
from seawall_proxy.runtime.control.identity import LinkSecurity
from seawall_proxy.runtime.control.outbox import Outbox
from seawall_proxy.runtime.control.pushes import Pushes
from seawall_proxy.runtime.control.reports import Reports

log = logging.getLogger("seawall.control")

WRITE_LIMIT_S: Final = 30.0
MAX_MESSAGE_BYTES: Final = 16 << 20

_CHANNEL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    # A black hole is found within 40 s; pings without calls are not needed, since the stream is always there.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # gRPC has one ping under way at a time, and waits a minute for those that measure the bandwidth: the one
    # that asks whether anybody is there would not even be sent.
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # The link does its own retries and back-off; a pooled subchannel would add another one's.
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
    # The control plane is the proxy's own peer: never through a proxy of the environment.
    ("grpc.enable_http_proxy", 0),
)

# What a write raises when the stream is over; why it is over, the stream's status says.
_STREAM_ENDED: Final = (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError, TimeoutError)

Call: TypeAlias = "grpc.aio.StreamStreamCall[fleet_pb2.ConnectRequest, fleet_pb2.ConnectResponse]"


@asynccontextmanager
async def opened(target: str, security: LinkSecurity | None) -> AsyncIterator[grpc.aio.Channel]:
    """Give a channel to the control plane, which is closed at the end."""
    credentials = None if security is None else security.credentials()
    if security is None or credentials is None:
        channel = grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)
    else:
        options = (*_CHANNEL_OPTIONS, *security.options())
        channel = grpc.aio.secure_channel(target, credentials, options=options)
    try:
        yield channel
    finally:
        await channel.close()


class Stream:
    """What is heard goes to its room; what the rooms have to say is written, answers first, then statistics,
    then events.
    """

    def __init__(
        self, outbox: Outbox, pushes: Pushes, commands: Commands, reports: Reports, delivery: Delivery
    ) -> None:
        self._outbox: Outbox = outbox
        self._pushes: Pushes = pushes
        self._commands: Commands = commands
        self._reports: Reports = reports
        self._delivery: Delivery = delivery
        self.leaving: str | None = None
        """Why the process ends, once it does."""

    async def use(self, call: Call) -> None:
        """Read and write until the stream ends."""
        writer = asyncio.create_task(self._write(call))
        # A stream that cannot be written to is no stream: the reader is ended with it.
        writer.add_done_callback(lambda _: call.cancel())
        try:
            while isinstance(message := await call.read(), fleet_pb2.ConnectResponse):
                await self._receive(message)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # The stream was cancelled, not we: its status says why it ended.
        finally:
            writer.cancel()
            (failure,) = await asyncio.gather(writer, return_exceptions=True)
            if isinstance(failure, Exception) and not isinstance(failure, _STREAM_ENDED):
                log.error("writing to the control plane failed", exc_info=failure)

    async def _receive(self, message: fleet_pb2.ConnectResponse) -> None:
        kind = message.WhichOneof("kind")
        if kind == "policy":
            self._pushes.take(message.policy)
        elif kind == "event_ack":
            await self._delivery.acknowledged(message.event_ack)
        elif kind == "command":
            self._commands.take(message.command)

    async def _write(self, call: Call) -> None:
        wake = self._outbox.wake
        while True:
            wake.clear()
            message = await self._next_message()
            if message is not None:
                async with asyncio.timeout(WRITE_LIMIT_S):
                    await call.write(message)
                continue
            if self.leaving is not None:
                async with asyncio.timeout(WRITE_LIMIT_S):
                    goodbye = fleet_pb2.Goodbye(reason=self.leaving)
                    await call.write(fleet_pb2.ConnectRequest(goodbye=goodbye))
                    await call.done_writing()
                await asyncio.Event().wait()  # until the reader has seen the end
            deadline = min(self._reports.clock.next_deadline(), self._delivery.next_deadline())
            wait_s = deadline - monotonic()
            try:
                async with asyncio.timeout(None if wait_s == inf else max(wait_s, 0.0)):
                    await wake.wait()
            except TimeoutError:
                pass

    async def _next_message(self) -> fleet_pb2.ConnectRequest | None:
        message = self._outbox.take()
        if message is not None:
            return message
        if self.leaving is not None:
            return None
        now = monotonic()
        if self._reports.clock.take(now):
            return self._reports.quietly()
        return await self._delivery.next(now)
