"""What an alert is about, in fields that hold nothing personal, and what may stand in a message about it.

Messages, details, jobs, traces and stacks of events stay where they are: an alert leaves the house, and
carries the id of the event instead. What it does carry is redacted once more, and addresses of people are
taken out, since types and components are words that applications choose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from seawall_control.domain.events import Event, EventKind, Severity
from seawall_control.domain.redaction import redact_text

MAX_FIELD: Final = 256
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_PHONE: Final = re.compile(r"(?<![\w.])\+\d(?:[ ()/-]{0,2}\d){6,14}(?!\w)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an alert is about; empty fields are not known or do not matter."""

    key: str
    """Tells it from the other subjects of its rule."""
    component: str = ""
    route: str = ""
    method: str = ""
    code: str = ""
    endpoint: str = ""
    error_type: str = ""
    fingerprint: str = ""
    proxy: str = ""
    breaker: str = ""
    kind: EventKind = EventKind.UNSPECIFIED
    severity: Severity = Severity.HIGH
    event_id: str = ""
    """An event that shows it."""


@lru_cache(maxsize=4096)
def scrubbed(text: str) -> str:
    """Return a field as it may leave the house: without secrets and addresses of people, on one line, cut."""
    plain = _PHONE.sub("[redacted:phone]", _EMAIL.sub("[redacted:email]", redact_text(text)))
    line = " ".join(plain.split())
    return line if len(line) <= MAX_FIELD else line[: MAX_FIELD - 1] + "…"


def of_event(event: Event, key: str = "", *, breaker: str = "") -> Subject:
    """Return the subject of an event; its key is the fingerprint where there is one."""
    error_type, component = scrubbed(event.error_type), scrubbed(event.component)
    return Subject(
        key=key or scrubbed(event.fingerprint) or f"{component}/{error_type}",
        component=component,
        route=scrubbed(event.route),
        method=scrubbed(event.method),
        code=scrubbed(event.code),
        endpoint=scrubbed(event.endpoint),
        error_type=error_type,
        fingerprint=scrubbed(event.fingerprint),
        proxy=scrubbed(event.proxy),
        breaker=scrubbed(breaker),
        kind=event.kind,
        severity=event.severity,
        event_id=event.id,
    )


def as_event(subject: Subject, at_us: int) -> Event:
    """Return an event with the subject's fields: what filters are asked about."""
    return Event(
        id=subject.event_id,
        timestamp_us=at_us,
        severity=subject.severity,
        component=subject.component,
        error_type=subject.error_type,
        kind=subject.kind,
        route=subject.route,
        method=subject.method,
        code=subject.code,
        endpoint=subject.endpoint,
        fingerprint=subject.fingerprint,
        proxy=subject.proxy,
    )
