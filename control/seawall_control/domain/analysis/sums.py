"""Counts told apart in the ways that analysis needs, and kept up to date as they change.

A window has up to 24 x 500 counts, and adding them up anew takes longer than an answer may. Of a bucket that
is another than before only the counts that differ are therefore put on or taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from seawall_control.domain.events import EventKind
from seawall_control.domain.rollups import Bucket, Key, difference


def subject_of(component: str, route: str) -> str:
    """Return what events of a component and a route are about: `route/NAME`, or the component of what is not
    about a route.
    """
    return f"route/{route}" if route else component


@dataclass(slots=True)
class Sums:
    """Events by what they have in common; what there is none of is left out."""

    by_category: dict[int, int] = field(default_factory=dict)
    by_severity: dict[int, int] = field(default_factory=dict)
    by_code: dict[str, int] = field(default_factory=dict)
    by_component: dict[str, int] = field(default_factory=dict)
    by_route: dict[str, int] = field(default_factory=dict)
    by_method: dict[str, int] = field(default_factory=dict)
    errors: dict[tuple[str, str], int] = field(default_factory=dict)
    """By subject and code."""
    failed: dict[tuple[str, str], int] = field(default_factory=dict)
    """Failed calls by route and code."""
    opened: dict[str, int] = field(default_factory=dict)
    """Breakers that opened, by route."""

    def add(self, counts: Iterable[tuple[Key, int]]) -> None:
        """Put counts on; those below 0 are taken off, and were put on before."""
        takes = False
        for (component, route, method, code, category, severity, kind, _), number in counts:
            self.by_category[category] = self.by_category.get(category, 0) + number
            self.by_severity[severity] = self.by_severity.get(severity, 0) + number
            self.by_code[code] = self.by_code.get(code, 0) + number
            self.by_component[component] = self.by_component.get(component, 0) + number
            self.by_route[route] = self.by_route.get(route, 0) + number
            self.by_method[method] = self.by_method.get(method, 0) + number
            error = (subject_of(component, route), code)
            self.errors[error] = self.errors.get(error, 0) + number
            if kind == EventKind.CALL_FAILED:
                pair = (route, code)
                self.failed[pair] = self.failed.get(pair, 0) + number
            elif kind == EventKind.BREAKER_OPENED:
                self.opened[route] = self.opened.get(route, 0) + number
            takes = takes or number < 0
        if takes:
            for one in fields(self):
                sums = getattr(self, one.name)
                for key in [key for key, number in sums.items() if not number]:
                    del sums[key]

    def copy(self) -> Sums:
        """Return others that are the same now."""
        return Sums(*(dict(getattr(self, one.name)) for one in fields(self)))


class WindowSums:
    """The sums of a window whose buckets change now and then."""

    def __init__(self) -> None:
        self.total = Sums()
        self.buckets: Mapping[int, Bucket] = {}
        """By their start, in the order of time."""

    def copy(self) -> WindowSums:
        """Return others that are the same now: those of a window that has mostly the same buckets."""
        found = WindowSums()
        found.total, found.buckets = self.total.copy(), self.buckets
        return found

    def become(self, buckets: Iterable[Bucket]) -> bool:
        """Take in what the buckets of the window are now, in the order of time; return whether anything
        changed.
        """
        after = {bucket.start: bucket for bucket in buckets}
        before = self.buckets
        changed = [
            start for start in before.keys() | after.keys() if before.get(start) is not after.get(start)
        ]
        for start in changed:
            self.total.add(difference(before.get(start), after.get(start)).items())
        self.buckets = after
        return bool(changed)
