"""Turns values into rows and back, the same for every database: whole numbers of 64 bits, text, and JSON as
text.
"""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Iterable, Sequence
from typing import Any, Final

from seawall_control.domain.events import (
    AttemptSummary,
    Category,
    Event,
    EventCounts,
    EventKind,
    Outcome,
    Severity,
)
from seawall_control.domain.fleet import ProxyRecord, Verdict
from seawall_control.domain.recent import recent_of
from seawall_control.domain.revisions import Revision
from seawall_control.domain.sequences import Arrivals

EVENT_COLUMNS: Final = (
    "id", "timestamp_us", "severity", "component", "error_type", "message", "details", "job_id", "job_name",
    "stack_trace",
    "resolved", "resolved_at_us", "kind", "route", "method", "code", "category", "attempts", "endpoint",
    "latency_us", "outcome", "reason", "trace_id", "fingerprint", "policy_revision", "proxy", "resolution",
)  # fmt: skip
EVENT_SELECT: Final = ", ".join(EVENT_COLUMNS)
REVISION_COLUMNS: Final = (
    "policy_set, revision, hash, author, message, create_time_us, rollback_of, base, base_revision"
)
REVISION_BODIES: Final = "document, own"
"""What a list of revisions leaves out."""
PROXY_COLUMNS: Final = (
    "node, boot_id, labels, version, policy_set, admin_address, start_time_us, last_seen_us, "
    "applied_revision, applied_hash, policy_source, last_verdict, reasons, answered_us, refused"
)


def int64(number: int) -> int:
    """Return the number, or the nearest one that a database can hold."""
    return max(-(2**63), min(number, 2**63 - 1))


# Made once: `json.dumps` makes an encoder for every call that asks for more than the defaults.
_json: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_quoted: Final = json.encoder.encode_basestring


def _attempts_text(attempts: Sequence[AttemptSummary]) -> str:
    """Return a JSON list of lists. Every failed call has some: put together here, in a third of the time."""
    texts = [
        f"[{a.number},{_quoted(a.endpoint)},{_quoted(a.code)},{a.latency_us},{_quoted(a.reason)}]"
        for a in attempts
    ]
    return f"[{','.join(texts)}]"


def event_row(event: Event) -> tuple[Any, ...]:
    """Return the values of `EVENT_COLUMNS`."""
    return (
        event.id,
        event.timestamp_us,
        int(event.severity),
        event.component,
        event.error_type,
        event.message,
        None if event.details is None else _json(event.details),
        event.job_id,
        event.job_name,
        event.stack_trace,
        int(event.resolved),
        event.resolved_at_us,
        int(event.kind),
        event.route,
        event.method,
        event.code,
        int(event.category),
        _attempts_text(event.attempts) if event.attempts else None,
        event.endpoint,
        event.latency_us,
        int(event.outcome),
        event.reason,
        event.trace_id,
        event.fingerprint,
        event.policy_revision,
        event.proxy,
        event.resolution,
    )


def event_of(row: Sequence[Any]) -> Event:
    """Return the event of a row of `EVENT_COLUMNS`."""
    value = dict(zip(EVENT_COLUMNS, row, strict=True))
    attempts = json.loads(value.pop("attempts") or "[]")
    details = value.pop("details")
    return Event(
        severity=Severity(value.pop("severity")),
        resolved=bool(value.pop("resolved")),
        kind=EventKind(value.pop("kind")),
        category=Category(value.pop("category")),
        outcome=Outcome(value.pop("outcome")),
        details=None if details is None else json.loads(details),
        attempts=tuple(
            AttemptSummary(number=number, endpoint=endpoint, code=code, latency_us=latency_us, reason=reason)
            for number, endpoint, code, latency_us, reason in attempts
        ),
        **value,
    )


def revision_row(revision: Revision) -> tuple[Any, ...]:
    """Return the values of `REVISION_COLUMNS` and `REVISION_BODIES`."""
    return (
        revision.policy_set,
        revision.revision,
        revision.hash,
        revision.author,
        revision.message,
        revision.create_time_us,
        revision.rollback_of,
        revision.base,
        revision.base_revision,
        revision.document,
        revision.own,
    )


def revision_of(row: Sequence[Any]) -> Revision:
    """Return the revision of a row of `REVISION_COLUMNS`, with `REVISION_BODIES` if the row has them too."""
    policy_set, revision, hash_, author, message, create_time_us, rollback_of, base, number, *bodies = row
    document, own = bodies or (b"", b"")
    return Revision(
        policy_set=policy_set,
        revision=revision,
        hash=hash_,
        author=author,
        message=message,
        create_time_us=create_time_us,
        rollback_of=rollback_of,
        base=base,
        base_revision=number,
        document=document,
        own=own,
    )


def proxy_row(proxy: ProxyRecord) -> tuple[Any, ...]:
    """Return the values of `PROXY_COLUMNS`."""
    return (
        proxy.node,
        proxy.boot_id,
        _json(dict(proxy.labels)),
        proxy.version,
        proxy.policy_set,
        proxy.admin_address,
        proxy.start_time_us,
        proxy.last_seen_us,
        proxy.applied_revision,
        proxy.applied_hash,
        proxy.policy_source,
        int(proxy.last_verdict),
        _json(proxy.reasons),
        proxy.answered_us,
        _json(proxy.refused),
    )


def proxy_of(row: Sequence[Any]) -> ProxyRecord:
    """Return the proxy of a row of `PROXY_COLUMNS`."""
    value = dict(zip(PROXY_COLUMNS.split(", "), row, strict=True))
    return ProxyRecord(
        labels=json.loads(value.pop("labels")),
        last_verdict=Verdict(value.pop("last_verdict")),
        reasons=tuple(json.loads(value.pop("reasons"))),
        refused=tuple(json.loads(value.pop("refused"))),
        **value,
    )


def arrivals_of(row: Sequence[Any]) -> Arrivals:
    """Return the arrivals of a row of `seen, assumed_through`."""
    return Arrivals(tuple((first, last) for first, last in json.loads(row[0])), row[1])


def arrivals_row(arrivals: Arrivals) -> tuple[str, int]:
    """Return the values of `seen, assumed_through`."""
    return _json(arrivals.seen), arrivals.assumed_through


WHOLE_HOURS, COUNTED, OLDEST_HOUR = 0, 1, 2
"""What rows of severity 0 tell of the last 24 hours, in the place of `resolved` (domain/recent.py)."""


def counts_of(rows: Iterable[Sequence[Any]], *, share: float) -> EventCounts:
    """Return the counts of rows of severity, resolved and number; rows of severity 0 are about the last 24
    hours, and `share` is the part of the oldest hour that is within.
    """
    by_severity = dict.fromkeys(Severity, 0)
    unresolved = dict.fromkeys(Severity, 0)
    told = [0, 0, 0]
    for severity, resolved, number in rows:
        if severity == 0:
            told[resolved] += number
            continue
        by_severity[Severity(severity)] += number
        if not resolved:
            unresolved[Severity(severity)] += number
    recent = recent_of(
        whole_hours=told[WHOLE_HOURS], counted=told[COUNTED], oldest_hour=told[OLDEST_HOUR], share=share
    )
    return EventCounts(sum(by_severity.values()), sum(unresolved.values()), recent, by_severity, unresolved)
