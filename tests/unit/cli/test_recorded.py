"""Access-log lines and events as recorded calls."""

from __future__ import annotations

import json
from math import inf
from typing import Any

import pytest

from seawall.cli.recorded import events_of, from_access_log, from_events
from seawall_policy import status
from seawall_policy.whatif import RecordedAttempt


def line(**changes: Any) -> str:
    """Return a line of an access log."""
    plain: dict[str, Any] = {
        "time": "2026-11-30T10:00:00.500000Z",
        "route": "r",
        "method": "a.B/C",
        "status": "OK",
        "outcome": "ok",
        "reason": "",
        "flags": [],
        "attempts": 1,
        "duration_ms": 20.0,
        "deadline_ms": 1000.0,
    }
    return json.dumps(plain | changes)


def event(**changes: Any) -> dict[str, Any]:
    """Return the shape of an event."""
    plain: dict[str, Any] = {
        "kind": "call_failed",
        "timestamp": "2026-11-30T10:00:01.000Z",
        "route": "r",
        "method": "a.B/C",
        "code": "UNAVAILABLE",
        "outcome": "failed",
        "latency_s": 0.5,
        "attempts": [
            {
                "number": 1,
                "endpoint": "e",
                "code": "UNAVAILABLE",
                "latency_s": 0.2,
                "reason": "UPSTREAM_RESET",
            },
            {
                "number": 2,
                "endpoint": "e",
                "code": "UNAVAILABLE",
                "latency_s": 0.1,
                "reason": "UPSTREAM_CONNECT_FAILED",
            },
        ],
    }
    return plain | changes


def test_a_plain_line() -> None:
    """One attempt, as long as the call."""
    recording = from_access_log([line(), "", line(deadline_ms=None)])
    first, second = recording.calls
    assert (first.route, first.method, first.code) == ("r", "a.B/C", status.OK)
    assert first.attempts == (RecordedAttempt(status.OK, 0.02),)
    assert (first.deadline_s, second.deadline_s) == (1.0, inf)
    assert (recording.filled_in, recording.unusable) == (0, 0)


def test_retries_and_fallbacks() -> None:
    """What was covered stands in the flags; the time is shared equally, and that is said."""
    recording = from_access_log(
        [
            line(outcome="retried", attempts=2, flags=["RETRIED", "INTERNAL"]),
            line(outcome="fallback", attempts=1, flags=["FALLBACK", "UPSTREAM_RESET"]),
            line(outcome="failed", status="ABORTED", attempts=3),
            line(outcome="rejected", status="UNAVAILABLE", attempts=0, reason="BREAKER_OPEN"),
        ]
    )
    assert [[attempt.code for attempt in call.attempts] for call in recording.calls] == [
        [status.INTERNAL, status.OK],
        [status.UNAVAILABLE],
        [status.ABORTED] * 3,
        [],
    ]
    assert [call.code for call in recording.calls] == [
        status.OK,
        status.UNAVAILABLE,
        status.ABORTED,
        status.UNAVAILABLE,
    ]
    assert recording.calls[0].attempts[0].duration_s == 0.01
    assert recording.filled_in == 5
    assert any("only says that they were made" in caveat for caveat in recording.caveats)


def test_what_is_left_out() -> None:
    """Cancelled calls and lines of something else are counted."""
    recording = from_access_log(
        [
            line(outcome="cancelled", status="CANCELLED"),
            "no json",
            "[]",
            line(status="NOPE"),
            '{"a": 1}',
            line(),
        ]
    )
    assert (len(recording.calls), recording.cancelled, recording.unusable) == (1, 1, 4)
    assert any("4 lines" in caveat for caveat in recording.caveats)


def test_events() -> None:
    """Each attempt is there; what happened before the end is counted back; other kinds are passed over."""
    recording = from_events(
        [event(), event(kind="breaker_opened"), event(outcome="cancelled"), {"kind": "call_failed"}]
    )
    [call] = recording.calls
    assert call.attempts == (
        RecordedAttempt(status.UNAVAILABLE, 0.2),
        RecordedAttempt(status.UNAVAILABLE, 0.1, sent=False),
    )
    late = from_events([event(latency_s=0.0)]).calls[0]
    assert late.at - call.at == 0.5
    assert (recording.cancelled, recording.unusable) == (1, 1)
    assert any("no call that simply succeeded" in caveat for caveat in recording.caveats)


def test_an_event_of_a_fallback_has_what_it_covered() -> None:
    """The caller saw OK, and no server had said so."""
    covered = event(outcome="fallback", kind="call_degraded", code="OK", error_type="INTERNAL")
    own = event(outcome="fallback", kind="call_degraded", code="OK", error_type="BREAKER_OPEN")
    assert [call.code for call in from_events([covered, own]).calls] == [status.INTERNAL, status.UNAVAILABLE]


def test_files_of_events() -> None:
    """One JSON document, or one event a line."""
    one = event()
    assert events_of(json.dumps({"events": [one, one]})) == [one, one]
    assert events_of(json.dumps(one)) == [one]
    assert events_of(json.dumps(one) + "\n" + json.dumps(one) + "\n") == [one, one]
    for text in ("", "x", json.dumps(one) + "\nx"):
        with pytest.raises(ValueError, match="neither"):
            events_of(text)
