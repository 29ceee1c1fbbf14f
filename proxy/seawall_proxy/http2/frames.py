"""Frame types, flags, setting identifiers and the octets of the small frames (RFC 9113 sections 4 and 6)."""

from __future__ import annotations

from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

FLAG_ACK: Final = 0x1
FLAG_END_STREAM: Final = 0x1
FLAG_END_HEADERS: Final = 0x4
FLAG_PADDED: Final = 0x8
FLAG_PRIORITY: Final = 0x20

SETTING_HEADER_TABLE_SIZE: Final = 0x1
SETTING_ENABLE_PUSH: Final = 0x2
SETTING_MAX_CONCURRENT_STREAMS: Final = 0x3
SETTING_INITIAL_WINDOW_SIZE: Final = 0x4
SETTING_MAX_FRAME_SIZE: Final = 0x5
SETTING_MAX_HEADER_LIST_SIZE: Final = 0x6

DEFAULT_WINDOW_BYTES: Final = 65535
MAX_WINDOW_BYTES: Final = 2**31 - 1
MIN_MAX_FRAME_BYTES: Final = 16384
MAX_MAX_FRAME_BYTES: Final = 2**24 - 1
MAX_STREAM_ID: Final = 2**31 - 1

SETTINGS_ACK: Final = b"\x00\x00\x00\x04\x01\x00\x00\x00\x00"

_RST_PREFIX: Final = b"\x00\x00\x04\x03\x00"
_WINDOW_PREFIX: Final = b"\x00\x00\x04\x08\x00"
_PING_PREFIX: Final = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00"
_PONG_PREFIX: Final = b"\x00\x00\x08\x06\x01\x00\x00\x00\x00"


def frame_prefix(length: int, kind: int, flags: int) -> bytes:
    """Return the first five octets of a frame header: all but the stream id."""
    return (length << 16 | kind << 8 | flags).to_bytes(5, "big")


def rst_stream(stream_id: bytes, code: int) -> bytes:
    """Build RST_STREAM for a stream id of four octets."""
    return _RST_PREFIX + stream_id + code.to_bytes(4, "big")


def window_update(stream_id: bytes, increment: int) -> bytes:
    """Build WINDOW_UPDATE; four zero octets name the connection."""
    return _WINDOW_PREFIX + stream_id + increment.to_bytes(4, "big")


def ping(payload: bytes, ack: bool) -> bytes:
    """Build PING or its acknowledgement around eight octets."""
    return (_PONG_PREFIX if ack else _PING_PREFIX) + payload


def goaway(last_stream_id: int, code: int, debug: bytes) -> bytes:
    """Build GOAWAY with optional debug octets."""
    body = last_stream_id.to_bytes(4, "big") + code.to_bytes(4, "big") + debug
    return frame_prefix(len(body), GOAWAY, 0) + b"\x00\x00\x00\x00" + body


def settings(entries: list[tuple[int, int]]) -> bytes:
    """Build SETTINGS from pairs of identifier and value."""
    parts: list[bytes] = []
    for identifier, value in entries:
        parts.append(identifier.to_bytes(2, "big") + value.to_bytes(4, "big"))
    return frame_prefix(6 * len(parts), SETTINGS, 0) + b"\x00\x00\x00\x00" + b"".join(parts)


def read_u32(data: bytes, pos: int) -> int:
    """Read four octets as an unsigned integer."""
    return data[pos] << 24 | data[pos + 1] << 16 | data[pos + 2] << 8 | data[pos + 3]
