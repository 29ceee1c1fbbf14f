"""What an exception says, bounded: text, trace, and, where asked for, the local variables.

Local variables are where secrets lie. They are captured only when somebody asks, as bounded `repr`s; a
variable whose name sounds secret is not looked at, and what looks like a credential in the text of another
is cut out. The control plane redacts once more on arrival.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from reprlib import Repr
from types import FrameType, TracebackType
from typing import Final

from seawall.context import Field, context_fields, trace_id
from seawall.rpc_error import status_of

MAX_MESSAGE_BYTES: Final = 1024
MAX_STACK_BYTES: Final = 16 * 1024
MAX_FRAMES: Final = 50
MAX_DETAIL_BYTES: Final = 1024
MAX_DETAILS: Final = 32
MAX_NAME_BYTES: Final = 256
MAX_LOCAL_FRAMES: Final = 5
"""Innermost frames whose variables are captured."""
MAX_LOCALS: Final = 20
"""Variables of one frame."""
MAX_LOCAL_BYTES: Final = 256
"""Of one variable's text."""
_CUT: Final = "…"
REDACTED: Final = "[redacted]"

_SECRET_NAMES: Final = (
    "password", "passwd", "pwd", "secret", "apikey", "auth", "credential", "privatekey", "token", "session",
    "cookie", "csrf", "bearer", "signature", "ssn", "cvv", "cardnumber",
)  # fmt: skip
_HARMLESS: Final = frozenset(("author", "authors", "authority"))
_STRIP: Final = str.maketrans("", "", "-_. ")

_SECRET_SHAPES: Final = (
    re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----[\s\S]{0,16384}?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{5,8192}\.[A-Za-z0-9_-]{2,8192}(?:\.[A-Za-z0-9_-]{0,8192})?"),
    re.compile(r"(?i)\b(?:bearer|basic)[ \t]{1,4}[A-Za-z0-9._~+/=-]{6,8192}"),
    re.compile(r"(?<=://)[^\s/@:]{1,256}:[^\s/@]{1,256}(?=@)"),
    re.compile(
        r"(?i)(?<![a-z])(?:password|passwd|secret|api[_-]?key|access[_-]?token|token|private[_-]?key)"
        r"[\"']{0,2}\s{0,3}[=:]\s{0,3}[\"']{0,2}[^\s\"',;&)}]{1,1024}"
    ),
)

Detail = Field | Mapping[str, "Detail"] | list["Detail"]
"""What the details of an event may hold: JSON."""

Redact = Callable[[str, str], str]
"""Given a variable's name and its text; returns the text that may leave the process."""


@dataclass(frozen=True, slots=True)
class Captured:
    """Everything that an event says about an exception; nothing of the exception itself is kept."""

    id: str
    at: datetime
    component: str
    severity: str
    error_type: str
    message: str
    stack: str
    job_id: str
    job_name: str
    trace_id: str
    details: Mapping[str, Detail]
    code: str = ""
    category: str = ""


def capture(  # noqa: PLR0913 - one keyword per field
    error: BaseException,
    *,
    event_id: str,
    at: datetime,
    component: str = "",
    severity: str = "MEDIUM",
    job_id: str = "",
    job_name: str = "",
    details: Mapping[str, Detail] | None = None,
    code: str = "",
    category: str = "",
    include_locals: bool = False,
    redact: Redact | None = None,
) -> Captured:
    """Take down an exception with the fields of `error_context`; what is given here wins over those.

    Sizes: message 1 KiB, stack trace 16 KiB (the innermost frames are kept), 32 details of 1 KiB each,
    variables of 5 frames, 20 of a frame, 256 bytes each. Of a gRPC error the type is its status and the
    message what the server said; what it said beside that (`google.rpc.Status`) is in the details.
    """
    fields = dict(context_fields())
    named = {key: str(fields.pop(key, "") or "") for key in ("component", "job_id", "job_name")}
    status = status_of(error)
    said = {} if status is None else {"exception": type(error).__qualname__, **status.details}
    merged: dict[str, Detail] = {**said, **fields, **(details or {})}
    bounded = {clip(key, MAX_DETAIL_BYTES): _bounded(merged[key]) for key in list(merged)[:MAX_DETAILS]}
    if include_locals:
        bounded["locals"] = {place: dict(values) for place, values in locals_of(error, redact).items()}
    return Captured(
        id=event_id,
        at=at,
        component=clip(component or named["component"] or "application", MAX_NAME_BYTES),
        severity=severity,
        error_type=type(error).__qualname__ if status is None else status.code,
        message=message_of(error) if status is None else clip(status.message, MAX_MESSAGE_BYTES),
        stack=stack_of(error),
        job_id=clip(job_id or named["job_id"], MAX_DETAIL_BYTES),
        job_name=clip(job_name or named["job_name"], MAX_DETAIL_BYTES),
        trace_id=trace_id(),
        details=bounded,
        code=code or ("" if status is None else status.code),
        category=category,
    )


def _bounded(value: Detail) -> Detail:
    return clip(value, MAX_DETAIL_BYTES) if isinstance(value, str) else value


def clip(text: str, limit_bytes: int) -> str:
    """Return `text` cut to `limit_bytes` of UTF-8, with an ellipsis in place of what went."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit_bytes:
        return raw.decode("utf-8")
    return raw[: limit_bytes - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT


def stack_of(error: BaseException) -> str:
    """Format the trace with its causes; the end is kept, since that is where it broke."""
    lines = traceback.TracebackException.from_exception(error, limit=-MAX_FRAMES).format()
    raw = "".join(lines).encode("utf-8", "replace")
    if len(raw) <= MAX_STACK_BYTES:
        return raw.decode("utf-8")
    kept = raw[-(MAX_STACK_BYTES - len(_CUT.encode()) - 1) :].decode("utf-8", "ignore")
    return f"{_CUT}\n{kept}"


def message_of(error: BaseException) -> str:
    """Return the text of an exception, its class's name when it has none; never fails."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - somebody else's __str__
        text = ""
    return clip(text or type(error).__qualname__, MAX_MESSAGE_BYTES)


def locals_of(error: BaseException, redact: Redact | None = None) -> dict[str, dict[str, str]]:
    """Return the variables of the innermost frames, innermost first: `0 function:line` -> name -> text."""
    frames: list[tuple[FrameType, int]] = []
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    found: dict[str, dict[str, str]] = {}
    for index, (frame, line) in enumerate(reversed(frames[-MAX_LOCAL_FRAMES:])):
        found[f"{index} {frame.f_code.co_qualname}:{line}"] = _variables(frame, redact)
    return found


def redact_text(text: str) -> str:
    """Return the text without what looks like a credential."""
    for shape in _SECRET_SHAPES:
        text = shape.sub(REDACTED, text)
    return text


def is_secret_name(name: str) -> bool:
    """Tell whether a name says that its value is a secret."""
    plain = name.lower().translate(_STRIP)
    return plain not in _HARMLESS and any(word in plain for word in _SECRET_NAMES)


_SHORT: Final = Repr()
_SHORT.maxstring = _SHORT.maxother = MAX_LOCAL_BYTES
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = 10


def _variables(frame: FrameType, redact: Redact | None) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in list(frame.f_locals.items())[:MAX_LOCALS]:
        if name.startswith("__"):
            continue
        if is_secret_name(name):
            values[name] = REDACTED
            continue
        try:
            # A mapping's keys may be secret names: shapes such as `'password': 'x'` are cut out of the text.
            text = redact_text(_SHORT.repr(value))
            values[name] = clip(text if redact is None else redact(name, text), MAX_LOCAL_BYTES)
        except Exception as failed:  # noqa: BLE001 - somebody else's __repr__
            values[name] = f"<unprintable: {type(failed).__name__}>"
    return values
