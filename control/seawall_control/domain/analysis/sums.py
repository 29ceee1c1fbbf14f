"""Counts told apart in the ways that analysis needs, and kept up to date bucket by bucket.

A window has up to 24 x 500 counts, and adding them up anew takes longer than an answer may. What one bucket
comes to is therefore worked out once, and of a window only what changed is taken off and put on again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from seawall_control.domain.events import EventKind
from seawall_control.domain.rollups import Bucket

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class Sums:
    """Events by what they have in common; what there is none of is left out."""

    events: int = 0
    by_category: dict[int, int] = field(default_factory=dict)
    by_severity: dict[int, int] = field(default_factory=dict)
    by_code: dict[str, int] = field(default_factory=dict)
    by_route: dict[str, int] = field(default_factory=dict)
    by_method: dict[str, int] = field(default_factory=dict)
    errors: dict[tuple[str, str], int] = field(default_factory=dict)
    """By route and code."""
    failed: dict[tuple[str, str], int] = field(default_factory=dict)
    """Failed calls by route and code."""
    opened: dict[str, int] = field(default_factory=dict)
    """Breakers that opened, by route."""

    def add(self, other: Sums, times: int = 1) -> None:
        """Put others on; with -1 for `times` take off what was put on before."""
        self.events += times * other.events
        _add(self.by_category, other.by_category, times)
        _add(self.by_severity, other.by_severity, times)
        _add(self.by_code, other.by_code, times)
        _add(self.by_route, other.by_route, times)
        _add(self.by_method, other.by_method, times)
        _add(self.errors, other.errors, times)
        _add(self.failed, other.failed, times)
        _add(self.opened, other.opened, times)


def sums_of(bucket: Bucket) -> Sums:
    """Return what a bucket comes to."""
    found = Sums(bucket.events)
    for (route, method, code, category, severity, kind, _), number in zip(
        bucket.keys, bucket.counts, strict=True
    ):
        found.by_category[category] = found.by_category.get(category, 0) + number
        found.by_severity[severity] = found.by_severity.get(severity, 0) + number
        found.by_code[code] = found.by_code.get(code, 0) + number
        found.by_route[route] = found.by_route.get(route, 0) + number
        found.by_method[method] = found.by_method.get(method, 0) + number
        pair = (route, code)
        found.errors[pair] = found.errors.get(pair, 0) + number
        if kind == EventKind.CALL_FAILED:
            found.failed[pair] = found.failed.get(pair, 0) + number
        elif kind == EventKind.BREAKER_OPENED:
            found.opened[route] = found.opened.get(route, 0) + number
    return found


class WindowSums:
    """The sums of a window whose buckets change now and then."""

    def __init__(self) -> None:
        self.total = Sums()
        self.parts: dict[int, Sums] = {}
        """By the start of the bucket, in the order of time."""

    def become(self, parts: Mapping[int, Sums]) -> bool:
        """Take in what the buckets of the window come to now; return whether anything changed. Sums that are
        the same object are taken to be the same.
        """
        gone = [one for start, one in self.parts.items() if parts.get(start) is not one]
        come = [one for start, one in parts.items() if self.parts.get(start) is not one]
        if not gone and not come:
            return False
        if len(gone) + len(come) > len(parts):
            self.total, gone, come = Sums(), [], list(parts.values())
        _sum_up(self.total, gone, -1)
        _sum_up(self.total, come, 1)
        self.parts = dict(parts)
        return True


def _sum_up(total: Sums, parts: Iterable[Sums], times: int) -> None:
    for one in parts:
        total.add(one, times)


def _add(sums: dict[K, int], others: Mapping[K, int], times: int) -> None:
    for key, number in others.items():
        after = sums.get(key, 0) + times * number
        if after:
            sums[key] = after
        else:
            del sums[key]
