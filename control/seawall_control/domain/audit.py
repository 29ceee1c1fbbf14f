"""The audit journal: who changed what, from where, with which outcome.

Entries are chained (domain/records.py), so that one that is changed or removed in the middle shows. They hold
no secrets: of what was asked only the names of things, never a value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from seawall_control.domain.access import Caller
from seawall_control.domain.records import Entry
from seawall_control.domain.redaction import redact_text

TOPIC: Final = "audit"
MAX_FIELD_CHARS: Final = 512
RESOURCE_FIELDS: Final = (
    "name", "id", "ids", "policy_set", "revision", "node", "proxy", "breaker", "serial", "filter", "rollout",
    "silence", "rule", "runbook", "group", "channel", "route", "cluster", "endpoint", "reason", "state",
)  # fmt: skip
"""Fields of requests that say what a change is about. Nothing else of a request is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One entry, as it is written."""

    actor: str
    kind: str
    """How the actor was known; see `Caller.kind`. `none` for a caller that was refused."""
    roles: tuple[str, ...]
    address: str
    method: str
    resource: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    outcome: str
    """`OK`, or the name of the status code."""
    reason: str = ""
    """The stable reason of a failure."""
    result: Mapping[str, str] = field(default_factory=dict)
    """What came of it: the number and the hash of a revision, for example."""
    suppressed: int = 0
    """How many refused calls since the entry before it were not written down each."""
    credential: str = ""


def _cut(text: str) -> str:
    return redact_text(text)[:MAX_FIELD_CHARS]


def record_of(
    caller: Caller | None,
    method: str,
    *,
    address: str = "",
    resource: Mapping[str, str] | None = None,
    request_id: str = "",
    outcome: str = "OK",
    reason: str = "",
    result: Mapping[str, str] | None = None,
    suppressed: int = 0,
) -> AuditRecord:
    """Return the record of a call, cut to size and without secrets."""
    return AuditRecord(
        actor=_cut(caller.name) if caller else "",
        kind=caller.kind if caller else "none",
        roles=tuple(sorted(role.label for role in caller.roles)) if caller else (),
        address=_cut(caller.address if caller else address),
        method=_cut(method),
        resource={key: _cut(value) for key, value in (resource or {}).items()},
        request_id=_cut(request_id),
        outcome=outcome,
        reason=reason,
        result={key: _cut(value) for key, value in (result or {}).items()},
        suppressed=suppressed,
        credential=caller.credential if caller else "",
    )


def encoded(record: AuditRecord) -> str:
    """Return the body of an entry."""
    return json.dumps(
        {
            "actor": record.actor,
            "kind": record.kind,
            "roles": list(record.roles),
            "address": record.address,
            "credential": record.credential,
            "method": record.method,
            "resource": dict(record.resource),
            "request_id": record.request_id,
            "outcome": record.outcome,
            "reason": record.reason,
            "result": dict(record.result),
            "suppressed": record.suppressed,
        },
        separators=(",", ":"),
        ensure_ascii=False,
    )


def decoded(entry: Entry) -> AuditRecord:
    """Return what an entry says. An entry that was damaged on disk says what is left of it."""
    try:
        value = json.loads(entry.body)
    except ValueError:
        value = {}
    if not isinstance(value, dict):
        value = {}

    def text(key: str) -> str:
        return str(value.get(key, ""))

    def texts(key: str) -> dict[str, str]:
        found = value.get(key)
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    roles = value.get("roles")
    suppressed = value.get("suppressed")
    return AuditRecord(
        actor=text("actor"),
        kind=text("kind"),
        roles=tuple(str(role) for role in roles) if isinstance(roles, list) else (),
        address=text("address"),
        method=text("method"),
        resource=texts("resource"),
        request_id=text("request_id"),
        outcome=text("outcome"),
        reason=text("reason"),
        result=texts("result"),
        suppressed=suppressed if isinstance(suppressed, int) else 0,
        credential=text("credential"),
    )
