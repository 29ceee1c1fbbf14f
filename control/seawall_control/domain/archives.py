"""Archives: resolved events that have left the record and are kept as files.

An archive is a file of NDJSON (one event a line, as `seawall export events` writes them) compressed with
gzip, and a manifest beside it that says what is in it. The manifest is written last: a file without one is
no archive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.events import (
    MICROS,
    AttemptSummary,
    Category,
    Event,
    EventKind,
    Json,
    Outcome,
    Severity,
)
from seawall_control.domain.stored_json import Fields, text_of

FORMAT: Final = 1
SUFFIX: Final = ".ndjson.gz"
MANIFEST: Final = ".json"
_NAME: Final = re.compile(r"events-\d{8}-\d{8}-[0-9a-z]{6,13}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One archive, as its manifest has it."""

    name: str
    """`events-FIRST-LAST-N`: days of the oldest and the newest event, and what tells it from others."""
    events: int
    first_us: int
    """Timestamp of the oldest event."""
    last_us: int
    size_bytes: int
    """Of the compressed file."""
    text_bytes: int
    """Of what is in it."""
    sha256: str
    """Of the compressed file, in hexadecimal."""
    create_time_us: int
    actor: str = ""
    reason: str = ""
    is_removed: bool = False
    """Whether its events have been removed from the record; until then they are in both."""


def name_of(first_us: int, last_us: int, create_time_us: int) -> str:
    """Return the name of an archive."""
    days = [(_EPOCH + timedelta(microseconds=at)).strftime("%Y%m%d") for at in (first_us, last_us)]
    return f"events-{days[0]}-{days[1]}-{create_time_us:011x}"[: 7 + 9 + 9 + 13]


def checked_name(name: str) -> str:
    """Return the name of an archive. Raise `InvalidRequest` for what is none, such as a path."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"{name[:64]!r} is no name of an archive; `seawall archive list` shows them")
    return name


def manifest_text(archive: Archive) -> str:
    """Return the text of a manifest."""
    return text_of(
        {
            "format": FORMAT,
            "name": archive.name,
            "events": archive.events,
            "first_us": archive.first_us,
            "last_us": archive.last_us,
            "size_bytes": archive.size_bytes,
            "text_bytes": archive.text_bytes,
            "sha256": archive.sha256,
            "create_time_us": archive.create_time_us,
            "actor": archive.actor,
            "reason": archive.reason,
            "removed": archive.is_removed,
        }
    )


def archive_of(text: str) -> Archive:
    """Return the archive of a manifest. Raise ValueError for what is none."""
    data = Fields.parse(text)
    if data.integer("format") != FORMAT:
        raise ValueError(f"a manifest in format {data.integer('format')}; this version knows {FORMAT}")
    return Archive(
        name=checked_name(data.text("name")),
        events=data.integer("events"),
        first_us=data.integer("first_us"),
        last_us=data.integer("last_us"),
        size_bytes=data.integer("size_bytes"),
        text_bytes=data.integer("text_bytes"),
        sha256=data.text("sha256"),
        create_time_us=data.integer("create_time_us"),
        actor=data.text("actor"),
        reason=data.text("reason"),
        is_removed=data.flag("removed"),
    )


def event_of(text: str) -> Event:
    """Return the event of a line, the inverse of `export.record`. Raise ValueError for what is none."""
    data = Fields.parse(text)
    details = data.data.get("details")
    if details is not None and not isinstance(details, Mapping):
        raise ValueError("details is no object")
    try:
        return Event(
            id=data.text("id"),
            timestamp_us=_micros(data, "timestamp"),
            severity=Severity[data.text("severity")],
            kind=EventKind[data.text("kind")],
            component=data.text("component"),
            error_type=data.text("error_type"),
            message=data.text("message"),
            route=data.text("route"),
            method=data.text("method"),
            code=data.text("code"),
            category=Category[data.text("category")],
            outcome=Outcome[data.text("outcome")],
            reason=data.text("reason"),
            endpoint=data.text("endpoint"),
            latency_us=round(data.number("latency_s") * MICROS),
            attempts=tuple(_attempt(one) for one in data.objects("attempts")),
            job_id=data.text("job_id"),
            job_name=data.text("job_name"),
            trace_id=data.text("trace_id"),
            fingerprint=data.text("fingerprint"),
            policy_revision=data.integer("policy_revision"),
            proxy=data.text("proxy"),
            details=details,
            stack_trace=data.text("stack_trace"),
            resolved=data.flag("resolved"),
            resolved_at_us=_micros(data, "resolved_at"),
            resolution=data.text("resolution"),
        )
    except KeyError as error:
        raise ValueError(f"{error} is not known to this version") from error


def _attempt(data: Fields) -> AttemptSummary:
    return AttemptSummary(
        number=data.integer("number"),
        endpoint=data.text("endpoint"),
        code=data.text("code"),
        latency_us=round(data.number("latency_s") * MICROS),
        reason=data.text("reason"),
    )


def _micros(data: Fields, name: str) -> int:
    value: Json = data.data.get(name)
    if value is None:
        return 0
    if not isinstance(value, str):
        raise ValueError(f"{name} is no time")  # noqa: TRY004
    return (datetime.fromisoformat(value) - _EPOCH) // timedelta(microseconds=1)
