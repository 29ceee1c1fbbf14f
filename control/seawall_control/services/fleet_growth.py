"""Calls that have ended since somebody last looked, over the whole fleet; each is told once.

It goes by what each control plane has counted since its start (`domain.fleet_ledger`), so that a proxy that
goes from one to another is neither missed nor counted twice, and what is heard late is told late, all of it.
How far a reader has come can be kept, so that the next one goes on from there at another control plane.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.events import Json
from seawall_control.domain.statistics import Counters
from seawall_control.domain.stored_json import Fields
from seawall_control.services.fleet_beyond import Beyond
from seawall_control.services.fleet_stats import FleetStats

MAX_PLANES: Final = 100
"""Control planes whose numbers are remembered while nothing is heard of them."""

Pair = tuple[int, int]
"""Failed and all calls."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a run of a control plane has been told."""

    run: str
    calls: Mapping[str, Pair]


def marks_json(marks: Mapping[str, Mark]) -> Json:
    """Return marks as they are kept."""
    return {
        name: [mark.run, {route: list(pair) for route, pair in mark.calls.items()}]
        for name, mark in marks.items()
    }


def marks_of(value: Json) -> dict[str, Mark]:
    """Return marks as they were kept. Raise ValueError for what is none."""
    if not isinstance(value, Mapping):
        raise ValueError("no marks")  # noqa: TRY004 - the document is wrong, not the program
    found = {}
    for name, kept in value.items():
        match kept:
            case [str(run), dict(routes)]:
                read = Fields(routes)
                calls = {route: read.integers(route) for route in routes}
                if any(len(pair) != 2 for pair in calls.values()):
                    raise ValueError(f"{name}: how far calls were counted cannot be read")
                found[name] = Mark(run, {route: (pair[0], pair[1]) for route, pair in calls.items()})
            case _:
                raise ValueError(f"{name}: how far calls were counted cannot be read")
    return found


class Growth:
    """One reader. `failures` gives failed and all calls of counts by status code."""

    def __init__(
        self, stats: FleetStats, beyond: Beyond, failures: Callable[[tuple[int, ...]], Pair]
    ) -> None:
        self._stats = stats
        self._beyond = beyond
        self._failures = failures
        self._marks: dict[str, Mark] = {}

    @property
    def marks(self) -> Mapping[str, Mark]:
        """How far it has looked, by control plane."""
        return self._marks

    def begin(self, marks: Mapping[str, Mark] | None) -> None:
        """Go on from marks that another reader has left; None: nobody has looked, and what was counted until
        now is not told.
        """
        self._marks = dict(marks or {})
        own, run = self._beyond.own
        if marks is None or own not in self._marks:
            # Where others have looked without us, all that we have counted is news.
            self._marks[own] = self._mark(run, self._stats.ledger.grown if marks is None else {})
        for name, plane in self._beyond.growing():
            if name not in self._marks:
                is_news = marks is not None and plane.is_from_start
                self._marks[name] = self._mark(plane.share.run, {} if is_news else plane.grown)

    def look(self) -> dict[str, Pair]:
        """Return failed and all calls by route that have ended since the last look."""
        found: dict[str, Pair] = {}
        own, run = self._beyond.own
        self._take(found, own, run, self._stats.ledger.grown, is_news=True)
        for name, plane in self._beyond.growing():
            self._take(found, name, plane.share.run, plane.grown, is_news=plane.is_from_start)
        while len(self._marks) > MAX_PLANES:
            del self._marks[next(iter(self._marks))]
        return found

    def _mark(self, run: str, grown: Mapping[str, Counters]) -> Mark:
        return Mark(run, {route: self._failures(counters.by_code) for route, counters in grown.items()})

    def _take(
        self,
        found: dict[str, Pair],
        name: str,
        run: str,
        grown: Mapping[str, Counters],
        *,
        is_news: bool,
    ) -> None:
        before = self._marks.pop(name, None)
        now = self._mark(run, grown)
        old = before.calls if before is not None and before.run == run else {}
        # A share may be older than a mark that another reader has left.
        kept = {route: pair for route, pair in old.items() if pair[1] > now.calls.get(route, (0, 0))[1]}
        self._marks[name] = Mark(run, {**now.calls, **kept})
        if before is None and not is_news:
            return
        for route, (failed, total) in now.calls.items():
            old_failed, old_total = old.get(route, (0, 0))
            if total > old_total:
                sums = found.get(route, (0, 0))
                found[route] = (sums[0] + max(0, failed - old_failed), sums[1] + total - old_total)
