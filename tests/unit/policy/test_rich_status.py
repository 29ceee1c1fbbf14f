"""What the details of a failure say, against the protobuf runtime, and how little damage can do."""

from __future__ import annotations

from base64 import b64encode

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from seawall_policy.rich_status import MAX_BYTES, NO_DELAY, NOTHING, read_rich_status
from seawall_proxy.call.local_reply import error_info, retry_info, status_details


def encoded(*messages: Message) -> bytes:
    """Return the value of grpc-status-details-bin with these details."""
    whole = Status(code=8, message="used up, come back later")
    for message in messages:
        packed = Any()
        packed.Pack(message)
        whole.details.append(packed)
    return b64encode(whole.SerializeToString())


@pytest.mark.parametrize("padded", [True, False])
def test_both_details(padded: bool) -> None:
    """RetryInfo and ErrorInfo, among others, with and without padding of the base64."""
    value = encoded(
        BadRequest(),
        ErrorInfo(reason="QUOTA", domain="shop.example", metadata={"a": "b"}),
        RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_001)),
    )
    found = read_rich_status(value if padded else value.rstrip(b"="))
    assert (found.reason, found.domain, found.retry_delay_ms) == ("QUOTA", "shop.example", 2501)


def test_our_own_details() -> None:
    """What Seawall says itself, another Seawall reads."""
    value = status_details(14, "open", (error_info("BREAKER_OPEN", (("route", "r"),)), retry_info(1.5)))
    found = read_rich_status(value)
    assert (found.reason, found.domain, found.retry_delay_ms) == ("BREAKER_OPEN", "seawall", 1500)


@pytest.mark.parametrize(
    ("delay", "milliseconds"),
    [
        (Duration(), 0),
        (Duration(nanos=1), 1),
        (Duration(seconds=2_147_483), 2_147_483_000),
        (Duration(seconds=2_147_484), NO_DELAY),
        (Duration(seconds=-1), NO_DELAY),
        (Duration(nanos=-5), NO_DELAY),
    ],
)
def test_delays(delay: Duration, milliseconds: int) -> None:
    """Rounded up; a time in the past or beyond 2^31 ms says nothing."""
    assert read_rich_status(encoded(RetryInfo(retry_delay=delay))).retry_delay_ms == milliseconds


def test_nothing_to_find() -> None:
    """Details without either of the two."""
    found = read_rich_status(encoded(BadRequest()))
    assert (found.reason, found.domain, found.retry_delay_ms) == ("", "", NO_DELAY)


def test_texts_are_bounded() -> None:
    """A reason is at most 63 characters; a longer one is none."""
    assert read_rich_status(encoded(ErrorInfo(reason="R" * 63))).reason == "R" * 63
    assert read_rich_status(encoded(ErrorInfo(reason="R" * 64))).reason == ""


def test_details_are_bounded() -> None:
    """The seventeenth detail is not looked at, and a very long value not at all."""
    many = [BadRequest() for _ in range(16)]
    assert read_rich_status(encoded(*many, ErrorInfo(reason="LATE"))).reason == ""
    assert read_rich_status(encoded(*many[:15], ErrorInfo(reason="IN_TIME"))).reason == "IN_TIME"
    assert read_rich_status(b"A" * (MAX_BYTES + 4)) is NOTHING


@pytest.mark.parametrize(
    "raw",
    [
        b"\x1a\xff",
        b"\x1a\x05\x0a",
        b"\x1a",
        b"\x00\x01",
        b"\x1b\x00",
        b"\x08" + b"\xff" * 11,
        b"\x1a\x03\x0a\x7fx",
        b"\x19\x00\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
    ],
)
def test_damage(raw: bytes) -> None:
    """Damaged messages are none."""
    assert read_rich_status(b64encode(raw)) is NOTHING


@pytest.mark.parametrize("value", [b"", b"!", b"A", b"\xff\xfe"])
def test_no_base64(value: bytes) -> None:
    """Nor is what is no base64."""
    found = read_rich_status(value)
    assert (found.reason, found.retry_delay_ms) == ("", NO_DELAY)
