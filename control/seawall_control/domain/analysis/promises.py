"""What a recommendation promises to make less, and whether it did.

A recommendation is kept by those who tune by themselves only when the share of calls that it is about is
smaller afterwards, by enough to matter and by more than chance explains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final

from seawall_control.domain.statistics import Counters

DEADLINE_EXCEEDED: Final = 4
UNAVAILABLE: Final = 14
MIN_CALLS: Final = 50
"""Fewer calls on either side say nothing."""
SURE: Final = 1.645
"""Standard deviations of a one-sided test at 95 % (normal approximation of two shares, pooled)."""


def _code(number: int) -> Callable[[Counters], int]:
    return lambda counters: counters.by_code[number] if number < len(counters.by_code) else 0


def _failed(counters: Counters) -> int:
    return sum(counters.by_code[1:])


@dataclass(frozen=True, slots=True)
class Promise:
    """What becomes less."""

    text: str
    count: Callable[[Counters], int]
    """Of the calls of a window, how many are of that kind."""
    takes_longer: bool = False
    """Calls that it saves take longer than those that failed at once: latency is its price, and no harm."""


PROMISES: Final[Mapping[str, Promise]] = {
    "retry": Promise("end with UNAVAILABLE", _code(UNAVAILABLE), takes_longer=True),
    "fewer-retries": Promise(
        "are tried again in vain", lambda c: max(0, min(c.retries, c.calls) - c.recovered)
    ),
    "timeout": Promise("end with DEADLINE_EXCEEDED", _code(DEADLINE_EXCEEDED), takes_longer=True),
    "hedge": Promise("end with DEADLINE_EXCEEDED", _code(DEADLINE_EXCEEDED)),
    "wider-limit": Promise("are refused by the limit", lambda c: c.rejected_by.get("LIMITED", 0)),
    "fallback": Promise("do not end with OK", _failed),
}
"""By the kind of recommendation. What is missing (advice, breakers) promises nothing that shows soon."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many calls."""

    count: int
    calls: int

    @property
    def value(self) -> float:
        """0 to 1; 0 without calls."""
        return self.count / self.calls if self.calls else 0.0

    def __str__(self) -> str:
        return f"{self.value:.1%} of {self.calls}"


def measured(kind: str, counters: Counters) -> Share:
    """Return the share of calls that a kind of recommendation is about."""
    return Share(min(PROMISES[kind].count(counters), counters.calls), counters.calls)


@dataclass(frozen=True, slots=True)
class Kept:
    """Whether a promise was kept, and in words."""

    kept: bool
    text: str


def judged(kind: str, before: Share, after: Share, *, least: float) -> Kept:
    """Return whether the share went down by at least `least` of what it was (0 to 1), surely. Too few calls
    are no proof.
    """
    what = PROMISES[kind].text
    if min(before.calls, after.calls) < MIN_CALLS:
        few = f"{after.calls} calls since and {before.calls} before prove nothing: {MIN_CALLS} are needed"
        return Kept(kept=False, text=few)
    said = f"{after} calls {what}, {before} before"
    if after.value >= before.value * (1 - least):
        return Kept(kept=False, text=f"{said}; at least {least:.0%} less was promised")
    together = (before.count + after.count) / (before.calls + after.calls)
    error = sqrt(together * (1 - together) * (1 / before.calls + 1 / after.calls))
    if before.value - after.value < SURE * error:
        return Kept(kept=False, text=f"{said}, which may be chance")
    return Kept(kept=True, text=said)
