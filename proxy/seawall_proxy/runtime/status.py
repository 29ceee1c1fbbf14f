"""What the proxy says about itself to a person: the status page. Its reports are in `report`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seawall_proxy.runtime.breaker_status import BreakerSums, route_lines
from seawall_proxy.runtime.endpoint_status import cluster_line
from seawall_proxy.runtime.limit_status import guard_lines
from seawall_proxy.telemetry.would import would_by_name

if TYPE_CHECKING:
    from seawall_proxy.call.routing import RouteState
    from seawall_proxy.runtime.policy_holder import PolicyHolder
    from seawall_proxy.runtime.worker import Worker
    from seawall_proxy.upstream.clusters import ClusterSet


def route_states(worker: Worker) -> list[RouteState]:
    """Return the routes of the policy in force, by name."""
    table = worker.context.table
    return [] if table is None else [table.states[name] for name in sorted(table.states)]


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
        "hopeless": counters.hopeless,
        "wasted_attempts": counters.wasted,
        "wasted_seconds": round(counters.wasted_s, 3),
    }
    line.update(route_lines(state, now))
    line.update(guard_lines(state.guards))
    would = would_by_name(counters, BreakerSums(state).would_reject)
    if would:
        line["would"] = would
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
