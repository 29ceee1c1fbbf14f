"""A record of a call becomes one line of JSON.

The line is ASCII: control characters and everything beyond ASCII are escaped, so that nobody can write a
second line or a terminal's command into the log. What a caller chose (path of a call that no route knows,
authority, user agent, grpc-message) goes through the same rules as events do (redact.py); a client's address
loses its host part except under `peer_address`, which has to be asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from seawall_policy import status
from seawall_proxy.call.access import AccessRecord
from seawall_proxy.call.ports import (
    OUTCOME_CANCELLED,
    OUTCOME_FALLBACK,
    OUTCOME_HEDGED,
    OUTCOME_NAMES,
    OUTCOME_RETRIED,
)
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.redact import redact_identifier, redact_text

Value = str | int | float | list[str] | None

_TRACE_ID: Final = re.compile(rb"[0-9a-f]{32}")
_OUTCOME_FLAGS: Final[dict[int, str]] = {
    OUTCOME_RETRIED: "RETRIED",
    OUTCOME_FALLBACK: "FALLBACK",
    OUTCOME_CANCELLED: "CANCELLED",
    OUTCOME_HEDGED: "HEDGED",
}


class AccessFormatter:
    """Writes lines with the given keys. `clock` gives both clocks; it is asked once for each batch."""

    def __init__(self, fields: tuple[str, ...], clock: Callable[[], ClockAnchor]) -> None:
        self._readers: list[tuple[str, Callable[[AccessRecord, ClockAnchor], Value]]] = [
            (name, _READERS[name]) for name in fields
        ]
        self._clock = clock

    def anchor(self) -> ClockAnchor:
        """Return both clocks as of now."""
        return self._clock()

    def line(self, record: AccessRecord, anchor: ClockAnchor) -> bytes:
        """Return the line of a record, with its line feed."""
        values = {name: read(record, anchor) for name, read in self._readers}
        return json.dumps(values, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def flags(record: AccessRecord) -> list[str]:
    """Return what was not plain about a call, without repetition."""
    found = [record.reason, record.failed_reason, _OUTCOME_FLAGS.get(record.outcome, "")]
    if record.failed_code and not record.failed_reason:
        found.append(status.name(record.failed_code))
    return list(dict.fromkeys(flag for flag in found if flag))


@lru_cache(maxsize=1024)
def _method(path: bytes, routed: bool) -> str:
    text = path.decode("utf-8", "backslashreplace").removeprefix("/")
    # A path that a route knows is a name from a contract; any other is whatever somebody sent.
    return text if routed else redact_identifier(text)


@lru_cache(maxsize=1024)
def _text(value: bytes) -> str:
    return redact_text(value.decode("utf-8", "backslashreplace"))


@lru_cache(maxsize=1024)
def _identifier(value: bytes) -> str:
    return redact_identifier(value.decode("utf-8", "backslashreplace"))


@lru_cache(maxsize=1024)
def _network(peer: str) -> str:
    if not peer or peer.startswith("unix:"):
        return peer
    host = peer.rpartition(":")[0].strip("[]") or peer
    return redact_text(host)


def _time(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _millis(seconds: float) -> float | None:
    return None if seconds < 0.0 else round(seconds * 1000.0, 3)


def _trace(value: bytes) -> str:
    return value.decode("ascii") if _TRACE_ID.fullmatch(value) else ""


_READERS: Final[dict[str, Callable[[AccessRecord, ClockAnchor], Value]]] = {
    "time": lambda record, anchor: _time(anchor.wall(record.started_s)),
    "route": lambda record, _: record.route,
    "method": lambda record, _: _method(record.path, record.route != ""),
    "status": lambda record, _: status.name(record.code),
    "outcome": lambda record, _: OUTCOME_NAMES[record.outcome],
    "reason": lambda record, _: record.reason,
    "flags": lambda record, _: list[str](flags(record)),
    "message": lambda record, _: redact_text(status.percent_decode(record.message)) if record.message else "",
    "attempts": lambda record, _: record.attempts,
    "endpoint": lambda record, _: record.endpoint,
    "duration_ms": lambda record, _: _millis(record.duration_s),
    "first_message_ms": lambda record, _: _millis(record.first_message_s),
    "deadline_ms": lambda record, _: _millis(record.deadline_s),
    "request_bytes": lambda record, _: record.request.size,
    "request_messages": lambda record, _: record.request.messages,
    "response_bytes": lambda record, _: record.response.size,
    "response_messages": lambda record, _: record.response.messages,
    "peer": lambda record, _: _network(record.peer),
    "peer_address": lambda record, _: record.peer,
    "authority": lambda record, _: _identifier(record.authority),
    "user_agent": lambda record, _: _text(record.user_agent),
    "trace_id": lambda record, _: _trace(record.trace_id),
    "revision": lambda record, _: record.revision,
}
