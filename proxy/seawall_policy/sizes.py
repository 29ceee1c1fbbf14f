"""How an amount of memory is spelled: `64KiB`, `10MiB`, `1GiB`, or a bare number of bytes.

Powers of 1024 have the IEC's names, powers of 1000 the SI's (`10MB`); a `K` or `M` alone is refused, because
nobody can tell which of the two it means.
"""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final[dict[str, int]] = {
    "": 1,
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}
_SIZE: Final = re.compile(r"([0-9]{1,12}) ?([A-Za-z]*)", re.ASCII)
_SHOWN: Final = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def parse_size(text: str) -> int:
    """Return the bytes that `text` spells; raises ValueError with a sentence that says how to mend it."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("is not a size; write it like 64KiB or 10MiB")
    factor = _UNITS.get(match.group(2))
    if factor is None:
        raise ValueError(f"has no known unit; write one of {', '.join(unit for unit in _UNITS if unit)}")
    return int(match.group(1)) * factor


def format_size(octets: int) -> str:
    """Return the shortest exact spelling."""
    for unit, factor in _SHOWN:
        if octets and octets % factor == 0:
            return f"{octets // factor}{unit}"
    return str(octets)
