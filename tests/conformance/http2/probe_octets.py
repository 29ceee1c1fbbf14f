"""Octets that the probes of several groups are made of."""

from __future__ import annotations

from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from seawall_proxy.http2.headers import Field
from tests.conformance.http2.probe_kit import REQUEST, Speaker, Step
from tests.unit.http2.wire import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    SETTINGS,
    frame,
    setting,
)

TOP = 2**31 - 1


def priority(depends_on: int, weight: int = 15) -> bytes:
    """Return the payload of PRIORITY."""
    return depends_on.to_bytes(4, "big") + bytes((weight,))


def settings(*entries: tuple[int, int]) -> bytes:
    """Build SETTINGS."""
    return frame(SETTINGS, 0, 0, b"".join(setting(*entry) for entry in entries))


def with_field(field: Field) -> tuple[Field, ...]:
    """Return the request with one field more."""
    return (*REQUEST, field)


def changed(name: bytes, value: bytes | None) -> tuple[Field, ...]:
    """Return the request with one field changed, or left out."""
    pairs = [(known, value if known == name else old) for known, old in REQUEST]
    return tuple((known, new) for known, new in pairs if new is not None)


def request(fields: tuple[Field, ...]) -> Step:
    """Send a whole request with these fields."""
    return lambda k: k.headers(fields=fields)


def raw_block(*pieces: bytes, stream_id: int = 1) -> bytes:
    """Build HEADERS from raw octets behind a complete request in literals."""
    literals = b"".join(literal_field(0x00, name, value) for name, value in REQUEST)
    return frame(HEADERS, END_HEADERS | END_STREAM, stream_id, literals + b"".join(pieces))


def _string(text: bytes, huffman: bool) -> bytes:
    if huffman:
        text = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(text)
    return bytes((len(text) | (0x80 if huffman else 0),)) + text


def literal_field(pattern: int, name: bytes | int, value: bytes, huffman: bool = False) -> bytes:
    """Encode a literal field with a new name or an indexed one."""
    if isinstance(name, bytes):
        return bytes((pattern,)) + _string(name, huffman) + _string(value, huffman)
    mask = 0x3F if pattern == 0x40 else 0x0F
    head = bytes((pattern | name,)) if name < mask else bytes((pattern | mask, name - mask))
    return head + _string(value, huffman)


def literals() -> bytes:
    """Encode a complete request in literals that leave the table alone."""
    return b"".join(literal_field(0x00, name, value) for name, value in REQUEST)


def split_block(k: Speaker, pieces: int, last: int = END_HEADERS) -> bytes:
    """Build a request whose header block comes in pieces; `last` are the flags of the last one."""
    block = k.block()
    size = len(block) // pieces + 1
    parts = [block[at : at + size] for at in range(0, len(block), size)]
    wire = frame(HEADERS, END_STREAM, 1, parts[0])
    for number, part in enumerate(parts[1:], start=2):
        wire += frame(CONTINUATION, last if number == len(parts) else 0, 1, part)
    return wire
