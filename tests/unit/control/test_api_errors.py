"""The table from errors to statuses."""

from __future__ import annotations

import re

import grpc
from google.rpc import error_details_pb2, status_pb2

import seawall_control.server  # noqa: F401 - errors of all of its rooms are classes by then
from seawall_control.api.errors import DETAILS_KEY, TABLE, http_status, message_of, to_status
from seawall_control.domain import errors as e


def every_class() -> list[type[e.ControlError]]:
    """Return all error classes."""
    found, queue = [], [e.ControlError]
    while queue:
        kind = queue.pop()
        queue += kind.__subclasses__()
        found.append(kind)
    return found


def test_reasons_are_stable_names() -> None:
    """Every reason has the shape that AIP-193 asks for and names one class."""
    reasons = [kind.reason for kind in every_class()]
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+[A-Z0-9]", reason) and len(reason) <= 63 for reason in reasons)
    assert len(set(reasons)) == len(reasons)


def test_every_error_that_a_caller_sees_is_in_the_table() -> None:
    """Only the root and what stops the process before it serves are missing."""
    missing = {k for k in every_class() if not any(issubclass(k, row[0]) for row in TABLE)}
    assert missing == {e.ControlError, e.StoreRefused}


def test_unknown_errors_are_internal_and_say_nothing() -> None:
    """The inside of a bug stays inside."""
    code, message, _ = to_status(ValueError("secret /path"))
    assert code is grpc.StatusCode.INTERNAL and "secret" not in message
    assert http_status(ValueError()) == 500 and "secret" not in message_of(ValueError("secret"))


def test_status_carries_reason_violations_and_pushback() -> None:
    """Details say why; where waiting helps they say how long."""
    code, _, trailers = to_status(e.InvalidRequest("bad", (e.FieldProblem("a.b", "is wrong", "SW1"),)))
    status = status_pb2.Status.FromString(dict(trailers)[DETAILS_KEY])
    assert code is grpc.StatusCode.INVALID_ARGUMENT and status.code == 3
    bad = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad) and bad.field_violations[0].field == "a.b"
    _, _, trailers = to_status(e.StoreFull("full"))
    assert dict(trailers)["grpc-retry-pushback-ms"] == "5000"
    status = status_pb2.Status.FromString(dict(trailers)[DETAILS_KEY])
    retry = error_details_pb2.RetryInfo()
    assert status.details[1].Unpack(retry) and retry.retry_delay.seconds == 5
