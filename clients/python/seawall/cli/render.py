"""Text for people: aligned tables, lists of fields, numbers with units. A state is told by shape and word as
well as by colour.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import click

_OBEYED: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A text with a colour."""

    text: str
    fg: str | None = None
    bold: bool = False

    def styled(self) -> str:
        """Return the text with its escape codes (taken out again where the output is no terminal)."""
        return (
            click.style(self.text, fg=self.fg, bold=self.bold or None) if self.fg or self.bold else self.text
        )


def width(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def visible(text: str) -> str:
    """Return a text with what a terminal would obey instead of show (escape sequences, marks that turn the
    direction of writing) spelled out; line ends and tabs stay. Much of what is shown was written by others.
    """
    if text.isprintable():
        return text
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def clip(text: str, limit: int) -> str:
    """Return the first line of a text, cut to `limit` columns."""
    line = visible(" ".join(text.split()))
    if width(line) <= limit:
        return line
    room = limit - 1
    for place, character in enumerate(line):
        room -= width(character)
        if room < 0:
            return line[:place] + "…"
    return line + "…"


def table(headers: Sequence[str], rows: Iterable[Sequence[str | Cell]], *, right: str = "") -> str:
    """Return an aligned table; `right` lists the headers of right-aligned columns, separated by spaces.

    Without rows there are only headers. A row is one line: line ends in a text, by which its writer could add
    rows, are spelled out.
    """
    cells = [[_in_one_line(_shown(cell)) for cell in row] for row in rows]
    widths = [
        max([width(header), *(width(row[index].text) for row in cells)])
        for index, header in enumerate(headers)
    ]
    to_right = {index for index, header in enumerate(headers) if header in right.split()}
    lines = [_line([Cell(header, bold=True) for header in headers], widths, to_right)]
    lines.extend(_line(row, widths, to_right) for row in cells)
    return "\n".join(lines)


def _shown(cell: str | Cell) -> Cell:
    if isinstance(cell, str):
        return Cell(visible(cell))
    text = visible(cell.text)
    return cell if text == cell.text else replace(cell, text=text)


def _in_one_line(cell: Cell) -> Cell:
    if "\n" not in cell.text and "\t" not in cell.text:
        return cell
    return replace(cell, text=cell.text.replace("\n", "\\n").replace("\t", "\\t"))


def _line(row: Sequence[Cell], widths: Sequence[int], to_right: set[int]) -> str:
    parts: list[str] = []
    for index, cell in enumerate(row):
        padding = " " * (widths[index] - width(cell.text))
        last = index == len(row) - 1
        parts.append(
            padding + cell.styled() if index in to_right else cell.styled() + ("" if last else padding)
        )
    return "  ".join(parts).rstrip()


def fields(pairs: Iterable[tuple[str, str | Cell]], *, indent: int = 0) -> str:
    """Return `Name:  value` lines with the values aligned; pairs with an empty value are left out."""
    kept = [(name, _shown(value)) for name, value in pairs]
    kept = [(name, cell) for name, cell in kept if cell.text]
    longest = max((width(name) for name, _ in kept), default=0)
    start = " " * indent
    lines: list[str] = []
    for name, cell in kept:
        head = f"{start}{name}:{' ' * (longest - width(name) + 2)}"
        lines.append(head + cell.styled().replace("\n", "\n" + " " * len(head)))
    return "\n".join(lines)


# -------------------------------------------------------------------------------------------------- numbers


def latency(seconds: float) -> str:
    """Return a latency with three digits at most: `850 µs`, `12.3 ms`, `1.25 s`; `-` for nothing measured."""
    if seconds <= 0:
        return "-"
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.1:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    return f"{seconds:.2f} s"


def rate(per_second: float) -> str:
    """Return a rate: `0`, `0.02`, `0.4`, `12.3`, `1240`."""
    if per_second == 0:
        return "0"
    if per_second < 0.1:
        return f"{max(per_second, 0.01):.2f}"
    return f"{per_second:.1f}" if per_second < 100 else f"{per_second:.0f}"


def percent(ratio: float) -> str:
    """Return a share as per cent; only a perfect one reads 100 %."""
    if ratio >= 1:
        return "100%"
    return f"{min(ratio * 100, 99.99):.2f}%"


def count(number: int) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}"


def size(number: int) -> str:
    """Return a size with three digits at most: `0 B`, `850 B`, `12.3 KiB`, `4.56 MiB`, `120 GiB`."""
    value, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1000:
            break
        value, unit = value / 1024, larger
    if unit == "B":
        return f"{number} B"
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {unit}"


def span(seconds: float) -> str:
    """Return a length of time in one or two units: `0.4s`, `12s`, `3m20s`, `2h5m`, `4d3h`."""
    if seconds < 10:
        text = f"{seconds:.1f}".removesuffix(".0")
        return f"{text}s"
    whole = round(seconds)
    for size, unit, next_size, next_unit in _SPANS:
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size}{unit}" + (f"{rest}{next_unit}" if rest else "")
    return f"{whole}s"


_SPANS: Final = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))


def ago(then: datetime | None, now: datetime) -> str:
    """Return how long ago something was; `-` for never."""
    if then is None:
        return "-"
    return span(max(0.0, (now - then).total_seconds()))


# --------------------------------------------------------------------------------------------------- states

_BREAKERS: Final = {
    "closed": ("●", "green"),
    "half_open": ("◐", "yellow"),
    "ramp": ("◔", "yellow"),
    "open": ("○", "red"),
    "forced_open": ("⊘", "red"),
    "disabled": ("–", None),
    "metrics_only": ("◌", "blue"),
}
_SEVERITIES: Final = {"low": None, "medium": "yellow", "high": "red", "critical": "red"}
_ROLLOUT: Final = {
    "applied": ("✓", "green"),
    "pending": ("…", "yellow"),
    "rejected": ("×", "red"),
    "disconnected": ("–", "yellow"),
    "held": ("·", "cyan"),
}
_HEALTH: Final = {"healthy": ("✓", "green"), "degraded": ("‼", "yellow"), "unhealthy": ("×", "red")}


def breaker(state: str) -> Cell:
    """Return a breaker's state."""
    mark, color = _BREAKERS.get(state, ("", None))
    return Cell(f"{mark} {state.upper()}" if mark else "-", color)


def severity(name: str) -> Cell:
    """Return a severity."""
    return Cell(name.upper() or "-", _SEVERITIES.get(name), bold=name == "critical")


def rollout(state: str) -> Cell:
    """Return where a proxy stands in a rollout."""
    mark, color = _ROLLOUT.get(state, ("?", None))
    return Cell(f"{mark} {state}", color)


def health(status: str) -> Cell:
    """Return a health."""
    mark, color = _HEALTH.get(status, ("?", None))
    return Cell(f"{mark} {status}", color)
