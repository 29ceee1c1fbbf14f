"""Entries of the audit journal as messages, a page at a time."""

from __future__ import annotations

from typing import Final

from seawall.v1 import admin_access_pb2 as pb
from seawall_control.api import codec
from seawall_control.domain import audit, paging
from seawall_control.domain.records import Entry
from seawall_control.services.audit import AuditLog

MOST_SEARCHED: Final = 5000
"""Entries that one page with a condition looks at; the next page goes on from there."""


def _entry(entry: Entry, record: audit.AuditRecord, *, with_body: bool) -> pb.AuditEntry:
    return pb.AuditEntry(
        number=entry.number,
        time=codec.optional_time(entry.time_us),
        actor=record.actor,
        actor_kind=record.kind,
        roles=record.roles,
        address=record.address,
        method=record.method,
        resource=dict(record.resource),
        request_id=record.request_id,
        outcome=record.outcome,
        reason=record.reason,
        result=dict(record.result),
        suppressed=record.suppressed,
        credential=record.credential,
        chain=entry.chain,
        call=record.call,
        step=record.step,
        changes=[pb.AuditChange(what=c.what, before=c.before, after=c.after) for c in record.changes],
        more_changes=record.more_changes,
        body=entry.body if with_body else "",
        time_us=entry.time_us if with_body else 0,
    )


async def page(log: AuditLog, request: pb.ListAuditEntriesRequest) -> pb.ListAuditEntriesResponse:
    """Return a page. Raise `InvalidRequest` for a token of another list."""
    size = paging.page_size(request.page_size, default=100, most=1000)
    oldest_first = request.oldest_first
    scope = ("audit", request.actor, request.method, "up" if oldest_first else "down")
    at = int(paging.decode(request.page_token, scope)[0]) if request.page_token else 0
    if oldest_first and not request.page_token:
        at = max(0, request.after)
    found: list[pb.AuditEntry] = []
    searched = 0
    while True:
        if oldest_first:
            entries = await log.page_after(at, limit=size)
        else:
            entries = await log.page(before=at, limit=size)
        for entry in entries:
            record = audit.decoded(entry)
            if request.actor in {"", record.actor} and record.method.endswith(request.method):
                found.append(_entry(entry, record, with_body=request.with_body))
            at = entry.number
            if len(found) == size:
                break
        searched += len(entries)
        over = len(entries) < size or (not oldest_first and at <= 1)
        if len(found) == size or over or searched >= MOST_SEARCHED:
            break
    # The page may have ended with the journal's last entry: then the next one is empty, and says so.
    more = not (over and len(found) < size) and (oldest_first or at > 1)
    return pb.ListAuditEntriesResponse(
        entries=found, next_page_token=paging.encode((at,), scope) if more else ""
    )
