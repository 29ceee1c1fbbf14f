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
from seawall_policy.degradation import Degradation
from seawall_policy.header_change import NO_CHANGE, HeaderChange
from seawall_policy.journal import Journal
from seawall_policy.last_good import LastGoodOptions, LastGoodStore
from seawall_policy.match import RouteTable
from seawall_policy.model import MethodInfo, Policy, Route, Snapshot
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
        last_good: LastGoodStore | None = None,
        journal: Journal | None = None,
        degradation: Degradation | None = None,
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
        self.last_good: LastGoodStore | None = last_good
        self.good_options: LastGoodOptions | None = _good_options(route.policy)
        self.journal: Journal | None = journal
        self.keeps_answers: bool = last_good is not None or route.policy.idempotency is not None
        """Calls may be known again, or their answers used again."""
        self.degradation: Degradation | None = degradation
        """None where nothing can be degraded."""

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
            last_good=_last_good(route.policy, old),
            journal=_journal(route.policy, old, now),
            degradation=_degradation(route.policy, old),
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


def _good_options(policy: Policy) -> LastGoodOptions | None:
    for step in policy.fallback:
        if step.last_good is not None:
            return step.last_good
    return None


def _last_good(policy: Policy, old: RouteState | None) -> LastGoodStore | None:
    """Return the kept responses of a route; what makes their keys is part of the keys, so they outlive any
    change of the policy.
    """
    entries = 0
    memory = 0
    age = 0.0
    for step in policy.fallback:
        good = step.last_good
        if good is not None:
            entries = max(entries, good.max_entries)
            memory = max(memory, good.memory_bytes)
            age = max(age, good.max_age_s)
    if entries == 0:
        return None
    if old is not None and old.last_good is not None:
        old.last_good.resize(entries, memory, age)
        return old.last_good
    return LastGoodStore(entries, memory, age)


def _journal(policy: Policy, old: RouteState | None, now: float) -> Journal | None:
    keys = policy.idempotency
    if keys is None or keys.journal is None:
        return None
    if old is not None and old.journal is not None:
        old.journal.resize(keys.journal, now)
        return old.journal
    return Journal(keys.journal)


def _degradation(policy: Policy, old: RouteState | None) -> Degradation | None:
    # Shared with the calls that still go on under the policy before: one route, one state. A route that loses
    # its fallbacks while it is degraded can still recover.
    before = None if old is None else old.degradation
    if len(policy.fallback) == 0 and (before is None or not before.active):
        return None
    if before is None:
        return Degradation(policy.recovered_after)
    before.recovered_after = policy.recovered_after
    return before


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
