"""The scrape page, made when it is asked for.

Series are bounded by the policy: routes, clusters and endpoints are those that the document names,
reasons are a fixed list, and methods are those that the policy names and so many that servers answered (see
`seawall_proxy.call.methods`). No client can make a series.
"""

from __future__ import annotations

from seawall_proxy.telemetry.prometheus.exposition import CONTENT_TYPE, Exposition
from seawall_proxy.telemetry.prometheus.process import (
    RouteBreakers,
    add_access_log,
    add_breakers,
    add_certificates,
    add_proxy,
    add_spool,
)
from seawall_proxy.telemetry.prometheus.routes import (
    add_degraded,
    add_faults,
    add_gates,
    add_keeping,
    add_kept,
    add_limits,
    add_methods,
    add_mirrors,
    add_rate_limits,
    add_routes,
    add_shadows,
    add_tenants,
    add_would,
)

__all__ = [
    "CONTENT_TYPE",
    "Exposition",
    "RouteBreakers",
    "add_access_log",
    "add_breakers",
    "add_certificates",
    "add_degraded",
    "add_faults",
    "add_gates",
    "add_keeping",
    "add_kept",
    "add_limits",
    "add_methods",
    "add_mirrors",
    "add_proxy",
    "add_rate_limits",
    "add_routes",
    "add_shadows",
    "add_spool",
    "add_tenants",
    "add_would",
]
