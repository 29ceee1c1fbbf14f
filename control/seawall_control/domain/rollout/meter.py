"""What calls came to with the new revision and with the old one, from the cumulative numbers of proxies.

A proxy counts for a side from the first sample that comes after it has that side's revision in effect, until
it has another one; what it counted before, and what a run of its process counted before our first look, are
nobody's.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from seawall_control.domain.statistics import ZERO, Counters, Sample, added, difference

MAX_ROUTES: Final = 200
"""Routes kept apart; more are one."""
OVERFLOW: Final = "(other routes)"


@dataclass(slots=True)
class _Seen:
    canary: bool
    since_s: float
    last: Sample | None = None


@dataclass(slots=True)
class Meter:
    """Adds up both sides."""

    canary: dict[str, Counters] = field(default_factory=dict)
    rest: dict[str, Counters] = field(default_factory=dict)
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def sample(self, node: str, *, canary: bool | None, sample: Sample | None, now_s: float) -> None:
        """Take a proxy's newest sample. `canary` None: it has neither revision in effect."""
        if canary is None:
            self._seen.pop(node, None)
            return
        seen = self._seen.get(node)
        if seen is None or seen.canary is not canary:
            seen = self._seen[node] = _Seen(canary, now_s)
        if sample is None or sample.at_s <= seen.since_s or (seen.last and sample.at_s <= seen.last.at_s):
            return
        before, seen.last = seen.last, sample
        if before is None or before.epoch != sample.epoch:
            return
        side = self.canary if canary else self.rest
        for route, counters in sample.routes.items():
            grown = difference(counters, before.routes.get(route, ZERO))
            if grown.calls:
                add_route(side, route, grown)

    def forget(self, *, keep: Container[str]) -> None:
        """Drop what is remembered of proxies that are not among these; what they came to stays."""
        for node in [node for node in self._seen if node not in keep]:
            del self._seen[node]

    def next_stage(self) -> None:
        """Begin to count anew; proxies stay on their side without a gap."""
        self.canary, self.rest = {}, {}


def add_route(side: dict[str, Counters], route: str, counters: Counters) -> None:
    """Add a route's numbers to a side, within the bound."""
    if route not in side and len(side) >= MAX_ROUTES:
        route = OVERFLOW
    # What is in flight is a level, not a count: it does not add up over time.
    counters = replace(counters, in_flight=0)
    side[route] = added(side[route], counters) if route in side else counters


def bounded(routes: Mapping[str, Counters]) -> dict[str, Counters]:
    """Return routes that had calls, those with the most kept apart."""
    side: dict[str, Counters] = {}
    for route in sorted(routes, key=lambda name: (-routes[name].calls, name)):
        if routes[route].calls:
            add_route(side, route, routes[route])
    return side
