"""Answers that the proxy makes itself: their headers, and the rich error that says who speaks and why.

Every local failure is trailers-only with `grpc-status-details-bin` carrying google.rpc.Status with ErrorInfo
(domain `seawall`, AIP-193) and, where waiting helps, RetryInfo; `seawall-outcome` and `seawall-reason` say
the same in plain text. Only codes that gRFC A54 allows a proxy to invent are used, but for a caller's own
mistake with an idempotency key, which is INVALID_ARGUMENT. The two protobuf messages
are encoded by hand, since this room stays free of the protobuf runtime; a test decodes them with it.
"""

from __future__ import annotations

from binascii import b2a_base64
from math import inf
from typing import Final

from seawall_policy import status
from seawall_proxy.http2.headers import Field, HeaderBlock

DOMAIN: Final = b"seawall"

NO_ROUTE: Final = "NO_ROUTE"
INVALID_REQUEST: Final = "INVALID_REQUEST"
BREAKER_OPEN: Final = "BREAKER_OPEN"
NO_HEALTHY_BACKEND: Final = "NO_HEALTHY_BACKEND"
UPSTREAM_CONNECT_FAILED: Final = "UPSTREAM_CONNECT_FAILED"
UPSTREAM_RESET: Final = "UPSTREAM_RESET"
UPSTREAM_PROTOCOL_ERROR: Final = "UPSTREAM_PROTOCOL_ERROR"
CONCURRENCY_LIMITED: Final = "CONCURRENCY_LIMITED"
MEMORY_LIMITED: Final = "MEMORY_LIMITED"
MESSAGE_TOO_LARGE: Final = "MESSAGE_TOO_LARGE"
HEADERS_TOO_LARGE: Final = "HEADERS_TOO_LARGE"
DEADLINE_EXCEEDED: Final = "DEADLINE_EXCEEDED"
PER_TRY_TIMEOUT: Final = "PER_TRY_TIMEOUT"
DEADLINE_TOO_SHORT: Final = "DEADLINE_TOO_SHORT"
OVERTAKEN: Final = "OVERTAKEN"
DRAINING: Final = "DRAINING"
OVERLOADED: Final = "OVERLOADED"
IDEMPOTENCY_KEY_REUSED: Final = "IDEMPOTENCY_KEY_REUSED"
FAULT_INJECTED: Final = "FAULT_INJECTED"
RATE_LIMITED: Final = "RATE_LIMITED"
LIMITED: Final = "LIMITED"
QUEUE_TIMEOUT: Final = "QUEUE_TIMEOUT"
BROWNOUT: Final = "BROWNOUT"

OF_LIMITS: Final = frozenset((RATE_LIMITED, LIMITED, QUEUE_TIMEOUT, BROWNOUT))
"""Reasons of a call that a limit of its policy refuses."""

REASONS: Final[dict[str, str]] = {
    NO_ROUTE: "no route of the policy matches the method and metadata",
    INVALID_REQUEST: "the request is not a valid gRPC request",
    BREAKER_OPEN: "the route's circuit breaker is open",
    NO_HEALTHY_BACKEND: "no endpoint of the cluster can be reached",
    UPSTREAM_CONNECT_FAILED: "connecting to the endpoint failed",
    UPSTREAM_RESET: "the endpoint reset the stream or closed the connection",
    UPSTREAM_PROTOCOL_ERROR: "the endpoint did not answer in gRPC",
    CONCURRENCY_LIMITED: "the cluster's max_in_flight is reached",
    MESSAGE_TOO_LARGE: "a request message is larger than the listener's max_request_message",
    MEMORY_LIMITED: "the proxy keeps too many requests of calls that wait for an endpoint",
    HEADERS_TOO_LARGE: "the metadata is larger than the receiver has said it takes",
    DEADLINE_EXCEEDED: "the deadline passed",
    PER_TRY_TIMEOUT: "the attempt took longer than per_try_timeout",
    DEADLINE_TOO_SHORT: "the call came with less time than the fastest calls have needed lately",
    OVERTAKEN: "another attempt of the call was faster",
    DRAINING: "the proxy is shutting down",
    OVERLOADED: "the proxy itself is short of memory or time",
    IDEMPOTENCY_KEY_REUSED: "the idempotency key was used before, for another request",
    FAULT_INJECTED: "the policy injects this failure on purpose",
    RATE_LIMITED: "more calls than the policy's rate_limit allows",
    LIMITED: "the policy's limit of calls at work is reached, and no more may wait",
    QUEUE_TIMEOUT: "no call at work ended in the time that this one could wait",
    BROWNOUT: "the policy's limit of calls at work is nearly reached, and this route is optional",
}
"""Every reason with its meaning."""


def varint(value: int) -> bytes:
    """Encode a non-negative integer as a protobuf varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def delimited(number: int, payload: bytes) -> bytes:
    """Encode a length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def _any(type_name: bytes, payload: bytes) -> bytes:
    return delimited(1, b"type.googleapis.com/" + type_name) + delimited(2, payload)


def error_info(reason: str, metadata: tuple[tuple[str, str], ...]) -> bytes:
    """Encode google.rpc.ErrorInfo with our domain, wrapped in google.protobuf.Any."""
    payload = delimited(1, reason.encode("ascii")) + delimited(2, DOMAIN)
    for key, value in metadata:
        payload += delimited(3, delimited(1, key.encode("utf-8")) + delimited(2, value.encode("utf-8")))
    return _any(b"google.rpc.ErrorInfo", payload)


def retry_info(delay_s: float) -> bytes:
    """Encode google.rpc.RetryInfo, wrapped in google.protobuf.Any."""
    seconds = int(delay_s)
    nanos = int((delay_s - seconds) * 1e9)
    duration = b"\x08" + varint(seconds) + b"\x10" + varint(nanos)
    return _any(b"google.rpc.RetryInfo", delimited(1, duration))


def status_details(code: int, message: str, details: tuple[bytes, ...]) -> bytes:
    """Encode google.rpc.Status as the value of `grpc-status-details-bin` (unpadded base64)."""
    payload = b"\x08" + varint(code) + delimited(2, message.encode("utf-8"))
    for detail in details:
        payload += delimited(3, detail)
    return b2a_base64(payload, newline=False).rstrip(b"=")


def pushback_field(delay_s: float) -> Field:
    """Return the field that asks a gRPC client not to try again earlier (gRFC A6)."""
    return b"grpc-retry-pushback-ms", str(min(int(delay_s * 1000.0) + 1, 0x7FFFFFFF)).encode("ascii")


def failure_fields(
    code: int,
    reason: str,
    message: str,
    outcome: bytes,
    retry_after_s: float,
    metadata: tuple[tuple[str, str], ...],
) -> tuple[Field, ...]:
    """Return the trailer fields of a local failure, pseudo-headers not included; a `retry_after_s` that is
    negative or infinite is unknown.
    """
    details = [error_info(reason, metadata)]
    fields: list[Field] = [
        (b"grpc-status", str(code).encode("ascii")),
        (b"grpc-message", status.percent_encode(message)),
        (b"seawall-outcome", outcome),
        (b"seawall-reason", reason.encode("ascii")),
    ]
    if 0.0 <= retry_after_s < inf:
        details.append(retry_info(retry_after_s))
        fields.append(pushback_field(retry_after_s))
    fields.append((b"grpc-status-details-bin", status_details(code, message, tuple(details))))
    return tuple(fields)


HEADERS_ONLY: Final = HeaderBlock(((b":status", b"200"), (b"content-type", b"application/grpc")))
"""Response headers of a static answer, and the stable part of a trailers-only failure."""
TRAILERS_ONLY: Final = HEADERS_ONLY
NO_FIELDS: Final = HeaderBlock(())
"""An empty stable part: trailers whose fields are all extra."""
NOT_GRPC_REPLY: Final = HeaderBlock(((b":status", b"415"), (b"content-type", b"text/plain")))
NOT_POST_REPLY: Final = HeaderBlock(
    ((b":status", b"405"), (b"allow", b"POST"), (b"content-type", b"text/plain"))
)
STATUS_OK: Final = HeaderBlock(((b"grpc-status", b"0"),))
