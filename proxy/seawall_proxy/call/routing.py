"""Routes with their live state, and the table that finds them.

The policy document is immutable; what changes while calls flow (breaker, retry budget, counters) lives in a
`RouteState`. State outlives a document: `build_table` carries a route's breaker, budget and counters over to
the next document as long as the route keeps its name, so that a policy push neither closes an open breaker
nor resets a counter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seawall_policy import deadline, model
from seawall_policy.breaker import OFF, PER_ROUTE, Breaker
from seawall_policy.budget import BudgetOptions, RetryBudget, RetryThrottle, make_budget
from seawall_policy.deadline import HopelessGate
from seawall_policy.degradation import Degradation
from seawall_policy.fault import Faults, monotonic_end
from seawall_policy.header_change import NO_CHANGE, HeaderChange
from seawall_policy.hedge import Hedger
from seawall_policy.journal import Journal
from seawall_policy.last_good import LastGoodOptions, LastGoodStore
from seawall_policy.latency import LatencyEstimate
from seawall_policy.limit.options import LimitOptions
from seawall_policy.match import RouteTable
from seawall_policy.model import FallbackStep, MethodInfo, Policy, Route, Snapshot
from seawall_policy.shadow import Shadow
from seawall_proxy.call.admission import Admission, Guards
from seawall_proxy.call.breaker_scopes import ScopedBreakers
from seawall_proxy.call.guards import guards_of
from seawall_proxy.call.upstream_port import UpstreamCluster
from seawall_proxy.http2.headers import Field
from seawall_proxy.telemetry.counters import MirrorCounters, RouteCounters

Draw = Callable[[], float]
BudgetKey = tuple[str, float, float, float, bool, int]
ThrottleKey = tuple[str, float, float]

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

    def __init__(  # noqa: PLR0913, PLR0917 - a record
        self,
        route: Route,
        breaker: Breaker | None,
        budget: RetryBudget | None,
        counters: RouteCounters,
        clusters: tuple[UpstreamCluster, ...],
        fallback_clusters: dict[str, UpstreamCluster],
        mirrors: tuple[MirrorState, ...] | None = None,
        scoped: ScopedBreakers | None = None,
        throttle: RetryThrottle | None = None,
        hedger: Hedger | None = None,
        gate: HopelessGate | None = None,
        latency: LatencyEstimate | None = None,
        last_good: LastGoodStore | None = None,
        journal: Journal | None = None,
        degradation: Degradation | None = None,
        faults: Faults | None = None,
        shadow: Shadow | None = None,
        guards: Guards | None = None,
    ) -> None:
        self.route: Route = route
        self.name: str = route.name
        self.policy: Policy = route.policy
        self.breaker: Breaker | None = breaker
        self.budget: RetryBudget | None = budget
        self.counters: RouteCounters = counters
        self.clusters: tuple[UpstreamCluster, ...] = clusters
        self.only_cluster: UpstreamCluster | None = clusters[0] if len(clusters) == 1 else None
        """Where every call goes; None where they are divided."""
        self.fallback_clusters: dict[str, UpstreamCluster] = fallback_clusters
        self.retries_codes: bool = route.policy.retry.most_attempts > 1
        """The policy retries on status codes, where the method allows it."""
        self.fallback_end: int = _last_of(route.policy.fallback, model.ENFORCE) + 1
        """Index behind the last fallback that is in force; 0 for none."""
        self.has_fallback: bool = self.fallback_end > 0
        self.has_shadow_fallback: bool = _last_of(route.policy.fallback, model.SHADOW) >= 0
        self.limit: LimitOptions | None = route.policy.limit
        self.optional: bool = route.optional
        self.has_conditions: bool = len(route.metadata) > 0
        self.request_headers: HeaderChange | None = route.request_headers
        self.response_headers: HeaderChange | None = route.response_headers
        self.mirrors: tuple[MirrorState, ...] | None = mirrors
        """None when calls are not copied."""
        self.scoped: ScopedBreakers | None = scoped
        """Breakers of methods or endpoints; None where the route has one of its own, or none."""
        policy = route.policy
        self.throttle: RetryThrottle | None = throttle
        self.hedger: Hedger | None = hedger
        self.hedges_all: bool = hedger is not None and (
            not hedger.options.only_idempotent or route.idempotent
        )
        """Every call may be hedged, whatever its method is."""
        self.gate: HopelessGate | None = gate
        self.latency: LatencyEstimate | None = latency
        """What the route's attempts have taken lately; None where nothing asks for it."""
        self.margin_s: float = 0.0 if policy.deadline is None else policy.deadline.margin_s
        self.most_attempts: int = policy.retry.most_attempts
        """Attempts of a call at most, repetitions of what no server has seen apart."""
        if policy.hedge is not None and policy.hedge.max_attempts > self.most_attempts:
            self.most_attempts = policy.hedge.max_attempts
        self._entered: int = counters.started
        self.last_good: LastGoodStore | None = last_good
        self.good_options: LastGoodOptions | None = _good_options(route.policy)
        self.journal: Journal | None = journal
        self.keeps_answers: bool = last_good is not None or route.policy.idempotency is not None
        """Calls may be known again, or their answers used again."""
        self.degradation: Degradation | None = degradation
        """None where nothing can be degraded."""
        self.faults: Faults | None = faults
        """None when nothing is broken on purpose."""
        self.shadow: Shadow | None = shadow
        """A policy that is tried beside the one in force; None for none."""
        self.guards: Guards | None = guards
        """The limits of calls and rates; None when there are none."""

    def watched(self) -> bool:
        """Tell whether the route has breakers, though none may have been made yet."""
        return self.breaker is not None or self.scoped is not None

    def breakers(self) -> list[Breaker]:
        """Return every breaker of the route."""
        if self.scoped is not None:
            return self.scoped.all()
        return [] if self.breaker is None else [self.breaker]

    def find_breaker(self, key: str, make: bool = False) -> Breaker | None:
        """Return the breaker of a key; with `make` that of a method or an endpoint that has none yet."""
        scoped = self.scoped
        if scoped is not None:
            return scoped.ensure(key) if make else scoped.find(key)
        return self.breaker if key == self.name else None

    def retry_after(self, path: bytes, now: float) -> float:
        """Return after how many seconds a call that a breaker has rejected may come back; infinity when
        nobody knows, negative when there is no breaker.
        """
        if self.breaker is not None:
            return self.breaker.retry_after(now)
        return -1.0 if self.scoped is None else self.scoped.retry_after(path, now)

    def look(self, now: float) -> None:
        """Learn from the calls of the last moments; due when `latency.due` has come."""
        latency = self.latency
        if latency is not None:
            latency.look(now)
            self.settle(now)
            if self.hedger is not None:
                self.hedger.look(latency)

    def settle(self, now: float) -> None:
        """Enter the calls that have begun since the last time into the budgets that are shares of them."""
        started = self.counters.started
        calls = started - self._entered
        if calls > 0:
            self._entered = started
            if self.hedger is not None:
                self.hedger.deposit(calls, now)
            if self.gate is not None:
                self.gate.deposit(calls, now)

    def cluster(self, draw: Draw) -> UpstreamCluster:
        """Choose the cluster of a new call, by weight."""
        if self.only_cluster is not None:
            return self.only_cluster
        clusters = self.clusters
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
        budgets: dict[BudgetKey, RetryBudget],
        throttles: dict[ThrottleKey, RetryThrottle],
    ) -> None:
        self.snapshot: Snapshot = snapshot
        self.states: dict[str, RouteState] = states
        self.clusters: dict[str, UpstreamCluster] = clusters
        self.budgets: dict[BudgetKey, RetryBudget] = budgets
        self.throttles: dict[ThrottleKey, RetryThrottle] = throttles
        self.methods: dict[bytes, MethodInfo] = snapshot.methods
        self._matcher: RouteTable = RouteTable(snapshot.routes)

    def find_breaker(self, key: str, make: bool = False) -> tuple[RouteState, Breaker] | None:
        """Return the breaker of a key and its route; with `make` as RouteState.find_breaker."""
        for state in self.states.values():
            breaker = state.find_breaker(key, make)
            if breaker is not None:
                return state, breaker
        return None

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
    wall_offset_s: float = 0.0,
) -> RoutingTable:
    """Combine a document with clusters and with what the routes of `previous` have learned.

    `clusters` must hold every cluster that the document names; `counters` is the proxy's registry, extended
    here. `wall_offset_s` is wall-clock minus monotonic time: what ends at a moment of the calendar has its
    end from it.
    """
    budgets: dict[BudgetKey, RetryBudget] = {}
    throttles: dict[ThrottleKey, RetryThrottle] = {}
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
            _breaker(route.name, route.policy, old, draw, now),
            _budget(route, budgets, previous),
            route_counters,
            tuple([clusters[name] for name, _ in route.backends]),
            {step.cluster: clusters[step.cluster] for step in route.policy.fallback if step.cluster != ""},
            _mirrors(route, clusters, route_counters),
            scoped=_scoped(route, old, draw, now),
            throttle=_throttle(route, throttles, previous),
            hedger=_hedger(route.policy, old),
            gate=_gate(route.policy, old),
            latency=_latency(route.policy, old, now),
            last_good=_last_good(route.policy, old),
            journal=_journal(route.policy, old, now),
            degradation=_degradation(route.policy, old),
            faults=_faults(route.policy, route_counters, now, wall_offset_s),
            shadow=_shadow(route, old, route_counters, draw, now),
            guards=guards_of(route, old, admissions),
        )
    return RoutingTable(snapshot, states, clusters, budgets, throttles)


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


def _faults(policy: Policy, counters: RouteCounters, now: float, wall_offset_s: float) -> Faults | None:
    options = policy.fault
    if options is None:
        return None
    until = monotonic_end(options.until_s, wall_offset_s)
    return None if now >= until else Faults(options, until, counters.faults)


def _shadow(
    route: Route, old: RouteState | None, counters: RouteCounters, draw: Draw, now: float
) -> Shadow | None:
    policy = route.shadow
    if policy is None:
        return None
    breaker: Breaker | None = None
    if policy.breaker is not None and policy.breaker.mode != OFF:
        breaker = Breaker(policy.breaker, draw, route.name)
        breaker.since = now
        before = None if old is None else old.shadow
        if before is not None and before.policy == policy.name and before.breaker is not None:
            breaker.carry_over(before.breaker, now)
    options = policy.retry.budget
    budget = None if options is None else make_budget(options)
    return Shadow(policy.name, policy.per_try_timeout_s, policy.retry, breaker, budget, counters.shadow)


def _scoped(route: Route, old: RouteState | None, draw: Draw, now: float) -> ScopedBreakers | None:
    options = route.policy.breaker
    if options is None or options.mode == OFF or options.scope == PER_ROUTE:
        return None
    if old is not None and old.scoped is not None and old.scoped.options.scope == options.scope:
        old.scoped.follow(options, now)
        return old.scoped
    return ScopedBreakers(route.name, options, draw)


def _last_of(steps: tuple[FallbackStep, ...], mode: int) -> int:
    """Return the index of the last step in a mode; -1 when there is none."""
    found = -1
    for index, step in enumerate(steps):
        if step.mode == mode:
            found = index
    return found


def _good_options(policy: Policy) -> LastGoodOptions | None:
    for step in policy.fallback:
        if step.last_good is not None and step.mode != model.OFF:
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
        if good is not None and step.mode != model.OFF:
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
    if _last_of(policy.fallback, model.ENFORCE) < 0 and (before is None or not before.active):
        return None
    if before is None:
        return Degradation(policy.recovered_after)
    before.recovered_after = policy.recovered_after
    return before


def _breaker(name: str, policy: Policy, old: RouteState | None, draw: Draw, now: float) -> Breaker | None:
    options = policy.breaker
    if options is None or options.mode == OFF or options.scope != PER_ROUTE:
        return None
    breaker = Breaker(options, draw, name)
    if old is not None and old.breaker is not None:
        breaker.carry_over(old.breaker, now)
    else:
        breaker.since = now
    return breaker


def _budget(
    route: Route,
    budgets: dict[BudgetKey, RetryBudget],
    previous: RoutingTable | None,
) -> RetryBudget | None:
    options: BudgetOptions | None = route.policy.retry.budget
    if options is None:
        return None
    # One budget for all routes to a cluster with the same settings: the load that retries add is the
    # cluster's.
    key = (
        route.backends[0][0],
        options.percent,
        options.min_per_second,
        options.interval_s,
        options.concurrent,
        options.min_concurrent,
    )
    budget = budgets.get(key)
    if budget is None:
        old = None if previous is None else previous.budgets.get(key)
        budget = old if old is not None else make_budget(options)
        budgets[key] = budget
    return budget


def _throttle(
    route: Route, throttles: dict[ThrottleKey, RetryThrottle], previous: RoutingTable | None
) -> RetryThrottle | None:
    options = route.policy.retry.throttle
    if options is None:
        return None
    # As with budgets: the tokens are the server's.
    key = (route.backends[0][0], options.max_tokens, options.token_ratio)
    throttle = throttles.get(key)
    if throttle is None:
        old = None if previous is None else previous.throttles.get(key)
        throttle = old if old is not None else RetryThrottle(options.max_tokens, options.token_ratio)
        throttles[key] = throttle
    return throttle


def _hedger(policy: Policy, old: RouteState | None) -> Hedger | None:
    if policy.hedge is None:
        return None
    hedger = Hedger(policy.hedge)
    if old is not None and old.hedger is not None:
        hedger.carry_over(old.hedger)
    return hedger


def _gate(policy: Policy, old: RouteState | None) -> HopelessGate | None:
    options = policy.deadline
    if options is None or options.hopeless == deadline.OFF:
        return None
    gate = HopelessGate(options)
    if old is not None and old.gate is not None:
        gate.carry_over(old.gate)
    return gate


def _latency(policy: Policy, old: RouteState | None, now: float) -> LatencyEstimate | None:
    watches = policy.deadline is not None and policy.deadline.hopeless != deadline.OFF
    if not watches and policy.hedge is None and policy.retry.most_attempts <= 1:
        return None
    quantile = 0.95 if policy.hedge is None or policy.hedge.quantile == 0.0 else policy.hedge.quantile
    latency = LatencyEstimate(quantile, now)
    if old is not None and old.latency is not None:
        latency.carry_over(old.latency)
    return latency
