"""The whole fleet, wherever its proxies are connected: who is there, how fresh what is known of each is, and
what all of them count together.

Lists, live views, alert rules, guards, healing, analysis and the old names of metrics all ask here, so that
they agree with each other, at whichever control plane they are asked. What other control planes tell is up to
five seconds older than what is known of proxies that are connected here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seawall.v1 import fleet_pb2, stats_pb2
from seawall_control.domain.fleet_share import EndpointSight, NodeNumbers, added_sights
from seawall_control.domain.statistics import (
    ClusterCounters,
    Counters,
    RouteSummary,
    added,
    added_clusters,
    summarise,
)
from seawall_control.services.edge import Clock
from seawall_control.services.fleet_beyond import Beyond, Plane
from seawall_control.services.fleet_roster import Roster
from seawall_control.services.fleet_stats import FleetStats

STALE_S: Final = 30.0
"""A connected proxy that has reported nothing for so long is stale: its numbers are not those of now."""

SHARE_S: Final = 5.0
"""Between two shares of another control plane."""
OPEN: Final = frozenset(
    {
        stats_pb2.BREAKER_STATE_OPEN,
        stats_pb2.BREAKER_STATE_FORCED_OPEN,
        stats_pb2.BREAKER_STATE_HALF_OPEN,
        stats_pb2.BREAKER_STATE_RAMP,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One proxy of the fleet."""

    node: str
    plane: str
    """Name of the control plane that it is connected to; empty for this one, and where it is away."""
    connected: bool
    silent_s: float | None
    """Seconds since it reported; of one that is away, since another control plane heard of it. None when that
    is not known but from the record.
    """
    numbers: NodeNumbers

    @property
    def is_stale(self) -> bool:
        """Whether it is connected and has said nothing for long."""
        return self.connected and self.silent_s is not None and self.silent_s > STALE_S


@dataclass(frozen=True, slots=True)
class BreakerSight:
    """A breaker of one proxy."""

    name: str
    route: str
    proxy: str
    is_open: bool
    """Or probing, or letting some calls through."""
    age_s: float
    """For how long this has been known, in seconds; no less."""


class FleetView:
    """Answers for all proxies, or for one that is connected here where one is named: `Roster.chosen` says
    what is raised for another.
    """

    def __init__(self, roster: Roster, stats: FleetStats, clock: Clock) -> None:
        self._roster = roster
        self._stats = stats
        self._beyond: Beyond = roster.beyond
        self._clock = clock

    # ------------------------------------------------------------------------------------------- the proxies

    def sight(self, node: str) -> Sight:
        """Return how a proxy is seen."""
        if self._roster.is_connected(node):
            report, silent_s = self._stats.report_of(node), self._stats.silent_s(node)
            return Sight(
                node=node,
                plane="",
                connected=True,
                silent_s=silent_s,
                numbers=numbers_of(report, self._boot_of(node), silent_s),
            )
        plane = self._beyond.plane_of(node)
        if plane:
            numbers = self._beyond.numbers_of(node)
            return Sight(node=node, plane=plane, connected=True, silent_s=numbers.silent_s, numbers=numbers)
        numbers = numbers_of(self._stats.report_of(node), self._boot_of(node), 0.0)
        silent_s = self._beyond.seen_s_ago(node)
        return Sight(node=node, plane="", connected=False, silent_s=silent_s, numbers=numbers)

    def sights(self) -> Iterator[Sight]:
        """Yield all proxies that are known, by name."""
        known = {record.node for record in self._roster.known()}
        for node in sorted(known.union(self._beyond.nodes())):
            yield self.sight(node)

    def _boot_of(self, node: str) -> str:
        record = self._roster.find(node)
        return record.boot_id if record is not None else ""

    def spooled(self, *, here: bool = False) -> tuple[int, float]:
        """Return how many events wait on disks of connected proxies, or of those that are connected here, and
        seconds of the oldest's wait.
        """
        found = [one.numbers for one in self.sights() if one.connected and not (here and one.plane)]
        return sum(one.spooled for one in found), max((one.spool_age_s for one in found), default=0.0)

    # ---------------------------------------------------------------------------------------------- the calls

    def _windows(self, window_s: float, proxy: str) -> list[tuple[Mapping[str, Counters], float]]:
        if proxy:
            return [self._stats.window_of(node, window_s) for node in self._roster.chosen(proxy)]
        return [self._stats.window(window_s), *self._beyond.windows(window_s)]

    def lately(self, window_s: float, proxy: str = "") -> dict[str, Counters]:
        """Return what came of each route's calls in a window that ends now. Raise as `Roster.chosen`."""
        return _merged(window for window, _ in self._windows(window_s, proxy))

    def totals(self, proxy: str = "") -> dict[str, Counters]:
        """Return what connected proxies count together since their own starts. Raise as `Roster.chosen`."""
        own = self._stats.totals(self._roster.chosen(proxy))
        return own if proxy else _merged([own, *self._beyond.totals()])

    def routes(self, window_s: float, bounds_s: Sequence[float], proxy: str = "") -> tuple[RouteSummary, ...]:
        """Return statistics of routes. Raise as `Roster.chosen`."""
        return summarise(bounds_s, self._windows(window_s, proxy), self.totals(proxy))

    # --------------------------------------------------------------------------------------- what they call

    def clusters(self, proxy: str = "") -> list[tuple[str, ClusterCounters, int]]:
        """Return clusters by name: the sum of what was reported last, and of how many proxies. Raise as
        `Roster.chosen`.
        """
        found = self._stats.clusters(self._roster.chosen(proxy))
        for others in () if proxy else self._beyond.clusters():
            for cluster, (counters, proxies) in others.items():
                before = found.get(cluster)
                found[cluster] = (
                    (counters, proxies)
                    if before is None
                    else (added_clusters(before[0], counters), before[1] + proxies)
                )
        return [(cluster, *found[cluster]) for cluster in sorted(found)]

    def breakers(self, proxy: str = "") -> list[stats_pb2.BreakerStatus]:
        """Return breakers by name, then proxy. Raise as `Roster.chosen`."""
        found = self._stats.breakers(self._roster.chosen(proxy))
        found += () if proxy else self._beyond.breakers()
        return sorted(found, key=lambda b: (b.name, b.proxy))

    def breaker_states(self) -> Counter[int]:
        """Count the breakers of the proxies that are connected here, by state: scrapes of several control
        planes add up.
        """
        return Counter(
            status.state
            for node in self._roster.chosen("")
            for status in self._stats.report_of(node).breakers
        )

    def breakers_seen(self, watched: Collection[str], named: Callable[[str], str]) -> Iterator[BreakerSight]:
        """Yield the breakers that are open, and of those that are not the ones whose name, as `named` writes
        it, is watched.
        """
        for node in self._roster.chosen(""):
            age_s = self._stats.silent_s(node) or 0.0
            for status in self._stats.report_of(node).breakers:
                is_open = status.state in OPEN
                if is_open or named(status.name) in watched:
                    yield BreakerSight(status.name, status.route, node, is_open=is_open, age_s=age_s)
        now_s = self._clock.monotonic_s()
        for _, plane in self._beyond.there():
            # What a share says was so at the latest when it was read, and at the earliest one before that.
            yield from _told(plane, watched, named, age_s=now_s - plane.at_s + SHARE_S)

    def endpoints(self) -> dict[tuple[str, str], EndpointSight]:
        """Return endpoints by cluster and address."""
        found = sights_of(self._stats.report_of(node) for node in self._roster.chosen(""))
        for others in self._beyond.endpoints():
            for key, sight in others.items():
                found[key] = added_sights(found[key], sight) if key in found else sight
        return found


def _told(
    plane: Plane, watched: Collection[str], named: Callable[[str], str], *, age_s: float
) -> Iterator[BreakerSight]:
    """Yield what `breakers_seen` does of another control plane's proxies."""
    opened = {(status.name, status.proxy) for status in plane.breakers if status.state in OPEN}
    # Closed ones are listed as far as there is room; what is not listed is closed where all others are.
    are_all_told = not plane.share.is_partial and plane.share.open_breakers <= sum(
        status.state != stats_pb2.BREAKER_STATE_CLOSED for status in plane.breakers
    )
    for status in plane.breakers:
        is_open = (status.name, status.proxy) in opened
        if is_open or (are_all_told and named(status.name) in watched):
            yield BreakerSight(status.name, status.route, status.proxy, is_open=is_open, age_s=age_s)
    listed = {(named(status.name), status.proxy) for status in plane.breakers}
    for node in plane.share.nodes if are_all_told else ():
        for name in watched:
            if (name, node) not in listed:
                yield BreakerSight(name, "", node, is_open=False, age_s=age_s)


def _merged(parts: Iterable[Mapping[str, Counters]]) -> dict[str, Counters]:
    merged: dict[str, Counters] = {}
    for routes in parts:
        for route, counters in routes.items():
            merged[route] = added(merged[route], counters) if route in merged else counters
    return merged


def numbers_of(report: fleet_pb2.StatsReport, boot_id: str, silent_s: float | None) -> NodeNumbers:
    """Return the numbers of one proxy from its newest report."""
    spool = report.spool
    return NodeNumbers(
        report.events_produced,
        report.events_dropped,
        report.connections,
        boot_id,
        spool.depth,
        spool.bytes,
        spool.max_bytes,
        spool.oldest_age.ToTimedelta().total_seconds(),
        silent_s or 0.0,
    )


def sights_of(reports: Iterable[fleet_pb2.StatsReport]) -> dict[tuple[str, str], EndpointSight]:
    """Return what several proxies say of endpoints."""
    found: dict[tuple[str, str], EndpointSight] = {}
    for report in reports:
        serving: dict[str, set[str]] = {}
        for one in report.endpoints:
            if one.state != "backoff" and one.outlier != "ejected":
                serving.setdefault(one.cluster, set()).add(one.address)
        for one in report.endpoints:
            key = (one.cluster, one.address)
            ejected = one.outlier == "ejected"
            sight = EndpointSight(
                proxies=1,
                watched=int(bool(one.outlier)),
                ejected=int(ejected),
                alone=int(not serving.get(one.cluster, set()) - {one.address}),
                reasons=(one.outlier_reason,) if ejected and one.outlier_reason else (),
            )
            found[key] = added_sights(found[key], sight) if key in found else sight
    return found
