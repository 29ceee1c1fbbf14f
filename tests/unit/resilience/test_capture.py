"""What leaves the process with an exception, and what does not."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from google.protobuf.json_format import MessageToDict

from seawall.capture import (
    MAX_LOCAL_BYTES,
    MAX_LOCAL_FRAMES,
    MAX_LOCALS,
    REDACTED,
    capture,
    is_secret_name,
    locals_of,
    redact_text,
)
from seawall.client import from_exception
from seawall.resilience import ContextFilter, context_fields, error_context
from seawall.resilience.clock import SYSTEM, VirtualClock, current_clock, virtual_time


def charge(card_number: str, amount: int) -> None:
    """Fail with secrets around."""
    api_key = "sk-live-123"
    headers = {"Authorization": "Bearer abcdef123456", "x": 1}
    url = "https://user:hunter2@db/x"
    raise ValueError(amount, len(api_key + url + card_number), len(headers))


def caught() -> ValueError:
    """Return an exception with a trace."""
    try:
        charge("4111111111111111", 7)
    except ValueError as error:
        return error
    raise AssertionError


def test_variables_are_only_taken_when_asked_for() -> None:
    """And without secrets: by their names, by their shapes, and by a function of one's own."""
    assert "locals" not in from_exception(caught(), component="c").details
    event = from_exception(
        caught(),
        component="c",
        include_locals=True,
        redact=lambda name, text: "*" if name == "amount" else text,
    )
    variables = MessageToDict(event.details)["locals"]
    innermost = variables[min(variables)]
    assert innermost["card_number"] == REDACTED
    assert innermost["api_key"] == REDACTED
    assert innermost["amount"] == "*"
    text = str(event.details)
    for secret in ("4111", "sk-live", "abcdef123456", "hunter2"):
        assert secret not in text


def test_variables_are_bounded() -> None:
    """Frames, variables of a frame, and the text of each; a broken `repr` is said so."""

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    def deep(depth: int) -> None:
        big, broken = "x" * 10_000, Broken()
        scope = {f"v{number}": number for number in range(100)}
        if depth == 0:
            exec("raise KeyError", {}, scope)
        deep(depth - 1)
        del big, broken

    with pytest.raises(KeyError) as info:
        deep(10)
    found = locals_of(info.value)
    assert len(found) == MAX_LOCAL_FRAMES
    assert max(len(values) for values in found.values()) <= MAX_LOCALS
    assert all(len(text.encode()) <= MAX_LOCAL_BYTES for values in found.values() for text in values.values())
    assert "<unprintable: RuntimeError>" in str(found) or "Broken instance" in str(found)


@pytest.mark.parametrize(
    "name", ["password", "API_KEY", "user-token", "sessionid", "authHeader", "privateKey"]
)
def test_names_of_secrets(name: str) -> None:
    """Whatever their spelling."""
    assert is_secret_name(name)


def test_harmless_names_and_texts() -> None:
    """An author is no secret, and plain text stays."""
    assert not is_secret_name("author")
    assert not is_secret_name("amount")
    assert redact_text("plain text, 42") == "plain text, 42"
    assert redact_text("password='x1' and eyJhbGciOi.eyJzdWIi.abc") == f"{REDACTED}' and {REDACTED}"


def test_fields_of_the_context() -> None:
    """They nest, end with their block, fill the event's own fields, and what is given wins over them."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert context_fields() == {}
    with error_context(job_id="1", component="outer", tenant="acme"), error_context(job_id="2", n=3):
        assert context_fields() == {"job_id": "2", "component": "outer", "tenant": "acme", "n": 3}
        taken = capture(KeyError(), event_id="i", at=now)
        assert (taken.component, taken.job_id, dict(taken.details)) == (
            "outer",
            "2",
            {"tenant": "acme", "n": 3},
        )
        given = from_exception(KeyError(), component="inner", job_id="9", details={"n": 4}, at=now)
        assert (given.component, given.job_id, given.details["n"]) == ("inner", "9", 4)
    assert context_fields() == {}
    assert capture(KeyError(), event_id="i", at=now).component == "application"


def test_fields_in_log_records(caplog: pytest.LogCaptureFixture) -> None:
    """The filter adds them, and leaves alone what a record has."""
    caplog.handler.addFilter(ContextFilter())
    try:
        with error_context(tenant="acme", name="not the logger's"):
            logging.getLogger("x").warning("hello")
    finally:
        caplog.handler.filters.clear()
    record = caplog.records[0]
    assert (record.tenant, record.name) == ("acme", "x")  # type: ignore[attr-defined]
    assert record.context == "tenant=acme name=not the logger's"  # type: ignore[attr-defined]


def test_the_trace_under_way() -> None:
    """The id of OpenTelemetry's current span goes along."""
    from opentelemetry import trace

    span = trace.NonRecordingSpan(trace.SpanContext(0xABC, 1, is_remote=False))
    with trace.use_span(span):
        event = from_exception(KeyError(), component="c")
    assert event.trace_id == f"{0xABC:032x}"


async def test_the_real_clock() -> None:
    """It goes on, waits, and throws dice; a virtual one takes its place in a block only."""
    assert current_clock() is SYSTEM
    before = SYSTEM.now()
    SYSTEM.sleep(0.001)
    await SYSTEM.asleep(0.001)
    assert SYSTEM.now() > before
    assert 0.0 <= SYSTEM.draw() < 1.0
    async with SYSTEM.expire_at(float("inf")) as scope:
        assert not scope.expired()
    with virtual_time(5.0, draws=[0.1, 0.2]) as clock:
        assert current_clock() is clock
        assert [clock.draw(), clock.draw(), clock.draw()] == [0.1, 0.2, 0.1]
        assert repr(clock) == "VirtualClock(now=5.0)"
    assert current_clock() is SYSTEM
    assert VirtualClock().draw() == 0.5
