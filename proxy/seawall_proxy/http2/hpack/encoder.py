"""HPACK encoding that is safe on a connection shared by many clients.

The state is this connection's alone. Only fields of `INDEXABLE_NAMES` with short printable values enter the
dynamic table, only while there is room: nothing is ever evicted, so an index handed out stays true until the
peer shrinks the table. Every other field is a literal, and the extra fields of a call are never-indexed
literals behind the block's memoised octets. Strings are not Huffman coded: it would cost more CPU than the
octets it saves.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.headers import FIELD_OVERHEAD, Field, HeaderBlock
from seawall_proxy.http2.hpack.integers import write_integer
from seawall_proxy.http2.hpack.static import STATIC_FIELDS, STATIC_NAMES, STATIC_SIZE

INDEXABLE_NAMES: Final[frozenset[bytes]] = frozenset(
    {
        b":authority",
        b":path",
        b":scheme",
        b":status",
        b"accept-encoding",
        b"content-type",
        b"grpc-accept-encoding",
        b"grpc-status",
        b"te",
        b"user-agent",
    }
)
MAX_INDEXED_VALUE_BYTES: Final = 256
MAX_TABLE_BYTES: Final = 4096
MAX_CACHED_BLOCKS: Final = 1024
MAX_CACHED_BYTES: Final = 256 * 1024
MAX_CACHED_NAMES: Final = 256
MAX_CACHED_NAME_BYTES: Final = 128

_PRINTABLE: Final = bytes(range(0x20, 0x7F))
_SHORT_LENGTHS: Final[list[bytes]] = [bytes((length,)) for length in range(0x7F)]


def _string(text: bytes) -> bytes:
    if len(text) < 0x7F:
        return _SHORT_LENGTHS[len(text)] + text
    return write_integer(len(text), 0x7F, 0x00) + text


def _literal_name(name: bytes, pattern: int, prefix_max: int) -> bytes:
    index = STATIC_NAMES.get(name, 0)
    if index:
        return write_integer(index, prefix_max, pattern)
    return bytes((pattern,)) + _string(name)


class Encoder:
    """Encode header lists for one connection, in the order in which they are sent."""

    def __init__(self) -> None:
        self._blocks: dict[HeaderBlock, bytes] = {}
        self._blocks_bytes: int = 0
        self._names: dict[bytes, bytes] = {}
        self._indices: dict[Field, int] = {}
        self._max_bytes: int = MAX_TABLE_BYTES
        self._room_bytes: int = MAX_TABLE_BYTES
        self._size_update: bytes = b""

    def encode(self, block: HeaderBlock, extra: tuple[Field, ...]) -> bytes:
        """Return the octets of one header block."""
        encoded = self._blocks.get(block)
        if encoded is None:
            encoded = self._encode_block(block)
        if extra:
            encoded += self._encode_extra(extra)
        if self._size_update:
            encoded = self._size_update + encoded
            self._size_update = b""
        return encoded

    def set_peer_table_size(self, size: int) -> None:
        """Follow the peer's SETTINGS_HEADER_TABLE_SIZE; a change empties the table (RFC 7541 section 4.2)."""
        size = min(size, MAX_TABLE_BYTES)
        if size == self._max_bytes:
            return
        self._max_bytes = size
        self._room_bytes = size
        self._indices.clear()
        self._forget_blocks()
        self._size_update = write_integer(0, 0x1F, 0x20)
        if size:
            self._size_update += write_integer(size, 0x1F, 0x20)

    def _encode_block(self, block: HeaderBlock) -> bytes:
        before = len(self._indices)
        encoded = b"".join([self._encode_stable(field) for field in block.fields])
        if len(self._indices) != before:
            self._forget_blocks()
            return encoded
        cost = len(encoded) + block.size
        if len(self._blocks) >= MAX_CACHED_BLOCKS or self._blocks_bytes + cost > MAX_CACHED_BYTES:
            self._forget_blocks()
        self._blocks[block] = encoded
        self._blocks_bytes += cost
        return encoded

    def _encode_stable(self, field: Field) -> bytes:
        index = STATIC_FIELDS.get(field, 0)
        if index:
            return write_integer(index, 0x7F, 0x80)
        inserted = self._indices.get(field, -1)
        if inserted >= 0:
            return write_integer(STATIC_SIZE + len(self._indices) - inserted, 0x7F, 0x80)
        name, value = field
        if self._insert(field):
            return _literal_name(name, 0x40, 0x3F) + _string(value)
        return _literal_name(name, 0x00, 0x0F) + _string(value)

    def _insert(self, field: Field) -> bool:
        name, value = field
        size = len(name) + len(value) + FIELD_OVERHEAD
        if size > self._room_bytes or name not in INDEXABLE_NAMES or len(value) > MAX_INDEXED_VALUE_BYTES:
            return False
        if value.translate(None, _PRINTABLE):
            return False
        self._room_bytes -= size
        self._indices[field] = len(self._indices)
        return True

    def _encode_extra(self, extra: tuple[Field, ...]) -> bytes:
        parts: list[bytes] = []
        names = self._names
        for name, value in extra:
            prefix = names.get(name)
            if prefix is None:
                prefix = self._remember_name(name)
            parts.append(prefix)
            length = len(value)
            if length < 0x7F:
                parts.append(_SHORT_LENGTHS[length])
            else:
                parts.append(write_integer(length, 0x7F, 0x00))
            parts.append(value)
        return b"".join(parts)

    def _remember_name(self, name: bytes) -> bytes:
        prefix = _literal_name(name, 0x10, 0x0F)
        if len(name) <= MAX_CACHED_NAME_BYTES:
            if len(self._names) >= MAX_CACHED_NAMES:
                self._names.clear()
            self._names[name] = prefix
        return prefix

    def _forget_blocks(self) -> None:
        self._blocks.clear()
        self._blocks_bytes = 0
