"""What is in shadow is told as events: seldom, and only what has changed."""

from __future__ import annotations

import asyncio
from random import Random

from google.protobuf.json_format import MessageToDict

from seawall.v1 import event_pb2
from seawall_proxy.call.ports import TraceSink
from seawall_proxy.runtime.shadow_events import TELL_S, ShadowTeller
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.counters import ProxyCounters, RouteCounters
from seawall_proxy.telemetry.events import EventBuilder
from seawall_proxy.telemetry.recorder import EventRecorder


async def test_once_a_minute_what_has_grown() -> None:
    """One event of a route with the differences, none where nothing has happened, none for hopeless calls
    alone: these are in shadow without anybody's wish.
    """
    recorder = EventRecorder(ProxyCounters())
    worker = Worker(
        asyncio.get_running_loop(),
        Random(1).random,
        recorder,
        TraceSink(),
        ProxyCounters(),
        RouteCounters(""),
    )
    routes = {name: RouteCounters(name) for name in ("a", "b", "c")}
    teller = ShadowTeller(worker, routes, recorder.system)
    try:
        teller.tell()
        assert len(recorder) == 0
        routes["a"].would_limit("LIMITED")
        routes["a"].would_fall_back["static"] = 3
        routes["a"].would_be_hopeless = 2
        routes["b"].would_be_hopeless = 2
        teller.tell()
        (record,) = recorder.take(10)
        event = EventBuilder("node", ClockAnchor(0.0, 0.0), bytes).build(record)
        assert (event.kind, event.severity) == (event_pb2.EVENT_KIND_SYSTEM, event_pb2.SEVERITY_LOW)
        assert (event.component, event.error_type) == ("route/a", "shadow_differs")
        details = MessageToDict(event.details)
        assert details["would"] == {"deadline/refuse": 2, "fallback/static": 3, "limit/refuse": 1}
        assert details["seconds"] == TELL_S
        teller.tell()
        assert len(recorder) == 0
        routes["a"].would_fall_back["static"] = 5
        teller.tell()
        (again,) = recorder.take(10)
        event = EventBuilder("node", ClockAnchor(0.0, 0.0), bytes).build(again)
        assert MessageToDict(event.details)["would"] == {"fallback/static": 2}
        assert "fallback/static" in event.message
    finally:
        worker.close()
