"""A cluster: who its members are, and which of them takes an attempt.

A cluster lives as long as its name is in the policy, and an endpoint as long as its address is in the
cluster: a new document, or a new answer of the name service, changes them in place. So what was learned about
an endpoint stays, attempts in flight go on counting, and the retry of a call that was born before the change
goes to an endpoint of now. What a call was promised (authority, limit, what it is hashed by) is another
matter: a `ClusterFace` is the cluster as one document has it.

Each endpoint has a slot, a number that no other member has meanwhile; the slots that a call has tried are
left out as long as another endpoint can be had.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seawall_policy.balance.levels import Spread, level_of, spread
from seawall_policy.balance.round_robin import Turns
from seawall_policy.balance.weighted import NONE
from seawall_policy.health import UNHEALTHY, UNKNOWN
from seawall_policy.model import BALANCE_PEAK_EWMA, BALANCE_RING_HASH, BALANCE_ROUND_ROBIN, ClusterSpec
from seawall_policy.outlier.options import ENFORCE
from seawall_policy.outlier.tally import NO_LIMIT as ANY_NUMBER
from seawall_proxy.call.timers import Timed, TimerWheel
from seawall_proxy.call.upstream_port import ClusterLoad, UpstreamCluster, UpstreamEndpoint
from seawall_proxy.upstream.discovery import Finder, MemberSink
from seawall_proxy.upstream.endpoint import IDLE, READY, Endpoint, StateListener
from seawall_proxy.upstream.health_checks import HealthChecks, HealthSink
from seawall_proxy.upstream.level import Level
from seawall_proxy.upstream.link import Dialer
from seawall_proxy.upstream.member import Member
from seawall_proxy.upstream.outliers import EjectionSink, Outliers
from seawall_proxy.upstream.ports import UpstreamObserver

_LEVEL_DRAWS: Final = 9973


class ClusterFace(UpstreamCluster):
    """A cluster as one document describes it: what its calls hold."""

    def __init__(self, cluster: Cluster, spec: ClusterSpec) -> None:
        super().__init__(spec.name, spec.max_in_flight, spec.authority, cluster.load)
        self.cluster: Cluster = cluster
        self.spec: ClusterSpec = spec
        self.secure = spec.tls is not None
        hashing = spec.hashing
        if hashing is not None and spec.balance == BALANCE_RING_HASH:
            self.hash_name = hashing.metadata

    def pick(self, tried: int) -> UpstreamEndpoint | None:
        cluster = self.cluster
        turns = cluster.turns
        if turns is None or tried != 0 or cluster.stale:
            return cluster.pick(tried)
        # The common case, without the calls that lead there.
        slot = turns.take()
        return None if slot < 0 else cluster.slots[slot]

    def pick_for(self, key: bytes, tried: int) -> UpstreamEndpoint | None:
        return self.cluster.pick_for(key, tried)

    def is_full(self) -> bool:
        return self.cluster.is_full()


class Cluster:
    """The endpoints of one cluster, whatever the document."""

    def __init__(
        self,
        spec: ClusterSpec,
        dialer: Dialer,
        timers: TimerWheel,
        draw: Callable[[], float],
        retired: list[Endpoint],
        observer: UpstreamObserver,
    ) -> None:
        self.name: str = spec.name
        self.load: ClusterLoad = ClusterLoad()
        self.spec: ClusterSpec = spec
        self.zone: str = ""
        """The proxy's own."""
        self.endpoints: list[Endpoint] = []
        """In the order of the document, or of the answer of the name service."""
        self.panicking: bool = False
        """The verdicts of health checks are ignored in some level at present."""
        self.panics: int = 0
        """How often that has begun."""
        self.finder: Finder | None = None
        """Looks the members up; None when the document names them."""
        self.checks: HealthChecks | None = None
        self.stale: bool = True
        """Something has changed since the levels were filled."""
        self._dialer: Dialer = dialer
        self._timers: TimerWheel = timers
        self._draw: Callable[[], float] = draw
        self._retired: list[Endpoint] = retired
        self._observer: UpstreamObserver = observer
        self.slots: list[Endpoint | None] = []
        self._levels: list[Level] = []
        self.turns: Turns | None = None
        """Whose turn it is, where all calls take turns in one level."""
        self._only: Level | None = None
        """The level that takes all calls, if there is just one that does."""
        self._shares: list[float] = []
        self._listener: _Changes = _Changes(self)
        self.outliers: Outliers = Outliers(spec.name, timers, draw, observer, _Ejections(self))
        self._parked: set[str] = set()
        self.limited: bool = False
        """Some endpoint may have only so many attempts in flight."""
        self._warm_up: _WarmUp = _WarmUp(self)

    @property
    def in_flight(self) -> int:
        """Attempts in flight to the cluster."""
        return self.load.in_flight

    @property
    def max_in_flight(self) -> int:
        """The limit in force."""
        return self.spec.max_in_flight

    # members

    def install(self, spec: ClusterSpec, addresses: tuple[str, ...]) -> None:
        """Do as a document says from now on, with these members; `ClusterSet` sees to finder and checks."""
        old = self.spec
        self.spec = spec
        if old.balance != spec.balance:
            self._levels = []
        self.outliers.configure(spec.outlier)
        self.set_members(addresses, keep=same_transport(old, spec))

    def set_members(self, addresses: tuple[str, ...], keep: bool = True) -> None:
        """Take in those that are new, and let those that are missing finish what they have; all are new
        unless `keep`.
        """
        before = self.endpoints
        known: dict[str, Endpoint] = {endpoint.address: endpoint for endpoint in before} if keep else {}
        members: list[Endpoint] = []
        for address in addresses:
            endpoint = known.pop(address, None)
            if endpoint is None:
                endpoint = self._add(address)
            traits = self.spec.traits_of(address)
            endpoint.weight = traits.weight
            endpoint.zone = traits.zone
            endpoint.priority = traits.priority
            endpoint.tls = self.spec.tls
            endpoint.options = self.spec.connection
            endpoint.most = self.spec.max_in_flight_per_endpoint or ANY_NUMBER
            endpoint.watched = self.spec.balance == BALANCE_PEAK_EWMA
            endpoint.parked = address in self._parked
            members.append(endpoint)
        left: list[Endpoint] = list(known.values()) if keep else before
        for endpoint in left:
            self.slots[endpoint.index] = None
        self.endpoints = members
        self._watch(members)
        self._regroup()
        if self.checks is not None:
            self.checks.set_endpoints(members)
        # Last, since whoever waited for one of them looks for another endpoint at once.
        for endpoint in left:
            self._retired.append(endpoint)
            endpoint.retire()

    def _watch(self, endpoints: list[Endpoint]) -> None:
        self.outliers.set_members(list[Member](endpoints))
        options = self.spec.outlier
        for endpoint in endpoints:
            endpoint.set_room(options is not None and options.mode == ENFORCE)
            self._note_reach(endpoint)

    def _note_reach(self, endpoint: Endpoint) -> None:
        tally = endpoint.tally
        if tally is not None:
            tally.reachable = endpoint.usable and endpoint.health != UNHEALTHY

    def _add(self, address: str) -> Endpoint:
        slot = 0
        while slot < len(self.slots) and self.slots[slot] is not None:
            slot += 1
        spec = self.spec
        endpoint = Endpoint(address, slot, spec.connect_timeout_s, self._dialer, self._timers, self._draw)
        endpoint.on_state = self._listener
        if slot == len(self.slots):
            self.slots.append(endpoint)
        else:
            self.slots[slot] = endpoint
        return endpoint

    def _regroup(self) -> None:
        """Put the members into levels: by priority, and in each the proxy's zone before the others."""
        groups: dict[tuple[int, bool], list[Endpoint]] = {}
        for endpoint in self.endpoints:
            elsewhere = self.zone not in ("", endpoint.zone)
            groups.setdefault((endpoint.priority, elsewhere), []).append(endpoint)
        before: dict[tuple[int, bool], Level] = {}
        for level in self._levels:
            before[level.priority, level.elsewhere] = level
        self._levels = []
        for place in sorted(groups):
            kept = before.get(place)
            if kept is None:
                kept = Level(self.spec.balance, place[0], place[1], self._draw)
            kept.set_endpoints(groups[place], self.spec.hashing)
            self._levels.append(kept)
        self.stale = True

    def park(self, addresses: set[str]) -> None:
        """Take the members with these addresses out of service, and all others back into it; also those that
        come later.
        """
        self._parked = addresses
        for endpoint in self.endpoints:
            endpoint.parked = endpoint.address in addresses
        self.stale = True

    def dial_new(self) -> None:
        """Dial every member that has not been tried, so that the first call finds a connection."""
        for endpoint in self.endpoints:
            if endpoint.state == IDLE and endpoint.connects == 0:
                endpoint.dial()

    def close(self) -> None:
        """Leave the policy: nothing is picked any more, endpoints finish what they have."""
        if self.finder is not None:
            self.finder.stop()
            self.finder = None
        self.set_members(())
        self.outliers.configure(None)
        self.checks = None
        self._timers.cancel(self._warm_up)

    # changes

    def endpoint_changed(self, endpoint: Endpoint) -> None:
        """Learn that an endpoint is in another state."""
        self.stale = True
        self._note_reach(endpoint)
        if endpoint.state == READY:
            if endpoint.cold:
                endpoint.cold = False
                endpoint.warm_since = self._timers.now
            if self.checks is not None:
                self.checks.ready(endpoint)
        elif self.finder is not None and endpoint.connects + endpoint.connect_failures > 0:
            self.finder.hurry()

    def health_changed(self, endpoint: Endpoint, health: int) -> None:
        """Learn what the checks say about an endpoint."""
        if endpoint.health == UNHEALTHY:
            endpoint.warm_since = self._timers.now
        endpoint.health = health
        self._note_reach(endpoint)
        self.stale = True

    def check_with(self, checks: HealthChecks | None) -> None:
        """Have the members checked like this from now on; nothing is known about them until then."""
        if self.checks is not None:
            self.checks.stop()
        for endpoint in self.endpoints:
            endpoint.health = UNKNOWN
        self.stale = True
        self.checks = checks
        if checks is not None:
            checks.set_endpoints(self.endpoints)

    def _refresh(self) -> None:
        self.stale = False
        totals: list[int] = []
        available: list[int] = []
        for level in self._levels:
            totals.append(level.wanted())
            available.append(level.available())
        plan = spread(totals, available, self.spec.panic_threshold)
        self._fill(plan)
        self._shares = plan.shares
        self._only = None
        self.turns = None
        self.limited = False
        for endpoint in self.endpoints:
            if endpoint.room != ANY_NUMBER:
                self.limited = True
        for number in range(len(self._levels)):
            if plan.shares[number] > 0.999999 and self._levels[number].pool.count > 0:
                self._only = self._levels[number]
                if self.spec.balance == BALANCE_ROUND_ROBIN and not self.limited:
                    self.turns = self._levels[number].turns

    def _fill(self, plan: Spread) -> None:
        now = self._timers.now
        ignored = False
        warming = False
        for number in range(len(self._levels)):
            level = self._levels[number]
            if level.fill(plan.panic[number], self.spec.slow_start, now):
                ignored = True
            warming = warming or level.warming
        if ignored and not self.panicking:
            self.panics += 1
            self._observer.panic_began(self.name)
        self.panicking = ignored
        slow_start = self.spec.slow_start
        if warming and slow_start is not None and self._warm_up.tick < 0:
            self._timers.arm(self._warm_up, now + slow_start.step_s())

    # picks

    def pick(self, tried: int) -> UpstreamEndpoint | None:
        """Choose an endpoint, one outside the mask `tried` if possible; None when none can be reached."""
        if self.stale:
            self._refresh()
        only = self._only
        slot = self._pick(tried) if only is None else only.pick(tried, self._timers.now)
        if slot < 0 and tried != 0:
            slot = self._pick(tried)
            if slot < 0:
                slot = self._pick(0)
        if slot < 0:
            return None
        endpoint = self.slots[slot]
        if self.limited and endpoint is not None and endpoint.in_flight >= endpoint.room:
            return self._pick_with_room(None, tried)
        return endpoint

    def _pick_with_room(self, key: bytes | None, tried: int) -> UpstreamEndpoint | None:
        """Choose among those that have room; when none has, those that lack it only because they are ejected
        or on trial are better than a refusal.
        """
        no_room = 0
        full = 0
        for endpoint in self.endpoints:
            if endpoint.in_flight >= endpoint.room:
                no_room |= 1 << endpoint.index
            if endpoint.in_flight >= endpoint.most:
                full |= 1 << endpoint.index
        for excluded in (tried | no_room, no_room, tried | full, full):
            slot = self._pick(excluded) if key is None else self._pick_hashed(key, excluded)
            if slot >= 0:
                return self.slots[slot]
        return None

    def is_full(self) -> bool:
        """Tell whether endpoints can be reached, and none of them may have another attempt in flight."""
        if not self.limited:
            return False
        pickable = 0
        for level in self._levels:
            pickable += level.pool.count
        return pickable > 0

    def _pick(self, tried: int) -> int:
        """Draw a level, and take one of its endpoints, or else one of another level."""
        levels = self._levels
        now = self._timers.now
        if len(levels) == 0:
            return NONE
        chosen = level_of(self._shares, self._draw()) if len(levels) > 1 else 0
        slot = levels[chosen].pick(tried, now)
        if slot >= 0:
            return slot
        for level in levels:
            slot = level.pick(tried, now)
            if slot >= 0:
                return slot
        return NONE

    def pick_for(self, key: bytes, tried: int) -> UpstreamEndpoint | None:
        """Choose the endpoint for a key; otherwise as `pick`."""
        if self.spec.balance != BALANCE_RING_HASH:
            # Asked for by a call under an older document.
            return self.pick(tried)
        if self.stale:
            self._refresh()
        slot = self._pick_hashed(key, tried)
        if slot < 0 and tried != 0:
            slot = self._pick_hashed(key, 0)
        if slot < 0:
            return None
        endpoint = self.slots[slot]
        if self.limited and endpoint is not None and endpoint.in_flight >= endpoint.room:
            return self._pick_with_room(key, tried)
        return endpoint

    def _pick_hashed(self, key: bytes, tried: int) -> int:
        levels = self._levels
        if len(levels) == 0:
            return NONE
        chosen = 0
        if len(levels) > 1:
            # By the key too, or its calls would move between levels.
            chosen = level_of(self._shares, (levels[0].hash(key) % _LEVEL_DRAWS) / _LEVEL_DRAWS)
        slot = levels[chosen].pick_hashed(key, tried)
        if slot >= 0:
            return slot
        for level in levels:
            slot = level.pick_hashed(key, tried)
            if slot >= 0:
                return slot
        return NONE

    # housekeeping

    def sweep(self, now: float) -> None:
        """Look after all connections; due about once a second."""
        for endpoint in self.endpoints:
            endpoint.sweep(now)
        if self.checks is not None:
            self.checks.sweep(now)
        if self.stale:
            # What is shown (panic) must not wait for the next call.
            self._refresh()


class _Changes(StateListener):
    """Hears about a cluster's endpoints."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster: Cluster = cluster

    def endpoint_changed(self, endpoint: Endpoint) -> None:
        self._cluster.endpoint_changed(endpoint)


class _Ejections(EjectionSink):
    """Hears about a cluster's outliers."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster: Cluster = cluster

    def ejections_changed(self) -> None:
        self._cluster.stale = True


class _WarmUp(Timed):
    """Has weights computed again while endpoints warm up."""

    def __init__(self, cluster: Cluster) -> None:
        self.tick = -1
        self._cluster: Cluster = cluster

    def fire(self, now: float) -> None:
        self._cluster.stale = True


class FoundMembers(MemberSink):
    """Gives a cluster what its finder has found."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster: Cluster = cluster

    def found(self, addresses: tuple[str, ...]) -> None:
        self._cluster.set_members(addresses)
        self._cluster.dial_new()


class CheckedHealth(HealthSink):
    """Tells a cluster what its checks say."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster: Cluster = cluster

    def health_changed(self, endpoint: Endpoint, health: int) -> None:
        self._cluster.health_changed(endpoint, health)

    def check_passed(self, endpoint: Endpoint) -> None:
        self._cluster.outliers.check_passed(endpoint)


def same_transport(a: ClusterSpec, b: ClusterSpec) -> bool:
    """Tell whether connections made for one document are as good for the other."""
    if (a.tls is None) != (b.tls is None):
        return False
    if a.tls is not None and b.tls is not None and a.tls.key() != b.tls.key():
        return False
    return a.connect_timeout_s == b.connect_timeout_s
