"""What the parts of the store share: the writer, the readers, and how wide an integer may be."""

from __future__ import annotations

from seawall_control.store.sqlite.readers import Readers
from seawall_control.store.sqlite.writer import Writer


class Adapter:
    """Base of the parts: changes go through the writer, questions through the readers."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers


def int64(number: int) -> int:
    """Return the number, or the nearest one that SQLite can hold."""
    return max(-(2**63), min(number, 2**63 - 1))


def marks(values: int) -> str:
    """Return so many question marks."""
    return ", ".join("?" * values)
