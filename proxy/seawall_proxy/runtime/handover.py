"""One generation of the proxy hands over to the next without a failed call.

On SIGUSR2 the running process (`Successor`) starts the same command again, with its listening sockets, its
admin socket and one end of a socketpair. The new process (`Predecessor`) starts from the file and the last
good policy as ever, serves on the same sockets, and says READY. From then on there is no way back: the old
one stops accepting, leaves the control link, writes out and closes its event spool, and says RELEASED; only
then does the new one open the spool and follow the control plane, so no two processes ever write there at
once. The old one drains as for a stop. What its calls still have to tell goes over the socketpair into the
new one's spool, acknowledged batch by batch. It says in whose page of what is recorded a batch is to be
settled (telemetry/spool/source_mark.py), so that it counts once whoever is killed.

If the new process ends, or is not ready in time, the old one serves on as if nothing had happened. If the old
one dies before it has said RELEASED, the end of the conversation says so too, and its lock on the spool is
gone with it. The order is nginx's binary upgrade; the sockets pass as with systemd.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from typing import Final

from seawall_proxy.runtime.channel import Channel
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.runtime.frames import Frame, Head, Kind, pack, unpack
from seawall_proxy.runtime.inherited import HANDOVER
from seawall_proxy.runtime.sockets import Place
from seawall_proxy.telemetry.spool import RING_FULL
from seawall_proxy.telemetry.spool.source_mark import SourceMark

log = logging.getLogger("seawall.handover")

READY_LIMIT_S: Final = 60.0
RELEASE_LIMIT_S: Final = 15.0
KEPT_LIMIT_S: Final = 5.0
"""How long the other process may take to write a batch of events."""


class Successor:
    """The new process, as the old one sees it."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel) -> None:
        self.pid: int = process.pid
        self._process: subprocess.Popen[bytes] = process
        self._channel: Channel = channel
        self._kept: asyncio.Queue[tuple[int, bool]] = asyncio.Queue()
        self._sent: int = 0
        self._reader: asyncio.Task[None] | None = None
        self._gone: bool = False

    @classmethod
    async def start(
        cls, places: list[Place], admin: tuple[str, socket.socket] | None, environ: dict[str, str]
    ) -> Successor:
        """Start the same command again; raises OSError when that fails."""
        ours, theirs = socket.socketpair()
        passed = {
            "places": [
                [place.wanted, [[sock.fileno() for sock in slot] for slot in place.slots]] for place in places
            ],
            "borrowed": [place.wanted for place in places if place.borrowed],
            "admin": [] if admin is None else [[admin[0], admin[1].fileno()]],
            "channel": [theirs.fileno()],
        }
        numbers = [sock.fileno() for place in places for slot in place.slots for sock in slot]
        numbers += [theirs.fileno()] + ([] if admin is None else [admin[1].fileno()])
        try:
            process = _same_again({**environ, HANDOVER: json.dumps(passed)}, numbers)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        try:
            channel = await Channel.open(ours)
        except BaseException:
            # It would take the end of the conversation for ours.
            process.kill()
            ours.close()
            raise
        return cls(process, channel)

    async def ready(self) -> bool:
        """Wait until it serves; False, and it is gone, when it does not."""
        try:
            async with asyncio.timeout(READY_LIMIT_S):
                while (frame := await self._channel.receive()) is not None:
                    if frame.kind == Kind.READY:
                        self._reader = asyncio.create_task(self._read())
                        return True
        except TimeoutError:
            log.error("the new process is not ready after %g s and is ended", READY_LIMIT_S)  # noqa: TRY400
        except asyncio.CancelledError:
            # This process is told to stop: nobody has asked for another one that stays.
            self._process.kill()
            self._channel.close()
            raise
        self._process.kill()
        await asyncio.to_thread(self._process.wait)
        self._channel.close()
        return False

    def released(self) -> None:
        """Say that the spool is closed and the control link left."""
        self._channel.send(Frame(Kind.RELEASED, {}))

    async def keep(self, payloads: list[bytes], dropped: int, reason: str, source: str) -> bool:
        """Have events spooled there, and others declared lost for a reason; returns once they are, and
        whether they were settled in the page of that name, which an earlier version leaves to us. Raises
        ConnectionError when nobody says that they are kept.
        """
        self._sent += 1
        head: Head = {"seq": self._sent, "dropped": dropped, "reason": reason, "source": source}
        self._channel.send(Frame(Kind.EVENTS, head, pack(payloads)))
        seq, settled = 0, False
        try:
            async with asyncio.timeout(KEPT_LIMIT_S):
                while not self._gone and seq < self._sent:
                    seq, settled = await self._kept.get()
        except TimeoutError:
            self._gone = True
        if self._gone:
            raise ConnectionError("the process that has taken over does not take events")
        return settled

    async def _read(self) -> None:
        while (frame := await self._channel.receive()) is not None:
            if frame.kind == Kind.EVENTS_KEPT:
                self._kept.put_nowait((frame.number("seq"), bool(frame.number("settled"))))
        self._gone = True
        self._kept.put_nowait((self._sent, False))

    async def close(self) -> None:
        """End the conversation; the process lives on."""
        await self._channel.flush()
        self._channel.close()
        if self._reader is not None:
            self._reader.cancel()
        # It is not ours to wait for: whoever adopts orphans does.
        self._process.returncode = 0


def _same_again(environ: dict[str, str], descriptors: list[int]) -> subprocess.Popen[bytes]:
    command = [sys.executable, *sys.orig_argv[1:]]
    return subprocess.Popen(command, env=environ, pass_fds=descriptors)  # noqa: S603 - our own command line


class Predecessor:
    """The old process, as the new one sees it."""

    def __init__(self, channel: Channel, pump: EventPump) -> None:
        self._channel: Channel = channel
        self._pump: EventPump = pump
        self._released: asyncio.Event = asyncio.Event()
        self._sources: dict[str, SourceMark] = {}
        """Pages of its processes, by name."""

    @classmethod
    async def meet(cls, sock: socket.socket, pump: EventPump) -> Predecessor:
        """Speak with it; the spool stays closed meanwhile."""
        pump.hold()
        return cls(await Channel.open(sock), pump)

    def say_ready(self) -> None:
        """Say that we serve."""
        self._channel.send(Frame(Kind.READY, {"pid": os.getpid()}))

    async def released(self) -> None:
        """Wait until the spool is ours."""
        try:
            async with asyncio.timeout(RELEASE_LIMIT_S):
                await self._released.wait()
        except TimeoutError:
            log.warning("the process before this one does not let go; its lock on the spool decides")
            self._pump.take_over()

    async def run(self) -> None:
        """Listen until it is gone."""
        try:
            while (frame := await self._channel.receive()) is not None:
                if frame.kind == Kind.RELEASED:
                    self._let_go()
                elif frame.kind == Kind.EVENTS:
                    await self._keep(frame)
        finally:
            for source in self._sources.values():
                source.close()
        self._let_go()
        self._pump.alone()
        self._channel.close()
        log.info("the process before this one has ended")

    async def _keep(self, frame: Frame) -> None:
        source = self._source(frame.text("source"))
        reason = frame.text("reason") or RING_FULL
        await self._pump.submit(unpack(frame.body), frame.number("dropped"), reason, source)
        head: Head = {"seq": frame.number("seq"), "settled": int(source is not None)}
        self._channel.send(Frame(Kind.EVENTS_KEPT, head))

    def _source(self, name: str) -> SourceMark | None:
        """Return a page by its name; None when it cannot be had, and is the other's to settle in."""
        directory = self._pump.directory
        if name and directory is not None and name not in self._sources:
            try:
                self._sources[name] = SourceMark.named(directory, name)
            except OSError as error:
                log.warning("what the process before this one had may count twice: %s", error)
        return self._sources.get(name)

    def _let_go(self) -> None:
        if not self._released.is_set():
            self._released.set()
            self._pump.take_over()
