"""What admission leaves out for speed changes nothing: events are kept as with each field cut by itself."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from seawall_control.domain import admission
from seawall_control.domain.admission import MAX_MESSAGE_BYTES, MAX_NAME_BYTES, admitted, bounded_details
from seawall_control.domain.events import AttemptSummary, Event
from seawall_control.domain.redaction import redact_text
from tests.property.control.strategies import events

NAMES: Final = ("component", "error_type", "route", "method", "code", "endpoint", "reason", "proxy")
TEXTS: Final = {
    "message": MAX_MESSAGE_BYTES,
    "job_id": MAX_NAME_BYTES,
    "job_name": MAX_NAME_BYTES,
    "resolution": MAX_MESSAGE_BYTES,
}
TEXT: Final = (
    st.text(max_size=12)
    | st.sampled_from(["", "a\0b", "é", "Bearer abcdefgh", "password=x", "4111 1111 1111 1111"])
    | st.builds(lambda part, n: part * n, st.sampled_from("aé€"), st.integers(60, 300))
    | st.builds(lambda n: "b" * n, st.integers(MAX_NAME_BYTES - 2, MAX_NAME_BYTES + 2))
)
ATTEMPTS: Final = st.lists(
    st.builds(
        AttemptSummary,
        number=st.integers(0, 20),
        endpoint=TEXT,
        code=TEXT,
        latency_us=st.integers(-5, 5),
        reason=TEXT,
    ),
    max_size=18,
).map(tuple)


def cut_as_ever(text: str, most_bytes: int) -> str:
    """Return what `cut` is to return, by its definition in bytes."""
    safe = "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)
    if len(safe.encode()) <= most_bytes:
        return safe
    mark = "…[cut]"
    return safe.encode()[: most_bytes - len(mark.encode())].decode(errors="ignore") + mark


def without_secrets(text: str, most_bytes: int) -> str:
    """Return what any text is to become: redacted as a whole, then cut."""
    return cut_as_ever(redact_text(text), most_bytes)


def field_by_field(event: Event) -> Event:
    """Return the event with every field treated by itself."""
    most = dict.fromkeys(NAMES, MAX_NAME_BYTES) | TEXTS | {"trace_id": 64, "fingerprint": 128}
    changes = {name: without_secrets(getattr(event, name), size) for name, size in most.items()}
    return replace(
        event,
        **changes,  # type: ignore[arg-type]
        details=None if event.details is None else bounded_details(event.details),
        stack_trace=without_secrets(admission._stack(event.stack_trace), admission.MAX_STACK_BYTES),
        resolved_at_us=event.resolved_at_us if event.resolved else 0,
        attempts=tuple(
            AttemptSummary(
                number=one.number,
                endpoint=without_secrets(one.endpoint, MAX_NAME_BYTES),
                code=without_secrets(one.code, MAX_NAME_BYTES),
                latency_us=max(0, one.latency_us),
                reason=without_secrets(one.reason, MAX_NAME_BYTES),
            )
            for one in event.attempts[: admission.MAX_ATTEMPTS]
        ),
        latency_us=max(0, event.latency_us),
    )


@settings(max_examples=300, deadline=None)
@given(events(), st.fixed_dictionaries({}, optional=dict.fromkeys((*NAMES, *TEXTS), TEXT)), ATTEMPTS, TEXT)
def test_every_field_is_kept_as_by_itself(
    event: Event, texts: dict[str, str], attempts: tuple[AttemptSummary, ...], fingerprint: str
) -> None:
    """No field is forgotten, and none is spared."""
    came = replace(event, **texts, attempts=attempts, fingerprint=fingerprint or "f")  # type: ignore[arg-type]
    assert admitted(came) == field_by_field(came)


@given(events(), TEXT)
@example(Event(id="i", timestamp_us=1, severity=1, component="c", fingerprint="f"), "")  # type: ignore[arg-type]
def test_the_proxy_that_reports_takes_the_place_of_the_named_one(event: Event, proxy: str) -> None:
    """As if the event had named it."""
    assert admitted(event, proxy=proxy) == admitted(replace(event, proxy=proxy))


def test_no_field_is_unknown_here() -> None:
    """Whoever adds a text to events says here how it is bounded."""
    texts = {field.name for field in fields(Event) if field.type == "str"}
    assert texts == {*NAMES, *TEXTS, "id", "stack_trace", "trace_id", "fingerprint"}
