"""Which calls are asked for a second time, and what is told when that says nothing either."""

from __future__ import annotations

import uuid

import pytest
from google.rpc import error_details_pb2, status_pb2

from seawall.client import repeating
from seawall.client.calls import Call
from seawall.errors import Conflict, NotPossibleNow, SeawallError, TimedOut, Unreachable, from_status
from seawall.v1 import admin_events_pb2, admin_healing_pb2

ID = "6f9b3a52-6f0e-4c5e-9e0b-0d3f6a3f2b11"


def change(request_id: str = "") -> Call[admin_healing_pb2.SetRunbookResponse]:
    """Return a call that changes something."""
    request = admin_healing_pb2.SetRunbookRequest(request_id=request_id)
    return Call("/seawall.v1.HealingService/SetRunbook", request, admin_healing_pb2.SetRunbookResponse)


def failed(code: str, text: str = "", reason: str = "") -> SeawallError:
    """Return the error of a status."""
    details = None
    if reason:
        status = status_pb2.Status()
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="seawall"))
        details = status.SerializeToString()
    return from_status(code, text, details, target="127.0.0.1:9090")


def test_a_change_has_an_id() -> None:
    """One of its own, unless its caller gave one; that one's message stays as it is. What reads has none."""
    call = change()
    first, second = (repeating.identified(call).request for _ in range(2))
    assert uuid.UUID(first.request_id) != uuid.UUID(second.request_id)  # type: ignore[attr-defined]
    assert call.request == admin_healing_pb2.SetRunbookRequest()
    given = change(ID)
    assert repeating.identified(given) is given
    for request in (admin_events_pb2.ListEventsRequest(), admin_events_pb2.ReportEventsRequest()):
        read = Call("/seawall.v1.EventService/X", request, admin_events_pb2.ListEventsResponse)
        assert repeating.identified(read) is read


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (failed("UNAVAILABLE", "Socket closed"), True),
        (failed("UNAVAILABLE", "recvmsg:Connection reset by peer"), True),
        (failed("UNAVAILABLE", "stopping", "DRAINING"), True),
        # There was no connection: nothing was done, and nobody is there.
        (failed("UNAVAILABLE", "failed to connect to all addresses; last error: UNKNOWN: refused"), False),
        (failed("UNAVAILABLE", "DNS resolution failed for nowhere:9090"), False),
        # The control plane has answered.
        (failed("UNAVAILABLE", "the store is away", "STORE_UNAVAILABLE"), False),
        (failed("ABORTED", "running", "REQUEST_RUNNING"), False),
        # The caller's time is over.
        (failed("DEADLINE_EXCEEDED"), False),
        (failed("INTERNAL"), False),
    ],
)
def test_what_is_asked_again(error: SeawallError, wanted: bool) -> None:
    """Only that of which nobody knows what became, and only what is known again."""
    assert repeating.is_lost(change(ID), error) is wanted
    assert repeating.is_lost(change(), error) is False


def test_the_second_time_has_what_is_left() -> None:
    """At most half a minute, and nothing beyond the time of the caller."""
    assert repeating.left_s(60.0, 1.0) == repeating.AGAIN_S
    assert repeating.left_s(10.0, 8.0) == 2.0
    assert repeating.left_s(10.0, 11.0) < 0


def test_what_is_told_in_the_end() -> None:
    """What the control plane has said; else that nobody knows, and the id with which to ask again."""
    lost = failed("UNAVAILABLE", "Socket closed")
    for second in (failed("FAILED_PRECONDITION", "x", "REQUEST_UNANSWERED"), failed("NOT_FOUND", "gone")):
        assert repeating.unanswered(change(ID), lost, second) is second
    for second in (failed("DEADLINE_EXCEEDED"), failed("UNAVAILABLE", "failed to connect to all addresses")):
        told = repeating.unanswered(change(ID), lost, second)
        assert isinstance(told, Unreachable)
        assert "the change may have been made" in str(told)
        assert told.metadata["request_id"] == ID
    draining = failed("UNAVAILABLE", "stopping", "DRAINING")
    assert isinstance(draining, NotPossibleNow)
    assert repeating.unanswered(change(ID), draining, failed("DEADLINE_EXCEEDED")) is draining
    running = failed("ABORTED", "running", "REQUEST_RUNNING")
    assert isinstance(running, Conflict) and "Look at what there is" in str(running)
    late = repeating.told(change(ID), failed("DEADLINE_EXCEEDED"))
    assert isinstance(late, TimedOut)
    assert late.metadata["request_id"] == ID
    assert "request_id" not in repeating.told(change(ID), failed("NOT_FOUND", "gone")).metadata
