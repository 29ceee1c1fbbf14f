"""Routes with their live state, and the table that finds them.

The policy document is immutable; what changes while calls flow (breaker, retry budget, counters) lives in a
`RouteState`. State outlives a document: `build_table` carries a route's breaker, budget and counters over to
the next document as long as the route keeps its name, so that a policy push neither closes an open breaker
nor resets a counter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seawall_policy import breaker as breaker_module
from seawall_policy.breaker import Breaker
from seawall_policy.budget import BudgetOptions, RetryBudget
from seawall_policy.header_change import NO_CHANGE, HeaderChange
from seawall_policy.match import RouteTable
from seawall_policy.model import MethodInfo, Policy, Route, Snapshot
from seawall_proxy.call.admission import Admission, Guards
from seawall_proxy.call.guards import guards_of
from seawall_proxy.call.upstream_port import UpstreamCluster
from seawall_proxy.http2.headers import Field
from seawall_proxy.telemetry.counters import MirrorCounters, RouteCounters

Draw = Callable[[], float]

UNMATCHED: Final = ""
"""Name under which calls without a route are counted."""

MIRROR_MARK: Final = b"seawall-mirror"
"""Metadata that a copy carries. A call that comes with it is not copied again: copies never multiply."""


class MirrorState:
    """One mirror of a route of the current document."""

    def __init__(
        self, cluster: UpstreamCluster, share: float, headers: HeaderChange, counters: MirrorCounters
    ) -> None:
        self.cluster: UpstreamCluster = cluster
        self.share: float = share
        self.headers: HeaderChange = headers
        """The route's change of the request, and the mark."""
        self.counters: MirrorCounters = counters


class RouteState:
    """A route of the current document with its breaker, budget, counters and clusters."""

    def __init__(
        self,
        route: Route,
        breaker: Breaker | None,
        budget: RetryBudget | None,
        counters: RouteCounters,
        clusters: tuple[UpstreamCluster, ...],
        fallback_clusters: dict[str, UpstreamCluster],
        mirrors: tuple[MirrorState, ...] | None = None,
        guards: Guards | None = None,
    ) -> None:
        self.route: Route = route
        self.name: str = route.name
        self.policy: Policy = route.policy
        self.breaker: Breaker | None = breaker
        self.budget: RetryBudget | None = budget
        self.counters: RouteCounters = counters
        self.clusters: tuple[UpstreamCluster, ...] = clusters
        self.fallback_clusters: dict[str, UpstreamCluster] = fallback_clusters
        self.retries_codes: bool = route.policy.retry.max_attempts > 1
        """The policy retries on status codes, where the method allows it."""
        self.has_fallback: bool = len(route.policy.fallback) > 0
        self.has_conditions: bool = len(route.metadata) > 0
        self.request_headers: HeaderChange | None = route.request_headers
        self.response_headers: HeaderChange | None = route.response_headers
        self.mirrors: tuple[MirrorState, ...] | None = mirrors
        """None when calls are not copied."""
        self.guards: Guards | None = guards
        """The limits of calls and rates; None when there are none."""

    def cluster(self, draw: Draw) -> UpstreamCluster:
        """Choose the cluster of a new call, by weight."""
        clusters = self.clusters
        if len(clusters) == 1:
            return clusters[0]
        backends = self.route.backends
        point = draw() * backends[len(backends) - 1][1]
        for index in range(len(backends)):
            if point < backends[index][1]:
                return clusters[index]
        return clusters[len(clusters) - 1]

    def matches(self, metadata: dict[bytes, list[bytes]], extra: tuple[Field, ...]) -> bool:
        """Tell whether the metadata conditions hold for stable `metadata` and per-call `extra`."""
        for condition in self.route.metadata:
            values = metadata.get(condition.name)
            if values is not None and condition.value in values:
                continue
            if (condition.name, condition.value) not in extra:
                return False
        return True


class RoutingTable:
    """One compiled document with the live state of its routes."""

    def __init__(
        self,
        snapshot: Snapshot,
        states: dict[str, RouteState],
        clusters: dict[str, UpstreamCluster],
        budgets: dict[tuple[str, float, float, float], RetryBudget],
    ) -> None:
        self.snapshot: Snapshot = snapshot
        self.states: dict[str, RouteState] = states
        self.clusters: dict[str, UpstreamCluster] = clusters
        self.budgets: dict[tuple[str, float, float, float], RetryBudget] = budgets
        self.methods: dict[bytes, MethodInfo] = snapshot.methods
        self._matcher: RouteTable = RouteTable(snapshot.routes)

    def candidates(self, path: bytes) -> tuple[RouteState, ...]:
        """Return the routes whose service and method match `path`, best first."""
        return tuple([self.states[route.name] for route in self._matcher.candidates(path)])


def build_table(
    snapshot: Snapshot,
    clusters: dict[str, UpstreamCluster],
    previous: RoutingTable | None,
    counters: dict[str, RouteCounters],
    draw: Draw,
    now: float,
) -> RoutingTable:
    """Combine a document with clusters and with what the routes of `previous` have learned.

    `clusters` must hold every cluster that the document names; `counters` is the proxy's registry, extended
    here.
    """
    budgets: dict[tuple[str, float, float, float], RetryBudget] = {}
    states: dict[str, RouteState] = {}
    admissions: dict[tuple[str, str], Admission] = {}
    for route in snapshot.routes:
        route_counters = counters.get(route.name)
        if route_counters is None:
            route_counters = RouteCounters(route.name)
            counters[route.name] = route_counters
        old = None if previous is None else previous.states.get(route.name)
        states[route.name] = RouteState(
            route,
            _breaker(route.policy, old, draw, now),
            _budget(route, budgets, previous),
            route_counters,
            tuple([clusters[name] for name, _ in route.backends]),
            {step.cluster: clusters[step.cluster] for step in route.policy.fallback if step.cluster != ""},
            _mirrors(route, clusters, route_counters),
            guards_of(route, old, admissions),
        )
    return RoutingTable(snapshot, states, clusters, budgets)


def _mirrors(
    route: Route, clusters: dict[str, UpstreamCluster], counters: RouteCounters
) -> tuple[MirrorState, ...] | None:
    if len(route.mirrors) == 0:
        return None
    change = NO_CHANGE if route.request_headers is None else route.request_headers
    marked = change.with_field(MIRROR_MARK, b"1")
    return tuple(
        [
            MirrorState(clusters[target.cluster], target.share, marked, counters.mirror(target.cluster))
            for target in route.mirrors
        ]
    )


def _breaker(policy: Policy, old: RouteState | None, draw: Draw, now: float) -> Breaker | None:
    options = policy.breaker
    if options is None or options.mode == breaker_module.OFF:
        return None
    breaker = Breaker(options, draw)
    if old is not None and old.breaker is not None:
        breaker.carry_over(old.breaker, now)
    else:
        breaker.since = now
    return breaker


def _budget(
    route: Route,
    budgets: dict[tuple[str, float, float, float], RetryBudget],
    previous: RoutingTable | None,
) -> RetryBudget | None:
    options: BudgetOptions | None = route.policy.retry.budget
    if options is None:
        return None
    # One budget for all routes to a cluster with the same settings: the load that retries add is the
    # cluster's.
    key = (route.backends[0][0], options.percent, options.min_per_second, options.interval_s)
    budget = budgets.get(key)
    if budget is None:
        old = None if previous is None else previous.budgets.get(key)
        budget = old if old is not None else RetryBudget(options)
        budgets[key] = budget
    return budget
