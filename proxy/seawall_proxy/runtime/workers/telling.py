"""What a worker is told first, and what is told of one that died."""

from __future__ import annotations

from time import monotonic

from seawall.v1 import event_pb2
from seawall_proxy.runtime.data_plane import Bootstrap
from seawall_proxy.runtime.frames import Frame, Head, Json, Kind
from seawall_proxy.runtime.settings import ProxySettings
from seawall_proxy.runtime.sockets import Place
from seawall_proxy.runtime.workers.handle import WorkerHandle
from seawall_proxy.telemetry.events import SystemRecord


def descriptors_of(places: list[Place]) -> list[int]:
    """Return the numbers of all sockets to listen on."""
    return [sock.fileno() for place in places for slot in place.slots for sock in slot]


def start_frame(number: int, bootstrap: Bootstrap, settings: ProxySettings, places: list[Place]) -> Frame:
    """Return the first frame of a worker: who it is, and the numbers of the sockets that it has inherited."""
    sockets: list[Json] = [
        [place_number, slot_number, [sock.fileno() for sock in slot]]
        for place_number, place in enumerate(places)
        for slot_number, slot in enumerate(place.slots)
    ]
    cache = bootstrap.descriptor_cache
    head: Head = {
        "worker": number,
        "workers": bootstrap.workers,
        "node": bootstrap.node,
        "folder": str(bootstrap.folder),
        "descriptor_cache": "" if cache is None else str(cache),
        "drain_grace": settings.drain_grace_s,
        "drain_limit": settings.drain_limit_s,
        "sockets": sockets,
    }
    return Frame(Kind.START, head, bootstrap.document.SerializeToString())


def worker_died(worker: WorkerHandle, lost: int) -> SystemRecord:
    """Return the record of a worker that is gone, with `lost` events that nobody has."""
    return SystemRecord(
        event_pb2.EVENT_KIND_SYSTEM,
        event_pb2.SEVERITY_HIGH,
        "proxy/workers",
        "worker_died",
        f"worker process {worker.number} {worker.how()}; it is started again",
        monotonic(),
        {"worker": worker.number, "pid": worker.pid, "calls_in_flight": worker.calls, "events_lost": lost},
    )
