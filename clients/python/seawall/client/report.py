"""Error events from applications: what an exception says, bounded, and nothing else.

The sizes are bounded here, so that an exception with a megabyte in its text cannot clog the path to the
store. Nothing is redacted: an application knows what may leave it; the control plane's redaction rules apply
on arrival.
"""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from seawall.v1.event_pb2 import EVENT_KIND_APPLICATION, SEVERITY_MEDIUM, ErrorEvent, Severity

MAX_MESSAGE_BYTES: Final = 1024
MAX_STACK_BYTES: Final = 16 * 1024
MAX_FRAMES: Final = 50
MAX_DETAIL_BYTES: Final = 1024
MAX_DETAILS: Final = 32
_CUT: Final = "…"


def from_exception(
    error: BaseException,
    *,
    component: str,
    severity: Severity = SEVERITY_MEDIUM,
    job_id: str = "",
    job_name: str = "",
    details: Mapping[str, str | float | bool | None] | None = None,
    at: datetime | None = None,
) -> ErrorEvent:
    """Return the event for `error`: type, message and stack trace, with the component and the job it belongs
    to.

    Sizes: message 1 KiB, stack trace 16 KiB (the innermost frames are kept), 32 details of 1 KiB each.
    """
    event = ErrorEvent(
        id=str(uuid.uuid4()),
        severity=severity,
        kind=EVENT_KIND_APPLICATION,
        component=component,
        error_type=type(error).__qualname__,
        message=clip(str(error) or type(error).__qualname__, MAX_MESSAGE_BYTES),
        stack_trace=_stack(error),
        job_id=clip(job_id, MAX_DETAIL_BYTES),
        job_name=clip(job_name, MAX_DETAIL_BYTES),
    )
    event.timestamp.FromDatetime(datetime.now(UTC) if at is None else at)
    for key in list(details or {})[:MAX_DETAILS]:
        value = (details or {})[key]
        event.details[clip(key, MAX_DETAIL_BYTES)] = (
            clip(value, MAX_DETAIL_BYTES) if isinstance(value, str) else value
        )
    return event


def clip(text: str, limit_bytes: int) -> str:
    """Return `text` cut to `limit_bytes` of UTF-8, with an ellipsis in place of what went."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit_bytes:
        return raw.decode("utf-8")
    return raw[: limit_bytes - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT


def _stack(error: BaseException) -> str:
    """Format the trace with its causes; the end is kept, since that is where it broke."""
    lines = traceback.TracebackException.from_exception(error, limit=-MAX_FRAMES).format()
    raw = "".join(lines).encode("utf-8", "replace")
    if len(raw) <= MAX_STACK_BYTES:
        return raw.decode("utf-8")
    kept = raw[-(MAX_STACK_BYTES - len(_CUT.encode()) - 1) :].decode("utf-8", "ignore")
    return f"{_CUT}\n{kept}"
