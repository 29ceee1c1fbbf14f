"""Events from exceptions."""

from __future__ import annotations

from datetime import UTC, datetime

from seawall.client import from_exception
from seawall.client.report import MAX_DETAILS, MAX_MESSAGE_BYTES, MAX_STACK_BYTES, clip
from seawall.v1.event_pb2 import EVENT_KIND_APPLICATION, SEVERITY_CRITICAL, SEVERITY_MEDIUM


def _raised(error: Exception) -> Exception:
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise error from inner
    except type(error) as caught:
        return caught


def test_event_says_what_broke_where_and_for_whom() -> None:
    """Type, message, trace with its cause, component and job are there; the id is new each time."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    error = _raised(ValueError("bad bait"))
    event = from_exception(
        error,
        component="net",
        severity=SEVERITY_CRITICAL,
        job_id="7",
        job_name="fish",
        details={"n": 3},
        at=at,
    )
    assert (event.error_type, event.message, event.component) == ("ValueError", "bad bait", "net")
    assert (event.severity, event.kind) == (SEVERITY_CRITICAL, EVENT_KIND_APPLICATION)
    assert (event.job_id, event.job_name, event.details["n"]) == ("7", "fish", 3)
    assert event.timestamp.ToDatetime(tzinfo=UTC) == at
    assert "KeyError: 'inner'" in event.stack_trace
    assert event.stack_trace.rstrip().endswith("ValueError: bad bait")
    assert event.id != from_exception(error, component="net").id


def test_an_exception_without_text_or_trace_still_has_a_message() -> None:
    """The type stands in for the text."""
    event = from_exception(RuntimeError(), component="c")
    assert (event.message, event.severity) == ("RuntimeError", SEVERITY_MEDIUM)


def test_everything_is_bounded() -> None:
    """A megabyte of text becomes a kilobyte of message; of the trace the end is kept."""
    event = from_exception(
        _raised(ValueError("é" * 1_000_000)),
        component="c",
        details={f"k{i}": "v" * 10_000 for i in range(100)},
    )
    assert len(event.message.encode()) <= MAX_MESSAGE_BYTES
    assert event.message.endswith("…")
    assert len(event.stack_trace.encode()) <= MAX_STACK_BYTES
    assert len(event.details.fields) == MAX_DETAILS
    assert event.ByteSize() < 64 * 1024


def test_clip_never_cuts_a_character_in_two() -> None:
    """The result is valid UTF-8 within the limit, whatever the limit."""
    for limit in range(3, 20):
        clipped = clip("aé漢😀" * 5, limit)
        assert len(clipped.encode()) <= limit
        assert clipped.endswith("…")
    assert clip("abc", 3) == "abc"
    assert clip("\ud800", 10) == "?"
