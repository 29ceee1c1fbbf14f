"""The few bytes of grpc.health.v1: a request names a service, a response has one enum.

Written out because that is all there is to it, and the data path imports no protobuf.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.call.local_reply import varint
from seawall_proxy.http2.headers import Field, HeaderBlock

CHECK: Final = b"/grpc.health.v1.Health/Check"
WATCH: Final = b"/grpc.health.v1.Health/Watch"

SERVING: Final = 1
NOT_SERVING: Final = 2
SERVICE_UNKNOWN: Final = 3
MALFORMED: Final = -1

MAX_RESPONSE_BYTES: Final = 4096


def request_block(path: bytes, scheme: bytes, authority: bytes) -> HeaderBlock:
    """Return the request headers of a check."""
    fields: tuple[Field, ...] = (
        (b":method", b"POST"),
        (b":scheme", scheme),
        (b":path", path),
        (b":authority", authority),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"user-agent", b"seawall-health-check"),
    )
    return HeaderBlock(fields)


def request_message(service: str) -> bytes:
    """Return the framed HealthCheckRequest."""
    name = service.encode()
    payload = b""
    if len(name) > 0:
        payload = b"\x0a" + varint(len(name)) + name
    return b"\x00" + len(payload).to_bytes(4, "big") + payload


def take_status(buffer: bytearray) -> int | None:
    """Remove the first whole message from the buffer and return its status; None when there is none yet,
    MALFORMED when it is no HealthCheckResponse.
    """
    if len(buffer) < 5:
        return None
    size = int.from_bytes(buffer[1:5], "big")
    if buffer[0] != 0 or size > MAX_RESPONSE_BYTES:
        return MALFORMED
    if len(buffer) < 5 + size:
        return None
    payload = bytes(buffer[5 : 5 + size])
    del buffer[: 5 + size]
    return response_status(payload)


def response_status(payload: bytes) -> int:
    """Return the status of a HealthCheckResponse (0 when it has none), MALFORMED when it is none."""
    at = 0
    status = 0
    while at < len(payload):
        tag, at = _read_varint(payload, at)
        if at < 0:
            return MALFORMED
        kind = tag & 7
        if kind == 0:
            value, at = _read_varint(payload, at)
            if tag >> 3 == 1:
                status = value
        elif kind == 2:
            length, at = _read_varint(payload, at)
            at = at + length if at >= 0 else at
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            return MALFORMED
        if at < 0 or at > len(payload):
            return MALFORMED
    return status


def _read_varint(payload: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends; -1 when it does not."""
    value = 0
    shift = 0
    while at < len(payload) and shift < 70:
        octet = payload[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value, at
        shift += 7
    return 0, -1
