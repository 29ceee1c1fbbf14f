"""Decides what of a reported event may be kept: what is required, how long anything may be, and that no
secret stays.

An event that lacks what makes it an event is refused for good, with every reason; one that is merely too long
is cut, visibly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from seawall_control.domain.errors import FieldProblem
from seawall_control.domain.events import MICROS, AttemptSummary, Event, Json
from seawall_control.domain.grouping import reason_of
from seawall_control.domain.redaction import redact_json, redact_text
from seawall_control.domain.status_details import with_status
from seawall_policy.fingerprint import FINGERPRINT_VERSION, fingerprint_v1

MAX_NAME_BYTES: Final = 256
"""Names of components, routes, methods, endpoints and the like."""
MAX_MESSAGE_BYTES: Final = 1024
MAX_STACK_BYTES: Final = 32 * 1024
MAX_STACK_FRAMES: Final = 100
MAX_ATTEMPTS: Final = 16
MAX_DEPTH: Final = 5
MAX_ITEMS: Final = 50
MAX_VALUE_BYTES: Final = 1024
MAX_DETAILS_NODES: Final = 500
MAX_LOOKED_AT: Final = 16 * 1024
"""So many characters beyond what is kept of a text are looked through for secrets: most that begin within
what is kept end within these, and a text of a megabyte costs no more than one of sixteen kilobytes.
"""
MAX_FUTURE_US: Final = 24 * 3600 * MICROS
"""A reporter's clock may be this far ahead of ours; more is a broken clock, and such events would stay on top
of every list.
"""

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CUT: Final = "…[cut]"
_UNSAFE: Final = re.compile(r"[\x00\ud800-\udfff]")
_HARMLESS_ID: Final = re.compile(r"(?:v\d{1,3}:)?[0-9a-f]{32}|")
"""A trace's id, or a fingerprint of ours, or none: what these fields nearly always hold."""
_WORDS: Final = re.compile(r"(\s)")


def cut(text: str, most_bytes: int) -> str:
    """Return text of at most so many bytes of UTF-8, with a mark where something was cut off."""
    if not text.isascii() or "\0" in text:
        text = _UNSAFE.sub("\ufffd", text)
        if len(text) * 4 <= most_bytes:
            return text
    elif len(text) <= most_bytes:
        return text
    raw = text.encode()
    if len(raw) <= most_bytes:
        return text
    return raw[: most_bytes - len(_CUT.encode())].decode(errors="ignore") + _CUT


def _stack(text: str) -> str:
    lines = text.splitlines()
    if len(lines) > 2 * MAX_STACK_FRAMES:
        kept = MAX_STACK_FRAMES
        lines = [*lines[:kept], f"…[{len(lines) - 2 * kept} lines cut]", *lines[-kept:]]
    return "\n".join(lines)


class _Budget:
    """How many more values the details of one event may have."""

    def __init__(self) -> None:
        self.left = MAX_DETAILS_NODES


def _bounded(value: Json, depth: int, budget: _Budget) -> Json:
    budget.left -= 1
    if budget.left < 0:
        return _CUT
    if isinstance(value, str):
        # What stays whole is looked through with its key, by `redact_json`.
        return (
            cut(value, MAX_VALUE_BYTES)
            if len(value) * 4 <= MAX_VALUE_BYTES
            else _text(value, MAX_VALUE_BYTES)
        )
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):  # noqa: PLR0124
        return str(value)
    if isinstance(value, Mapping):
        if depth >= MAX_DEPTH:
            return _CUT
        kept = {
            cut(k, MAX_NAME_BYTES): _bounded(v, depth + 1, budget) for k, v in list(value.items())[:MAX_ITEMS]
        }
        if len(value) > MAX_ITEMS:
            kept[_CUT] = len(value) - MAX_ITEMS
        return kept
    if isinstance(value, Sequence):
        if depth >= MAX_DEPTH:
            return _CUT
        items = [_bounded(item, depth + 1, budget) for item in value[:MAX_ITEMS]]
        return [*items, _CUT] if len(value) > MAX_ITEMS else items
    return value


def bounded_details(details: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return details with caps on depth, breadth, size and without secrets."""
    kept = redact_json(_bounded(details, 0, _Budget()))
    if not isinstance(kept, Mapping):
        raise TypeError("details of an event are an object")
    return kept


def _text(text: str, most_bytes: int = MAX_MESSAGE_BYTES) -> str:
    """Return a text without secrets, of at most so many bytes."""
    # Redacted before it is cut: half a secret has no shape to be known by.
    most = most_bytes + MAX_LOOKED_AT
    if len(text) <= most:
        return cut(redact_text(text), most_bytes)
    # Here one may be cut in two all the same, and would show if all before it were secrets: its word goes.
    *whole, _half = _WORDS.split(redact_text(text[:most]))
    return cut("".join(whole), most_bytes - len(_CUT.encode())).removesuffix(_CUT) + _CUT


class _Names(dict[str, str]):
    """Names as they are kept. The same few come again and again: a look costs a third of a call."""

    MOST: Final = 4096

    def __missing__(self, text: str) -> str:
        kept = _text(text, MAX_NAME_BYTES)
        # Only short ones are remembered, which bounds what that takes.
        if len(text) <= MAX_NAME_BYTES:
            if len(self) >= self.MOST:
                self.clear()
            self[text] = kept
        return kept


_NAMES: Final = _Names()


def _stay(attempts: tuple[AttemptSummary, ...]) -> bool:
    if len(attempts) > MAX_ATTEMPTS:
        return False
    # One loop without calls: this runs for every event.
    for attempt in attempts:
        endpoint, code, reason = attempt.endpoint, attempt.code, attempt.reason
        if (
            attempt.latency_us < 0
            or _NAMES[endpoint] != endpoint
            or _NAMES[code] != code
            or _NAMES[reason] != reason
        ):
            return False
    return True


def _attempts(attempts: tuple[AttemptSummary, ...]) -> tuple[AttemptSummary, ...]:
    if _stay(attempts):
        return attempts
    return tuple(
        [
            AttemptSummary(
                number=attempt.number,
                endpoint=_NAMES[attempt.endpoint],
                code=_NAMES[attempt.code],
                latency_us=max(0, attempt.latency_us),
                reason=_NAMES[attempt.reason],
            )
            for attempt in attempts[:MAX_ATTEMPTS]
        ]
    )


def problems_of(event: Event, severity_number: int, *, at_us: int) -> tuple[FieldProblem, ...]:
    """Return every reason for which an event cannot be kept; none when it can.

    The severity is passed as it came, since an unknown one has no value of the enumeration.
    """
    found: list[FieldProblem] = []
    if not _UUID.fullmatch(event.id):
        found.append(
            FieldProblem("id", "must be a UUID in lower case, such as 0190f5e2-7c3b-7a51-9d3c-1f0a2b3c4d5e")
        )
    if not 1 <= severity_number <= 4:
        found.append(
            FieldProblem(
                "severity", "must be SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH or SEVERITY_CRITICAL"
            )
        )
    if not event.component.strip():
        found.append(
            FieldProblem("component", "must name the part that the event concerns, such as `route/checkout`")
        )
    if event.timestamp_us <= 0:
        found.append(FieldProblem("timestamp", "must be set, and after 1970"))
    elif event.timestamp_us > at_us + MAX_FUTURE_US:
        found.append(FieldProblem("timestamp", "lies more than 24 hours ahead; set the reporter's clock"))
    return tuple(found)


def admitted(event: Event, *, proxy: str | None = None) -> Event:
    """Return the event as it is stored: bounded, without secrets, with a fingerprint. Call it when
    `problems_of` is empty. `proxy` takes the place of the one that the event names.
    """
    # Made in one go: this runs for every event, and `replace` takes three times as long.
    kept = Event(
        id=event.id,
        timestamp_us=event.timestamp_us,
        severity=event.severity,
        component=_NAMES[event.component],
        error_type=_NAMES[event.error_type],
        message=_text(event.message) if event.message else "",
        details=None if event.details is None else bounded_details(with_status(event.details)),
        job_id=_NAMES[event.job_id] if event.job_id else "",
        job_name=_NAMES[event.job_name] if event.job_name else "",
        stack_trace=_text(_stack(event.stack_trace), MAX_STACK_BYTES) if event.stack_trace else "",
        resolved=event.resolved,
        resolved_at_us=event.resolved_at_us if event.resolved else 0,
        kind=event.kind,
        route=_NAMES[event.route],
        method=_NAMES[event.method],
        code=_NAMES[event.code],
        category=event.category,
        attempts=_attempts(event.attempts),
        endpoint=_NAMES[event.endpoint],
        latency_us=max(0, event.latency_us),
        outcome=event.outcome,
        reason=_NAMES[event.reason],
        trace_id=event.trace_id if _HARMLESS_ID.fullmatch(event.trace_id) else _text(event.trace_id, 64),
        fingerprint=(
            event.fingerprint if _HARMLESS_ID.fullmatch(event.fingerprint) else _text(event.fingerprint, 128)
        ),
        policy_revision=event.policy_revision,
        proxy=_NAMES[event.proxy if proxy is None else proxy],
        resolution=_text(event.resolution) if event.resolution else "",
    )
    return kept if kept.fingerprint else replace(kept, fingerprint=_fingerprint(kept))


def _fingerprint(event: Event) -> str:
    """Return the group of an event that came without one, such as one of an application."""
    group = fingerprint_v1(
        event.component, event.method, event.error_type or event.code, reason_of(event), "", event.message
    )
    return f"v{FINGERPRINT_VERSION}:{group}"
