"""One event loop's data path, complete: the worker with its clusters, the policy in force, the door, and the
watch over its resources.

It is the whole data path of a proxy with one worker, and a worker process's part of it otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import Final

from seawall.v1 import fleet_pb2, policy_pb2
from seawall_policy.breaker import Breaker
from seawall_policy.compile.listeners import listener_specs
from seawall_policy.compile.process import overload_options
from seawall_policy.overload import OverloadGuard
from seawall_proxy.call.ports import TraceSink
from seawall_proxy.runtime.admission import Admission
from seawall_proxy.runtime.answer_limits import widen_answers
from seawall_proxy.runtime.breaker_file import BreakerKeeper
from seawall_proxy.runtime.breaker_images import Image, image_of, restore_images
from seawall_proxy.runtime.call_features import CallFeatures
from seawall_proxy.runtime.commands import run_command
from seawall_proxy.runtime.door import Door
from seawall_proxy.runtime.internals import internals_page
from seawall_proxy.runtime.listening import Listener
from seawall_proxy.runtime.operator_acts import ACTS, OperatorActs
from seawall_proxy.runtime.overload_monitor import OverloadMonitor
from seawall_proxy.runtime.pages import add_data
from seawall_proxy.runtime.places import StartFailed
from seawall_proxy.runtime.policy_holder import PolicyHolder
from seawall_proxy.runtime.readings import Descriptors, find_memory
from seawall_proxy.runtime.report import stats_report
from seawall_proxy.runtime.shadow_events import ShadowTeller
from seawall_proxy.runtime.sockets import Place
from seawall_proxy.runtime.status import status_page
from seawall_proxy.runtime.tls import TlsMistake
from seawall_proxy.runtime.tls_files import ClusterTls, TlsFiles, look_at
from seawall_proxy.runtime.upstream_edge import connect_upstream
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.telemetry import prometheus
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.counters import ProxyCounters, RouteCounters
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.upstream.clusters import ClusterSet

log = logging.getLogger("seawall.proxy")

TICK_S: Final = 1.0
DRAIN_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """What a data path is given at its start and keeps."""

    document: policy_pb2.PolicyDocument
    """The proxy's own file, of which the bootstrap parts are read: listeners, overload."""
    folder: Path
    """What relative names of files in it are relative to."""
    descriptor_cache: Path | None = None
    """Where descriptors that upstreams' reflection gave are kept."""
    node: str = ""
    worker: int = 0
    """Number of this worker process, from 0."""
    workers: int = 1


class DataPlane:
    """The data path of one event loop; see `plane.Plane` for what the front asks of it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        draw: Callable[[], float],
        recorder: EventRecorder,
        tracer: TraceSink,
        counters: ProxyCounters,
        bootstrap: Bootstrap,
    ) -> None:
        self.bootstrap: Bootstrap = bootstrap
        self.counters: ProxyCounters = counters
        self.routes: dict[str, RouteCounters] = {"": RouteCounters("")}
        self.worker: Worker = Worker(loop, draw, recorder, tracer, counters, self.routes[""])
        self.worker.dialer.tls = ClusterTls(bootstrap.folder)
        self.clusters: ClusterSet = ClusterSet(self.worker.dialer, self.worker.context.timers, draw)
        connect_upstream(self.clusters, self.worker, recorder, bootstrap.document)
        self.holder: PolicyHolder = PolicyHolder(
            self.worker, self.clusters, self.routes, counters, draw, bootstrap.descriptor_cache
        )
        self.features: CallFeatures = CallFeatures(
            bootstrap.document, bootstrap.folder, self.worker, self.clusters, self.holder, self.routes
        )
        self.acts: OperatorActs = OperatorActs(self.worker, self.clusters, self.features)
        self.holder.on_installed = self.acts.carry_over
        self.listeners: list[Listener] = []
        """By the number of their place; made when the proxy starts to accept."""
        self._places: list[Place] = []
        self.door: Door = Door(lambda place, sock: self.listeners[place].serve(sock))
        overload = overload_options(bootstrap.document)
        self.monitor: OverloadMonitor = OverloadMonitor(
            self.worker,
            self.door,
            OverloadGuard(overload),
            find_memory(overload.memory_limit_bytes, bootstrap.workers),
            Descriptors(),
            recorder.system,
        )
        self.shadows: ShadowTeller = ShadowTeller(self.worker, self.routes, recorder.system)

    @property
    def policy(self) -> PolicyHolder:
        """What is in force."""
        return self.holder

    @property
    def ready(self) -> bool:
        """Whether calls are accepted under a policy."""
        return self.holder.snapshot is not None

    async def start(self, places: list[Place]) -> None:
        """Make ready to accept at these places."""
        self.make_listeners()
        self._places = places

    async def apply(
        self, document: policy_pb2.PolicyDocument, *, revision: int, source: str, patient: bool
    ) -> list[str]:
        """Put a document in force; return why it was refused."""
        return await self.holder.apply(document, revision=revision, source=source, patient=patient)

    async def serve(self) -> None:
        """Accept connections on every slot."""
        self.monitor.prime()
        places = self._places
        wanted = {
            (number, slot): sockets
            for number, place in enumerate(places)
            for slot, sockets in enumerate(place.slots)
        }
        try:
            await self.door.set_sockets(wanted)
        except OSError as error:
            where = ", ".join(place.wanted for place in places)
            raise StartFailed(
                f"cannot listen on {where}: {error.strerror or error}; "
                "choose another with --listen or `listeners:`"
            ) from error

    def make_listeners(self) -> None:
        """Make ready to accept; raise StartFailed where TLS files cannot be used."""
        folder = self.bootstrap.folder
        try:
            self.listeners = [
                Listener(self.worker, spec, folder, Admission(spec.limits))
                for spec in listener_specs(self.bootstrap.document)
            ]
        except TlsMistake as mistake:
            raise StartFailed(str(mistake)) from mistake
        widen_answers(self.worker.client_limits, [listener.admission.limits for listener in self.listeners])

    def stop_accepting(self) -> None:
        """Accept no further connections."""
        self.door.close()

    async def command(self, command: fleet_pb2.Command) -> tuple[bool, str]:
        """Do what a command says."""
        if command.WhichOneof("action") in ACTS:
            return self.acts.run(command)
        return run_command(self.worker, command)

    def keep_breakers(self, keeper: BreakerKeeper) -> None:
        """Tell the keeper of every breaker that is not plain closed."""
        context = self.worker.context

        def keep(breaker: Breaker) -> None:
            keeper.note(self.bootstrap.worker, breaker.key, image_of(breaker, context.now))

        self.worker.on_keep = keep

    def restore_breakers(self, images: list[Image]) -> None:
        """Let the breakers of the policy in force go on from their images."""
        restored = restore_images(self.worker, images)
        if restored:
            log.info("%d breakers go on where they were", restored)

    def stats(self) -> fleet_pb2.StatsReport:
        """Return the cumulative numbers for the control plane."""
        clock = ClockAnchor(monotonic(), time())
        return stats_report(self.worker, self.clusters, self.routes, self.counters, clock)

    async def status(self) -> dict[str, object]:
        """Return the data path's part of /status."""
        return self.status_now()

    def status_now(self) -> dict[str, object]:
        """Return the data path's part of /status."""
        return {
            **status_page(self.worker, self.clusters, self.holder),
            "overload": self.monitor.status(),
            "operations": self.acts.status(),
        }

    async def internals(self) -> dict[str, object]:
        """Return what the process holds on to."""
        return internals_page(self.worker, self.clusters)

    async def metrics(self) -> str:
        """Return the data path's part of the scrape page."""
        page = prometheus.Exposition()
        add_data(page, self)
        self.features.add_metrics(page)
        return page.text()

    def calls(self) -> int:
        """Return the calls in flight."""
        return self.worker.context.calls

    async def run(self) -> None:
        """Look after connections, descriptors and resources until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.holder.learn_pending())
            tasks.create_task(self.monitor.run())
            tasks.create_task(self.shadows.run())
            tasks.create_task(self._tick())
            tasks.create_task(self._follow_certificates())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self._sweep()
            except Exception:
                # The next look is what ends dead connections; there must be one.
                log.exception("looking after connections failed")

    async def _follow_certificates(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await look_at(self.tls_files(), self.counters)
            except Exception:
                log.exception("looking at the certificates failed; it is done again")

    def tls_files(self) -> list[TlsFiles]:
        """Return every TLS context in use."""
        mine = [listener.tls for listener in self.listeners if listener.tls is not None]
        return [*mine, *self.worker.dialer.tls]

    def _sweep(self) -> None:
        now = self.worker.tell_time()
        self.acts.tick(now)
        self.clusters.sweep(now)
        self.worker.sweep(now)
        self.features.tick()
        self.worker.after_batch()

    async def drain(self, grace_s: float, limit_s: float, hurry: asyncio.Event) -> None:
        """Stop accepting, tell clients to go elsewhere in two steps, wait, cut off what is left."""
        worker = self.worker
        log.info("draining %d calls", worker.context.calls)
        self.door.close()
        self.features.start_drain()
        worker.start_drain()
        began = monotonic()
        await self._wait(began + min(grace_s, limit_s), hurry)
        self.features.finish_drain()
        worker.finish_drain()
        await self._wait(began + limit_s, hurry)
        if worker.context.calls:
            log.warning("cut off %d calls that did not end within %g s", worker.context.calls, limit_s)
        self.end()

    async def _wait(self, until: float, hurry: asyncio.Event) -> None:
        worker = self.worker
        while worker.downstream and monotonic() < until and not hurry.is_set():
            # Those whose accepting was under way when the door closed are told too.
            worker.start_drain()
            worker.sweep(worker.tell_time())
            worker.after_batch()
            await asyncio.sleep(DRAIN_LOOK_S)

    def end(self) -> None:
        """End every connection now."""
        self.door.close()
        self.worker.close()
        self.clusters.close()
        self.worker.after_batch()

    async def close(self) -> None:
        """End every connection now, and write what is still to be written."""
        self.end()
        await self.features.close()
        await asyncio.to_thread(self.features.flush)
