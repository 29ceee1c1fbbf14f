"""What the proxies that are connected here report about themselves: kept in memory only, as far as a window
of ten minutes needs it. fleet_view.py adds what other control planes tell.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from seawall.v1 import fleet_pb2, stats_pb2
from seawall_control.domain.fleet_ledger import Ledger
from seawall_control.domain.statistics import (
    ClusterCounters,
    Counters,
    History,
    Sample,
    added,
    added_clusters,
)
from seawall_control.services.edge import Clock

FORGET_S: Final = 900.0
"""Statistics of a proxy that is away are dropped after this; no window reaches back so far."""

Window = tuple[Mapping[str, Counters], float]
"""What happened per route, and in how many seconds."""


@dataclass(slots=True)
class _Node:
    history: History = field(default_factory=History)
    epoch: int = 0
    report: fleet_pb2.StatsReport = field(default_factory=fleet_pb2.StatsReport)
    at_s: float = 0.0
    clusters: Mapping[str, ClusterCounters] = field(default_factory=dict)


class FleetStats:
    """The newest report of every proxy, and the history that windows need."""

    def __init__(self, clock: Clock, *, is_shared: bool = False) -> None:
        """`is_shared`: proxies may have been counted by other control planes, which are heard first."""
        self._clock = clock
        self._is_shared = is_shared
        self._nodes: dict[str, _Node] = {}
        self.ledger = Ledger()
        """What calls have come to since the start of this process."""
        self._history = History()
        self.look()

    def arrived(self, node: str, run: str, *, same_run: bool, is_young: bool) -> None:
        """Note that a proxy is there, and whether its counters go on or start anew. `is_young`: the process
        began after this one did, so that what it counts is news.
        """
        is_known = node in self._nodes
        known = self._nodes.setdefault(node, _Node())
        known.at_s = self._clock.monotonic_s()
        if not same_run:
            known.epoch += 1
        is_new = not same_run and (is_known or is_young)
        self.ledger.arrived(node, run, is_new=is_new, now_s=self._clock.monotonic_s())

    def left(self, node: str) -> None:
        """Note that a proxy is not connected any more."""
        self.ledger.left(node, now_s=self._clock.monotonic_s())

    def reported(
        self,
        node: str,
        run: str,
        report: fleet_pb2.StatsReport,
        routes: Mapping[str, Counters],
        clusters: Mapping[str, ClusterCounters],
    ) -> None:
        """Take a proxy's statistics."""
        known = self._nodes.setdefault(node, _Node())
        known.report = report
        known.clusters = clusters
        known.at_s = self._clock.monotonic_s()
        known.history.add(Sample(known.at_s, routes, known.epoch))
        self.ledger.counted(node, run, routes)
        if not self._is_shared:
            self.ledger.close(node, None)

    def look(self) -> None:
        """Note what calls have come to by now."""
        self._history.add(Sample(self._clock.monotonic_s(), dict(self.ledger.grown), 0))

    def report_of(self, node: str) -> fleet_pb2.StatsReport:
        """Return the newest report of a proxy; empty when there is none."""
        known = self._nodes.get(node)
        return known.report if known else fleet_pb2.StatsReport()

    def silent_s(self, node: str) -> float | None:
        """Return seconds since a proxy reported, or came; None for one that did neither lately."""
        known = self._nodes.get(node)
        return self._clock.monotonic_s() - known.at_s if known else None

    def latest(self, node: str) -> Sample | None:
        """Return the newest sample of a proxy; None when it has sent none."""
        known = self._nodes.get(node)
        return known.history.latest() if known else None

    def window(self, window_s: float) -> Window:
        """Return what happened in a window that ends now, at all proxies that were connected here in it."""
        self.look()
        return self._history.grown_over(window_s)

    def window_of(self, node: str, window_s: float) -> Window:
        """Return what happened at a proxy in a window that ends now, wherever it was connected."""
        known = self._nodes.get(node)
        return known.history.over(window_s, now=self._clock.monotonic_s()) if known else ({}, window_s)

    def totals(self, nodes: Sequence[str]) -> dict[str, Counters]:
        """Return what these proxies count together since their own starts."""
        totals: dict[str, Counters] = {}
        for node in nodes:
            latest = self.latest(node)
            for route, counters in latest.routes.items() if latest else ():
                totals[route] = added(totals[route], counters) if route in totals else counters
        return totals

    def clusters(self, nodes: Sequence[str]) -> dict[str, tuple[ClusterCounters, int]]:
        """Return the clusters of these proxies: the sum of what was reported last, and how many proxies."""
        found: dict[str, tuple[ClusterCounters, int]] = {}
        for node in nodes:
            known = self._nodes.get(node)
            for cluster, counters in known.clusters.items() if known else ():
                before = found.get(cluster)
                found[cluster] = (
                    (counters, 1) if before is None else (added_clusters(before[0], counters), before[1] + 1)
                )
        return found

    def breakers(self, nodes: Sequence[str]) -> list[stats_pb2.BreakerStatus]:
        """Return the breakers of these proxies."""
        found = []
        for node in nodes:
            for status in self.report_of(node).breakers:
                copy = stats_pb2.BreakerStatus()
                copy.CopyFrom(status)
                copy.proxy = node
                found.append(copy)
        return found

    def forget(self, *, keep: Container[str]) -> None:
        """Drop the statistics of proxies that have been away for long."""
        now_s = self._clock.monotonic_s()
        old = now_s - FORGET_S
        for node in [node for node, known in self._nodes.items() if node not in keep and known.at_s < old]:
            del self._nodes[node]
        self.ledger.forget(now_s=now_s)
