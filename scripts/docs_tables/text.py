"""How tables and their values are written."""

from __future__ import annotations

from collections.abc import Iterable
from math import isinf

Row = tuple[str, ...]


def table(head: Row, rows: Iterable[Row]) -> str:
    """Return a table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def length(seconds: float) -> str:
    """Return a length of time for people."""
    if isinf(seconds):
        return "none"
    if seconds >= 86400 and seconds % 86400 == 0:
        return f"{seconds / 86400:g} d"
    if seconds >= 60 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{seconds:g} s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:g} ms"


def size(octets: int) -> str:
    """Return an amount of memory for people."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if octets >= unit and octets % unit == 0:
            return f"{octets // unit} {name}"
    return f"{octets} B"


def count(number: int) -> str:
    """Return a number with thousands set apart."""
    return f"{number:,}"


def codes(mask: int) -> str:
    """Return the names of a set of status codes."""
    from seawall_policy import status

    return ", ".join(name for code, name in enumerate(status.NAMES) if mask >> code & 1)
