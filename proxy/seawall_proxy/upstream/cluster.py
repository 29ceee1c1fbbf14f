"""Choosing an endpoint, and keeping the clusters of the policy in force.

An endpoint is eligible unless it is in backoff. Endpoints that a call has tried already are left out as long
as another one is eligible. When none is, the call is refused at once instead of waiting for a backoff to end.
"""

from __future__ import annotations

from collections.abc import Callable

from seawall_policy.balance import pick_random, pick_round_robin
from seawall_policy.model import BALANCE_LEAST_REQUEST, ClusterSpec
from seawall_proxy.call.timers import TimerWheel
from seawall_proxy.call.upstream_port import UpstreamCluster, UpstreamEndpoint
from seawall_proxy.upstream.endpoint import BACKOFF, Dialer, Endpoint, StateListener


class Cluster(UpstreamCluster):
    """The endpoints of one cluster of the policy."""

    def __init__(
        self,
        spec: ClusterSpec,
        dialer: Dialer,
        timers: TimerWheel,
        draw: Callable[[], float],
        keep: dict[str, Endpoint],
    ) -> None:
        super().__init__(spec.name, spec.max_in_flight, spec.authority)
        self.spec: ClusterSpec = spec
        self.endpoints: list[Endpoint] = []
        self.eligible: list[bool] = []
        self._draw: Callable[[], float] = draw
        self._turn: int = 0
        self._current: bool = False
        self._listener: _Eligibility = _Eligibility(self)
        for index in range(len(spec.endpoints)):
            address = spec.endpoints[index]
            endpoint = keep.pop(address, None)
            if endpoint is None:
                endpoint = Endpoint(address, index, spec.connect_timeout_s, dialer, timers, draw)
            self.endpoints.append(endpoint)
            self.eligible.append(True)

    def take_over(self) -> None:
        """Become the cluster that its endpoints report to."""
        self._current = True
        for index in range(len(self.endpoints)):
            endpoint = self.endpoints[index]
            endpoint.index = index
            endpoint.on_state = self._listener
        self._look()

    def step_down(self) -> None:
        """Leave the policy: from now on only calls that were born before ask for endpoints."""
        self._current = False

    def _look(self) -> None:
        for index in range(len(self.endpoints)):
            endpoint = self.endpoints[index]
            self.eligible[index] = endpoint.state != BACKOFF and not endpoint.retired

    def bit(self, endpoint: UpstreamEndpoint) -> int:
        # Not by its index, which belongs to the policy in force, and that may not be the caller's.
        for index in range(len(self.endpoints)):
            if self.endpoints[index] is endpoint:
                return 1 << index
        return 0

    def pick(self, tried: int) -> UpstreamEndpoint | None:
        if not self._current:
            self._look()
        index = self._pick(tried)
        if index < 0 and tried != 0:
            index = self._pick(0)
        return None if index < 0 else self.endpoints[index]

    def _pick(self, excluded: int) -> int:
        endpoints = self.endpoints
        count = len(endpoints)
        if self.spec.balance != BALANCE_LEAST_REQUEST or count == 1:
            index = pick_round_robin(self._turn, count, self.eligible, excluded)
            if index >= 0 and excluded == 0:
                # Repeats do not move the turn: one failing endpoint would draw first attempts to itself.
                self._turn = index + 1
            return index
        first = pick_random(count, self.eligible, self._draw(), excluded)
        if first < 0:
            return first
        second = pick_random(count, self.eligible, self._draw(), excluded | 1 << first)
        if second >= 0 and endpoints[second].in_flight < endpoints[first].in_flight:
            return second
        return first


class _Eligibility(StateListener):
    """Keeps a cluster's list of eligible endpoints."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster: Cluster = cluster

    def endpoint_changed(self, endpoint: Endpoint) -> None:
        self._cluster.eligible[endpoint.index] = endpoint.state != BACKOFF


class ClusterSet:
    """All clusters of the policy in force, and what older ones left to finish."""

    def __init__(self, dialer: Dialer, timers: TimerWheel, draw: Callable[[], float]) -> None:
        self.clusters: dict[str, Cluster] = {}
        self.retired: list[Endpoint] = []
        self._dialer: Dialer = dialer
        self._timers: TimerWheel = timers
        self._draw: Callable[[], float] = draw

    def prepare(self, specs: dict[str, ClusterSpec]) -> dict[str, Cluster]:
        """Return clusters for a new policy, reusing unchanged ones and the endpoints of changed ones; `adopt`
        completes it.
        """
        result: dict[str, Cluster] = {}
        for name, spec in specs.items():
            old = self.clusters.get(name)
            if old is not None and _same(old.spec, spec):
                result[name] = old
                continue
            keep = {} if old is None else {endpoint.address: endpoint for endpoint in old.endpoints}
            if old is not None and old.spec.connect_timeout_s != spec.connect_timeout_s:
                keep = {}
            result[name] = Cluster(spec, self._dialer, self._timers, self._draw, keep)
        return result

    def adopt(self, clusters: dict[str, Cluster]) -> None:
        """Make `clusters` current and retire every endpoint that is in none of them."""
        current = set()
        for cluster in self.clusters.values():
            cluster.step_down()
        for cluster in clusters.values():
            cluster.take_over()
            for endpoint in cluster.endpoints:
                current.add(id(endpoint))
        for cluster in self.clusters.values():
            for endpoint in cluster.endpoints:
                if id(endpoint) not in current:
                    endpoint.retire()
                    self.retired.append(endpoint)
        self.clusters = clusters

    def warm(self) -> None:
        """Dial every endpoint that has not been tried, so that the first call finds a connection."""
        for cluster in self.clusters.values():
            for endpoint in cluster.endpoints:
                if endpoint.state == 0:
                    endpoint.dial()

    def sweep(self, now: float) -> None:
        """Look after all connections; due about once a second."""
        for cluster in self.clusters.values():
            for endpoint in cluster.endpoints:
                endpoint.sweep(now)
        for endpoint in self.retired:
            endpoint.sweep(now)
        self.retired = [endpoint for endpoint in self.retired if not endpoint.is_drained()]

    def close(self) -> None:
        """End every connection now."""
        for cluster in self.clusters.values():
            for endpoint in cluster.endpoints:
                endpoint.close()
        for endpoint in self.retired:
            endpoint.close()


def _same(a: ClusterSpec, b: ClusterSpec) -> bool:
    return (
        a.endpoints == b.endpoints
        and a.balance == b.balance
        and a.max_in_flight == b.max_in_flight
        and a.connect_timeout_s == b.connect_timeout_s
        and a.authority == b.authority
    )
