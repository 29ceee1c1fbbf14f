"""A file as a tree of values with their places, before anybody has said what types they should have.

YAML, JSON and TOML all end here. A scalar keeps its text: whether `no`, `012` or `1:30` is a word, a number
or a mistake is decided by the setting that it is given to, never by the look of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MAX_BYTES: Final = 4 * 1024 * 1024
"""Largest file; gRPC refuses larger messages by default, so a larger policy could not be pushed either."""

MAX_NODES: Final = 200_000
"""Most values in a file, and most values after aliases have been followed."""

MAX_DEPTH: Final = 64
"""Deepest nesting; the schema itself needs eight levels."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file: line and column from 1, and the column after its last character on that line."""

    line: int
    column: int
    end_column: int


NOWHERE: Final = Position(1, 1, 2)


@dataclass(slots=True)
class Scalar:
    """A single value as text. `plain` means that it stood there without quotes."""

    text: str
    plain: bool
    position: Position

    @property
    def is_null(self) -> bool:
        """Tell whether this is YAML's null."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(slots=True)
class Sequence:
    """A list."""

    items: list[Node]
    position: Position


@dataclass(slots=True)
class Mapping:
    """Pairs in the order of the file, with duplicates."""

    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    position: Position = NOWHERE


Node = Scalar | Sequence | Mapping


def kind(node: Node) -> str:
    """Return what a node is, in the words of a message."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    return "nothing" if node.is_null else "a single value"
