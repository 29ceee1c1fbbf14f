"""Reading google.rpc.Status, compared with the protobuf runtime, and everything that is no such message."""

from __future__ import annotations

import base64

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from seawall_policy import rich_error
from seawall_policy.rich_error import NO_DELAY, decode


def packed(*details: Message, code: int = 14, message: str = "tired") -> bytes:
    """Return a value of `grpc-status-details-bin`."""
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return base64.b64encode(status.SerializeToString()).rstrip(b"=")


def test_error_info() -> None:
    """Reason, domain and metadata of ErrorInfo are read."""
    info = error_details_pb2.ErrorInfo(reason="OUT_OF_STOCK", domain="shop.example", metadata={"sku": "é1"})
    found = decode(packed(info))
    assert found is not None
    assert (found.code, found.message) == (14, "tired")
    assert (found.reason, found.domain, found.metadata) == ("OUT_OF_STOCK", "shop.example", {"sku": "é1"})
    assert found.retry_delay_s == NO_DELAY


@pytest.mark.parametrize(
    ("seconds", "nanos", "expected"),
    [
        (0, 0, 0.0),
        (2, 500_000_000, 2.5),
        (-1, 0, NO_DELAY),
        (0, -1, NO_DELAY),
        (315_576_000_001, 0, NO_DELAY),
    ],
)
def test_retry_info(seconds: int, nanos: int, expected: float) -> None:
    """The delay of RetryInfo is read; a negative or impossible one is as if it were not there."""
    info = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=seconds, nanos=nanos))
    found = decode(packed(info))
    assert found is not None
    assert found.retry_delay_s == expected


def test_retry_info_without_a_delay() -> None:
    """A RetryInfo that gives no time says nothing."""
    found = decode(packed(error_details_pb2.RetryInfo()))
    assert found is not None
    assert found.retry_delay_s == NO_DELAY


def test_quota_and_bad_request() -> None:
    """What is used up and which fields are wrong is read."""
    quota = error_details_pb2.QuotaFailure()
    quota.violations.add(subject="tenant:7", description="reads a day")
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="order.items[2].sku", description="unknown")
    bad.field_violations.add(description="no field")
    found = decode(packed(quota, bad))
    assert found is not None
    assert found.quotas == [("tenant:7", "reads a day")]
    assert found.bad_fields == ["order.items[2].sku"]


def test_first_of_each_kind_counts_and_others_are_skipped() -> None:
    """Details of other kinds are passed over, a second one of a kind as well."""
    found = decode(
        packed(
            error_details_pb2.DebugInfo(detail="stack"),
            error_details_pb2.ErrorInfo(reason="FIRST"),
            error_details_pb2.ErrorInfo(reason="SECOND"),
        )
    )
    assert found is not None
    assert found.reason == "FIRST"


def test_padded_unpadded_and_joined() -> None:
    """Base64 comes with and without padding; of values joined by commas the first counts."""
    value = packed(error_details_pb2.ErrorInfo(reason="A"))
    padded = value + b"=" * (-len(value) % 4)
    for form in (value, padded, value + b"," + packed(), value + b" , x"):
        found = decode(form)
        assert found is not None, form
        assert found.reason == "A"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"=",
        b"A",
        b"AAAAA",
        b"!!!!",
        b"AA AA",
        b"_-_-",
        base64.b64encode(b"\x0a"),
        base64.b64encode(b"\x08"),
        base64.b64encode(b"\x12\x05ab"),
        base64.b64encode(b"\x00\x01"),
        base64.b64encode(b"\x0b\x0c"),
        base64.b64encode(b"\x08" + b"\xff" * 11),
        base64.b64encode(b"\x09abc"),
        b"A" * (rich_error.MAX_VALUE_BYTES + 1),
    ],
)
def test_what_is_no_status(value: bytes) -> None:
    """Malformed values are ignored as a whole."""
    assert decode(value) is None


def test_a_damaged_detail_is_left_out() -> None:
    """The other details of the same status still count."""
    status = status_pb2.Status(code=8)
    status.details.append(Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\x0a\x7fx"))
    status.details.append(Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=b"\x0a\x02\x08"))
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="WHOLE"))
    found = decode(base64.b64encode(status.SerializeToString()))
    assert found is not None
    assert (found.reason, found.retry_delay_s) == ("WHOLE", NO_DELAY)


def test_bounds() -> None:
    """Count and length of what is kept are bounded."""
    info = error_details_pb2.ErrorInfo(reason="R" * 2000, metadata={f"k{i}": "v" for i in range(100)})
    found = decode(packed(info))
    assert found is not None
    assert len(found.reason) == rich_error.MAX_TEXT_BYTES
    assert len(found.metadata) == rich_error.MAX_ENTRIES
    many = [error_details_pb2.DebugInfo()] * rich_error.MAX_DETAILS
    late = decode(packed(*many, error_details_pb2.ErrorInfo(reason="LATE")))
    assert late is not None
    assert late.reason == ""


def test_unknown_fields_are_skipped() -> None:
    """Fields of every wire type that are not known are passed over."""
    extra = b"\x79" + b"\0" * 8 + b"\x7d" + b"\0" * 4 + b"\x78\x05" + b"\x7a\x01x"
    found = rich_error.decode_status(extra + b"\x08\x05" + extra)
    assert found is not None
    assert found.code == 5
