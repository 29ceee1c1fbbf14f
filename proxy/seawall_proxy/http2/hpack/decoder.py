"""HPACK decoding with two memos.

*Whole blocks.* Octets that neither change the dynamic table nor come after a change always decode to the same
fields, so the result is kept under the octets until the table changes next: one look-up then replaces the
decode.

*Skeletons.* When some fields differ on each call but are sent as literals, the rest of the block repeats: its
one-octet references, put together, are the key under which the stable fields are kept. Only the literals are
then decoded.

Everything else takes the long way, which is short as well: fields found by index are the stored tuples, and
the split into stable and extra fields (see `headers` and `split`) happens in the same pass.

Limits are enforced while decoding. A list above `header_list_bytes` or `header_count` is decoded to its end,
since the table must stay in step with the peer's, but no more fields are kept; the result says `too_large`.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.errors import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, ConnectionFault
from seawall_proxy.http2.headers import (
    EMPTY_BLOCK,
    FIELD_OVERHEAD,
    STANDARD_NAMES,
    VOLATILE_NAMES,
    BlockCache,
    Field,
    HeaderBlock,
)
from seawall_proxy.http2.hpack.huffman import decode_huffman
from seawall_proxy.http2.hpack.integers import read_integer
from seawall_proxy.http2.hpack.split import NO_EXTRA, Splitter
from seawall_proxy.http2.hpack.static import STATIC_SIZE, STATIC_TABLE
from seawall_proxy.http2.hpack.table import DynamicTable

MAX_CACHED_BLOCKS: Final = 128
MAX_CACHED_BYTES: Final = 64 * 1024
MAX_CACHED_STRINGS: Final = 256
MAX_CACHED_STRING_BYTES: Final = 128

KIND_UNCHECKED: Final = 0


class Decoded:
    """Hold the result of one block, with the verdict of its last validation (see `validate`)."""

    def __init__(
        self, block: HeaderBlock, extra: tuple[Field, ...], first_extra: int, too_large: bool
    ) -> None:
        self.block: HeaderBlock = block
        self.extra: tuple[Field, ...] = extra
        self.first_extra: int = first_extra
        """How many stable fields came before the first extra one: no pseudo-header may come after it."""
        self.too_large: bool = too_large
        self.checked_kind: int = KIND_UNCHECKED
        self.problem: str = ""
        self.content_length: int = -1


MAX_EXCESS_FIELDS: Final = 1000
"""Fields of a list that is too large already which are still read, so that the table stays right and only
the stream is lost. A block of one-octet references can hold sixty thousand (CVE-2016-6581): reading them all
would cost the time that the block was made to cost.
"""


class Skeleton:
    """Hold the stable fields that the one-octet references of a block stand for."""

    def __init__(self, block: HeaderBlock) -> None:
        self.block: HeaderBlock = block
        self.count: int = len(block.fields)
        self.names: set[bytes] = {name for name, _ in block.fields}


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
        self._skeletons: dict[bytes, Skeleton] = {}
        self._memo_bytes: int = 0
        self._strings: dict[bytes, bytes] = {}
        self.hits: int = 0
        self.skeleton_hits: int = 0
        self.misses: int = 0

    def decode(self, data: bytes) -> Decoded:
        """Decode one complete block; raises ConnectionFault(COMPRESSION_ERROR) if it is not valid HPACK."""
        hit = self._blocks.get(data)
        if hit is not None:
            self.hits += 1
            return hit
        if self._skeletons:
            decoded = self._decode_with_skeleton(data)
            if decoded is not None:
                self.skeleton_hits += 1
                return decoded
        self.misses += 1
        return self._decode(data)

    def _decode_with_skeleton(self, data: bytes) -> Decoded | None:
        """Decode the literals of a block whose references are known; None if it is not such a block.

        Nothing here changes the table, so a block that turns out to be of another kind is decoded again.
        """
        references: list[bytes] = []
        extra: list[Field] = []
        size = 0
        unknown_names = False
        first_extra = NO_EXTRA
        end = len(data)
        pos = 0
        run = 0
        while pos < end:
            octet = data[pos]
            if 0x80 < octet < 0xFF:
                pos += 1
                continue
            if octet >= 0x20:
                return None
            if pos > run:
                references.append(data[run:pos])
            if first_extra == NO_EXTRA:
                first_extra = pos
            field, pos = self._literal(data, pos + 1, end, octet & 0x0F, 0x0F)
            run = pos
            name = field[0]
            if name not in VOLATILE_NAMES:
                if name in STANDARD_NAMES:
                    return None
                unknown_names = True
            size += len(name) + len(field[1]) + FIELD_OVERHEAD
            extra.append(field)
        if pos > run:
            references.append(data[run:pos])
        skeleton = self._skeletons.get(references[0] if len(references) == 1 else b"".join(references))
        if skeleton is None:
            return None
        if (
            skeleton.block.size + size > self._max_list_bytes
            or skeleton.count + len(extra) > self._max_fields
        ):
            return None
        if unknown_names:
            for name, _ in extra:
                if name in skeleton.names:
                    return None
        return Decoded(skeleton.block, tuple(extra), first_extra, False)

    def _decode(self, data: bytes) -> Decoded:
        table = self._table
        split = Splitter(self._max_list_bytes, self._max_fields)
        references: list[bytes] = []
        referenced: list[Field] = []
        end = len(data)
        pos = self._size_updates(data)
        changed = pos > 0
        excess = 0
        while pos < end:
            octet = data[pos]
            pos += 1
            if split.too_large:
                excess += 1
                if excess > MAX_EXCESS_FIELDS:
                    raise ConnectionFault(ENHANCE_YOUR_CALM, "header list is far too large", "header_list")
            if octet >= 0x80:
                index = octet & 0x7F
                if 0 < index <= STATIC_SIZE:
                    field = STATIC_TABLE[index]
                else:
                    if index == 0x7F:
                        index, pos = read_integer(data, pos, end, 0x7F)
                    field = table.get(index)
                if not split.too_large:
                    references.append(data[pos - 1 : pos])
                    referenced.append(field)
                    split.add(field, True)
            elif octet >= 0x40:
                field, pos = self._literal(data, pos, end, octet & 0x3F, 0x3F)
                table.insert(field)
                changed = True
                split.add(field, True)
            elif octet >= 0x20:
                raise ConnectionFault(COMPRESSION_ERROR, "HPACK table size update behind a field")
            elif split.too_large:
                pos = self._skip_literal(data, pos, end, octet & 0x0F)
            else:
                field, pos = self._literal(data, pos, end, octet & 0x0F, 0x0F)
                split.add(field, False)
        if changed:
            self._forget()
        if split.too_large:
            return Decoded(EMPTY_BLOCK, (), NO_EXTRA, True)
        block = self._cache.intern(tuple(split.stable))
        decoded = Decoded(block, tuple(split.extra), split.first_extra, False)
        if not changed:
            self._remember(data, decoded, split.size_bytes)
            if referenced == split.stable:
                self._remember_skeleton(b"".join(references), block)
        return decoded

    def _remember(self, data: bytes, decoded: Decoded, size: int) -> None:
        cost = len(data) + size
        if len(self._blocks) >= MAX_CACHED_BLOCKS or self._memo_bytes + cost > MAX_CACHED_BYTES:
            self._forget()
        self._blocks[data] = decoded
        self._memo_bytes += cost

    def _remember_skeleton(self, references: bytes, block: HeaderBlock) -> None:
        """Keep a block under its references, which stand for all of its fields and nothing else.

        A key with a longer reference in it is never asked for: look-ups put one-octet references together.
        """
        if len(self._skeletons) >= MAX_CACHED_BLOCKS:
            self._skeletons.clear()
        self._skeletons[references] = Skeleton(block)
        self._memo_bytes += block.size

    def _forget(self) -> None:
        if self._memo_bytes:
            self._blocks.clear()
            self._skeletons.clear()
            self._memo_bytes = 0

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
