"""Reading TOML into nodes.

Python's tomllib gives values without places. The places are found again by reading the file line by line for
table headers and keys, which is right for what people write and falls back to the table's line for what it
cannot follow (a key inside a multi-line string, say).
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from typing import Final

from seawall_policy.compile import codes
from seawall_proxy.config.nodes import (
    MAX_DEPTH,
    MAX_NODES,
    NOWHERE,
    Mapping,
    Node,
    Position,
    Scalar,
    Sequence,
)
from seawall_proxy.config.problems import Problems

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\]\n]+?)\s*\]\]?\s*(#.*)?$")
_PART: Final = r"""(?:"[^"\n]*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
_KEY: Final = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=\s*")
_KEY_PART: Final = re.compile(r""""([^"\n]*)"|'([^'\n]*)'|([A-Za-z0-9_-]+)""")
_ERROR_PLACE: Final = re.compile(r"\(at line (\d+), column (\d+)\)")

_MAX_LINE: Final = 2_000
"""Longer lines are data, and what is matched here costs the square of a line's length."""

_Path = tuple[str | int, ...]


def read_toml(text: str, problems: Problems) -> Node | None:
    """Return the root node; None after a problem."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        found = _ERROR_PLACE.search(str(e))
        position = Position(int(found[1]), int(found[2]), int(found[2]) + 1) if found else None
        problems.add(codes.SYNTAX, _ERROR_PLACE.sub("", str(e)).strip(), position)
        return None
    except (RecursionError, ValueError):
        # Deep nesting, or an integer with more digits than Python converts.
        problems.add(
            codes.TOO_LARGE,
            f"is nested more than {MAX_DEPTH} levels deep, or holds a number without end",
            None,
        )
        return None
    builder = _Builder(_positions(text), problems)
    return builder.build(tree, (), NOWHERE, 0)


class _Builder:
    def __init__(self, positions: dict[_Path, Position], problems: Problems) -> None:
        self._positions = positions
        self._problems = problems
        self._nodes = 0

    def build(self, value: object, path: _Path, outer: Position, depth: int) -> Node:
        position = self._positions.get(path, outer)
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            if not any(f.violation.code == codes.TOO_LARGE for f in self._problems.findings):
                self._problems.add(
                    codes.TOO_LARGE,
                    f"is nested more than {MAX_DEPTH} levels deep or has more than {MAX_NODES} values",
                    position,
                )
            return Scalar("", plain=True, position=position)
        if isinstance(value, dict):
            pairs: list[tuple[Node, Node]] = []
            for key, item in value.items():
                place = self._positions.get((*path, key), position)
                pairs.append(
                    (
                        Scalar(key, plain=False, position=place),
                        self.build(item, (*path, key), position, depth + 1),
                    )
                )
            return Mapping(pairs, position)
        if isinstance(value, list):
            items = [self.build(item, (*path, i), position, depth + 1) for i, item in enumerate(value)]
            return Sequence(items, position)
        return _scalar(value, position)


def _scalar(value: object, position: Position) -> Scalar:
    if isinstance(value, bool):
        return Scalar("true" if value else "false", plain=True, position=position)
    if isinstance(value, int | float):
        return Scalar(repr(value), plain=True, position=position)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return Scalar(value.isoformat(), plain=False, position=position)
    return Scalar(str(value), plain=False, position=position)


def _positions(text: str) -> dict[_Path, Position]:
    found: dict[_Path, Position] = {}
    counts: dict[_Path, int] = {}
    table: _Path = ()
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > _MAX_LINE:
            continue
        header = _HEADER.match(line)
        if header:
            table = _table_path(header, counts)
            found[table] = Position(number, header.start(2) + 1, header.end(2) + 1)
            for length in range(1, len(table)):
                found.setdefault(table[:length], found[table])
            continue
        key = _KEY.match(line)
        if key:
            path = (*table, *_parts(key[1]))
            end = len(line.split(" #")[0].rstrip()) + 1
            for length in range(len(table) + 1, len(path) + 1):
                found.setdefault(path[:length], Position(number, key.end() + 1, max(end, key.end() + 2)))
    return found


def _table_path(header: re.Match[str], counts: dict[_Path, int]) -> _Path:
    """Return the path of a table, with the index of the newest element where the way leads through an
    array of tables.
    """
    names = _parts(header[2])
    path: _Path = ()
    for at, name in enumerate(names):
        path = (*path, name)
        if header[1] == "[[" and at == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _parts(dotted: str) -> _Path:
    return tuple(a or b or c for a, b, c in _KEY_PART.findall(dotted))
