"""From a gRPC status to an error that a caller can act on."""

from __future__ import annotations

import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from seawall import errors
from seawall.errors import from_status


def _details(*messages: Message) -> bytes:
    packed = []
    for message in messages:
        item = any_pb2.Any()
        item.Pack(message)
        packed.append(item)
    raw: bytes = status_pb2.Status(details=packed).SerializeToString()
    return raw


@pytest.mark.parametrize(
    ("code", "reason", "remedy"),
    [
        ("ABORTED", "ETAG_MISMATCH", "seawall diff FILE"),
        ("ABORTED", "STALE_ETAG", ""),
        ("ALREADY_EXISTS", "ALREADY_EXISTS", ""),
    ],
)
def test_only_who_changed_a_policy_is_sent_to_the_newest_revision(
    code: str, reason: str, remedy: str
) -> None:
    """A token of a name that is taken, or a runbook that somebody else changed, has none."""
    raw = _details(error_details_pb2.ErrorInfo(reason=reason, domain="seawall"))
    error = from_status(code, "text", raw, target="t:1")
    assert isinstance(error, errors.Conflict)
    assert (remedy in error.remedy) if remedy else error.remedy == ""


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        ("INVALID_ARGUMENT", errors.Invalid),
        ("NOT_FOUND", errors.NotFound),
        ("ABORTED", errors.Conflict),
        ("FAILED_PRECONDITION", errors.NotPossibleNow),
        ("RESOURCE_EXHAUSTED", errors.Overloaded),
        ("DEADLINE_EXCEEDED", errors.TimedOut),
        ("UNAVAILABLE", errors.Unreachable),
        ("PERMISSION_DENIED", errors.Denied),
        ("INTERNAL", errors.Failed),
        ("SOMETHING_NEW", errors.Failed),
    ],
)
def test_each_code_has_a_class(code: str, cls: type[errors.SeawallError]) -> None:
    """What the caller can do decides about the class; a code that is not known is a failure."""
    error = from_status(code, "text", None, target="t:1")
    assert type(error) is cls
    assert error.code == code


def test_details_give_reason_metadata_and_every_violation() -> None:
    """All violations are kept, with their codes, in their order."""
    details = _details(
        error_details_pb2.ErrorInfo(reason="POLICY_INVALID", domain="seawall", metadata={"set": "default"}),
        error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(
                    field="routes[0]", description="bad", reason="SW0103"
                ),
                error_details_pb2.BadRequest.FieldViolation(field="", description="worse"),
            ]
        ),
    )
    error = from_status("INVALID_ARGUMENT", "2 mistakes", details, target="t:1")
    assert error.reason == "POLICY_INVALID"
    assert error.metadata == {"set": "default"}
    assert str(error).splitlines() == ["2 mistakes", "  routes[0]: bad [SW0103]", "  worse"]


def test_an_unreachable_control_plane_is_named_with_a_remedy() -> None:
    """Repetitions are left out; the target and what to do are in."""
    text = "failed to connect to all addresses; last error: "
    text += "UNKNOWN: ipv4:127.0.0.1:9: Failed: Connection refused"
    error = from_status("UNAVAILABLE", text, None, target="127.0.0.1:9")
    assert (
        str(error).splitlines()[0]
        == "cannot reach the control plane at 127.0.0.1:9: Failed: Connection refused"
    )
    assert "seawall up" in error.remedy


def test_unavailable_with_a_reason_comes_from_a_reachable_control_plane() -> None:
    """A control plane that drains answers UNAVAILABLE itself; it must not read as a wrong address."""
    details = _details(error_details_pb2.ErrorInfo(reason="DRAINING", domain="seawall"))
    error = from_status("UNAVAILABLE", "about to stop", details, target="t:1")
    assert type(error) is errors.NotPossibleNow
    assert error.message == "about to stop"


def test_damaged_details_do_not_hide_the_error() -> None:
    """Bytes that are no Status leave code and text."""
    error = from_status("NOT_FOUND", "no event", b"\xff\xff\xff", target="t:1")
    assert (type(error), error.message, error.violations) == (errors.NotFound, "no event", ())


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("Tls handshake failed: CERTIFICATE_VERIFY_FAILED: self signed certificate", "--ca-file"),
        ("Custom verification check failed: Hostname Verification Check failed.", "--tls-name"),
        ("Ssl handshake failed: WRONG_VERSION_NUMBER", "leave out --tls"),
        ("Socket closed", "If it speaks TLS, say so"),
        ("Connection refused", "Is it running?"),
    ],
)
def test_what_tls_ended_says_what_to_do(text: str, remedy: str) -> None:
    """Whoever runs a command sees which option is missing, or too many."""
    assert remedy in str(from_status("UNAVAILABLE", text, None, target="control:9090"))


def test_a_single_mistake_is_said_once() -> None:
    """Where the message is the violation's text, only its code is added."""
    one = errors.FieldViolation("fault.abort.code", '"NOPE" is not a gRPC status', "SW0103")
    said = errors.Invalid('fault.abort.code: "NOPE" is not a gRPC status', violations=(one,))
    assert str(said) == 'fault.abort.code: "NOPE" is not a gRPC status [SW0103]'
    assert str(errors.Invalid("1 mistake", violations=(one,))).splitlines() == [
        "1 mistake",
        '  fault.abort.code: "NOPE" is not a gRPC status [SW0103]',
    ]
