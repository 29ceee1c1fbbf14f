"""What proxies report about themselves: kept in memory only, as far as a window of ten minutes needs it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from seawall.v1 import fleet_pb2, stats_pb2
from seawall_control.domain.statistics import (
    ClusterCounters,
    Counters,
    History,
    RouteSummary,
    Sample,
    added,
    added_clusters,
    summarise,
)
from seawall_control.services.edge import Clock
from seawall_control.services.fleet_beyond import Beyond

FORGET_S: Final = 900.0
"""Statistics of a proxy that is away are dropped after this; no window reaches back so far."""


@dataclass(slots=True)
class _Node:
    history: History = field(default_factory=History)
    epoch: int = 0
    report: fleet_pb2.StatsReport = field(default_factory=fleet_pb2.StatsReport)
    at_s: float = 0.0
    clusters: Mapping[str, ClusterCounters] = field(default_factory=dict)


class FleetStats:
    """The newest report of every proxy, and the history that windows need."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._nodes: dict[str, _Node] = {}

    def connected(self, node: str, *, same_run: bool) -> None:
        """Note that a proxy is there, and whether its counters go on or start anew."""
        known = self._nodes.setdefault(node, _Node(at_s=self._clock.monotonic_s()))
        if not same_run:
            known.epoch += 1

    def reported(
        self,
        node: str,
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

    def newest(self) -> Iterator[tuple[str, Sample]]:
        """Yield the newest sample of each proxy that has sent one."""
        for node, known in self._nodes.items():
            sample = known.history.latest()
            if sample is not None:
                yield node, sample

    def report_of(self, node: str) -> fleet_pb2.StatsReport:
        """Return the newest report of a proxy; empty when there is none."""
        known = self._nodes.get(node)
        return known.report if known else fleet_pb2.StatsReport()

    def latest(self, node: str) -> Sample | None:
        """Return the newest sample of a proxy; None when it has sent none."""
        known = self._nodes.get(node)
        return known.history.latest() if known else None

    def lately(
        self, nodes: Sequence[str], *, window_s: float, beyond: Beyond | None = None
    ) -> dict[str, Counters]:
        """Return what came of each route's calls through these proxies, and through those of other control
        planes, in a window that ends now.
        """
        now = self._clock.monotonic_s()
        merged: dict[str, Counters] = {}
        for others, _ in beyond.windows(window_s) if beyond is not None else ():
            for route, counters in others.items():
                merged[route] = added(merged[route], counters) if route in merged else counters
        for node in nodes:
            if known := self._nodes.get(node):
                for route, counters in known.history.over(window_s, now=now)[0].items():
                    merged[route] = added(merged[route], counters) if route in merged else counters
        return merged

    def routes(
        self,
        nodes: Sequence[str],
        *,
        window_s: float,
        bounds_s: Sequence[float],
        beyond: Beyond | None = None,
    ) -> tuple[RouteSummary, ...]:
        """Return statistics of routes over these proxies, and over those of other control planes."""
        now = self._clock.monotonic_s()
        windows = []
        totals: dict[str, Counters] = {}
        for node in nodes:
            known = self._nodes.get(node)
            latest = known.history.latest() if known else None
            if known is None or latest is None:
                continue
            windows.append(known.history.over(window_s, now=now))
            for route, counters in latest.routes.items():
                totals[route] = added(totals[route], counters) if route in totals else counters
        if beyond is not None:
            windows += beyond.windows(window_s)
            for routes in beyond.totals():
                for route, counters in routes.items():
                    totals[route] = added(totals[route], counters) if route in totals else counters
        return summarise(bounds_s, windows, totals)

    def clusters(
        self, nodes: Sequence[str], *, beyond: Beyond | None = None
    ) -> list[tuple[str, ClusterCounters, int]]:
        """Return the clusters of these proxies, and of those of other control planes, by name: the sum of
        what was reported last, and of how many proxies.
        """
        found: dict[str, tuple[ClusterCounters, int]] = {}
        for node in nodes:
            known = self._nodes.get(node)
            for cluster, counters in known.clusters.items() if known else ():
                before = found.get(cluster)
                found[cluster] = (
                    (counters, 1) if before is None else (added_clusters(before[0], counters), before[1] + 1)
                )
        for others in beyond.clusters() if beyond is not None else ():
            for cluster, (counters, proxies) in others.items():
                before = found.get(cluster)
                found[cluster] = (
                    (counters, proxies)
                    if before is None
                    else (added_clusters(before[0], counters), before[1] + proxies)
                )
        return [(cluster, *found[cluster]) for cluster in sorted(found)]

    def spooled(self, nodes: Sequence[str]) -> tuple[int, float]:
        """Return how many events wait on the disks of these proxies, and seconds of the oldest's wait."""
        found = [self.report_of(node).spool for node in nodes]
        ages = (spool.oldest_age.ToTimedelta().total_seconds() for spool in found)
        return sum(spool.depth for spool in found), max(ages, default=0.0)

    def breakers(
        self, nodes: Sequence[str], *, beyond: Beyond | None = None
    ) -> list[stats_pb2.BreakerStatus]:
        """Return the breakers of these proxies, and of those of other control planes, by name, then proxy."""
        found = [] if beyond is None else beyond.breakers()
        for node in nodes:
            for status in self.report_of(node).breakers:
                copy = stats_pb2.BreakerStatus()
                copy.CopyFrom(status)
                copy.proxy = node
                found.append(copy)
        return sorted(found, key=lambda b: (b.name, b.proxy))

    def forget(self, *, keep: Container[str]) -> None:
        """Drop the statistics of proxies that have been away for long."""
        old = self._clock.monotonic_s() - FORGET_S
        for node in [node for node, known in self._nodes.items() if node not in keep and known.at_s < old]:
            del self._nodes[node]
