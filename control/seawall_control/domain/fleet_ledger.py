"""What the calls of one control plane's proxies have come to, from the proxies' cumulative numbers.

A proxy may go from one control plane to another, and come back. Each counts what it is told, so that the sum
over all control planes is what the proxies counted, once: the *end* of a proxy is how far somebody has
counted it, and whoever it goes to counts on from there. Until the others have had time to say how far they
came, what lies between is a *gap*, and is added when they have said it. Numbers that go down under one run of
a process are read as Prometheus's `increase` does: as a start anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from seawall_control.domain.rollout.meter import OVERFLOW
from seawall_control.domain.statistics import ZERO, Counters, added, difference

MAX_ROUTES: Final = 1000
"""Routes that are kept apart, those that came first; more are one."""
MAX_ENDS: Final = 5000
"""Routes of proxies, over all proxies, of which ends are told; those of proxies that have left come first."""
MAX_GAPS: Final = 8
"""Gaps of one proxy that wait to be closed; what lies in older ones is nobody's."""
LEFT_S: Final = 600.0
"""For how long the end of a proxy that has left is told: whoever it went to has heard it by then."""

Codes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class End:
    """How far a run of a proxy has been counted: calls by status code, for each route."""

    run: str
    routes: Mapping[str, Codes]

    @property
    def calls(self) -> int:
        """All calls: of two ends of one run, the one with more is the later."""
        return sum(map(sum, self.routes.values()))


Routes = Mapping[str, Counters]


@dataclass(slots=True)
class _Gap:
    since_s: float
    start: Routes | None
    """How far we ourselves came before it; None: not known, {}: the process began in it."""
    end: Routes | None = None
    """The first report after it."""


@dataclass(slots=True)
class _Node:
    run: str
    last: Routes | None = None
    """Up to here it is counted, but for the gaps."""
    gaps: list[_Gap] = field(default_factory=list)
    left_s: float | None = None


@dataclass(slots=True)
class Ledger:
    """Adds up. Times are monotonic seconds."""

    grown: dict[str, Counters] = field(default_factory=dict)
    """What happened on each route since the process began to look."""
    _nodes: dict[str, _Node] = field(default_factory=dict)

    def arrived(self, node: str, run: str, *, is_new: bool, now_s: float) -> None:
        """Note that a proxy connected. `is_new`: nobody has known this run of its process, so that all it
        counted is of now, but for what another control plane says that it has counted of it.
        """
        known = self._nodes.get(node)
        if known is None or known.run != run:
            known = self._nodes[node] = _Node(run, {} if is_new else None)
        known.left_s = None
        if known.gaps and known.gaps[-1].end is None:
            return  # it went without a word
        known.gaps = [*known.gaps, _Gap(now_s, known.last)][-MAX_GAPS:]

    def counted(self, node: str, run: str, routes: Routes) -> None:
        """Take a proxy's newest report. One of a proxy that has not arrived is only counted from."""
        known = self._nodes.get(node)
        if known is None or known.run != run:
            known = self._nodes[node] = _Node(run)
        if known.gaps and known.gaps[-1].end is None:
            known.gaps[-1].end = routes
        elif known.last is not None:
            for route, counters in routes.items():
                self._since(route, counters, known.last.get(route, ZERO))
        known.last = routes

    def left(self, node: str, *, now_s: float) -> None:
        """Note that a proxy is not connected any more."""
        if (known := self._nodes.get(node)) is not None:
            known.left_s = now_s

    def gaps(self) -> Iterator[tuple[str, str, float]]:
        """Yield the proxies with gaps that can be closed, their runs, and when the newest gap began."""
        for node, known in self._nodes.items():
            ended = [gap.since_s for gap in known.gaps if gap.end is not None]
            if ended:
                yield node, known.run, ended[-1]

    def close(self, node: str, elsewhere: End | None) -> None:
        """Add what lies in the gaps of a proxy. `elsewhere` is how far others have counted it, if they have;
        what they may have counted is not counted again.
        """
        known = self._nodes.get(node)
        if known is None:
            return
        others = elsewhere if elsewhere is not None and elsewhere.run == known.run else None
        for gap in known.gaps:
            if gap.end is not None:
                self._close(gap.start, gap.end, others)
        known.gaps = [gap for gap in known.gaps if gap.end is None]

    def _close(self, start: Routes | None, end: Routes, others: End | None) -> None:
        if others is not None and (start is None or others.calls > _calls(start)):
            for route, counters in end.items():
                if grown := _codes_since(counters.by_code, others.routes.get(route, ())):
                    # Others say no more than the codes: how long those few calls took is nobody's.
                    self._add(route, Counters(by_code=grown))
        elif start is not None:
            for route, counters in end.items():
                self._since(route, counters, start.get(route, ZERO))

    def ends(self) -> dict[str, End]:
        """Return how far proxies have been counted, as far as there is room: of those that have left, then of
        the others.
        """
        found: dict[str, End] = {}
        room = MAX_ENDS
        for node, known in sorted(self._nodes.items(), key=lambda item: item[1].left_s is None):
            if known.last is None:
                continue
            room -= max(1, len(known.last))
            if room < 0:
                break
            found[node] = End(known.run, {route: one.by_code for route, one in known.last.items()})
        return found

    def forget(self, *, now_s: float) -> None:
        """Drop what is remembered of proxies that have left long ago; what they came to stays."""
        for node, known in list(self._nodes.items()):
            if known.left_s is not None and known.left_s < now_s - LEFT_S:
                del self._nodes[node]

    def _since(self, route: str, newer: Counters, older: Counters) -> None:
        if newer != older:
            self._add(route, difference(newer, older))

    def _add(self, route: str, counters: Counters) -> None:
        if route not in self.grown and len(self.grown) >= MAX_ROUTES:
            route = OVERFLOW
        # What is in flight is a level, not a count: it does not add up over time.
        counters = replace(counters, in_flight=0)
        self.grown[route] = added(self.grown[route], counters) if route in self.grown else counters


def _calls(routes: Routes) -> int:
    return sum(counters.calls for counters in routes.values())


def _codes_since(newer: Codes, older: Codes) -> Codes:
    """Return what came after an end; nothing where the end is further than that."""
    if sum(newer) <= sum(older):
        return ()
    return tuple(
        max(0, count - (older[code] if code < len(older) else 0)) for code, count in enumerate(newer)
    )
