"""Events as JSON for the HTTP API: the columns that the requirements name, and what a proxy adds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from seawall_control.domain.events import Event, EventCounts, Json

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iso(micros: int) -> str | None:
    """Return RFC 3339 in UTC; None for a time that is not known."""
    if micros <= 0:
        return None
    return (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def event_json(event: Event) -> dict[str, Json]:
    """Return an event as a JSON object."""
    return {
        "id": event.id,
        "timestamp": iso(event.timestamp_us),
        "severity": event.severity.name,
        "component": event.component,
        "error_type": event.error_type,
        "message": event.message,
        "details": event.details,
        "job_id": event.job_id or None,
        "job_name": event.job_name or None,
        "stack_trace": event.stack_trace or None,
        "resolved": event.resolved,
        "resolved_at": iso(event.resolved_at_us),
        "resolution": event.resolution or None,
        "kind": event.kind.name,
        "route": event.route,
        "method": event.method,
        "code": event.code,
        "category": event.category.name,
        "attempts": [
            {
                "number": a.number,
                "endpoint": a.endpoint,
                "code": a.code,
                "latency_ms": a.latency_us / 1000,
                "reason": a.reason,
            }
            for a in event.attempts
        ],
        "endpoint": event.endpoint,
        "latency_ms": event.latency_us / 1000,
        "outcome": event.outcome.name,
        "reason": event.reason,
        "trace_id": event.trace_id,
        "fingerprint": event.fingerprint,
        "policy_revision": event.policy_revision,
        "proxy": event.proxy,
    }


def counts_json(counts: EventCounts) -> dict[str, Json]:
    """Return the counts under the names that the requirements give them."""
    return {
        "total": counts.total,
        "unresolved": counts.unresolved,
        "by_severity": {s.name: n for s, n in counts.by_severity.items()},
        "unresolved_by_severity": {s.name: n for s, n in counts.unresolved_by_severity.items()},
        "recent_24h": counts.recent_24h,
    }
