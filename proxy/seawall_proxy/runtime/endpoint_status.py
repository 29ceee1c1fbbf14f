"""What is shown of clusters and their endpoints: on the status page, in reports and as metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from seawall.v1 import fleet_pb2, stats_pb2
from seawall_policy.health import HEALTH_NAMES
from seawall_policy.outlier.options import MODE_NAMES
from seawall_policy.outlier.tally import IN, OUT
from seawall_policy.outlier.tally import STATE_NAMES as OUTLIER_STATES
from seawall_proxy.telemetry import names
from seawall_proxy.upstream.endpoint import STATE_NAMES, Endpoint

if TYPE_CHECKING:
    from seawall_proxy.telemetry.prometheus import Exposition
    from seawall_proxy.upstream.cluster import Cluster
    from seawall_proxy.upstream.discovery import Finder


def cluster_line(cluster: Cluster, now: float) -> dict[str, object]:
    """Return a cluster for the status page."""
    line: dict[str, object] = {
        "in_flight": cluster.in_flight,
        "endpoints": [_endpoint_line(cluster, endpoint, now) for endpoint in cluster.endpoints],
    }
    if cluster.checks is not None:
        line["health_checks"] = {"checks": cluster.checks.checks, "failures": cluster.checks.failures}
        line["panic"] = cluster.panicking
        line["panics"] = cluster.panics
    detector = cluster.outliers.detector
    if detector is not None:
        line["outliers"] = {
            "mode": MODE_NAMES[detector.options.mode],
            "ejected": cluster.outliers.out(),
            "ejections": dict(sorted(cluster.outliers.ejections.items())),
            "spared": {
                f"{reason}/{why}": count for (reason, why), count in sorted(cluster.outliers.spared.items())
            },
        }
    if cluster.finder is not None:
        line["discovery"] = _discovery_line(cluster.finder, now)
    return line


def _endpoint_line(cluster: Cluster, endpoint: Endpoint, now: float) -> dict[str, object]:
    line: dict[str, object] = {
        "address": endpoint.address,
        "state": STATE_NAMES[endpoint.state],
        "health": health_of(cluster, endpoint),
        "zone": endpoint.zone,
        "priority": endpoint.priority,
        "weight": endpoint.weight,
        "in_flight": endpoint.in_flight,
        "attempts": endpoint.attempts,
        "failures": endpoint.failures,
        "connections": len(endpoint.links),
        "last_error": endpoint.last_error,
    }
    tally = endpoint.tally
    if tally is not None and (tally.state != IN or tally.times_out > 0):
        line["outlier"] = {
            "state": OUTLIER_STATES[tally.state],
            "reason": tally.why,
            "times": tally.times_out,
            "seconds_left": round(max(0.0, tally.until - now), 1) if tally.state == OUT else 0.0,
        }
    slow_start = cluster.spec.slow_start
    if slow_start is not None:
        line["warm"] = round(slow_start.share(now - endpoint.warm_since), 3)
    if endpoint.watched:
        line["latency_ms"] = round(endpoint.latency.estimate(now) * 1000.0, 3)
    return line


def _discovery_line(finder: Finder, now: float) -> dict[str, object]:
    return {
        "name": f"{finder.target.host}:{finder.target.port}",
        "lookups": finder.lookups,
        "failures": finder.failures,
        "last_error": finder.last_error,
        "found": len(finder.addresses),
        "left_out": finder.cut_off,
        "age_seconds": round(now - finder.answered_at, 1) if finder.answered_at > 0.0 else None,
    }


def health_of(cluster: Cluster, endpoint: Endpoint) -> str:
    """Return the health of an endpoint as a word; empty when nobody checks it."""
    return "" if cluster.checks is None else HEALTH_NAMES[endpoint.health]


def endpoint_message(cluster: Cluster, endpoint: Endpoint, now: float) -> fleet_pb2.EndpointStatus:
    """Return an endpoint in the words of the contract."""
    message = fleet_pb2.EndpointStatus(
        cluster=cluster.name,
        address=endpoint.address,
        state=STATE_NAMES[endpoint.state],
        in_flight=endpoint.in_flight,
        last_error=endpoint.last_error,
        health=health_of(cluster, endpoint),
        zone=endpoint.zone,
        priority=endpoint.priority,
        weight=endpoint.weight,
    )
    if endpoint.watched:
        latency = Duration()
        latency.FromMicroseconds(int(endpoint.latency.estimate(now) * 1e6))
        message.latency.CopyFrom(latency)
    if endpoint.tally is not None:
        message.outlier = OUTLIER_STATES[endpoint.tally.state]
        message.outlier_reason = endpoint.tally.why
    return message


def cluster_message(cluster: Cluster) -> stats_pb2.ClusterCounters:
    """Return a cluster's numbers in the words of the contract."""
    outliers = cluster.outliers
    return stats_pb2.ClusterCounters(
        cluster=cluster.name,
        ejections=outliers.ejections,
        spared={f"{reason}/{why}": count for (reason, why), count in outliers.spared.items()},
        ejected=outliers.out(),
        endpoints=len(cluster.endpoints),
        panics=cluster.panics,
    )


def add_endpoints(page: Exposition, clusters: Iterable[Cluster], now: float) -> None:
    """Add the metrics of clusters and endpoints."""
    known = list(clusters)
    rows = [
        ((("cluster", cluster.name), ("endpoint", endpoint.address)), cluster, endpoint)
        for cluster in known
        for endpoint in cluster.endpoints
    ]
    page.family(
        names.ENDPOINT_STATE,
        (
            ((*labels, ("state", name)), float(endpoint.state == number))
            for labels, _, endpoint in rows
            for number, name in enumerate(STATE_NAMES)
        ),
    )
    page.family(
        names.ENDPOINT_HEALTH,
        (
            ((*labels, ("health", name)), float(endpoint.health == number))
            for labels, cluster, endpoint in rows
            if cluster.checks is not None
            for number, name in enumerate(HEALTH_NAMES)
        ),
    )
    page.family(names.ENDPOINT_ATTEMPTS, ((labels, endpoint.attempts) for labels, _, endpoint in rows))
    page.family(names.ENDPOINT_FAILURES, ((labels, endpoint.failures) for labels, _, endpoint in rows))
    page.family(names.ENDPOINT_IN_FLIGHT, ((labels, endpoint.in_flight) for labels, _, endpoint in rows))
    page.family(
        names.ENDPOINT_LATENCY,
        ((labels, endpoint.latency.estimate(now)) for labels, _, endpoint in rows if endpoint.watched),
    )
    page.family(
        names.ENDPOINT_EJECTED,
        ((labels, float(endpoint.ejected)) for labels, _, endpoint in rows if endpoint.tally is not None),
    )
    _add_clusters(page, known)
    _add_outliers(page, known)


def _add_clusters(page: Exposition, clusters: list[Cluster]) -> None:
    checked = [((("cluster", c.name),), c, c.checks) for c in clusters if c.checks is not None]
    page.family(names.HEALTH_CHECKS, ((labels, checks.checks) for labels, _, checks in checked))
    page.family(names.HEALTH_CHECK_FAILURES, ((labels, checks.failures) for labels, _, checks in checked))
    page.family(names.PANIC, ((labels, float(cluster.panicking)) for labels, cluster, _ in checked))
    page.family(names.PANICS, ((labels, cluster.panics) for labels, cluster, _ in checked))
    found = [((("cluster", c.name),), c.finder) for c in clusters if c.finder is not None]
    page.family(names.LOOKUPS, ((labels, finder.lookups) for labels, finder in found))
    page.family(names.LOOKUP_FAILURES, ((labels, finder.failures) for labels, finder in found))


def _add_outliers(page: Exposition, clusters: list[Cluster]) -> None:
    page.family(
        names.OUTLIER_EJECTIONS,
        (
            ((("cluster", c.name), ("reason", reason), ("enforced", enforced), ("why", why)), count)
            for c in clusters
            for reason, enforced, why, count in [
                *((reason, "true", "", count) for reason, count in sorted(c.outliers.ejections.items())),
                *((reason, "false", why, n) for (reason, why), n in sorted(c.outliers.spared.items())),
            ]
        ),
    )
