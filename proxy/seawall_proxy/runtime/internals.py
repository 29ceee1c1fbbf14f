"""What this process holds on to, as numbers: the body of /internals.

For whoever looks for a leak (benchmarks/soak does): with no clients and no calls every number here must come
back to where it was. Garbage is collected before the objects are counted, or their number would only say how
long ago that was; both take some milliseconds of the event loop, so nothing polls this.
"""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

from seawall_proxy.runtime.worker import Worker
from seawall_proxy.upstream.clusters import ClusterSet
from seawall_proxy.upstream.endpoint import Endpoint


def internals_page(worker: Worker, clusters: ClusterSet) -> dict[str, object]:
    """Return the numbers; `resident_bytes` and `descriptors` are null where /proc is not there."""
    endpoints = [endpoint for cluster in clusters.clusters.values() for endpoint in cluster.endpoints]
    context = worker.context
    gc.collect()
    return {
        "resident_bytes": resident_bytes(),
        "descriptors": descriptors(),
        "tasks": len(asyncio.all_tasks(worker.loop)),
        "objects": len(gc.get_objects()),
        "connections": len(worker.downstream),
        "streams": sum(protocol.connection.active_streams for protocol in worker.downstream),
        "calls": context.calls,
        "held_calls": len(context.held),
        "replay_bytes": context.replay_bytes,
        "timers": context.timers.armed(),
        "cached_blocks": len(worker.cache),
        "retired_endpoints": len(clusters.retired),
        "upstream_connections": sum(_links(endpoint) for endpoint in [*endpoints, *clusters.retired]),
        "waiting_attempts": sum(len(endpoint.waiting) for endpoint in endpoints),
        "attempts": sum(endpoint.in_flight for endpoint in [*endpoints, *clusters.retired]),
    }


def _links(endpoint: Endpoint) -> int:
    dialling = 0 if endpoint.dialling is None else 1
    return len(endpoint.links) + len(endpoint.draining) + dialling


def resident_bytes() -> int | None:
    """Return the resident memory of this process."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int | None:
    """Return how many descriptors this process has open."""
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return None
