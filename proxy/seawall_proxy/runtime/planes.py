"""Choosing the data path of a proxy: in this process, or in workers."""

from __future__ import annotations

import asyncio
import os
import random
from time import monotonic, time
from typing import TYPE_CHECKING

import seawall
from seawall_proxy.call.ports import TraceSink
from seawall_proxy.runtime.data_plane import Bootstrap, DataPlane
from seawall_proxy.runtime.places import StartFailed
from seawall_proxy.runtime.plane import Plane
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.telemetry.traces import make_trace_sink

if TYPE_CHECKING:
    from seawall_proxy.runtime.server import ProxyServer


def clock() -> ClockAnchor:
    """Return both clocks as of now."""
    return ClockAnchor(monotonic(), time())


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_data_plane(
    loop: asyncio.AbstractEventLoop,
    dice: random.Random,
    recorder: EventRecorder,
    counters: ProxyCounters,
    bootstrap: Bootstrap,
) -> tuple[DataPlane, TraceSink]:
    """Return the data path of this process's event loop, and the tracer that has to be shut down after it."""
    try:
        tracer = make_trace_sink(
            os.environ,
            node=bootstrap.node,
            version=seawall.__version__,
            bits=dice.getrandbits,
            clock=clock,
        )
    except ValueError as error:
        raise StartFailed(str(error)) from error
    return DataPlane(loop, dice.random, recorder, tracer, counters, bootstrap), tracer


def make_plane(server: ProxyServer) -> Plane:
    """Return the data path that a proxy's settings ask for."""
    bootstrap = Bootstrap(
        document=server.report.document,
        folder=server.settings.config_path.absolute().parent,
        descriptor_cache=server.state_dir / "descriptors.binpb",
        node=server.node,
        workers=server.workers,
    )
    if server.workers > 1:
        # Only where it is needed: one process should not carry the code for several.
        from seawall_proxy.runtime.workers.pool import WorkerPool  # noqa: PLC0415

        return WorkerPool(bootstrap, server.settings, server.pump, server.counters, server.recorder)
    plane, _ = make_data_plane(server.loop, server.dice, server.recorder, server.counters, bootstrap)
    return plane
