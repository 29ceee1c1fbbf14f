"""The stable form of `-o json`: one function for each thing that is shown.

Rules: names in snake case; times in RFC 3339 UTC or null; lengths of time in seconds, with the unit in the
name; enum values as lower-case words without their prefix, status codes as their upper-case names; every key
is always there. Keys may be added, never renamed or removed: a test holds the sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.timestamp_pb2 import Timestamp

from seawall.v1 import (
    admin_events_pb2,
    admin_fleet_pb2,
    admin_policies_pb2,
    event_pb2,
    fleet_pb2,
    policy_pb2,
    stats_pb2,
)

Shape = dict[str, Any]

CODES: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


def word(enum: EnumTypeWrapper, value: int, prefix: str) -> str:
    """Return an enum value as a lower-case word; empty when unset; its number when this version does not know
    it.
    """
    if value == 0:
        return ""
    try:
        name: str = enum.Name(value)
    except ValueError:
        return str(value)
    return name.removeprefix(prefix).lower()


def moment(message: Timestamp) -> datetime | None:
    """Return a time, or None for an unset one."""
    return message.ToDatetime(tzinfo=UTC) if message.seconds or message.nanos else None


def time(message: Timestamp) -> str | None:
    """Return a time as RFC 3339 with milliseconds, or None for an unset one."""
    at = moment(message)
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(message: Duration) -> float:
    """Return a length of time in seconds."""
    return round(message.seconds + message.nanos / 1e9, 9)


def breaker_state(value: int) -> str:
    """Return a breaker's state."""
    return word(stats_pb2.BreakerState, value, "BREAKER_STATE_")


# ------------------------------------------------------------------------------------------------- policies


def violation(item: admin_policies_pb2.Violation) -> Shape:
    """A mistake or a warning."""
    return {"field": item.field, "message": item.message, "code": item.code, "warning": item.warning}


def revision(item: admin_policies_pb2.Revision) -> Shape:
    """A revision without its document."""
    return {
        "name": item.name,
        "revision": item.revision,
        "policy_set": item.policy_set,
        "hash": item.hash,
        "author": item.author,
        "message": item.message,
        "create_time": time(item.create_time),
        "rollback_of": item.rollback_of or None,
        "base": item.base or None,
        "base_revision": item.base_revision or None,
    }


def change(item: admin_policies_pb2.Change) -> Shape:
    """A changed field; before and after are JSON texts, empty for nothing."""
    return {"field": item.field, "before": item.before, "after": item.after}


def proxy_rollout(item: admin_policies_pb2.ProxyRollout) -> Shape:
    """Where a proxy stands."""
    return {
        "proxy": item.proxy,
        "state": word(admin_policies_pb2.RolloutState, item.state, "ROLLOUT_STATE_"),
        "applied_revision": item.applied_revision,
        "last_verdict": word(fleet_pb2.PolicyVerdict, item.last_verdict, "POLICY_VERDICT_"),
        "reasons": list(item.reasons),
        "update_time": time(item.update_time),
    }


def rollout(item: admin_policies_pb2.GetRolloutResponse) -> Shape:
    """The state of a rollout."""
    return {
        "revision": item.revision,
        "hash": item.hash,
        "applied": item.applied,
        "connected": item.connected,
        "proxies": [proxy_rollout(proxy) for proxy in item.proxies],
    }


# -------------------------------------------------------------------------------------------------- events


def event(item: event_pb2.ErrorEvent) -> Shape:
    """An error event."""
    return {
        "id": item.id,
        "timestamp": time(item.timestamp),
        "severity": word(event_pb2.Severity, item.severity, "SEVERITY_"),
        "kind": word(event_pb2.EventKind, item.kind, "EVENT_KIND_"),
        "component": item.component,
        "error_type": item.error_type,
        "message": item.message,
        "route": item.route,
        "method": item.method,
        "code": item.code,
        "category": word(policy_pb2.Category, item.category, "CATEGORY_"),
        "outcome": word(event_pb2.Outcome, item.outcome, "OUTCOME_"),
        "reason": item.reason,
        "endpoint": item.endpoint,
        "latency_s": seconds(item.latency),
        "attempts": [
            {
                "number": attempt.number,
                "endpoint": attempt.endpoint,
                "code": attempt.code,
                "latency_s": seconds(attempt.latency),
                "reason": attempt.reason,
            }
            for attempt in item.attempts
        ],
        "proxy": item.proxy,
        "policy_revision": item.policy_revision,
        "trace_id": item.trace_id,
        "fingerprint": item.fingerprint,
        "job_id": item.job_id,
        "job_name": item.job_name,
        "details": json_format.MessageToDict(item.details),
        "stack_trace": item.stack_trace,
        "resolved": item.resolved,
        "resolved_at": time(item.resolved_at),
        "resolution": item.resolution,
    }


def event_stats(item: admin_events_pb2.GetEventStatsResponse) -> Shape:
    """Counts of events, by severity in lower case."""
    order = ("low", "medium", "high", "critical")
    by_severity = {
        name.lower().removeprefix("severity_"): number for name, number in item.by_severity.items()
    }
    unresolved = {
        name.lower().removeprefix("severity_"): number for name, number in item.unresolved_by_severity.items()
    }
    return {
        "total": item.total,
        "unresolved": item.unresolved,
        "recent_24h": item.recent_24h,
        "by_severity": {name: by_severity.get(name, 0) for name in order},
        "unresolved_by_severity": {name: unresolved.get(name, 0) for name in order},
    }


# --------------------------------------------------------------------------------------------------- fleet


def endpoint(item: fleet_pb2.EndpointStatus) -> Shape:
    """An upstream endpoint as one proxy sees it."""
    return {
        "cluster": item.cluster,
        "address": item.address,
        "state": item.state,
        "in_flight": item.in_flight,
        "last_error": item.last_error,
        "outlier": item.outlier,
        "outlier_reason": item.outlier_reason,
    }


def spool(item: fleet_pb2.SpoolStatus) -> Shape:
    """What waits on a proxy's disk."""
    return {
        "depth": item.depth,
        "bytes": item.bytes,
        "oldest_age_s": seconds(item.oldest_age),
        "dropped": dict(sorted(item.dropped.items())),
        "degraded": item.degraded,
        "problem": item.problem,
    }


def proxy(item: admin_fleet_pb2.Proxy) -> Shape:
    """A proxy."""
    return {
        "node": item.node,
        "connected": item.connected,
        "control_plane": item.control_plane or None,
        "stale": item.stale,
        "last_seen": time(item.last_seen),
        "start_time": time(item.start_time),
        "version": item.version,
        "labels": dict(sorted(item.labels.items())),
        "policy_set": item.policy_set,
        "applied_revision": item.applied_revision,
        "policy_source": item.policy_source,
        "drifted": item.drifted,
        "connections": item.connections,
        "events_produced": item.events_produced,
        "events_dropped": item.events_dropped,
        "spool": spool(item.spool) if item.HasField("spool") else None,
        "admin_address": item.admin_address,
        "endpoints": [endpoint(one) for one in item.endpoints],
    }


def route_stats(item: stats_pb2.RouteStats) -> Shape:
    """A route's statistics over the window and since the start."""
    total = item.total
    return {
        "route": item.route,
        "window_s": seconds(item.window),
        "calls_per_second": item.calls_per_second,
        "success_ratio": item.success_ratio,
        "p50_s": item.p50_seconds,
        "p95_s": item.p95_seconds,
        "p99_s": item.p99_seconds,
        "retries_per_second": item.retries_per_second,
        "fallbacks_per_second": item.fallbacks_per_second,
        "rejected_per_second": item.rejected_per_second,
        "hedges_per_second": item.hedges_per_second,
        "limited_per_second": item.limited_per_second,
        "hopeless_per_second": item.hopeless_per_second,
        "wasted_seconds_per_second": item.wasted_seconds_per_second,
        "breaker": breaker_state(item.breaker),
        "total": {
            "by_code": {CODES[code]: number for code, number in enumerate(total.by_code[:17]) if number},
            "calls": sum(total.by_code),
            "retries": total.retries,
            "recovered": total.recovered,
            "budget_exhausted": total.budget_exhausted,
            "rejected": total.rejected,
            "fallbacks": total.fallbacks,
            "cancelled": total.cancelled,
            "in_flight": total.in_flight,
            "rejected_by": counts(total.rejected_by),
            "limited": counts(total.limited),
            "limited_by_criticality": counts(total.limited_by_criticality),
            "queued": total.queued,
            "queue_wait_s": total.queue_wait_seconds,
            "hedges": total.hedges,
            "hedges_won": total.hedges_won,
            "hedges_refused": counts(total.hedges_refused),
            "hopeless": total.hopeless,
            "wasted_attempts": total.wasted_attempts,
            "wasted_s": total.wasted_seconds,
            "would": counts(total.would),
        },
    }


def counts(items: Mapping[str, int]) -> Shape:
    """Numbers by name."""
    return dict(sorted(items.items()))


def cluster_stats(item: stats_pb2.ClusterStats) -> Shape:
    """A cluster's statistics since the start."""
    total = item.total
    return {
        "cluster": item.cluster,
        "proxies": item.proxies,
        "endpoints": total.endpoints,
        "ejected": total.ejected,
        "ejections": counts(total.ejections),
        "spared": counts(total.spared),
        "panics": total.panics,
    }


def breaker(item: stats_pb2.BreakerStatus) -> Shape:
    """A breaker at one proxy."""
    return {
        "name": item.name,
        "route": item.route,
        "proxy": item.proxy,
        "state": breaker_state(item.state),
        "since": time(item.since),
        "trigger": item.trigger,
        "window_calls": item.window_calls,
        "window_failures": item.window_failures,
        "window_slow": item.window_slow,
        "rejected": item.rejected,
        "opened": item.opened,
        "retry_after_s": seconds(item.retry_after) if item.HasField("retry_after") else None,
        "failure_rate": item.failure_rate if item.HasField("failure_rate") else None,
        "slow_rate": item.slow_rate if item.HasField("slow_rate") else None,
        "consecutive": item.consecutive,
        "in_flight": item.in_flight,
        "probes": {
            "in_flight": item.probes_in_flight,
            "passed": item.probes_passed,
            "not_passed": item.probes_not_passed,
        },
        "next_probe": time(item.next_probe) if item.HasField("next_probe") else None,
        "ramp_share": item.ramp_share or None,
        "would_reject": item.would_reject,
        "hold": breaker_hold(item.hold) if item.HasField("hold") else None,
        "policy": item.policy,
        "policy_revision": item.policy_revision,
        "mode": item.mode,
        "history": [breaker_transition(change) for change in item.history],
    }


def breaker_hold(item: stats_pb2.BreakerHold) -> Shape:
    """Who keeps a breaker in its state, why, and until when."""
    return {
        "actor": item.actor,
        "reason": item.reason,
        "until": time(item.until) if item.HasField("until") else None,
    }


def breaker_transition(item: stats_pb2.BreakerTransition) -> Shape:
    """One change of a breaker's state."""
    return {
        "at": time(item.at),
        "from": breaker_state(getattr(item, "from")),
        "to": breaker_state(item.to),
        "trigger": item.trigger,
        "calls": item.calls,
        "failures": item.failures,
        "slow": item.slow,
    }


def command_result(item: admin_fleet_pb2.ProxyCommandResult) -> Shape:
    """What one proxy said to a command."""
    return {"proxy": item.proxy, "ok": item.ok, "message": item.message}


def health(item: admin_fleet_pb2.GetSystemHealthResponse) -> Shape:
    """Health of the control plane."""
    return {
        "status": item.status,
        "version": item.version,
        "uptime_s": seconds(item.uptime),
        "components": [
            {"name": part.name, "status": part.status, "message": part.message} for part in item.components
        ],
    }
