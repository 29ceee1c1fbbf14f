"""Numbers that stand for what is counted, by which a count is found quickly.

A number is the beginning of a hash. Two keys with the same one would be counted as the first of them, which
is to be expected once in 10^14 full buckets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from seawall_control.domain.rollups import KEY_FIELDS, Key
from seawall_control.store.statements import marks

_COLUMNS: Final = f"width, start, {', '.join(KEY_FIELDS)}, events, key"
PUT_COUNT: Final = (
    f"INSERT INTO event_rollups ({_COLUMNS}) VALUES ({marks(len(KEY_FIELDS) + 4)}) "
    "ON CONFLICT (width, start, key) DO UPDATE SET events = event_rollups.events + excluded.events"
)

ADD_COUNT: Final = (
    "UPDATE event_rollups AS c SET events = c.events + r.events "
    "FROM (VALUES (?, ?, ?, ?)) AS r (width, start, key, events) "
    "WHERE c.width = r.width AND c.start = r.start AND c.key = r.key RETURNING 1"
)
"""For a count that is there. It costs the server half of what `PUT_COUNT` does, and needs no texts."""


@lru_cache(4096)
def number_of(key: Key) -> int:
    """Return the number of a key, from all that 64 bits hold. Migration 0009 has the same rule in SQL."""
    component, route, method, code, *numbers = key
    lengths = (len(component), len(route), len(method))
    text = f"{','.join(map(str, (*numbers, *lengths)))},{component}{route}{method}{code}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def numbered(row: Sequence[Any]) -> Sequence[Any]:
    """Return a row for `PUT_COUNT` from one of width, start, key and events."""
    return (*row, number_of(tuple(row[2:-1])))


def added(row: Sequence[Any]) -> Sequence[Any]:
    """Return a row for `ADD_COUNT` from one of width, start, key and events."""
    return (row[0], row[1], number_of(tuple(row[2:-1])), row[-1])
