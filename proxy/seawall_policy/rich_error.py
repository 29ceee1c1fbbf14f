"""What a server says about a failure beside its status: google.rpc.Status in `grpc-status-details-bin`.

Read are the four details that somebody acts on: ErrorInfo (who says what, AIP-193), RetryInfo (when to come
back), QuotaFailure (what is used up) and BadRequest (what is wrong with the request). Everything else is
skipped. The messages are decoded by hand, since this room stays free of the protobuf runtime; a test compares
with it.

The value comes from a stranger, so reading it is bounded in size, in count and in time, and what cannot be
read is no error: a value that is no Status gives None, a detail that is damaged is left out. Nothing is
remembered between calls.

Sources: googleapis `google/rpc/{status,error_details}.proto`; gRPC over HTTP/2 (base64 with or without
padding; several values of one key may be joined by commas, the first counts); protobuf encoding.
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Final

MAX_VALUE_BYTES: Final = 16 << 10
"""Longer values are not read; header lists are not much larger anyway."""
MAX_DETAILS: Final = 16
"""Details that are looked at."""
MAX_ENTRIES: Final = 32
"""Entries that are kept of each list or map."""
MAX_TEXT_BYTES: Final = 512
"""Bytes that are kept of each text."""

NO_DELAY: Final = -1.0
"""There is no RetryInfo, or one that says nothing sensible."""

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_MAX_DELAY_S: Final = 315_576_000_000
_MAX_NANOS: Final = 999_999_999

_VARINT: Final = 0
_FIXED64: Final = 1
_DELIMITED: Final = 2
_FIXED32: Final = 5


class RichError:
    """The parts of a google.rpc.Status that are acted on; texts are cut to `MAX_TEXT_BYTES`."""

    def __init__(self) -> None:
        self.code: int = 0
        """As the details repeat it; the status of the trailers is the one that counts."""
        self.message: str = ""
        self.reason: str = ""
        """ErrorInfo: why, a constant of the domain such as `STOCK_EXHAUSTED`."""
        self.domain: str = ""
        """ErrorInfo: whose constant that is."""
        self.metadata: dict[str, str] = {}
        """ErrorInfo: what else is known."""
        self.retry_delay_s: float = NO_DELAY
        """RetryInfo: seconds to wait at least, 0 or more; NO_DELAY (-1) when unknown."""
        self.quotas: list[tuple[str, str]] = []
        """QuotaFailure: what is used up, as subject and description."""
        self.bad_fields: list[str] = []
        """BadRequest: the paths of the fields that are wrong."""


class _Wire:
    """Reads the fields of one message, one after another, between two positions."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data: bytes = data
        self.pos: int = start
        self.end: int = end
        self.number: int = 0
        self.kind: int = 0
        self.value: int = 0
        """Of a varint field."""
        self.start: int = 0
        """Of a delimited field; it reaches to `pos`."""
        self.broken: bool = False

    def advance(self) -> bool:
        """Go to the next field; False at the end or, with `broken` set, where nothing more can be read."""
        if self.pos >= self.end or self.broken:
            return False
        tag = self._varint()
        self.number = tag >> 3
        self.kind = tag & 7
        if self.number == 0:
            self.broken = True
        elif self.kind == _VARINT:
            self.value = self._varint()
        elif self.kind == _DELIMITED:
            size = self._varint()
            self.start = self.pos
            self._skip(size)
        elif self.kind == _FIXED64:
            self._skip(8)
        elif self.kind == _FIXED32:
            self._skip(4)
        else:
            # Groups are of the past, and no message here has any.
            self.broken = True
        return not self.broken

    def is_text(self, number: int) -> bool:
        """Tell whether this is the delimited field of that number."""
        return self.number == number and self.kind == _DELIMITED

    def bytes_value(self) -> bytes:
        """Return the bytes of a delimited field, cut to what is kept of a text."""
        return self.data[self.start : min(self.pos, self.start + MAX_TEXT_BYTES)]

    def text(self) -> str:
        """Return the text of a delimited field, cut; bytes that are no UTF-8 are replaced."""
        return self.bytes_value().decode("utf-8", "replace")

    def inner(self) -> _Wire:
        """Return a reader of the message in a delimited field."""
        return _Wire(self.data, self.start, self.pos)

    def _skip(self, size: int) -> None:
        if size > self.end - self.pos:
            self.broken = True
        else:
            self.pos += size

    def _varint(self) -> int:
        value = 0
        shift = 0
        while shift < 70:
            if self.pos >= self.end:
                self.broken = True
                return 0
            byte = self.data[self.pos]
            self.pos += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF
            shift += 7
        self.broken = True
        return 0


def decode(value: bytes) -> RichError | None:
    """Return what a value of `grpc-status-details-bin` says; None when it is absent, too long or no Status.

    A Status without any detail that is known here gives a RichError that says nothing.
    """
    data = decode_base64(value)
    if len(data) == 0:
        return None
    return decode_status(data)


def decode_base64(value: bytes) -> bytes:
    """Return the bytes of a `-bin` metadata value; empty when it is absent, too long or no base64."""
    if len(value) == 0 or len(value) > MAX_VALUE_BYTES:
        return b""
    comma = value.find(b",")
    if comma >= 0:
        value = value[:comma]
    value = value.strip(b" ").rstrip(b"=")
    if len(value) % 4 == 1 or len(value.translate(None, _ALPHABET)) > 0:
        return b""
    return a2b_base64(value + b"==="[: -len(value) % 4])


def decode_status(data: bytes) -> RichError | None:
    """Return what a serialized google.rpc.Status says; None when it is damaged."""
    found = RichError()
    wire = _Wire(data, 0, len(data))
    details = 0
    while wire.advance():
        if wire.number == 1 and wire.kind == _VARINT:
            found.code = wire.value & 0x7FFF_FFFF
        elif wire.is_text(2):
            found.message = wire.text()
        elif wire.is_text(3):
            details += 1
            if details <= MAX_DETAILS:
                _read_detail(found, wire.inner())
    return None if wire.broken else found


def _read_detail(found: RichError, any_wire: _Wire) -> None:
    """Read a google.protobuf.Any; the first detail of each kind counts."""
    kind = b""
    body: _Wire | None = None
    while any_wire.advance():
        if any_wire.is_text(1):
            kind = any_wire.bytes_value()
            kind = kind[kind.rfind(b"/") + 1 :]
        elif any_wire.is_text(2):
            body = any_wire.inner()
    if any_wire.broken or body is None:
        return
    if kind == b"google.rpc.ErrorInfo":
        if found.reason == "" and found.domain == "":
            _read_error_info(found, body)
    elif kind == b"google.rpc.RetryInfo":
        if found.retry_delay_s < 0.0:
            found.retry_delay_s = _read_retry_info(body)
    elif kind == b"google.rpc.QuotaFailure":
        if len(found.quotas) == 0:
            found.quotas = _read_quotas(body)
    elif kind == b"google.rpc.BadRequest" and len(found.bad_fields) == 0:
        found.bad_fields = _read_bad_fields(body)


def _read_error_info(found: RichError, wire: _Wire) -> None:
    reason = ""
    domain = ""
    metadata: dict[str, str] = {}
    while wire.advance():
        if wire.is_text(1):
            reason = wire.text()
        elif wire.is_text(2):
            domain = wire.text()
        elif wire.is_text(3) and len(metadata) < MAX_ENTRIES:
            key, value = _read_pair(wire.inner())
            metadata[key] = value
    if not wire.broken:
        found.reason = reason
        found.domain = domain
        found.metadata = metadata


def _read_retry_info(wire: _Wire) -> float:
    seconds = 0
    nanos = 0
    told = False
    while wire.advance():
        if wire.is_text(1):
            told = True
            inner = wire.inner()
            while inner.advance():
                if inner.number == 1 and inner.kind == _VARINT:
                    seconds = inner.value
                elif inner.number == 2 and inner.kind == _VARINT:
                    nanos = inner.value
            if inner.broken:
                return NO_DELAY
    # A negative number is a large one here, and as senseless.
    if wire.broken or not told or seconds > _MAX_DELAY_S or nanos > _MAX_NANOS:
        return NO_DELAY
    return seconds + nanos / 1e9


def _read_quotas(wire: _Wire) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    while wire.advance():
        if wire.is_text(1) and len(found) < MAX_ENTRIES:
            found.append(_read_pair(wire.inner()))
    return [] if wire.broken else found


def _read_bad_fields(wire: _Wire) -> list[str]:
    found: list[str] = []
    while wire.advance():
        if wire.is_text(1) and len(found) < MAX_ENTRIES:
            name = _read_pair(wire.inner())[0]
            if name != "":
                found.append(name)
    return [] if wire.broken else found


def _read_pair(wire: _Wire) -> tuple[str, str]:
    """Return the texts in fields 1 and 2 of a message."""
    first = ""
    second = ""
    while wire.advance():
        if wire.is_text(1):
            first = wire.text()
        elif wire.is_text(2):
            second = wire.text()
    return ("", "") if wire.broken else (first, second)
