"""The cumulative numbers that the proxy reports to the control plane, in the words of the contract."""

from __future__ import annotations

from collections.abc import Iterable
from time import time
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from seawall.v1 import fleet_pb2, stats_pb2
from seawall_policy.limit.options import CLASS_NAMES
from seawall_proxy.runtime.breaker_status import BreakerSums, breaker_messages
from seawall_proxy.runtime.endpoint_status import cluster_message, endpoint_message
from seawall_proxy.runtime.status import route_states
from seawall_proxy.telemetry.counters import MethodCounters, ProxyCounters, RouteCounters
from seawall_proxy.telemetry.would import would_by_name

if TYPE_CHECKING:
    from seawall_proxy.runtime.worker import Worker
    from seawall_proxy.telemetry.clock import ClockAnchor
    from seawall_proxy.upstream.clusters import ClusterSet


def stats_report(
    worker: Worker,
    clusters: ClusterSet,
    routes: dict[str, RouteCounters],
    counters: ProxyCounters,
    clock: ClockAnchor,
) -> fleet_pb2.StatsReport:
    """Return the cumulative numbers for the control plane."""
    report = fleet_pb2.StatsReport(
        at=_timestamp(time()),
        events_produced=counters.events_produced,
        events_dropped=counters.events_dropped,
        connections=counters.connections_open,
    )
    rejects = {state.name: BreakerSums(state).would_reject for state in route_states(worker)}
    for name in sorted(routes):
        if name or routes[name].started:
            report.routes.append(route_message(routes[name], rejects.get(name, 0)))
    for slot in worker.context.methods.slots:
        report.methods.append(method_message(slot))
    table = worker.context.table
    revision = 0 if table is None else table.snapshot.revision
    for state in route_states(worker):
        report.breakers.extend(breaker_messages(state, revision, worker.context.now, clock))
    for cluster in clusters.clusters.values():
        for endpoint in cluster.endpoints:
            report.endpoints.append(endpoint_message(cluster, endpoint, worker.context.now))
        report.clusters.append(cluster_message(cluster))
    return report


def route_message(counters: RouteCounters, would_reject: int = 0) -> stats_pb2.RouteCounters:
    """Return one route's numbers in the words of the contract; `would_reject` is what its breakers let
    through in shadow.
    """
    return stats_pb2.RouteCounters(
        route=counters.route,
        by_code=counters.by_code,
        retries=counters.retries,
        budget_exhausted=counters.budget_exhausted,
        rejected=counters.rejected,
        fallbacks=counters.fallbacks,
        cancelled=counters.cancelled,
        latency_buckets=counters.latency.buckets,
        latency_sum_seconds=counters.latency.total_s,
        in_flight=counters.in_flight,
        recovered=counters.recovered,
        rejected_by=counters.rejected_by,
        limited=_summed((reason, count) for (reason, _), count in counters.limited.items()),
        limited_by_criticality=_summed(
            (CLASS_NAMES[criticality], count) for (_, criticality), count in counters.limited.items()
        ),
        queued=counters.queue_waits,
        queue_wait_seconds=counters.queue_wait_s,
        hedges=counters.hedges,
        hedges_won=counters.hedges_won,
        hedges_refused=counters.hedges_refused,
        hopeless=counters.hopeless,
        wasted_attempts=counters.wasted,
        wasted_seconds=counters.wasted_s,
        would=would_by_name(counters, would_reject),
    )


def method_message(slot: MethodCounters) -> stats_pb2.MethodCounters:
    """Return one method's numbers in the words of the contract."""
    return stats_pb2.MethodCounters(
        route=slot.owner.route,
        method=slot.method,
        by_code=_trimmed(slot.by_code),
        latency_buckets=_trimmed(slot.latency.buckets),
        latency_sum_seconds=slot.latency.total_s,
    )


def _trimmed(numbers: list[int]) -> list[int]:
    last = len(numbers)
    while last > 0 and numbers[last - 1] == 0:
        last -= 1
    return numbers[:last]


def _summed(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, count in counts:
        found[name] = found.get(name, 0) + count
    return found


def _timestamp(wall_s: float) -> Timestamp:
    result = Timestamp()
    result.FromMicroseconds(int(wall_s * 1e6))
    return result
