"""A worker process: the data path, told what to do over a socketpair by the process that started it.

It opens no file of the proxy's and follows nobody else: policies, slots to accept from, commands and what its
siblings' breakers did come as frames, and its events, numbers and answers go back as frames. Signals are the
parent's business: SIGTERM and SIGINT are ignored here, since a terminal sends them to the whole group. When
the parent is gone, which the end of the conversation says, it drains and ends: no worker outlives its proxy
by more than the drain limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import secrets
import signal
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from seawall.v1 import fleet_pb2, policy_pb2
from seawall_policy.breaker import Breaker
from seawall_proxy.runtime.breaker_images import image_of, restore_images
from seawall_proxy.runtime.channel import Channel
from seawall_proxy.runtime.data_plane import Bootstrap
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.runtime.frames import Frame, Head, Kind, pack
from seawall_proxy.runtime.planes import make_data_plane
from seawall_proxy.runtime.policy_holder import Prepared
from seawall_proxy.runtime.workers.answers import page_of
from seawall_proxy.runtime.workers.siblings import Siblings
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.telemetry.spool.source_mark import SourceMark

log = logging.getLogger("seawall.worker")

PULSE_S: Final = 1.0
KEEP_LIMIT_S: Final = 30.0
"""How long the parent may take to keep a batch of events before the next one is sent regardless."""


class Child:
    """One worker process."""

    def __init__(self, channel: Channel, start: Frame, loop: asyncio.AbstractEventLoop) -> None:
        self.number: int = start.number("worker")
        self.channel: Channel = channel
        self.counters: ProxyCounters = ProxyCounters()
        self.recorder: EventRecorder = EventRecorder(self.counters)
        mark = SourceMark.inherited(start.number("mark"))
        self.recorder.tell(lambda _: mark.record(self.counters.events_produced))
        cache = start.text("descriptor_cache")
        bootstrap = Bootstrap(
            document=policy_pb2.PolicyDocument.FromString(start.body),
            folder=Path(start.text("folder")),
            descriptor_cache=Path(cache) if cache else None,
            node=start.text("node"),
            worker=self.number,
            workers=start.number("workers"),
        )
        dice = random.Random(secrets.randbits(64))
        self.data, self._tracer = make_data_plane(loop, dice, self.recorder, self.counters, bootstrap)
        self.data.make_listeners()
        self.siblings: Siblings = Siblings(self.data.worker, self.number, channel.send)
        self.data.worker.on_keep = self._keep
        self.siblings.watch(self.data.clusters)
        self.pump: EventPump = EventPump(self.recorder, self.counters, bootstrap.node, os.urandom)
        self.pump.relay = self._send_events
        self._sockets: dict[tuple[int, int], list[socket.socket]] = _sockets(start.head.get("sockets"))
        self._prepared: dict[int, Prepared] = {}
        self._sent: int = 0
        self._kept: int = 0
        self._wake: asyncio.Event = asyncio.Event()
        self._hurry: asyncio.Event = asyncio.Event()
        self._over: asyncio.Event = asyncio.Event()
        self._grace_s: float = start.seconds("drain_grace")
        self._limit_s: float = start.seconds("drain_limit")
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining: bool = False
        self._alone: bool = False
        """The parent is gone."""

    async def run(self) -> None:
        """Work until told to stop, or until the parent is gone."""
        self.spawn(self.data.run())
        self.spawn(self.pump.run())
        self.spawn(self._pulse())
        self.spawn(self._listen())
        gc.collect()
        gc.freeze()
        self.channel.send(Frame(Kind.HELLO, {"pid": os.getpid(), "worker": self.number}))
        await self._over.wait()
        await self.pump.drain()
        self.send_pulse()
        await self.channel.flush()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._tracer.shutdown)
        await self.data.close()
        self.channel.close()

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Have something done beside."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of worker %d has failed", self.number, exc_info=task.exception())

    # what the parent says

    async def _listen(self) -> None:
        while (frame := await self.channel.receive()) is not None:
            try:
                self._take(frame)
            except (DecodeError, KeyError, TypeError, ValueError) as error:
                log.exception("worker %d cannot do what it is told", self.number)
                self.answer(frame, [f"{type(error).__name__}: {error}"])
        self._alone = True
        self._wake.set()
        if not self._draining:
            log.warning("worker %d: the proxy that it belongs to is gone, draining", self.number)
            await self._drain(self._grace_s, self._limit_s)

    def _take(self, frame: Frame) -> None:
        kind = frame.kind
        if kind == Kind.PREPARE:
            self.spawn(self._answered(frame, self._prepare(frame)))
        elif kind == Kind.COMMIT:
            self.spawn(self._answered(frame, self._commit(frame)))
        elif kind == Kind.ABORT:
            self._prepared.pop(frame.number("policy"), None)
        elif kind == Kind.SERVE:
            self.spawn(self._answered(frame, self._serve(frame)))
        elif kind == Kind.COMMAND:
            self.spawn(self._answered(frame, self._command(frame)))
        elif kind == Kind.ASK:
            self.spawn(self._page(frame))
        elif kind == Kind.BREAKER:
            self.siblings.follow(frame)
        elif kind == Kind.RESTORE:
            images = frame.head["images"]
            assert isinstance(images, list)
            restore_images(self.data.worker, [image for image in images if isinstance(image, dict)])
        elif kind == Kind.EJECTION:
            self.siblings.follow_ejection(frame)
        elif kind == Kind.EVENTS_KEPT:
            self._kept = frame.number("seq")
            self._wake.set()
        elif kind == Kind.DRAIN:
            self.spawn(self._drain(frame.seconds("grace"), frame.seconds("limit")))
        elif kind == Kind.HURRY:
            self._hurry.set()

    async def _answered(self, frame: Frame, work: Coroutine[None, None, None]) -> None:
        """Do what a frame asks for; should that fail the parent hears of it, and does not wait in vain."""
        try:
            await work
        except Exception as error:
            log.exception("worker %d cannot do what it is told", self.number)
            self.answer(frame, [f"{type(error).__name__}: {error}"])

    def answer(self, frame: Frame, reasons: list[str], body: bytes = b"") -> None:
        """Answer a frame that has an id; no reasons means done."""
        head: Head = {"id": frame.number("id"), "reasons": list(reasons)}
        self.channel.send(Frame(Kind.ANSWER, head, body))

    async def _prepare(self, frame: Frame) -> None:
        document = policy_pb2.PolicyDocument.FromString(frame.body)
        try:
            prepared = await self.data.holder.prepare(
                document,
                revision=frame.number("revision"),
                source=frame.text("source"),
                patient=bool(frame.number("patient")),
            )
        except Exception as error:
            log.exception("worker %d cannot compile a policy", self.number)
            self.answer(frame, [f"compiling it failed: {type(error).__name__}: {error}"])
            return
        if isinstance(prepared, list):
            self.answer(frame, prepared)
            return
        self._prepared[frame.number("policy")] = prepared
        self.answer(frame, [])

    async def _commit(self, frame: Frame) -> None:
        prepared = self._prepared.pop(frame.number("policy"))
        self._prepared.clear()
        try:
            await self.data.holder.install(prepared)
        except Exception as error:
            log.exception("worker %d cannot put a policy in force", self.number)
            self.answer(frame, [f"putting it in force failed: {type(error).__name__}: {error}"])
            return
        self.answer(frame, [])

    async def _serve(self, frame: Frame) -> None:
        slots = frame.head["slots"]
        assert isinstance(slots, list)
        wanted: dict[tuple[int, int], list[socket.socket]] = {}
        for pair in slots:
            assert isinstance(pair, list)
            place, slot = pair
            assert isinstance(place, int)
            assert isinstance(slot, int)
            wanted[place, slot] = self._sockets[place, slot]
        self.data.monitor.prime()
        try:
            await self.data.door.set_sockets(wanted)
        except OSError as error:
            self.answer(frame, [f"cannot listen: {error.strerror or error}"])
            return
        self.answer(frame, [])

    async def _command(self, frame: Frame) -> None:
        self.siblings.speaks = bool(frame.number("speaks"))
        try:
            done, why = await self.data.command(fleet_pb2.Command.FromString(frame.body))
        finally:
            self.siblings.speaks = True
        self.answer(frame, [] if done else [why], self.data.stats().SerializeToString())

    async def _page(self, frame: Frame) -> None:
        try:
            body = await page_of(self.data, frame.text("page"))
        except Exception as error:
            log.exception("worker %d cannot make a page", self.number)
            self.answer(frame, [f"{type(error).__name__}: {error}"])
            return
        self.answer(frame, [], body)

    async def _drain(self, grace_s: float, limit_s: float) -> None:
        if self._draining:
            return
        self._draining = True
        # Else the kernel would go on taking connections for us that nobody accepts.
        for sockets in self._sockets.values():
            for sock in sockets:
                sock.close()
        await self.data.drain(grace_s, limit_s, self._hurry)
        self._over.set()

    # what it says by itself

    async def _send_events(self, payloads: list[bytes], dropped: int, reason: str, _: str) -> bool:
        """Hand events on, which settles them; one batch is on its way at a time, so that the ring is what
        overflows.
        """
        if self._alone:
            raise ConnectionError("the proxy that this worker belongs to is gone")
        self._sent += 1
        head: Head = {"seq": self._sent, "dropped": dropped, "reason": reason}
        self.channel.send(Frame(Kind.EVENTS, head, pack(payloads)))
        # When the parent is slow or gone the bound is that of the channel.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KEEP_LIMIT_S):
                while self._kept < self._sent and not self._alone:
                    self._wake.clear()
                    await self._wake.wait()
        return True

    def _keep(self, breaker: Breaker) -> None:
        image = image_of(breaker, self.data.worker.context.now)
        self.channel.send(Frame(Kind.KEEP, {"key": breaker.key, "image": image}))

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(PULSE_S)
            self.send_pulse()

    def send_pulse(self) -> None:
        """Say what the parent shows and passes on."""
        head: Head = {
            "calls": self.data.calls(),
            "waiting": len(self.recorder),
        }
        self.channel.send(Frame(Kind.PULSE, head, self.data.stats().SerializeToString()))


def _sockets(said: object) -> dict[tuple[int, int], list[socket.socket]]:
    """Return the inherited sockets by place and slot."""
    found: dict[tuple[int, int], list[socket.socket]] = {}
    assert isinstance(said, list)
    for place, slot, numbers in said:
        made = []
        for number in numbers:
            os.set_inheritable(number, False)
            sock = socket.socket(fileno=number)
            sock.setblocking(False)
            made.append(sock)
        found[place, slot] = made
    return found


async def work(sock: socket.socket) -> None:
    """Be a worker, told what to do over `sock`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2):
        loop.add_signal_handler(number, lambda: None)
    channel = await Channel.open(sock)
    start = await channel.receive()
    if start is None or start.kind != Kind.START:
        return
    await Child(channel, start, loop).run()
