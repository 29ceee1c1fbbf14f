"""The proxy process from start to stop.

Start: read the policy file (it has to be valid), put the last good revision or the file's policy in force,
open the listeners, say that it is ready. Then follow the control plane or the file. Stop: stop accepting,
tell clients to go elsewhere in two steps, let calls in flight end, cut off what is left at the limit, ship
what is recorded, leave.
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
from collections.abc import Callable, Coroutine
from pathlib import Path
from time import monotonic, time
from typing import Final

import seawall
from seawall.v1 import fleet_pb2, policy_pb2
from seawall_proxy.call.ports import TraceSink
from seawall_proxy.config import LintReport, lint_file, render_violations
from seawall_proxy.runtime.admin_http import AdminHttp
from seawall_proxy.runtime.commands import run_command
from seawall_proxy.runtime.control_link import AppliedPolicy, ControlLink, LinkIdentity
from seawall_proxy.runtime.dialing import split_address
from seawall_proxy.runtime.file_watch import FileWatch
from seawall_proxy.runtime.last_good import LastGood
from seawall_proxy.runtime.link_events import EventPump
from seawall_proxy.runtime.pages import make_pages
from seawall_proxy.runtime.policy_holder import FROM_CONTROL_PLANE, FROM_FILE, FROM_LAST_GOOD, PolicyHolder
from seawall_proxy.runtime.settings import DEFAULT_ADMIN_ADDRESS, ProxySettings
from seawall_proxy.runtime.status import stats_report
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.counters import ProxyCounters, RouteCounters
from seawall_proxy.telemetry.events import policy_refused
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.telemetry.traces import make_trace_sink
from seawall_proxy.upstream.cluster import ClusterSet

log = logging.getLogger("seawall.proxy")

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1

_TICK_S: Final = 1.0
_DRAIN_LOOK_S: Final = 0.05
_GC_THRESHOLDS: Final = (50_000, 20, 50)


class StartFailed(Exception):
    """The proxy cannot start; the message says why and what to do."""


def place_to_listen(address: str) -> tuple[str, int]:
    """Split `host:port`; raise StartFailed when it is none. An empty host would mean every interface: that
    has to be said.
    """
    try:
        host, port = split_address(address)
    except ValueError:
        host, port = "", 0
    if not host or not 0 <= port <= 65535:
        raise StartFailed(
            f"cannot listen on {address!r}: write host:port, such as 127.0.0.1:8080 or 0.0.0.0:8080"
        )
    return host, port


class ProxyServer:
    """Everything of one proxy process."""

    def __init__(self, settings: ProxySettings, loop: asyncio.AbstractEventLoop, seed: int) -> None:
        self.settings: ProxySettings = settings
        self.loop: asyncio.AbstractEventLoop = loop
        self.boot_id: str = uuid.uuid4().hex
        self.started_at: float = time()
        self.counters: ProxyCounters = ProxyCounters()
        self.routes: dict[str, RouteCounters] = {"": RouteCounters("")}
        self.recorder: EventRecorder = EventRecorder(self.counters)
        self.dice: random.Random = random.Random(seed)
        draw = self.dice.random
        self.report: LintReport = self._read_file()
        bootstrap = self.report.document
        self.node: str = settings.node or bootstrap.control.node or socket.gethostname()
        self.tracer: TraceSink = self._make_tracer()
        self.worker: Worker = Worker(loop, draw, self.recorder, self.tracer, self.counters, self.routes[""])
        self.clusters: ClusterSet = ClusterSet(self.worker.dialer, self.worker.context.timers, draw)
        target = bootstrap.control.target if settings.control_target is None else settings.control_target
        self.control_target: str = target
        self.state_dir: Path = settings.data_dir / "proxies" / self.node
        self.holder: PolicyHolder = PolicyHolder(
            self.worker, self.clusters, self.routes, self.counters, draw, self.state_dir / "descriptors.binpb"
        )
        self.listeners: list[asyncio.Server] = []
        self.addresses: list[str] = []
        self.admin: AdminHttp = AdminHttp(make_pages(self))
        self.last_good: LastGood = LastGood(self.state_dir)
        self.pump: EventPump = EventPump(
            self.recorder,
            self.counters,
            self.node,
            os.urandom,
            self.state_dir / "spool" if self.control_target else None,
        )
        self.link: ControlLink | None = self._make_link(draw) if self.control_target else None
        self.draining: bool = False
        self.stop: asyncio.Event = asyncio.Event()
        self.hurry: asyncio.Event = asyncio.Event()
        self._watch: FileWatch = FileWatch(settings.config_path)
        self._tasks: set[asyncio.Task[None]] = set()
        self._reload_turn: asyncio.Lock = asyncio.Lock()
        self._reload_waits: bool = False

    # start

    def _read_file(self) -> LintReport:
        report = lint_file(self.settings.config_path)
        if not report.ok:
            raise StartFailed(render_violations(report).rstrip("\n"))
        for finding in report.warnings:
            log.warning("%s: %s", finding.violation.field, finding.violation.message)
        return report

    def _make_tracer(self) -> TraceSink:
        try:
            return make_trace_sink(
                os.environ,
                node=self.node,
                version=seawall.__version__,
                bits=self.dice.getrandbits,
                clock=self.clock,
            )
        except ValueError as error:
            raise StartFailed(str(error)) from error

    async def run(self) -> int:
        """Serve until told to stop; return the exit code."""
        await self._boot_policy()
        await self._open_listeners()
        await self._open_admin()
        self._install_signals()
        self._start_background()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        self._announce()
        await self.stop.wait()
        return await self._shut_down()

    async def _boot_policy(self) -> None:
        if self.control_target and await self._boot_last_good():
            return
        refused = await self.holder.apply(self.report.document, revision=0, source=FROM_FILE, patient=True)
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
        refused = await self.holder.apply(
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

    async def _open_listeners(self) -> None:
        listeners = list(self.report.document.listeners)
        wanted = [listener.address for listener in listeners]
        if self.settings.listen is not None:
            wanted[:1] = [self.settings.listen]
        if not wanted:
            raise StartFailed(
                f"{self.settings.config_path}: no listeners; "
                "add `listeners: [{name: main, address: 127.0.0.1:8080}]`"
            )
        for address in wanted:
            host, port = place_to_listen(address)
            try:
                server = await self.worker.listen(host, port)
            except OSError as error:
                raise StartFailed(
                    f"cannot listen on {address}: {error.strerror or error}; "
                    "choose another with --listen or `listeners:`"
                ) from error
            self.listeners.append(server)
            bound = server.sockets[0].getsockname()
            self.addresses.append(f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}")

    async def _open_admin(self) -> None:
        address = self.settings.admin_address or self.report.document.admin.address or DEFAULT_ADMIN_ADDRESS
        host, port = place_to_listen(address)
        try:
            await self.admin.start(host, port)
        except OSError as error:
            raise StartFailed(
                f"cannot listen on {address} for admin HTTP: {error.strerror or error}; "
                "choose another with --admin or `admin:`"
            ) from error

    def _make_link(self, draw: Callable[[], float]) -> ControlLink:
        control = self.report.document.control
        identity = LinkIdentity(
            node=self.node,
            boot_id=self.boot_id,
            version=seawall.__version__,
            start_s=self.started_at,
            labels=dict(control.labels),
            policy_set=control.policy_set,
            admin_address=self.settings.admin_address or self.report.document.admin.address,
        )
        return ControlLink(
            self.control_target,
            identity,
            self.pump,
            apply=self._apply_push,
            applied=lambda: AppliedPolicy(self.holder.revision, self.holder.digest, self.holder.source),
            stats=lambda: stats_report(self.worker, self.clusters, self.routes, self.counters, self.clock()),
            command=self._run_command,
            draw=draw,
            refused_path=self.state_dir / "refused_events.jsonl",
        )

    async def _apply_push(self, document: policy_pb2.PolicyDocument, revision: int, digest: str) -> list[str]:
        refused = await self.holder.apply(
            document, revision=revision, source=FROM_CONTROL_PLANE, patient=False
        )
        if refused:
            return refused
        log.info("revision %d is in force (%s)", revision, digest[:12])
        try:
            await asyncio.to_thread(self.last_good.save, document, revision, digest, time())
        except OSError as error:
            log.warning("revision %d is in force, but cannot be kept for the next start: %s", revision, error)
        return []

    async def _run_command(self, command: fleet_pb2.Command) -> tuple[bool, str]:
        done, why = run_command(self.worker, command)
        log.info("command %s: %s", command.WhichOneof("action"), "done" if done else why)
        return done, why

    def _start_background(self) -> None:
        self._spawn(self._tick())
        self._spawn(self.holder.learn_pending())
        self._spawn(self.pump.run())
        if self.link is not None:
            self._spawn(self.link.run())

    def _install_signals(self) -> None:
        def stop() -> None:
            if self.stop.is_set():
                self.hurry.set()
            self.stop.set()

        self.loop.add_signal_handler(signal.SIGTERM, stop)
        self.loop.add_signal_handler(signal.SIGINT, stop)
        self.loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self.reload("SIGHUP")))

    def _announce(self) -> None:
        admin = self.admin.address
        where = ", ".join(self.addresses)
        if self.settings.log_format == "json":
            line = {
                "event": "ready",
                "listen": self.addresses,
                "admin": admin,
                "node": self.node,
                "pid": os.getpid(),
            }
            say = json.dumps(line)
        else:
            role = f"following {self.control_target} as {self.node}" if self.control_target else "stand-alone"
            say = f"seawall proxy ready: calls on {where}, admin on http://{admin}, {role}"
        sys.stderr.write(f"{say}\n")
        sys.stderr.flush()

    def uptime_s(self) -> float:
        """Return for how long the process has been running."""
        return time() - self.started_at

    def clock(self) -> ClockAnchor:
        """Return both clocks as of now."""
        return ClockAnchor(monotonic(), time())

    # follow

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a background task has failed", exc_info=task.exception())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                self._look_after()
            except Exception:
                # The next look is what ends dead connections; there must be one.
                log.exception("looking after connections and the policy file failed")

    def _look_after(self) -> None:
        now = self.worker.tell_time()
        self.clusters.sweep(now)
        self.worker.sweep(now)
        self.worker.after_batch()
        if self._watch.changed():
            # Not awaited: a reload may have to wait for an upstream's reflection.
            self._spawn(self.reload("the file has changed"))

    async def reload(self, why: str) -> None:
        """Read the policy file again; a file with mistakes changes nothing. One at a time, so that what was
        read last is in force last; one that waits for its turn stands for all who ask meanwhile.
        """
        if self._reload_waits:
            return
        self._reload_waits = True
        async with self._reload_turn:
            self._reload_waits = False
            await self._reload(why)

    async def _reload(self, why: str) -> None:
        self._watch.accept()
        report = await asyncio.to_thread(lint_file, self.settings.config_path)
        if not report.ok:
            self.counters.policy_refused += 1
            self.holder.refused = [
                f"{finding.violation.field}: {finding.violation.message}" for finding in report.errors
            ]
            log.error(
                "%s: not reloaded, the policy in force stays:\n%s",
                why,
                render_violations(report).rstrip("\n"),
            )
            self.recorder.system(policy_refused(0, self.holder.refused, monotonic()))
            return
        if self.control_target:
            log.info(
                "%s: the control plane decides about the policy; `seawall apply` makes this file a revision",
                why,
            )
            return
        refused = await self.holder.apply(report.document, revision=0, source=FROM_FILE, patient=True)
        if refused:
            log.error("%s: not reloaded, the policy in force stays: %s", why, "; ".join(refused))
            self.recorder.system(policy_refused(0, refused, monotonic()))
        else:
            self._warn_of_bootstrap(report)
            self.report = report
            log.info("%s: policy reloaded (%s)", why, self.holder.digest[:12])

    def _warn_of_bootstrap(self, report: LintReport) -> None:
        """Say which changed parts of the file only a start takes up, so that nobody waits for them."""
        old, new = self.report.document, report.document
        changed = [
            name
            for name, before, after in (
                ("listeners", list(old.listeners), list(new.listeners)),
                ("admin", old.admin, new.admin),
                ("control", old.control, new.control),
            )
            if before != after
        ]
        if changed:
            log.warning("%s changed in the file; that takes effect at the next start", ", ".join(changed))

    # stop

    async def _shut_down(self) -> int:
        log.info("stopping: draining %d calls", self.worker.context.calls)
        self.draining = True
        for server in self.listeners:
            server.close()
        self.worker.start_drain()
        began = monotonic()
        grace = min(self.settings.drain_grace_s, self.settings.drain_limit_s)
        await self._wait_for(lambda: not self.worker.downstream, began + grace)
        self.worker.finish_drain()
        await self._wait_for(lambda: not self.worker.downstream, began + self.settings.drain_limit_s)
        left = self.worker.context.calls
        if left:
            log.warning("cut off %d calls that did not end within %g s", left, self.settings.drain_limit_s)
        self.worker.close()
        self.clusters.close()
        self.worker.after_batch()
        await self._stop_background()
        log.info("stopped")
        return EXIT_OK

    async def _stop_background(self) -> None:
        """Ship what is recorded, if the control plane listens; the rest stays in the spool."""
        await self.pump.drain()
        if self.link is not None and not self.hurry.is_set():
            await self.link.flush()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self.tracer.shutdown)
        await self.admin.stop()

    async def _wait_for(self, done: Callable[[], bool], until: float) -> None:
        while not done() and monotonic() < until and not self.hurry.is_set():
            self.worker.sweep(self.worker.tell_time())
            self.worker.after_batch()
            await asyncio.sleep(_DRAIN_LOOK_S)
