"""The audit journal: who changed what, from where, with which outcome.

A change of the store and its entry are one transaction (store/witness.py); a call that changes the store
several times leaves several entries of one `call`, numbered by `step`; one that changes many events leaves an
entry with the first of them and one with their sum (services/audit_witness.py). What fails, and what changes
nothing that is stored, leaves one entry when it is over. Entries are chained (domain/records.py), so that one
that is changed or removed in the middle shows. They hold no secrets: of what was asked only the names of
things, never a value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from seawall_control.domain.access import Caller
from seawall_control.domain.records import Entry, Touched
from seawall_control.domain.redaction import redact_text

TOPIC: Final = "audit"
BEGUN: Final = "BEGUN"
"""Outcome of an entry that is written before something is done that no transaction holds, such as a command
to a proxy; what came of it is the next entry of the call.
"""
INTERRUPTED: Final = "INTERRUPTED"
"""Outcome of an entry about a change of many events whose control plane was ended in the middle."""
TALLY: Final = "audit-tally"
"""Kind of the documents that say how many events a call has changed so far, by call."""
MAX_FIELD_CHARS: Final = 512
MAX_CHANGES: Final = 20
"""Things that one entry names of those that its transaction changed."""
RESOURCE_FIELDS: Final = (
    "name", "id", "ids", "policy_set", "revision", "node", "proxy", "breaker", "serial", "filter", "rollout",
    "silence", "rule", "runbook", "group", "channel", "route", "cluster", "endpoint", "reason", "state",
    "older_than",
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
    result: dict[str, str] = field(default_factory=dict)
    """What came of it: the number and the hash of a revision, for example."""
    suppressed: int = 0
    """How many refused calls since the entry before it were not written down each."""
    credential: str = ""
    call: str = ""
    """The same in all entries of one call; empty: it has one only."""
    step: int = 0
    """1 for the first change that the call made in the store, and so on; 0: this entry is of no change. In
    the entry with a sum, how many there were.
    """
    changes: tuple[Touched, ...] = ()
    """What was changed in the transaction that this entry was written in, with hashes before and after."""
    more_changes: int = 0
    """How many more were."""


def with_changes(record: AuditRecord, touched: Sequence[Touched], step: int) -> AuditRecord:
    """Return the record of a transaction that has changed something."""
    named = touched[:MAX_CHANGES]
    return replace(
        record,
        result=record.result | {key: _cut(value) for one in named for key, value in one.facts},
        step=step,
        changes=tuple(Touched(_cut(one.what), one.before, one.after) for one in named),
        more_changes=max(0, len(touched) - MAX_CHANGES),
    )


def summed(record: AuditRecord, events: int, steps: int) -> AuditRecord:
    """Return the record of a call that has changed so many events in so many transactions."""
    return replace(
        record,
        result=record.result | {"events": str(events)},
        step=steps,
        changes=(Touched(f"events: {events}"),),
    )


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
    call: str = "",
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
        call=call,
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
            "call": record.call,
            "step": record.step,
            "changes": [[one.what, one.before, one.after] for one in record.changes],
            "more_changes": record.more_changes,
        },
        separators=(",", ":"),
        ensure_ascii=False,
    )


def decoded(entry: Entry) -> AuditRecord:
    """Return what an entry says. An entry that was damaged on disk says what is left of it."""
    return decoded_body(entry.body)


def decoded_body(body: str) -> AuditRecord:
    """Return what the text of an entry says."""
    try:
        value = json.loads(body)
    except ValueError:
        value = {}
    if not isinstance(value, dict):
        value = {}

    def text(key: str) -> str:
        return str(value.get(key, ""))

    def texts(key: str) -> dict[str, str]:
        found = value.get(key)
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    def number(key: str) -> int:
        found = value.get(key)
        return found if isinstance(found, int) else 0

    roles = value.get("roles")
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
        suppressed=number("suppressed"),
        credential=text("credential"),
        call=text("call"),
        step=number("step"),
        changes=_touched(value.get("changes")),
        more_changes=number("more_changes"),
    )


def _touched(found: object) -> tuple[Touched, ...]:
    items = found if isinstance(found, list) else []
    return tuple(
        Touched(str(item[0]), str(item[1]), str(item[2]))
        for item in items
        if isinstance(item, list) and len(item) == 3
    )
