"""How long a caller waits: `grpc-timeout` and `seawall-timeout`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from seawall_control.domain.errors import InvalidRequest

_GRPC: Final = re.compile(r"(?P<number>\d{1,8})(?P<unit>[HMSmun])")
_GRPC_UNITS_S: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_OURS: Final = re.compile(r"(?P<number>\d{1,8}(?:\.\d{1,9})?)(?P<unit>ms|s|m|h)")
_OUR_UNITS_S: Final = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def timeout_s(headers: Mapping[str, str]) -> float:
    """Return the shorter of the two timeouts of a request, in seconds; infinity for none.

    `grpc-timeout` is that of gRPC's protocol (`10S`, `500m`), `seawall-timeout` a duration as policies spell
    it (`10s`, `500ms`). Raise `InvalidRequest` for a value that is neither.
    """
    found = math.inf
    for name, pattern, units in (
        ("grpc-timeout", _GRPC, _GRPC_UNITS_S),
        ("seawall-timeout", _OURS, _OUR_UNITS_S),
    ):
        text = headers.get(name)
        if text is None:
            continue
        match = pattern.fullmatch(text.strip())
        if match is None:
            example = "`500m` or `10S`" if pattern is _GRPC else "`500ms` or `10s`"
            raise InvalidRequest(f"the header {name} must be a number and a unit, such as {example}")
        found = min(found, float(match["number"]) * units[match["unit"]])
    return found
