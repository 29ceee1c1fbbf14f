"""The decoder's dynamic table (RFC 7541 section 2.3.2 and 4).

Entries are appended to a list and evicted by moving an offset, so that neither costs more with a longer
table; the dead front is cut off once it has grown.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.errors import COMPRESSION_ERROR, ConnectionFault
from seawall_proxy.http2.headers import FIELD_OVERHEAD, Field
from seawall_proxy.http2.hpack.static import STATIC_SIZE, STATIC_TABLE

_COMPACT_AT: Final = 256


class DynamicTable:
    """Hold the fields the peer's encoder inserted, newest last; never larger than `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes: int = limit_bytes
        self.max_bytes: int = limit_bytes
        self.size_bytes: int = 0
        self._entries: list[Field] = []
        self._first: int = 0

    def __len__(self) -> int:
        return len(self._entries) - self._first

    def get(self, index: int) -> Field:
        """Return the field at an HPACK index, static or dynamic; an index outside is a COMPRESSION_ERROR."""
        if 0 < index <= STATIC_SIZE:
            return STATIC_TABLE[index]
        position = len(self._entries) - (index - STATIC_SIZE)
        if index <= 0 or position < self._first:
            raise ConnectionFault(COMPRESSION_ERROR, f"HPACK index {index} is outside the tables")
        return self._entries[position]

    def insert(self, field: Field) -> None:
        """Append a field, evicting the oldest ones; a field larger than the table empties it."""
        size = len(field[0]) + len(field[1]) + FIELD_OVERHEAD
        if self.size_bytes + size > self.max_bytes:
            self._evict(self.max_bytes - size)
        if size <= self.max_bytes:
            self._entries.append(field)
            self.size_bytes += size

    def resize(self, max_bytes: int) -> None:
        """Apply a size update; a size above the one we announced is a COMPRESSION_ERROR."""
        if max_bytes > self.limit_bytes:
            raise ConnectionFault(COMPRESSION_ERROR, "HPACK table size update above the announced limit")
        self.max_bytes = max_bytes
        self._evict(max_bytes)

    def _evict(self, target_bytes: int) -> None:
        entries = self._entries
        first = self._first
        while self.size_bytes > target_bytes and first < len(entries):
            name, value = entries[first]
            self.size_bytes -= len(name) + len(value) + FIELD_OVERHEAD
            first += 1
        if first >= len(entries):
            entries.clear()
            first = 0
        elif first > _COMPACT_AT:
            del entries[:first]
            first = 0
        self._first = first
