"""Reading single values of a message: in range, or a violation at the value's place and the default instead.

Because every reader returns something usable, one pass finds all mistakes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration

from seawall_policy import fieldpath, status
from seawall_policy.compile import codes
from seawall_policy.compile.report import Report
from seawall_policy.durations import NANOS_PER_SECOND, format_duration
from seawall_policy.suggest import did_you_mean, quoted

_MAX_DURATION_SECONDS: Final = 315_576_000_000
_STATUS_NUMBERS: Final[dict[str, str]] = {str(number): name for number, name in enumerate(status.NAMES)}


class Scope:
    """A place in the document."""

    def __init__(self, report: Report, path: str) -> None:
        self.report: Report = report
        self.path: str = path

    def __truediv__(self, name: str) -> Scope:
        """Return the place of a member."""
        return Scope(self.report, fieldpath.member(self.path, name))

    def at(self, index: int) -> Scope:
        """Return the place of a list element."""
        return Scope(self.report, fieldpath.item(self.path, index))

    def error(self, code: str, message: str) -> None:
        """Report a mistake here."""
        self.report.error(self.path, code, message)

    def warn(self, code: str, message: str) -> None:
        """Report a warning here."""
        self.report.warn(self.path, code, message)

    def duration(self, value: Duration | None, low: str, high: str, default_s: float) -> float:
        """Return seconds; `low` and `high` are (nanoseconds of) the allowed ends as in `BOUNDS`."""
        if value is None:
            return default_s
        if not _is_normal(value):
            self.error(codes.OUT_OF_RANGE, "is not a valid duration; write it like 50ms, 1.5s or 1m30s")
            return default_s
        nanos = value.seconds * NANOS_PER_SECOND + value.nanos
        if not BOUNDS[low] <= nanos <= BOUNDS[high]:
            shown = format_duration(nanos) if nanos >= 0 else "a negative time"
            self.error(codes.OUT_OF_RANGE, f"{shown} is out of range; allowed is {low} to {high}")
            return default_s
        return nanos / NANOS_PER_SECOND

    def integer(self, value: int | None, low: int, high: int, default: int) -> int:
        """Return a whole number from `low` to `high`."""
        if value is None:
            return default
        if not low <= value <= high:
            self.error(codes.OUT_OF_RANGE, f"{value} is out of range; allowed is {low} to {high}")
            return default
        return value

    def number(
        self,
        value: float | None,
        low: float,
        high: float,
        default: float,
        *,
        above: bool = False,
        unit: str = "",
    ) -> float:
        """Return a number from `low` (or above it) to `high`."""
        if value is None:
            return default
        if not math.isfinite(value):
            self.error(codes.NOT_FINITE, "is not a finite number")
            return default
        if not low <= value <= high or (above and value == low):
            ends = f"{'above ' if above else ''}{low:g}{unit} to {high:g}{unit}"
            self.error(codes.OUT_OF_RANGE, f"{value:g}{unit} is out of range; allowed is {ends}")
            return default
        return value

    def choice(self, value: int, known: Sequence[int], default: int) -> int:
        """Return an enum number; 0 is the default."""
        if value == 0:
            return default
        if value not in known:
            self.error(
                codes.NEWER,
                f"choice number {value} is not known to this version; upgrade it or remove the setting",
            )
            return default
        return value

    def status_code(self, name: str) -> int:
        """Return the status code of that name, -1 after a report."""
        code = status.CODE_BY_NAME.get(name, -1)
        if code < 0:
            hint = did_you_mean(name, status.NAMES)
            if name in _STATUS_NUMBERS:
                hint = f" Write the name: {_STATUS_NUMBERS[name]}."
            self.error(codes.NOT_A_STATUS, f"{quoted(name)} is not a gRPC status.{hint}")
        elif code == status.OK:
            self.error(codes.NOT_A_STATUS, "OK is no failure; remove it")
            return -1
        return code

    def status_mask(self, names: Iterable[str], default: int) -> int:
        """Return the bit mask of a list of status names; `default` for an empty list."""
        mask = 0
        given = False
        for index, name in enumerate(names):
            given = True
            code = self.at(index).status_code(name)
            if code >= 0:
                if mask >> code & 1:
                    self.at(index).warn(codes.REPEATED, f"{name} is already in the list; remove it")
                mask |= 1 << code
        return mask if given else default


def _is_normal(value: Duration) -> bool:
    if abs(value.seconds) > _MAX_DURATION_SECONDS or abs(value.nanos) >= NANOS_PER_SECOND:
        return False
    return not (value.seconds > 0 > value.nanos or value.seconds < 0 < value.nanos)


BOUNDS: Final[dict[str, int]] = {
    "0s": 0,
    "1ms": 1_000_000,
    "10ms": 10_000_000,
    "100ms": 100_000_000,
    "1s": NANOS_PER_SECOND,
    "10s": 10 * NANOS_PER_SECOND,
    "5m": 300 * NANOS_PER_SECOND,
    "1h": 3600 * NANOS_PER_SECOND,
    "24h": 86400 * NANOS_PER_SECOND,
}
"""Ends of ranges, by the way they are shown."""
