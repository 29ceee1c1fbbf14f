"""What a server says about a failure beside its status: `grpc-status-details-bin`, read by hand.

The value is a google.rpc.Status in base64; of its details two matter here: RetryInfo (when to come back) and
ErrorInfo (a reason and a domain, AIP-193). The reader is bounded, knows nothing but these fields, and takes a
damaged value for none at all: what a server says about a failure must never make another one.

Sources: googleapis `google/rpc/status.proto` and `error_details.proto`; protobuf encoding (varints,
length-delimited fields).
"""

from __future__ import annotations

from binascii import Error, a2b_base64
from typing import Final

MAX_BYTES: Final = 8192
"""Longest value that is looked at."""
MAX_DETAILS: Final = 16
"""Details that are looked at."""
MAX_TEXT: Final = 63
"""Longest reason (AIP-193: 63 characters); a longer one is none."""
MAX_DOMAIN: Final = 253
NO_DELAY: Final = -1
"""No RetryInfo."""

_MAX_MS: Final = 2**31 - 1
_RETRY_INFO: Final = b"/google.rpc.RetryInfo"
_ERROR_INFO: Final = b"/google.rpc.ErrorInfo"
_VARINT: Final = 0
_FIXED64: Final = 1
_DELIMITED: Final = 2
_FIXED32: Final = 5
_END: Final = -1
_DAMAGED: Final = -2


class RichStatus:
    """What was found."""

    def __init__(self) -> None:
        self.retry_delay_ms: int = NO_DELAY
        """Of RetryInfo, 0 to 2^31 - 1; NO_DELAY (-1) without one."""
        self.reason: str = ""
        """Of ErrorInfo."""
        self.domain: str = ""


NOTHING: Final = RichStatus()
"""Of a status without details. Shared: never changed."""


def read_rich_status(value: bytes) -> RichStatus:
    """Return what the value of `grpc-status-details-bin` says; NOTHING when it is damaged or too long."""
    size = len(value)
    if size == 0 or size > MAX_BYTES:
        return NOTHING
    try:
        data = a2b_base64(value + b"=" * (-size % 4))
    except Error:
        return NOTHING
    found = RichStatus()
    reader = _Reader(data)
    details = 0
    while True:
        field = reader.next()
        if field == _END:
            return found
        if field == _DAMAGED:
            return NOTHING
        if field == 3 and reader.wire == _DELIMITED:
            details += 1
            if details > MAX_DETAILS:
                return found
            if not _read_any(reader.payload, found):
                return NOTHING


def _read_any(data: bytes, found: RichStatus) -> bool:
    """Read a google.protobuf.Any; return False when it is damaged."""
    url = b""
    payload = b""
    reader = _Reader(data)
    while True:
        field = reader.next()
        if field == _END:
            break
        if field == _DAMAGED:
            return False
        if field == 1 and reader.wire == _DELIMITED:
            url = reader.payload
        elif field == 2 and reader.wire == _DELIMITED:
            payload = reader.payload
    if url.endswith(_RETRY_INFO):
        return _read_retry_info(payload, found)
    if url.endswith(_ERROR_INFO):
        return _read_error_info(payload, found)
    return True


def _read_retry_info(data: bytes, found: RichStatus) -> bool:
    duration = b""
    reader = _Reader(data)
    while True:
        field = reader.next()
        if field == _END:
            break
        if field == _DAMAGED:
            return False
        if field == 1 and reader.wire == _DELIMITED:
            duration = reader.payload
    seconds = 0
    nanos = 0
    reader = _Reader(duration)
    while True:
        field = reader.next()
        if field == _END:
            break
        if field == _DAMAGED:
            return False
        if field == 1 and reader.wire == _VARINT:
            seconds = reader.number
        elif field == 2 and reader.wire == _VARINT:
            nanos = reader.number
    # Negative numbers are very large ones here: a time in the past says nothing.
    if seconds <= _MAX_MS // 1000 and nanos < 1_000_000_000:
        found.retry_delay_ms = min(seconds * 1000 + (nanos + 999_999) // 1_000_000, _MAX_MS)
    return True


def _read_error_info(data: bytes, found: RichStatus) -> bool:
    reader = _Reader(data)
    while True:
        field = reader.next()
        if field == _END:
            return True
        if field == _DAMAGED:
            return False
        if reader.wire == _DELIMITED:
            if field == 1 and len(reader.payload) <= MAX_TEXT:
                found.reason = reader.payload.decode("utf-8", "replace")
            elif field == 2 and len(reader.payload) <= MAX_DOMAIN:
                found.domain = reader.payload.decode("utf-8", "replace")


class _Reader:
    """Goes through the fields of one message."""

    def __init__(self, data: bytes) -> None:
        self.data: bytes = data
        self.at: int = 0
        self.wire: int = 0
        self.number: int = 0
        """Of a varint field."""
        self.payload: bytes = b""
        """Of a length-delimited field."""

    def next(self) -> int:
        """Move to the next field and return its number; _END or _DAMAGED."""
        if self.at >= len(self.data):
            return _END
        tag = self._varint()
        self.wire = tag & 7
        if tag <= 7 or tag > 0xFFFFFFFF:
            return _DAMAGED
        if self.wire == _VARINT:
            self.number = self._varint()
            return _DAMAGED if self.number < 0 else tag >> 3
        if self.wire == _DELIMITED:
            size = self._varint()
        elif self.wire == _FIXED64:
            size = 8
        elif self.wire == _FIXED32:
            size = 4
        else:
            return _DAMAGED
        end = self.at + size
        if size < 0 or end > len(self.data):
            return _DAMAGED
        self.payload = self.data[self.at : end]
        self.at = end
        return tag >> 3

    def _varint(self) -> int:
        """Return the number at the place where it is; -1 when it is damaged."""
        value = 0
        for index in range(10):
            if self.at >= len(self.data):
                return -1
            octet = self.data[self.at]
            self.at += 1
            value |= (octet & 0x7F) << (7 * index)
            if octet < 0x80:
                return value
        return -1
