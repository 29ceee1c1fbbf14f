"""Events as lines of a file: NDJSON, CSV, or one JSON array.

The names are those of the source schema's columns and of `seawall.v1.ErrorEvent`; times are RFC 3339 in UTC
with microseconds, lengths of time seconds.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final

from seawall_control.domain.events import MICROS, Event, Json, Severity

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RUN_BY_SPREADSHEETS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Those that OWASP names (CSV Injection); the last four are the full-width forms of the first."""


class Format(IntEnum):
    """How a file is written. Numbers are those of `seawall.v1.ExportFormat`."""

    NDJSON = 1
    CSV = 2
    JSON = 3


def _time(micros: int) -> str | None:
    if not micros:
        return None
    return (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def record(event: Event) -> dict[str, Json]:
    """Return an event as one object; every key is always there."""
    return {
        "id": event.id,
        "timestamp": _time(event.timestamp_us),
        "severity": event.severity.name,
        "kind": event.kind.name,
        "component": event.component,
        "error_type": event.error_type,
        "message": event.message,
        "route": event.route,
        "method": event.method,
        "code": event.code,
        "category": event.category.name,
        "outcome": event.outcome.name,
        "reason": event.reason,
        "endpoint": event.endpoint,
        "latency_s": event.latency_us / MICROS,
        "attempts": [
            {
                "number": one.number,
                "endpoint": one.endpoint,
                "code": one.code,
                "latency_s": one.latency_us / MICROS,
                "reason": one.reason,
            }
            for one in event.attempts
        ],
        "job_id": event.job_id,
        "job_name": event.job_name,
        "trace_id": event.trace_id,
        "fingerprint": event.fingerprint,
        "policy_revision": event.policy_revision,
        "proxy": event.proxy,
        "details": event.details,
        "stack_trace": event.stack_trace,
        "resolved": event.resolved,
        "resolved_at": _time(event.resolved_at_us),
        "resolution": event.resolution,
    }


_NAMES: Final = tuple(record(Event(id="", timestamp_us=0, severity=Severity.LOW, component="")))


def _cell(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    text = value if isinstance(value, str) else _json(value) if value else ""
    # What others have put into a message must not run in the spreadsheet of whoever opens the file.
    return f"'{text}" if text.startswith(_RUN_BY_SPREADSHEETS) else text


def _json(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def chunk(events: Sequence[Event], form: Format, *, first: bool, last: bool) -> str:
    """Return a part of a file; all parts in order are the file. The first and the last part may have no
    event.
    """
    records = [record(event) for event in events]
    if form is Format.NDJSON:
        return "".join(f"{_json(one)}\n" for one in records)
    if form is Format.JSON:
        lines = ",\n".join(_json(one) for one in records)
        begin = "[\n" if first else ",\n" if records else ""
        end = "\n]\n" if last else ""
        return f"{begin}{lines}{end}"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if first:
        writer.writerow(_NAMES)
    writer.writerows([_cell(value) for value in one.values()] for one in records)
    return text.getvalue()
