"""Records of calls for `seawall simulate`: lines of an access log, or events.

An access log has every call and little of each: of attempts before the last one only how many there were and
how they failed in sum. Events have each attempt and only the calls that were not plain. What a line does not
say is filled in as the data path makes it likely, and `Recording.caveats` tells what was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Any

from seawall_policy import status
from seawall_policy.whatif import RecordedAttempt, RecordedCall

_UNSENT = frozenset({"UPSTREAM_CONNECT_FAILED"})
_CALL_KINDS = frozenset({"call_failed", "call_recovered", "call_rejected", "call_degraded"})


@dataclass(slots=True)
class Recording:
    """The calls of a record, and what has to be known about them."""

    calls: list[RecordedCall] = field(default_factory=list)
    cancelled: int = 0
    """Calls whose caller went away; they are left out."""
    unusable: int = 0
    """Lines that are no such record."""
    filled_in: int = 0
    """Attempts of which the record only says that they were made."""
    from_events: bool = False

    @property
    def caveats(self) -> list[str]:
        """Return what the numbers must not be taken for."""
        found = [
            "these are decisions about this record, no forecast: under another policy servers fare otherwise",
            "an attempt that the record does not have fares like the next recorded one of its route",
        ]
        if self.from_events:
            found.append(
                "events hold no call that simply succeeded: rates of failure are too high here, and good "
                "calls that would be rejected cannot be seen; an access log has all calls"
            )
        if self.filled_in:
            found.append(
                f"of {self.filled_in} attempts the access log only says that they were made: each is taken "
                "to have had an equal share of its call's time"
            )
        if self.cancelled:
            found.append(f"{self.cancelled} calls whose caller went away are left out")
        if self.unusable:
            found.append(f"{self.unusable} lines are no records of calls and are left out")
        return found


def from_access_log(lines: Iterable[str]) -> Recording:
    """Return the calls of an access log in JSON."""
    recording = Recording()
    for line in lines:
        if not line.strip():
            continue
        entry = _parse(line)
        call = None
        try:
            call = None if entry is None else _from_line(recording, entry)
        except (KeyError, TypeError, ValueError, AttributeError):
            recording.unusable += 1
            continue
        if entry is None:
            recording.unusable += 1
        elif call is not None:
            recording.calls.append(call)
    return recording


def from_events(events: Iterable[dict[str, Any]]) -> Recording:
    """Return the calls of events, in the shape of `seawall events list -o json`."""
    recording = Recording(from_events=True)
    for event in events:
        try:
            if event["kind"] not in _CALL_KINDS:
                continue
            if event["outcome"] == "cancelled":
                recording.cancelled += 1
                continue
            recording.calls.append(_from_event(event))
        except (KeyError, TypeError, ValueError, AttributeError):
            recording.unusable += 1
    return recording


def events_of(text: str) -> list[dict[str, Any]]:
    """Return the events in a file: one JSON document (`events list -o json`), or one event a line.

    Raise ValueError for anything else.
    """
    whole = _parse(text)
    if whole is not None:
        found = whole.get("events", [whole])
        if isinstance(found, list):
            return found
    lines = [_parse(line) for line in text.splitlines() if line.strip()]
    if not lines or any(line is None for line in lines):
        raise ValueError("is neither the JSON of `seawall events list` nor one event a line")
    return [line for line in lines if line is not None]


def _parse(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _code(name: str) -> int:
    return status.CODE_BY_NAME[name]


def _from_line(recording: Recording, entry: dict[str, Any]) -> RecordedCall | None:
    if entry["outcome"] == "cancelled":
        recording.cancelled += 1
        return None
    code = _code(entry["status"])
    duration_s = float(entry["duration_ms"]) / 1000.0
    made = int(entry["attempts"])
    deadline = entry.get("deadline_ms")
    covered = _covered(entry)
    share = duration_s / made if made else 0.0
    sent = entry.get("reason") not in _UNSENT
    # A fallback's OK is not what the last attempt came to.
    last = covered if entry["outcome"] == "fallback" else code
    codes = [covered or code] * (made - 1) + [last] * min(made, 1)
    attempts = [RecordedAttempt(one, share, sent) for one in codes]
    if made > 1:
        recording.filled_in += made
    return RecordedCall(
        _time(entry["time"]),
        str(entry["route"]),
        str(entry["method"]),
        # A fallback's OK is no server's: what would have been is counted without fallbacks, and so is this.
        last if entry["outcome"] == "fallback" else code,
        tuple(attempts),
        inf if deadline is None else float(deadline) / 1000.0,
    )


def _covered(entry: dict[str, Any]) -> int:
    """Return the status that a retry or a fallback covered; UNAVAILABLE where only a reason is known."""
    if entry["outcome"] not in ("retried", "fallback"):
        return 0
    for flag in entry.get("flags", ()):
        code = status.CODE_BY_NAME.get(flag, 0)
        if code:
            return code
    return status.UNAVAILABLE


def _from_event(event: dict[str, Any]) -> RecordedCall:
    attempts = tuple(
        RecordedAttempt(_code(one["code"]), float(one["latency_s"]), one["reason"] not in _UNSENT)
        for one in event["attempts"]
        if one["code"]
    )
    # Events are stamped when the call has ended.
    at = _time(event["timestamp"]) - float(event["latency_s"])
    code = _code(event["code"])
    if event["outcome"] == "fallback":
        code = status.CODE_BY_NAME.get(str(event.get("error_type")), status.UNAVAILABLE)
    return RecordedCall(at, str(event["route"]), str(event["method"]), code, attempts)
