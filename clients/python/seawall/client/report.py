"""Error events from applications: what an exception says, bounded, and nothing else.

The sizes are bounded here, so that an exception with a megabyte in its text cannot clog the path to the
store. Only local variables are redacted (`seawall.capture`): an application knows what else may leave it, and
the control plane's redaction rules apply on arrival.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from seawall.capture import (
    MAX_DETAIL_BYTES,
    MAX_DETAILS,
    MAX_FRAMES,
    MAX_MESSAGE_BYTES,
    MAX_STACK_BYTES,
    Captured,
    Detail,
    Redact,
    capture,
    clip,
)
from seawall.v1.event_pb2 import EVENT_KIND_APPLICATION, SEVERITY_MEDIUM, ErrorEvent, Severity

__all__ = [
    "MAX_DETAILS",
    "MAX_DETAIL_BYTES",
    "MAX_FRAMES",
    "MAX_MESSAGE_BYTES",
    "MAX_STACK_BYTES",
    "clip",
    "from_exception",
    "to_event",
]


def from_exception(
    error: BaseException,
    *,
    component: str = "",
    severity: Severity = SEVERITY_MEDIUM,
    job_id: str = "",
    job_name: str = "",
    details: Mapping[str, Detail] | None = None,
    at: datetime | None = None,
    include_locals: bool = False,
    redact: Redact | None = None,
) -> ErrorEvent:
    """Return the event for `error`: type, message and stack trace, with the component and the job it belongs
    to. What is not given is taken from `seawall.context.error_context`.

    `include_locals` adds the variables of the innermost frames to `details.locals`, without those that look
    like secrets; `redact(name, text)` may change each further. Sizes: message 1 KiB, stack trace 16 KiB (the
    innermost frames are kept), 32 details of 1 KiB each, 5 frames of 20 variables of 256 bytes.
    """
    return to_event(
        capture(
            error,
            event_id=str(uuid.uuid4()),
            at=datetime.now(UTC) if at is None else at,
            component=component,
            severity=Severity.Name(severity).removeprefix("SEVERITY_"),
            job_id=job_id,
            job_name=job_name,
            details=details,
            include_locals=include_locals,
            redact=redact,
        )
    )


def to_event(captured: Captured) -> ErrorEvent:
    """Return the event that says what was captured. ValueError for a detail that is no JSON."""
    event = ErrorEvent(
        id=captured.id,
        severity=f"SEVERITY_{captured.severity}",
        kind=EVENT_KIND_APPLICATION,
        component=captured.component,
        error_type=captured.error_type,
        message=captured.message,
        stack_trace=captured.stack,
        job_id=captured.job_id,
        job_name=captured.job_name,
        code=captured.code,
        trace_id=captured.trace_id,
        category=f"CATEGORY_{captured.category.upper() or 'UNSPECIFIED'}",
    )
    event.timestamp.FromDatetime(captured.at)
    for key, value in captured.details.items():
        event.details[key] = value
    return event
