"""The pages of the admin HTTP: what a probe, a scraper and a person may ask."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from google.protobuf.json_format import MessageToDict

import seawall
from seawall_policy._native import build_info
from seawall_proxy.runtime.admin_http import Page, json_page
from seawall_proxy.runtime.status import route_states, status_page
from seawall_proxy.telemetry import names, prometheus
from seawall_proxy.upstream.endpoint import STATE_NAMES

if TYPE_CHECKING:
    from seawall_proxy.runtime.server import ProxyServer
    from seawall_proxy.telemetry.prometheus import Exposition

_HIDDEN: Final = ("descriptor_set",)


def make_pages(server: ProxyServer) -> dict[str, Callable[[], Page]]:
    """Return the pages by path."""
    return {
        "/health": lambda: json_page({"status": "healthy"}),
        "/ready": lambda: _ready(server),
        "/metrics": lambda: _metrics(server),
        "/status": lambda: json_page(_status(server)),
        "/events": lambda: Page(server.pump.recent_json()),
        "/config": lambda: json_page(_config(server)),
    }


def _ready(server: ProxyServer) -> Page:
    """Ready means that calls are accepted and a policy says what to do with them."""
    if server.draining:
        return json_page({"status": "draining"}, HTTPStatus.SERVICE_UNAVAILABLE)
    if server.holder.snapshot is None:
        return json_page({"status": "no policy yet"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return json_page({"status": "ready"})


def _status(server: ProxyServer) -> dict[str, object]:
    build = build_info()
    return {
        "node": server.node,
        "version": seawall.__version__,
        "data_path": build.state,
        "uptime_seconds": round(server.uptime_s(), 1),
        "listeners": server.addresses,
        "draining": server.draining,
        "control": None if server.link is None else server.link.status(),
        **status_page(server.worker, server.clusters, server.holder),
        "events_produced": server.counters.events_produced,
        "events_dropped": server.counters.events_dropped,
    }


def _config(server: ProxyServer) -> dict[str, object]:
    shown: dict[str, object] = MessageToDict(server.holder.document, preserving_proto_field_name=True)
    for name in _HIDDEN:
        if name in shown:
            shown[name] = "(binary)"
    return shown


def _metrics(server: ProxyServer) -> Page:
    server.worker.fold_counters()
    page = prometheus.Exposition()
    prometheus.add_routes(page, server.routes)
    prometheus.add_breakers(
        page,
        (
            (state.name, state.breaker.state, state.breaker.opened_count, state.breaker.rejected)
            for state in route_states(server.worker)
            if state.breaker is not None
        ),
    )
    _add_endpoints(page, server)
    connected = None if server.link is None else server.link.connected
    prometheus.add_proxy(page, server.counters, revision=server.holder.revision, control_connected=connected)
    prometheus.add_spool(page, server.pump.spool_status(), len(server.recorder))
    build = build_info()
    labels = (("version", seawall.__version__), ("data_path", build.state))
    page.family(names.BUILD_INFO, [(labels, 1)])
    return Page(page.text().encode(), HTTPStatus.OK, prometheus.CONTENT_TYPE)


def _add_endpoints(page: Exposition, server: ProxyServer) -> None:
    rows = [
        ((("cluster", cluster.name), ("endpoint", endpoint.address)), endpoint)
        for cluster in server.clusters.clusters.values()
        for endpoint in cluster.endpoints
    ]
    page.family(
        names.ENDPOINT_STATE,
        (
            ((*labels, ("state", name)), float(endpoint.state == number))
            for labels, endpoint in rows
            for number, name in enumerate(STATE_NAMES)
        ),
    )
    page.family(names.ENDPOINT_ATTEMPTS, ((labels, endpoint.attempts) for labels, endpoint in rows))
    page.family(names.ENDPOINT_FAILURES, ((labels, endpoint.failures) for labels, endpoint in rows))
    page.family(names.ENDPOINT_IN_FLIGHT, ((labels, endpoint.in_flight) for labels, endpoint in rows))
