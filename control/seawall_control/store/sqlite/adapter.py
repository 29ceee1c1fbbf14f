"""What the parts of the store share: the writer and the readers."""

from __future__ import annotations

from seawall_control.store.sqlite.readers import Readers
from seawall_control.store.sqlite.writer import Writer


class Adapter:
    """Base of the parts: changes go through the writer, questions through the readers."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers


def marks(values: int) -> str:
    """Return so many question marks."""
    return ", ".join("?" * values)
