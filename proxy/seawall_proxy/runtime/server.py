"""The front of a proxy: what exists once, however many workers carry the calls.

Start: read the policy file (it has to be valid), bind or inherit the listening sockets, put the last good
revision or the file's policy in force, accept, say that it is ready. Then follow the control plane or the
file. Stop: stop accepting, tell clients to go elsewhere in two steps, let calls in flight end, cut off what
is left at the limit, ship what is recorded, leave. SIGUSR2 does the same after another process has taken over
(handover.py).
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import random
import signal
import socket
import sys
import uuid
from collections.abc import Coroutine
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Final

from seawall_policy.compile.listeners import listener_specs
from seawall_policy.compile.process import worker_count
from seawall_policy.transport import unix_path
from seawall_proxy.config import LintReport
from seawall_proxy.runtime.admin_http import AdminHttp
from seawall_proxy.runtime.admin_tls import AdminTls, admin_tls
from seawall_proxy.runtime.breaker_file import BreakerKeeper
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.runtime.following import FollowedFile, read_at_start
from seawall_proxy.runtime.handover import Predecessor, Successor
from seawall_proxy.runtime.inherited import Inherited
from seawall_proxy.runtime.last_good import LastGood
from seawall_proxy.runtime.notify import notify
from seawall_proxy.runtime.pages import make_pages
from seawall_proxy.runtime.places import StartFailed, node_named, place_to_listen
from seawall_proxy.runtime.plane import Plane
from seawall_proxy.runtime.planes import cores, make_plane
from seawall_proxy.runtime.policy_holder import FROM_FILE, FROM_LAST_GOOD
from seawall_proxy.runtime.settings import DEFAULT_ADMIN_ADDRESS, ProxySettings
from seawall_proxy.runtime.sockets import Place, bind, bind_one
from seawall_proxy.runtime.tls import TlsMistake
from seawall_proxy.runtime.unix_sockets import file_identity, unlink_unix
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.recorder import EventRecorder

__all__ = ["EXIT_FAILED", "EXIT_OK", "ProxyServer", "StartFailed", "place_to_listen"]

if TYPE_CHECKING:
    from seawall_proxy.runtime.control.link import ControlLink

log = logging.getLogger("seawall.proxy")

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1

_GC_THRESHOLDS: Final = (50_000, 20, 50)


class ProxyServer:
    """Everything of one proxy."""

    def __init__(
        self,
        settings: ProxySettings,
        loop: asyncio.AbstractEventLoop,
        seed: int,
        inherited: Inherited | None = None,
    ) -> None:
        self.settings: ProxySettings = settings
        self.loop: asyncio.AbstractEventLoop = loop
        self.boot_id: str = uuid.uuid4().hex
        self.started_at: float = time()
        self.counters: ProxyCounters = ProxyCounters()
        self.recorder: EventRecorder = EventRecorder(self.counters)
        self.dice: random.Random = random.Random(seed)
        self.report: LintReport = read_at_start(settings.config_path)
        bootstrap = self.report.document
        if settings.listen is not None and bootstrap.listeners:
            bootstrap.listeners[0].address = settings.listen
        elif settings.listen is not None:
            bootstrap.listeners.add(name="main", address=settings.listen)
        self.node: str = node_named(settings.node or bootstrap.control.node, socket.gethostname())
        target = bootstrap.control.target if settings.control_target is None else settings.control_target
        self.control_target: str = target
        self.state_dir: Path = settings.data_dir / "proxies" / self.node
        self.workers: int = self._count_workers()
        self.pump: EventPump = EventPump(
            self.recorder,
            self.counters,
            self.node,
            os.urandom,
            self.state_dir / "spool" if self.control_target else None,
        )
        self.plane: Plane = make_plane(self)
        self.breakers: BreakerKeeper = BreakerKeeper(self.state_dir)
        self.plane.keep_breakers(self.breakers)
        self.places: list[Place] = []
        folder = settings.config_path.parent
        try:
            self.admin_tls: AdminTls | None = admin_tls(bootstrap.admin, folder)
        except TlsMistake as mistake:
            raise StartFailed(f"admin.tls: {mistake}") from mistake
        self.admin: AdminHttp = AdminHttp(
            make_pages(self),
            folder / bootstrap.admin.token_file if bootstrap.admin.token_file else None,
            None if self.admin_tls is None else self.admin_tls.context,
        )
        self.last_good: LastGood = LastGood(self.state_dir)
        self.link: ControlLink | None = _make_link(self) if self.control_target else None
        self.file: FollowedFile = FollowedFile(
            settings.config_path,
            self.report,
            self.plane,
            self.counters,
            self.recorder.system,
            decides=not self.control_target,
        )
        self.draining: bool = False
        self.parked_until: float = 0.0
        """Until when a person has taken the proxy out of service, in monotonic seconds."""
        self.stop: asyncio.Event = asyncio.Event()
        self.hurry: asyncio.Event = asyncio.Event()
        self.stop_reason: str = ""
        """Why it stops: the signal's name, or `handover`; the control plane is told."""
        self._inherited: Inherited = Inherited() if inherited is None else inherited
        self._admin_wanted: str = ""
        self._admin_socket: socket.socket | None = None
        self._admin_file: tuple[int, int] = (0, 0)
        self._successor: Successor | None = None
        self._handing_over: asyncio.Task[None] | None = None
        self._link_task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def addresses(self) -> list[str]:
        """Where calls are accepted."""
        return [place.address for place in self.places]

    def uptime_s(self) -> float:
        """Return for how long the process has been running."""
        return time() - self.started_at

    def _count_workers(self) -> int:
        wanted = self.settings.workers
        try:
            return worker_count(self.report.document.workers if wanted is None else wanted, cores())
        except ValueError as error:
            raise StartFailed(f"--workers {error}") from error

    # start

    async def run(self) -> int:
        """Serve until told to stop; return the exit code."""
        try:
            await self._start()
        except BaseException:
            await self.plane.close()
            for place in self.places:
                place.close(handed_on=self._inherited.channel is not None)
            raise
        self._announce()
        await self.stop.wait()
        return await self._shut_down()

    async def _start(self) -> None:
        for number in (signal.SIGHUP, signal.SIGUSR2):
            # Else one that comes this early would end the process.
            self.loop.add_signal_handler(number, log.warning, "signal %d is ignored during the start", number)
        self._bind()
        predecessor = await self._meet_predecessor()
        await self.plane.start(self.places)
        await self._boot_policy()
        self.plane.restore_breakers(await self.breakers.load())
        await self.plane.serve()
        await self._open_admin()
        for address in self._inherited.close_rest():
            log.warning("%s was handed on and no listener has that address any more; it is closed", address)
        self._install_signals()
        if predecessor is not None:
            predecessor.say_ready()
            await predecessor.released()
        self._start_background()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)

    def _bind(self) -> None:
        specs = listener_specs(self.report.document)
        if not specs:
            raise StartFailed(
                f"{self.settings.config_path}: no listeners; "
                "add `listeners: [{name: main, address: 127.0.0.1:8080}]`"
            )
        for spec in specs:
            place = self._inherited.place(spec.name, spec.address)
            self.places.append(place or bind(spec.address, self.workers, spec.socket_mode))

    async def _meet_predecessor(self) -> Predecessor | None:
        channel = self._inherited.channel
        if channel is None:
            return None
        predecessor = await Predecessor.meet(channel, self.pump)
        self._spawn(predecessor.run())
        return predecessor

    async def _boot_policy(self) -> None:
        if self.control_target and await self._boot_last_good():
            return
        refused = await self.plane.apply(self.report.document, revision=0, source=FROM_FILE, patient=True)
        if refused:
            raise StartFailed("\n".join(refused))

    async def _boot_last_good(self) -> bool:
        found = await asyncio.to_thread(self.last_good.load)
        for problem in found.problems:
            log.error("last good policy: %s", problem)
        saved = found.policy
        if saved is None:
            return False
        revision = saved.revision
        refused = await self.plane.apply(
            saved.document, revision=revision, source=FROM_LAST_GOOD, patient=True
        )
        if refused:
            log.error(
                "the last good revision %d does not compile any more, starting from the file: %s",
                revision,
                refused[0],
            )
        else:
            log.info("starting from the last good revision %d", revision)
        return not refused

    async def _open_admin(self) -> None:
        address = self.settings.admin_address or self.report.document.admin.address or DEFAULT_ADMIN_ADDRESS
        self._admin_wanted = address
        try:
            self._admin_socket = self._inherited.admin(address) or bind_one(address)
            self._admin_file = file_identity(unix_path(address))
            await self.admin.start_on(self._admin_socket.dup())
        except OSError as error:
            raise StartFailed(
                f"cannot listen on {address} for admin HTTP: {error.strerror or error}; "
                "choose another with --admin or `admin:`"
            ) from error

    def _start_background(self) -> None:
        self._spawn(self.plane.run())
        self._spawn(self.pump.run())
        self._spawn(self.breakers.run())
        self._spawn(self.file.run(lambda why: self._spawn(self.file.reload(why))))
        if self.admin_tls is not None:
            self._spawn(self.admin_tls.run())
        if self.link is not None:
            self._link_task = self.loop.create_task(self.link.run())
            self._track(self._link_task)

    def _install_signals(self) -> None:
        def stop(number: signal.Signals) -> None:
            if self.stop.is_set():
                self.hurry.set()
            self.stop_reason = self.stop_reason or number.name
            self.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, stop, number)
        self.loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self.file.reload("SIGHUP")))
        self.loop.add_signal_handler(signal.SIGUSR2, lambda: self._spawn(self._hand_over()))

    def _announce(self) -> None:
        admin = self.admin.address
        where = ", ".join(self.addresses)
        role = f"following {self.control_target} as {self.node}" if self.control_target else "stand-alone"
        workers = f", {self.workers} workers" if self.workers > 1 else ""
        say = f"seawall proxy ready: calls on {where}, admin on http://{admin}, {role}{workers}"
        notify(f"MAINPID={os.getpid()}", "READY=1", f"STATUS={say}")
        if self.settings.log_format == "json":
            line = {
                "event": "ready",
                "listen": self.addresses,
                "admin": admin,
                "node": self.node,
                "pid": os.getpid(),
                "workers": self.workers,
            }
            say = json.dumps(line)
        sys.stderr.write(f"{say}\n")
        sys.stderr.flush()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self._track(self.loop.create_task(work))

    def _track(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a background task has failed", exc_info=task.exception())

    # stop

    async def _hand_over(self) -> None:
        """Start a process that takes over, and stop once it has; serve on if it does not."""
        if self._handing_over is not None or self.stop.is_set():
            log.warning("SIGUSR2: another process is about to take over already")
            return
        self._handing_over = asyncio.current_task()
        try:
            await self._start_successor()
        finally:
            self._handing_over = None

    async def _start_successor(self) -> None:
        await self.breakers.flush()  # it goes on from there
        admin = None if self._admin_socket is None else (self._admin_wanted, self._admin_socket)
        try:
            successor = await Successor.start(self.places, admin, dict(os.environ))
        except OSError as error:
            log.error("SIGUSR2: a new process cannot be started, this one serves on: %s", error)  # noqa: TRY400
            return
        log.info("SIGUSR2: process %d is to take over", successor.pid)
        if not await successor.ready():
            log.error("SIGUSR2: the new process did not start, this one serves on")
            return
        log.info("process %d has taken over", successor.pid)
        self._successor = successor
        self.breakers.release()
        notify(f"MAINPID={successor.pid}")
        self.stop.set()

    async def _shut_down(self) -> int:
        log.info("stopping: draining %d calls", self.plane.calls())
        self.draining = True
        if self._handing_over is not None and self._successor is None:
            self._handing_over.cancel()
            await asyncio.gather(self._handing_over, return_exceptions=True)
        successor = self._successor
        if successor is None:
            notify("STOPPING=1")
        else:
            await self._release(successor)
        self.plane.stop_accepting()
        for place in self.places:
            place.close(handed_on=successor is not None)
        await self.plane.drain(self.settings.drain_grace_s, self.settings.drain_limit_s, self.hurry)
        await self._stop_background()
        if successor is not None:
            await successor.close()
        log.info("stopped")
        return EXIT_OK

    async def _release(self, successor: Successor) -> None:
        """Stop being the one that follows the control plane, keeps events and answers on the admin port."""
        self.plane.stop_accepting()
        if self.link is not None and self._link_task is not None:
            await self.link.flush()
            await self.link.goodbye("handover")
            self._link_task.cancel()
            await asyncio.gather(self._link_task, return_exceptions=True)
        await self.pump.release()
        self.pump.relay = successor.keep
        successor.released()
        if self._admin_socket is not None:
            self._admin_socket.close()
        await self.admin.stop()

    async def _stop_background(self) -> None:
        """Ship what is recorded, if the control plane listens; the rest stays in the spool."""
        await self.pump.drain()
        await self.breakers.flush()
        if self.link is not None and self._successor is None:
            if not self.hurry.is_set():
                await self.link.flush()
            await self.link.goodbye(self.stop_reason)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.plane.close()
        if self._admin_socket is not None:
            self._admin_socket.close()
        if self._successor is None:
            unlink_unix(unix_path(self._admin_wanted), self._admin_file)
        await self.admin.stop()


def _make_link(server: ProxyServer) -> ControlLink:
    # Not above: it brings grpcio, nine megabytes that a proxy on its own spares.
    from seawall_proxy.runtime.control.orders import make_link  # noqa: PLC0415

    return make_link(server)
