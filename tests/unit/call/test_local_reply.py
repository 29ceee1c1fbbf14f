"""Answers of our own, as the protobuf runtime reads them."""

from __future__ import annotations

from base64 import b64decode
from math import inf

import pytest
from google.rpc import error_details_pb2, status_pb2

from seawall_policy import status
from seawall_proxy.call import local_reply


def decoded(fields: tuple[tuple[bytes, bytes], ...]) -> status_pb2.Status:
    """Decode grpc-status-details-bin."""
    value = dict(fields)[b"grpc-status-details-bin"]
    answer = status_pb2.Status()
    answer.ParseFromString(b64decode(value + b"=" * (-len(value) % 4)))
    return answer


@pytest.mark.parametrize("reason", sorted(local_reply.REASONS))
def test_every_reason_can_be_read(reason: str) -> None:
    """Each reason has a sentence, and its details are google.rpc.Status with ErrorInfo (AIP-193)."""
    message = local_reply.REASONS[reason]
    fields = local_reply.failure_fields(
        14, reason, message, b"failed", -1.0, (("route", "a/b"), ("origin", "proxy"))
    )
    answer = decoded(fields)
    assert (answer.code, answer.message) == (14, message)
    info = error_details_pb2.ErrorInfo()
    assert len(answer.details) == 1
    assert answer.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (
        reason,
        "seawall",
        {"route": "a/b", "origin": "proxy"},
    )
    plain = dict(fields)
    assert plain[b"grpc-status"] == b"14"
    assert plain[b"grpc-message"] == status.percent_encode(message)
    assert plain[b"seawall-outcome"] == b"failed"
    assert plain[b"seawall-reason"] == reason.encode()
    assert b"grpc-retry-pushback-ms" not in plain


@pytest.mark.parametrize(
    ("after_s", "pushback"), [(0.0, b"1"), (0.25, b"251"), (3.5, b"3501"), (1e9, b"2147483647")]
)
def test_when_to_come_back(after_s: float, pushback: bytes) -> None:
    """RetryInfo and the pushback say the same; the pushback is never too early and fits 32 bits."""
    fields = local_reply.failure_fields(14, "BREAKER_OPEN", "open", b"rejected", after_s, ())
    info = error_details_pb2.RetryInfo()
    assert decoded(fields).details[1].Unpack(info)
    assert info.retry_delay.seconds + info.retry_delay.nanos / 1e9 == pytest.approx(after_s)
    assert dict(fields)[b"grpc-retry-pushback-ms"] == pushback


@pytest.mark.parametrize("after_s", [-1.0, inf])
def test_when_nobody_knows(after_s: float) -> None:
    """Without a known time there is neither RetryInfo nor pushback."""
    fields = local_reply.failure_fields(14, "BREAKER_OPEN", "open", b"rejected", after_s, ())
    assert len(decoded(fields).details) == 1
    assert b"grpc-retry-pushback-ms" not in dict(fields)


def test_values_beyond_ascii() -> None:
    """Route names may be any text."""
    fields = local_reply.failure_fields(
        8, "CONCURRENCY_LIMITED", "grün", b"rejected", -1.0, (("route", "kürbis"),)
    )
    info = error_details_pb2.ErrorInfo()
    assert decoded(fields).details[0].Unpack(info)
    assert info.metadata["route"] == "kürbis"
    assert dict(fields)[b"grpc-message"] == b"gr%C3%BCn"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (2**32, b"\x80\x80\x80\x80\x10")],
)
def test_varint(value: int, encoded: bytes) -> None:
    """Integers are encoded as protobuf does it."""
    assert local_reply.varint(value) == encoded
