"""Connections as the shared SQL sees them: one that asks, and one within a transaction, which changes too.

An adapter lends its connections as these. Parameters are written `?`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, TypeVar

_SLICE: Final = 400
"""Values in one IN list."""

T = TypeVar("T")


class Questions(Protocol):
    """A connection that reads."""

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """Return all rows of a statement."""
        ...

    async def among(self, sql: str, values: Sequence[str]) -> Sequence[Sequence[Any]]:
        """Return all rows of a statement that ends with `IN`, for any number of texts."""
        ...


class Statements(Questions, Protocol):
    """A connection within a transaction."""

    async def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement and return how many rows it changed."""
        ...

    async def some(self, sql: str, first: Sequence[Any], values: Sequence[Any]) -> tuple[int, int]:
        """Run a statement that ends with `IN` for these values, never none, or for as many of the first of
        them as there is time for: a piece of upkeep keeps others waiting. `first` are the parameters before
        the `IN`. Return for how many values it was run, at least one, and how many rows it changed.
        """
        ...

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, with a statement that has one `VALUES (?, ...)`. No two rows may conflict with each
        other, unless the statement then does nothing; none of the values may be None.
        """
        ...


def marks(values: int) -> str:
    """Return so many question marks."""
    return ", ".join("?" * values)


def slices(values: Sequence[T], size: int = _SLICE) -> Iterable[Sequence[T]]:
    """Return the values in parts that fit into one statement."""
    return (values[i : i + size] for i in range(0, len(values), size))
