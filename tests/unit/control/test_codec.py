"""Messages and values of the domain: nothing is lost between them."""

from __future__ import annotations

from seawall.v1 import event_pb2
from seawall_control.api.codec import event_message, event_of


def test_why_a_call_was_not_retried_comes_back() -> None:
    """It is kept among the details, beside what was there."""
    message = event_pb2.ErrorEvent(id="a", severity=event_pb2.SEVERITY_LOW, not_retried="budget")
    assert event_message(event_of(message).event).not_retried == "budget"
    message.details.update({"breaker": "OPEN"})
    found = event_message(event_of(message).event)
    assert found.not_retried == "budget"
    assert dict(found.details) == {"breaker": "OPEN", "not_retried": "budget"}


def test_most_events_say_nothing_of_retries() -> None:
    """Then there are no details for it."""
    found = event_message(event_of(event_pb2.ErrorEvent(id="a", severity=event_pb2.SEVERITY_LOW)).event)
    assert found.not_retried == ""
    assert not found.HasField("details")
