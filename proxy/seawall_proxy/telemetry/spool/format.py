"""The bytes of the event spool: segments with a header, entries with a length and a checksum.

    segment  magic 8 | spool id 16 | first number u64 | created f64 | salt u32 | crc32 u32 | entries
    entry    magic 2 | kind u8 | version u8 | length u32 | number u64 | crc32 u32 | payload

An entry is an event (its payload is a serialised ErrorEvent) or a skip (a count and a reason: numbers
that were given out and dropped). The checksum starts from the segment's random salt, so a payload that
looks like an entry is not taken for one when the reader looks for the next entry after damage.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final
from zlib import crc32

SEGMENT_MAGIC: Final = b"SWSPOOL1"
ENTRY_MAGIC: Final = b"\xa5\xe7"

EVENT: Final = 1
SKIP: Final = 2
VERSION: Final = 1

MAX_PAYLOAD_BYTES: Final = 64 * 1024

_HEADER: Final = Struct("<8s16sQdI")
_CHECKSUM: Final = Struct("<I")
_ENTRY: Final = Struct("<2sBBIQ")
_COUNT: Final = Struct("<Q")

HEADER_BYTES: Final = _HEADER.size + _CHECKSUM.size
ENTRY_BYTES: Final = _ENTRY.size + _CHECKSUM.size


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What a segment says about itself."""

    spool_id: bytes
    """16 bytes."""
    first: int
    """Number of its first entry."""
    created_s: float
    """Wall-clock seconds."""
    salt: int
    """32 random bits."""

    def encode(self) -> bytes:
        """Return the first bytes of the segment."""
        raw = _HEADER.pack(SEGMENT_MAGIC, self.spool_id, self.first, self.created_s, self.salt)
        return raw + _CHECKSUM.pack(crc32(raw))


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry in a buffer."""

    kind: int
    seq: int
    through: int
    """Last number that it stands for; that of an event is its own."""
    payload: bytes
    """Of an event."""
    reason: str
    """Of a skip."""
    end: int
    """Where the next entry starts."""


def decode_header(data: bytes) -> SegmentHeader | None:
    """Return a segment's header, or None when it is damaged."""
    if len(data) < HEADER_BYTES:
        return None
    magic, spool_id, first, created_s, salt = _HEADER.unpack_from(data)
    (checksum,) = _CHECKSUM.unpack_from(data, _HEADER.size)
    if magic != SEGMENT_MAGIC or checksum != crc32(data[: _HEADER.size]):
        return None
    return SegmentHeader(spool_id, first, created_s, salt)


def encode_event(seq: int, payload: bytes, salt: int) -> bytes:
    """Return the entry of an event."""
    return _encode(EVENT, seq, payload, salt)


def encode_skip(seq: int, count: int, reason: str, salt: int) -> bytes:
    """Return the entry of `count` numbers from `seq` on that will never come."""
    return _encode(SKIP, seq, _COUNT.pack(count) + reason.encode("utf-8")[:64], salt)


def find_entry(data: bytes, position: int, salt: int, lowest: int, highest: int) -> Entry | None:
    """Return the entry at `position` or, when what is there is damaged, the next whole one.

    None when there is no further one. Only numbers within `lowest` .. `highest` are believed.
    """
    while True:
        entry = _decode(data, position, salt)
        if entry is not None and lowest <= entry.seq <= entry.through <= highest:
            return entry
        position = data.find(ENTRY_MAGIC, position + 1)
        if position < 0:
            return None


def _encode(kind: int, seq: int, payload: bytes, salt: int) -> bytes:
    head = _ENTRY.pack(ENTRY_MAGIC, kind, VERSION, len(payload), seq)
    return head + _CHECKSUM.pack(crc32(payload, crc32(head, salt))) + payload


def _decode(data: bytes, position: int, salt: int) -> Entry | None:
    start = position + ENTRY_BYTES
    if start > len(data):
        return None
    magic, kind, version, length, seq = _ENTRY.unpack_from(data, position)
    end = start + length
    if magic != ENTRY_MAGIC or version != VERSION or length > MAX_PAYLOAD_BYTES or end > len(data):
        return None
    payload = data[start:end]
    (checksum,) = _CHECKSUM.unpack_from(data, position + _ENTRY.size)
    if checksum != crc32(payload, crc32(data[position : position + _ENTRY.size], salt)):
        return None
    if kind == EVENT:
        return Entry(EVENT, seq, seq, payload, "", end)
    if kind == SKIP and length >= _COUNT.size:
        (count,) = _COUNT.unpack_from(payload)
        reason = payload[_COUNT.size :].decode("utf-8", "replace")
        return Entry(SKIP, seq, seq + count - 1, b"", reason, end) if count > 0 else None
    return None
