"""HPACK decoding with whole blocks memoised.

A block of octets that neither changes nor depends on a later change of the dynamic table always decodes to the same
fields, so its result is kept under its octets until the table changes next: one look-up then replaces the decode.
Blocks that do change the table take the long way, which is kept short as well: fields found by index are the stored
tuples, and the split into stable and extra fields (see `headers`) happens in the same pass.

Limits are enforced while decoding. A list above `header_list_bytes` or `header_count` is decoded to its end, since
the table must stay in step with the peer's, but no more fields are kept; the result says `too_large`.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.errors import COMPRESSION_ERROR, ConnectionFault
from seawall_proxy.http2.headers import (
    EMPTY_BLOCK,
    FIELD_OVERHEAD,
    GRPC_MESSAGE,
    MAX_STABLE_MESSAGE_BYTES,
    STANDARD_NAMES,
    VOLATILE_NAMES,
    BlockCache,
    Field,
    HeaderBlock,
)
from seawall_proxy.http2.hpack.huffman import decode_huffman
from seawall_proxy.http2.hpack.integers import read_integer
from seawall_proxy.http2.hpack.static import STATIC_SIZE, STATIC_TABLE
from seawall_proxy.http2.hpack.table import DynamicTable

MAX_CACHED_BLOCKS: Final = 128
MAX_CACHED_BYTES: Final = 64 * 1024
MAX_CACHED_STRINGS: Final = 256
MAX_CACHED_STRING_BYTES: Final = 128

NO_EXTRA: Final = 1 << 30
KIND_UNCHECKED: Final = 0


class Decoded:
    """Hold the result of one block, with the verdict of its last validation (see `validate`)."""

    def __init__(self, block: HeaderBlock, extra: tuple[Field, ...], first_extra: int, too_large: bool) -> None:
        self.block: HeaderBlock = block
        self.extra: tuple[Field, ...] = extra
        self.first_extra: int = first_extra
        """How many stable fields came before the first extra one: no pseudo-header may come after it."""
        self.too_large: bool = too_large
        self.checked_kind: int = KIND_UNCHECKED
        self.problem: str = ""
        self.content_length: int = -1


class Splitter:
    """Sort the fields of one list into stable and extra ones while its limits hold."""

    def __init__(self, max_bytes: int, max_fields: int) -> None:
        self._room_bytes: int = max_bytes
        self._room_fields: int = max_fields
        self.stable: list[Field] = []
        self.extra: list[Field] = []
        self.first_extra: int = NO_EXTRA
        self.too_large: bool = False
        self.size_bytes: int = 0
        self._moved: set[bytes] | None = None

    def charge(self, size: int) -> bool:
        """Count a field before it is kept; False once the list is over a limit."""
        self.size_bytes += size
        self._room_bytes -= size
        self._room_fields -= 1
        if self._room_bytes < 0 or self._room_fields < 0:
            self.too_large = True
        return not self.too_large

    def add(self, field: Field, indexed: bool) -> None:
        """Keep one field, which its sender sent `indexed` (may be in a table) or as a literal that may not."""
        name = field[0]
        if name in VOLATILE_NAMES:
            self._add_extra(field)
        elif self._moved is not None and name in self._moved:
            self._add_extra(field)
        elif name == GRPC_MESSAGE and len(field[1]) > MAX_STABLE_MESSAGE_BYTES:
            self._move(field)
        elif indexed or name in STANDARD_NAMES:
            self.stable.append(field)
        else:
            self._move(field)

    def _add_extra(self, field: Field) -> None:
        if not self.extra:
            self.first_extra = len(self.stable)
        self.extra.append(field)

    def _move(self, field: Field) -> None:
        """Make every field of this name extra, the ones already kept as stable included."""
        name = field[0]
        if self._moved is None:
            self._moved = set()
        self._moved.add(name)
        before = [kept for kept in self.stable if kept[0] == name]
        if before:
            self.stable = [kept for kept in self.stable if kept[0] != name]
            for kept in before:
                self._add_extra(kept)
        self._add_extra(field)


class Decoder:
    """Decode the header blocks of one connection, in order."""

    def __init__(
        self,
        cache: BlockCache,
        *,
        table_bytes: int = 4096,
        header_list_bytes: int = 16 * 1024,
        header_count: int = 100,
    ) -> None:
        self._cache: BlockCache = cache
        self._max_list_bytes: int = header_list_bytes
        self._max_fields: int = header_count
        self._table: DynamicTable = DynamicTable(table_bytes)
        self._blocks: dict[bytes, Decoded] = {}
        self._blocks_bytes: int = 0
        self._strings: dict[bytes, bytes] = {}
        self.hits: int = 0
        self.misses: int = 0

    def decode(self, data: bytes) -> Decoded:
        """Decode one complete block; raises ConnectionFault(COMPRESSION_ERROR) if it is not valid HPACK."""
        hit = self._blocks.get(data)
        if hit is not None:
            self.hits += 1
            return hit
        self.misses += 1
        return self._decode(data)

    def _decode(self, data: bytes) -> Decoded:
        table = self._table
        split = Splitter(self._max_list_bytes, self._max_fields)
        end = len(data)
        changed = False
        pos = self._size_updates(data)
        if pos > 0:
            changed = True
        while pos < end:
            octet = data[pos]
            pos += 1
            if octet >= 0x80:
                index = octet & 0x7F
                if 0 < index <= STATIC_SIZE:
                    field = STATIC_TABLE[index]
                else:
                    if index == 0x7F:
                        index, pos = read_integer(data, pos, end, 0x7F)
                    field = table.get(index)
                if split.charge(len(field[0]) + len(field[1]) + FIELD_OVERHEAD):
                    split.add(field, True)
            elif octet >= 0x40:
                field, pos = self._literal(data, pos, end, octet & 0x3F, 0x3F)
                table.insert(field)
                changed = True
                if split.charge(len(field[0]) + len(field[1]) + FIELD_OVERHEAD):
                    split.add(field, True)
            elif octet >= 0x20:
                raise ConnectionFault(COMPRESSION_ERROR, "HPACK table size update behind a field")
            elif split.too_large:
                pos = self._skip_literal(data, pos, end, octet & 0x0F)
            else:
                field, pos = self._literal(data, pos, end, octet & 0x0F, 0x0F)
                if split.charge(len(field[0]) + len(field[1]) + FIELD_OVERHEAD):
                    split.add(field, False)
        return self._result(data, split, changed)

    def _result(self, data: bytes, split: Splitter, changed: bool) -> Decoded:
        if changed and self._blocks:
            self._blocks.clear()
            self._blocks_bytes = 0
        if split.too_large:
            return Decoded(EMPTY_BLOCK, (), NO_EXTRA, True)
        block = self._cache.intern(tuple(split.stable))
        decoded = Decoded(block, tuple(split.extra), split.first_extra, False)
        if not changed:
            cost = len(data) + split.size_bytes
            if len(self._blocks) >= MAX_CACHED_BLOCKS or self._blocks_bytes + cost > MAX_CACHED_BYTES:
                self._blocks.clear()
                self._blocks_bytes = 0
            self._blocks[data] = decoded
            self._blocks_bytes += cost
        return decoded

    def _size_updates(self, data: bytes) -> int:
        """Apply the table size updates a block may begin with; return where its fields begin."""
        pos = 0
        end = len(data)
        while pos < end and data[pos] & 0xE0 == 0x20:
            size = data[pos] & 0x1F
            pos += 1
            if size == 0x1F:
                size, pos = read_integer(data, pos, end, 0x1F)
            self._table.resize(size)
        return pos

    def _literal(self, data: bytes, pos: int, end: int, index: int, prefix_max: int) -> tuple[Field, int]:
        if index == 0:
            name, pos = self._string(data, pos, end)
        else:
            if index == prefix_max:
                index, pos = read_integer(data, pos, end, prefix_max)
            name = self._table.get(index)[0]
        value, pos = self._string(data, pos, end)
        return (name, value), pos

    def _string(self, data: bytes, pos: int, end: int) -> tuple[bytes, int]:
        if pos >= end:
            raise ConnectionFault(COMPRESSION_ERROR, "HPACK field ends early")
        octet = data[pos]
        pos += 1
        length = octet & 0x7F
        if length == 0x7F:
            length, pos = read_integer(data, pos, end, 0x7F)
        stop = pos + length
        if stop > end:
            raise ConnectionFault(COMPRESSION_ERROR, "HPACK string is longer than its header block")
        raw = data[pos:stop]
        if octet < 0x80:
            return raw, stop
        strings = self._strings
        known = strings.get(raw)
        if known is not None:
            return known, stop
        text = decode_huffman(raw)
        if length <= MAX_CACHED_STRING_BYTES:
            if len(strings) >= MAX_CACHED_STRINGS:
                strings.clear()
            strings[raw] = text
        return text, stop

    def _skip_literal(self, data: bytes, pos: int, end: int, index: int) -> int:
        if index == 0:
            pos = self._skip_string(data, pos, end)
        else:
            if index == 0x0F:
                index, pos = read_integer(data, pos, end, 0x0F)
            self._table.get(index)
        return self._skip_string(data, pos, end)

    def _skip_string(self, data: bytes, pos: int, end: int) -> int:
        if pos >= end:
            raise ConnectionFault(COMPRESSION_ERROR, "HPACK field ends early")
        length = data[pos] & 0x7F
        pos += 1
        if length == 0x7F:
            length, pos = read_integer(data, pos, end, 0x7F)
        if pos + length > end:
            raise ConnectionFault(COMPRESSION_ERROR, "HPACK string is longer than its header block")
        return pos + length
