"""One worker as its parent sees it: the process, the conversation, and what it last said about itself."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
from collections.abc import Awaitable, Callable
from typing import Final

from seawall.v1 import fleet_pb2
from seawall_proxy.runtime.channel import Channel
from seawall_proxy.runtime.frames import Frame, Head, Kind
from seawall_proxy.telemetry.spool.source_mark import SourceMark

log = logging.getLogger("seawall.workers")

HELLO_LIMIT_S: Final = 30.0
END_LIMIT_S: Final = 5.0
CHANNEL_VARIABLE: Final = "SEAWALL_WORKER_CHANNEL"

GONE: Final = "the worker process ended before it answered"


class WorkerHandle:
    """A running worker process. `hear(handle, frame)` gets what it says by itself, `lost(handle)` is called
    once when it is gone.
    """

    def __init__(
        self,
        number: int,
        process: subprocess.Popen[bytes],
        channel: Channel,
        mark: SourceMark,
        hear: Hear,
        lost: Lost,
    ) -> None:
        self.number: int = number
        self.pid: int = process.pid
        self.process: subprocess.Popen[bytes] = process
        self.channel: Channel = channel
        self.alive: bool = True
        self.fit: bool = False
        """It has the policy in force."""
        self.ready: bool = False
        """It accepts calls."""
        self.calls: int = 0
        self.waiting: int = 0
        """Records that wait there to become events."""
        self.stats: fleet_pb2.StatsReport = fleet_pb2.StatsReport()
        self.metrics: str = ""
        """Its part of the last scrape."""
        self.mark: SourceMark = mark
        """How many events it has recorded, and how many of them are settled, whatever becomes of it."""
        self.received: int = 0
        """Events of it that have come here, those that its ring dropped included."""
        self._hear: Hear = hear
        self._lost: Lost = lost
        self._hello: asyncio.Event = asyncio.Event()
        self._ids: int = 0
        self._answers: dict[int, asyncio.Future[Frame]] = {}
        self._reader: asyncio.Task[None] = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def spawn(
        cls,
        command: list[str],
        number: int,
        descriptors: list[int],
        start: Frame,
        mark: SourceMark,
        hear: Hear,
        lost: Lost,
    ) -> WorkerHandle:
        """Start `command` as a worker that has inherited `descriptors` and its mark; raises OSError when no
        process can be had.
        """
        ours, theirs = socket.socketpair()
        try:
            process = _start(command, theirs.fileno(), [mark.fileno(), *descriptors])
        except OSError:
            ours.close()
            mark.remove()
            raise
        finally:
            theirs.close()
        made = cls(number, process, await Channel.open(ours), mark, hear, lost)
        made.channel.send(Frame(start.kind, {**start.head, "mark": mark.fileno()}, start.body))
        return made

    async def hello(self) -> bool:
        """Wait until it works; False when it ends or takes too long, after which it is gone."""
        try:
            async with asyncio.timeout(HELLO_LIMIT_S):
                await self._hello.wait()
        except TimeoutError:
            log.error("worker %d did not start within %g s", self.number, HELLO_LIMIT_S)  # noqa: TRY400
            self.kill()
        return self.alive

    async def ask(self, kind: Kind, head: Head, body: bytes = b"", limit_s: float = 10.0) -> Frame:
        """Send a frame and return its answer. Raises ConnectionError when the worker is gone, TimeoutError
        when it does not answer.
        """
        if not self.alive:
            raise ConnectionError(GONE)
        self._ids += 1
        number = self._ids
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        self.channel.send(Frame(kind, {**head, "id": number}, body))
        try:
            async with asyncio.timeout(limit_s):
                return await future
        finally:
            self._answers.pop(number, None)

    def say(self, kind: Kind, head: Head, body: bytes = b"") -> None:
        """Send a frame that has no answer."""
        self.channel.send(Frame(kind, head, body))

    def kill(self) -> None:
        """End it at once."""
        if self.process.poll() is None:
            self.process.kill()

    async def _read(self) -> None:
        while (frame := await self.channel.receive()) is not None:
            if frame.kind == Kind.ANSWER:
                future = self._answers.get(frame.number("id"))
                if future is not None and not future.done():
                    future.set_result(frame)
                continue
            if frame.kind == Kind.HELLO:
                self._hello.set()
            try:
                await self._hear(self, frame)
            except Exception:
                log.exception("what worker %d says cannot be followed", self.number)
        await self._end()

    async def _end(self) -> None:
        try:
            await asyncio.to_thread(self.process.wait, END_LIMIT_S)
        except subprocess.TimeoutExpired:
            # It has ended the conversation and not itself.
            self.process.kill()
            await asyncio.to_thread(self.process.wait)
        self.alive = False
        self.fit = False
        self.ready = False
        self._hello.set()
        for future in self._answers.values():
            if not future.done():
                future.set_exception(ConnectionError(GONE))
        self.channel.close()
        self._lost(self)

    async def ended(self) -> None:
        """Wait until it is gone and its end was told."""
        await asyncio.shield(self._reader)

    def how(self) -> str:
        """Return how it ended."""
        code = self.process.returncode
        if code is None:
            return "is running"
        return f"was killed by signal {-code}" if code < 0 else f"ended with {code}"


Hear = Callable[[WorkerHandle, Frame], Awaitable[None]]
Lost = Callable[[WorkerHandle], None]


def _start(command: list[str], channel: int, descriptors: list[int]) -> subprocess.Popen[bytes]:
    environ = {**os.environ, CHANNEL_VARIABLE: str(channel)}
    # What the service manager is told is the parent's to tell.
    environ.pop("NOTIFY_SOCKET", None)
    return subprocess.Popen(command, env=environ, pass_fds=[channel, *descriptors])  # noqa: S603
