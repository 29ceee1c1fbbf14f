"""The gate's and the audit journal's numbers in Prometheus' text format."""

from __future__ import annotations

from typing import Final

from seawall_control.api.gate import GateNumbers
from seawall_control.api.metrics import Page
from seawall_control.services.audit import AuditNumbers

KINDS: Final = ("token", "certificate", "local", "anonymous", "enrolment")


def render(gate: GateNumbers, audit: AuditNumbers, repeated: int) -> str:
    """Return the families."""
    page = Page()
    page.add(
        "seawall_control_calls_admitted_total",
        "counter",
        "Calls that were let in, by how the caller was known.",
        [({"kind": kind}, gate.callers.get(kind, 0)) for kind in KINDS],
    )
    page.add(
        "seawall_control_calls_refused_total",
        "counter",
        "Calls that were refused before they reached anything, by why.",
        [
            ({"reason": "unauthenticated"}, gate.unauthenticated),
            ({"reason": "permission_denied"}, gate.denied),
            ({"reason": "rate_limited"}, gate.rate_limited),
        ],
    )
    page.one("seawall_control_audit_entries_total", "counter", "Audit entries written.", audit.written)
    page.one(
        "seawall_control_audit_lost_total",
        "counter",
        "Audit entries that the store did not take; the log has them.",
        audit.lost,
    )
    page.one(
        "seawall_control_audit_suppressed_total",
        "counter",
        "Refused calls without an audit entry of their own; the next entry says how many.",
        audit.suppressed,
    )
    page.one(
        "seawall_control_requests_repeated_total",
        "counter",
        "Changes that were asked for again with the same request_id, and answered as before.",
        repeated,
    )
    return page.text()
