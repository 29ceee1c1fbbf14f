"""The pages of the admin HTTP: what a probe, a scraper and a person may ask.

What `data` knows is one event loop's part; the front adds what exists once for a proxy. With several workers
the parts are merged (workers/merge.py).
"""

from __future__ import annotations

from http import HTTPStatus
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from google.protobuf.json_format import MessageToDict

import seawall
from seawall_policy._native import build_info
from seawall_policy.overload import RESOURCES
from seawall_proxy.runtime.admin_http import Page, PageMaker, json_page
from seawall_proxy.runtime.breaker_status import BreakerSums
from seawall_proxy.runtime.endpoint_status import add_endpoints
from seawall_proxy.runtime.limit_status import add_guards
from seawall_proxy.runtime.status import route_states
from seawall_proxy.telemetry import names, prometheus

if TYPE_CHECKING:
    from seawall_proxy.call.routing import RouteState
    from seawall_proxy.runtime.data_plane import DataPlane
    from seawall_proxy.runtime.overload_monitor import OverloadMonitor
    from seawall_proxy.runtime.server import ProxyServer
    from seawall_proxy.telemetry.prometheus import Exposition

_HIDDEN: Final = ("descriptor_set",)


def make_pages(server: ProxyServer) -> dict[str, PageMaker]:
    """Return the pages by path."""
    return {
        "/health": lambda: json_page({"status": "healthy"}),
        "/ready": lambda: _ready(server),
        "/metrics": lambda: _metrics(server),
        "/status": lambda: _status(server),
        "/events": lambda: Page(server.pump.recent_json()),
        "/config": lambda: json_page(_config(server)),
        "/internals": lambda: _internals(server),
    }


def _ready(server: ProxyServer) -> Page:
    """Ready means that calls are accepted and a policy says what to do with them."""
    if server.draining:
        return json_page({"status": "draining"}, HTTPStatus.SERVICE_UNAVAILABLE)
    if monotonic() < server.parked_until:
        return json_page({"status": "out of service by an operator"}, HTTPStatus.SERVICE_UNAVAILABLE)
    if not server.plane.policy.digest:
        return json_page({"status": "no policy yet"}, HTTPStatus.SERVICE_UNAVAILABLE)
    if not server.plane.ready:
        return json_page({"status": "no worker is ready"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return json_page({"status": "ready"})


async def _status(server: ProxyServer) -> Page:
    build = build_info()
    data = await server.plane.status()
    stats = server.plane.stats()
    return json_page(
        {
            "node": server.node,
            "version": seawall.__version__,
            "data_path": build.state,
            "uptime_seconds": round(server.uptime_s(), 1),
            "listeners": server.addresses,
            "draining": server.draining,
            "control": None if server.link is None else server.link.status(),
            **data,
            "events_produced": stats.events_produced,
            "events_dropped": stats.events_dropped,
        }
    )


async def _internals(server: ProxyServer) -> Page:
    return json_page(await server.plane.internals())


def _config(server: ProxyServer) -> dict[str, object]:
    shown: dict[str, object] = MessageToDict(server.plane.policy.document, preserving_proto_field_name=True)
    for name in _HIDDEN:
        if name in shown:
            shown[name] = "(binary)"
    return shown


async def _metrics(server: ProxyServer) -> Page:
    data = await server.plane.metrics()
    page = prometheus.Exposition()
    if server.link is not None:
        page.family(names.CONTROL_CONNECTED, [((), float(server.link.connected))])
    prometheus.add_spool(page, server.pump.spool_status(), len(server.recorder), time())
    build = build_info()
    labels = (("version", seawall.__version__), ("data_path", build.state))
    page.family(names.BUILD_INFO, [(labels, 1)])
    return Page((data + page.text()).encode(), HTTPStatus.OK, prometheus.CONTENT_TYPE)


def add_data(page: Exposition, data: DataPlane) -> None:
    """Add what one event loop's data path knows."""
    data.worker.fold_counters()
    prometheus.add_routes(page, data.routes)
    prometheus.add_limits(page, data.routes)
    add_guards(page, route_states(data.worker))
    prometheus.add_methods(page, data.worker.context.methods.slots)
    prometheus.add_mirrors(page, data.routes)
    prometheus.add_faults(page, data.routes)
    prometheus.add_shadows(page, data.routes)
    breakers = [BreakerSums(state) for state in route_states(data.worker) if state.watched()]
    prometheus.add_breakers(page, breakers)
    prometheus.add_would(page, data.routes, {one.route: one.would_reject for one in breakers})
    prometheus.add_keeping(page, data.routes)
    add_route_state(page, route_states(data.worker))
    add_endpoints(page, data.clusters.clusters.values(), data.worker.context.now)
    prometheus.add_proxy(page, data.counters, revision=data.holder.revision, control_connected=None)
    _add_overload(page, data.monitor)
    prometheus.add_certificates(page, [expiry for files in data.tls_files() for expiry in files.expiries()])


def add_route_state(page: Exposition, states: list[RouteState]) -> None:
    """Add which routes live on their fallbacks, and what they keep for other calls."""
    prometheus.add_degraded(
        page,
        ((state.name, state.degradation.active) for state in states if state.degradation is not None),
    )
    prometheus.add_kept(
        page,
        (
            (state.name, len(state.last_good), state.last_good.bytes)
            for state in states
            if state.last_good is not None
        ),
        (
            (state.name, len(state.journal), state.journal.bytes)
            for state in states
            if state.journal is not None
        ),
    )


def _add_overload(page: Exposition, monitor: OverloadMonitor) -> None:
    levels = monitor.guard.levels
    page.family(names.OVERLOAD_LEVEL, (((("resource", name),), levels[name]) for name in RESOURCES))
    page.family(names.OVERLOAD_SHED, [((), monitor.shed)])
    page.family(names.MEMORY_USED, [((), monitor.memory.used_bytes)])
    page.family(names.MEMORY_LIMIT, [((), monitor.memory.limit_bytes)])
    page.family(names.DESCRIPTORS_USED, [((), monitor.descriptors.used)])
    page.family(names.DESCRIPTORS_LIMIT, [((), monitor.descriptors.limit)])
    page.family(names.EVENT_LOOP_LAG, [((), monitor.lag_s)])
