"""How a length of time is spelled: `50ms`, `1.5s`, `1m30s`.

The spelling is that of the Gateway API (GEP-2257) and of proto3 JSON together: numbers with a unit each,
largest unit first, every unit at most once, fractions allowed. A bare number is refused, because nobody can
tell whether 30 means seconds or milliseconds. Values are whole nanoseconds, so reading and writing lose
nothing.
"""

from __future__ import annotations

import re
from typing import Final

NANOS_PER_SECOND: Final = 1_000_000_000

MAX_NANOS: Final = 315_576_000_000 * NANOS_PER_SECOND
"""The largest google.protobuf.Duration, about 10 000 years."""

_UNITS: Final[dict[str, int]] = {
    "h": 3600 * NANOS_PER_SECOND,
    "m": 60 * NANOS_PER_SECOND,
    "s": NANOS_PER_SECOND,
    "ms": 1_000_000,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ns": 1,
}
_PART: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?(h|ms|m|us|µs|μs|s|ns)", re.ASCII)
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_MAX_LENGTH: Final = 64


def parse_duration(text: str) -> int:
    """Return the nanoseconds that `text` spells.

    Raises ValueError with a sentence that says what is wrong and how to mend it.
    """
    if len(text) > _MAX_LENGTH:
        raise ValueError("is too long for a duration; write it like 50ms, 1.5s or 1m30s")
    if _NUMBER.fullmatch(text):
        raise ValueError(
            f"has no unit; write {text}ms or {text}s" if text[0] not in "+-" else "has no unit; write 30s"
        )
    if text.startswith("-"):
        raise ValueError("is negative; a duration is zero or more")
    if not _WHOLE.fullmatch(text):
        raise ValueError("is not a duration; write it like 50ms, 1.5s or 1m30s (units h, m, s, ms, us, ns)")
    total = 0
    last_unit = MAX_NANOS
    for whole, fraction, unit_name in _PART.findall(text):
        unit = _UNITS[unit_name]
        if unit >= last_unit:
            raise ValueError("is not a duration; write the largest unit first and each unit once, like 1m30s")
        last_unit = unit
        total += int(whole) * unit + _fraction(fraction, unit)
    if total > MAX_NANOS:
        raise ValueError("is longer than 10000 years")
    return total


def _fraction(digits: str, unit: int) -> int:
    if not digits:
        return 0
    scaled = int(digits) * unit
    scale: int = 10 ** len(digits)
    if scaled % scale:
        raise ValueError("is finer than a nanosecond")
    return scaled // scale


def format_duration(nanos: int) -> str:
    """Return the shortest usual spelling of `nanos` (zero or more), which `parse_duration` reads back
    exactly.
    """
    if nanos == 0:
        return "0s"
    if nanos < NANOS_PER_SECOND:
        for unit_name in ("ms", "us", "ns"):
            if nanos >= _UNITS[unit_name]:
                return _decimal(nanos, _UNITS[unit_name]) + unit_name
    hours, rest = divmod(nanos, _UNITS["h"])
    minutes, rest = divmod(rest, _UNITS["m"])
    parts = ""
    if hours:
        parts += f"{hours}h"
    if minutes:
        parts += f"{minutes}m"
    if rest:
        parts += _decimal(rest, NANOS_PER_SECOND) + "s"
    return parts


def _decimal(nanos: int, unit: int) -> str:
    whole, rest = divmod(nanos, unit)
    if rest == 0:
        return str(whole)
    return f"{whole}.{rest:0{len(str(unit)) - 1}d}".rstrip("0")
