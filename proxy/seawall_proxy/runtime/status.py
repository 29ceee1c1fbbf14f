"""What the proxy says about itself: the report for the control plane, and the page for a person."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from seawall.v1 import fleet_pb2, stats_pb2
from seawall_proxy.runtime.breaker_status import breaker_messages, route_lines
from seawall_proxy.runtime.endpoint_status import cluster_line, endpoint_message
from seawall_proxy.runtime.limit_status import guard_lines
from seawall_proxy.telemetry.counters import MethodCounters, ProxyCounters, RouteCounters

if TYPE_CHECKING:
    from seawall_proxy.call.routing import RouteState
    from seawall_proxy.runtime.policy_holder import PolicyHolder
    from seawall_proxy.runtime.worker import Worker
    from seawall_proxy.telemetry.clock import ClockAnchor
    from seawall_proxy.upstream.clusters import ClusterSet


def route_states(worker: Worker) -> list[RouteState]:
    """Return the routes of the policy in force, by name."""
    table = worker.context.table
    return [] if table is None else [table.states[name] for name in sorted(table.states)]


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
    for name in sorted(routes):
        if name or routes[name].started:
            report.routes.append(route_message(routes[name]))
    for slot in worker.context.methods.slots:
        report.methods.append(method_message(slot))
    table = worker.context.table
    revision = 0 if table is None else table.snapshot.revision
    for state in route_states(worker):
        report.breakers.extend(breaker_messages(state, revision, worker.context.now, clock))
    for cluster in clusters.clusters.values():
        for endpoint in cluster.endpoints:
            report.endpoints.append(endpoint_message(cluster, endpoint, worker.context.now))
    return report


def route_message(counters: RouteCounters) -> stats_pb2.RouteCounters:
    """Return one route's numbers in the words of the contract."""
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


def status_page(worker: Worker, clusters: ClusterSet, holder: PolicyHolder) -> dict[str, object]:
    """Return the body of /status."""
    now = worker.tell_time()
    return {
        "policy": {
            "source": holder.source,
            "revision": holder.revision,
            "hash": holder.digest,
            "age_seconds": round(now - holder.applied_at, 3) if holder.snapshot is not None else None,
            "refused": holder.refused,
            "waiting_for_descriptors": [item.route for item in holder.pending],
        },
        "routes": [_route_line(state, now) for state in route_states(worker)],
        "clusters": {cluster.name: cluster_line(cluster, now) for cluster in clusters.clusters.values()},
        "calls_in_flight": worker.context.calls,
        "connections": len(worker.downstream),
        "replay_bytes": worker.context.replay_bytes,
        "unmatched_calls": worker.context.unmatched.started,
        "protocol_errors": dict(worker.counters.protocol_errors_by),
    }


def _route_line(state: RouteState, now: float) -> dict[str, object]:
    counters = state.counters
    line: dict[str, object] = {
        "name": state.name,
        "policy": state.policy.name,
        "calls": sum(counters.by_code),
        "ok": counters.by_code[0],
        "in_flight": counters.in_flight,
        "retries": counters.retries,
        "recovered": counters.recovered,
        "fallbacks": counters.fallbacks,
        "rejected": counters.rejected,
    }
    line.update(route_lines(state, now))
    line.update(guard_lines(state.guards))
    _add_kept(line, state, now)
    return line


def _add_kept(line: dict[str, object], state: RouteState, now: float) -> None:
    """Add how the route lives on its fallbacks, and what it keeps for other calls."""
    degradation = state.degradation
    if degradation is not None:
        active = degradation.active
        line["degraded"] = {
            "active": active,
            "for_seconds": round(now - degradation.since, 3) if active else 0.0,
            "calls": degradation.calls if active else 0,
            "step": degradation.step if active else -1,
            "kind": degradation.kind if active else "",
            "times": degradation.times,
        }
    if state.last_good is not None:
        line["last_good"] = {"entries": len(state.last_good), "bytes": state.last_good.bytes}
    if state.journal is not None:
        counters = state.counters.journal
        line["journal"] = {
            "entries": len(state.journal),
            "bytes": state.journal.bytes,
            "at_work": state.journal.at_work(),
            "waiting": state.journal.waiting(),
            "stored": counters.stored,
            "replayed": counters.replayed,
            "reused": counters.reused,
            "skipped": dict(counters.skipped),
        }


def _timestamp(wall_s: float) -> Timestamp:
    result = Timestamp()
    result.FromMicroseconds(int(wall_s * 1e6))
    return result
