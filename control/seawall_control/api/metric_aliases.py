"""Metrics under the names that an older system gave them, for dashboards and rules that know those.

They are served when they are asked for, `GET /metrics?aliases=error_recovery`, beside ours: one scrape job
asks, and nobody else has the same numbers twice. A `flow` there is a route here; what is one for the whole
fleet has `flow="fleet"`, and what is the control plane's own `flow="control"`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seawall.v1 import stats_pb2
from seawall_control.api.metrics import Page, Sample
from seawall_control.api.operations import worst
from seawall_control.domain.health import Status
from seawall_control.domain.recovery import recovery_of
from seawall_control.services.fleet import Fleet
from seawall_control.services.health import Report

SET: Final = "error_recovery"
"""The value of `aliases`, and the prefix of the names."""
ALIASES: Final = (
    (
        "error_recovery_system_health",
        "1 healthy, 0.5 degraded, 0 unhealthy.",
        ("seawall_control_health",),
    ),
    (
        "error_recovery_flow_health",
        "1 while the route's breakers are closed, 0.5 while one probes or ramps, 0 while one is open.",
        ("seawall_breaker_state", "seawall_degraded"),
    ),
    (
        "error_recovery_queue_size",
        "Changes that wait for the store, and events that wait on disks of connected proxies.",
        ("seawall_control_store_queued", "seawall_control_spooled_events"),
    ),
    (
        "error_recovery_alert_count",
        "Alerts that fire.",
        ("seawall_control_alerts_firing",),
    ),
    (
        "error_recovery_disk_usage_mb",
        "Size of the store with its log, in MB of 10^6 bytes.",
        ("seawall_control_store_bytes", "seawall_control_store_wal_bytes"),
    ),
    ("error_recovery_total_errors", "Events in the store.", ("seawall_control_events",)),
    (
        "error_recovery_successful_recoveries",
        "Calls that a further attempt or a fallback saved, since the connected proxies started.",
        ("seawall_recovered_total", "seawall_fallback_served_total"),
    ),
)
"""Old name, meaning, and the names under which the same is served by Seawall."""
_SYSTEM: Final = {Status.HEALTHY: 1.0, Status.DEGRADED: 0.5, Status.UNHEALTHY: 0.0}
_SHUT: Final = (stats_pb2.BREAKER_STATE_OPEN, stats_pb2.BREAKER_STATE_FORCED_OPEN)
_HALF: Final = (stats_pb2.BREAKER_STATE_HALF_OPEN, stats_pb2.BREAKER_STATE_RAMP)


def _flows(fleet: Fleet) -> list[Sample]:
    states: dict[str, list[stats_pb2.BreakerState]] = {}
    for breaker in fleet.view.breakers():
        states.setdefault(breaker.route or breaker.name, []).append(breaker.state)
    found: list[Sample] = []
    for route in sorted(states):
        state = worst(states[route])
        found.append(({"flow": route}, 0.0 if state in _SHUT else 0.5 if state in _HALF else 1.0))
    return found


def _recovered(fleet: Fleet) -> int:
    return sum(recovery_of(counters).successful for counters in fleet.view.totals().values())


def render(report: Report, fleet: Fleet, firing: Mapping[str, int]) -> str:
    """Return the page of the aliases."""
    store = report.store
    values: dict[str, list[Sample]] = {
        "error_recovery_system_health": [({}, _SYSTEM[report.status])],
        "error_recovery_flow_health": _flows(fleet),
        "error_recovery_queue_size": [
            ({"flow": "control"}, store.queued),
            ({"flow": "fleet"}, fleet.view.spooled()[0]),
        ],
        "error_recovery_alert_count": [({"flow": "fleet"}, sum(firing.values()))],
        "error_recovery_disk_usage_mb": [({"flow": "control"}, (store.size_bytes + store.wal_bytes) / 1e6)],
        "error_recovery_total_errors": [({}, report.counts.total)] if report.counts else [],
        "error_recovery_successful_recoveries": [({"flow": "fleet"}, _recovered(fleet))],
    }
    page = Page()
    for name, text, _ in ALIASES:
        page.add(name, "gauge", text, values[name])
    return page.text()
