"""The clusters of the policy in force, by name.

A document is prepared first, which changes nothing of what is in force, and adopted when all of it is known
to be good. Clusters that stay are changed in place, endpoints that left finish what they have: every such
endpoint is kept here until its last stream has ended, whatever cluster it was in.
"""

from __future__ import annotations

from collections.abc import Callable

from seawall_policy.model import ClusterSpec
from seawall_proxy.call.timers import TimerWheel
from seawall_proxy.upstream.cluster import CheckedHealth, Cluster, ClusterFace, FoundMembers
from seawall_proxy.upstream.discovery import Finder
from seawall_proxy.upstream.endpoint import Endpoint
from seawall_proxy.upstream.health_checks import HealthChecks
from seawall_proxy.upstream.link import Dialer
from seawall_proxy.upstream.ports import Prober, Resolver, UpstreamObserver


class ClusterSet:
    """All clusters of the policy in force, and what older ones left to finish."""

    def __init__(self, dialer: Dialer, timers: TimerWheel, draw: Callable[[], float]) -> None:
        self.clusters: dict[str, Cluster] = {}
        self.retired: list[Endpoint] = []
        self.zone: str = ""
        """Where this proxy runs; empty: no zone comes first."""
        self.resolver: Resolver = Resolver()
        self.prober: Prober = Prober()
        self.observer: UpstreamObserver = UpstreamObserver()
        self._dialer: Dialer = dialer
        self._timers: TimerWheel = timers
        self._draw: Callable[[], float] = draw

    def prepare(self, specs: dict[str, ClusterSpec]) -> dict[str, ClusterFace]:
        """Return the clusters as a new policy has them; nothing changes until `adopt`."""
        result: dict[str, ClusterFace] = {}
        for name, spec in specs.items():
            cluster = self.clusters.get(name)
            if cluster is None:
                cluster = Cluster(spec, self._dialer, self._timers, self._draw, self.retired, self.observer)
            result[name] = ClusterFace(cluster, spec)
        return result

    def adopt(self, faces: dict[str, ClusterFace]) -> None:
        """Make what `prepare` returned current, and let everything finish that is not in it."""
        before = self.clusters
        self.clusters = {}
        for name, face in faces.items():
            self.clusters[name] = face.cluster
        for name, cluster in before.items():
            if name not in faces:
                cluster.close()
        for face in faces.values():
            self._install(face.cluster, face.spec)

    def _install(self, cluster: Cluster, spec: ClusterSpec) -> None:
        cluster.zone = self.zone
        if spec.dns is None:
            if cluster.finder is not None:
                cluster.finder.stop()
                cluster.finder = None
            cluster.install(spec, spec.endpoints)
        else:
            # What is there stays until the name service has said something else.
            cluster.install(spec, tuple([endpoint.address for endpoint in cluster.endpoints]))
            self._find(cluster)
        self._check(cluster)

    def _find(self, cluster: Cluster) -> None:
        dns = cluster.spec.dns
        assert dns is not None
        finder = cluster.finder
        if finder is not None:
            if finder.target.key() == dns.key():
                return
            finder.stop()
        finder = Finder(
            cluster.name, dns, self.resolver, self._timers, self._draw, self.observer, FoundMembers(cluster)
        )
        cluster.finder = finder
        finder.start()

    def _check(self, cluster: Cluster) -> None:
        spec = cluster.spec
        options = spec.health_check
        checks = cluster.checks
        scheme = b"http" if spec.tls is None else b"https"
        if options is None:
            if checks is not None:
                cluster.check_with(None)
            return
        if (
            checks is not None
            and checks.options.key() == options.key()
            and checks.scheme == scheme
            and checks.authority == spec.authority
        ):
            return
        cluster.check_with(
            HealthChecks(
                cluster.name,
                options,
                scheme,
                spec.authority,
                self.prober,
                self._timers,
                self._draw,
                self.observer,
                CheckedHealth(cluster),
            )
        )

    def warm(self) -> None:
        """Dial every endpoint that has not been tried, so that the first call finds a connection."""
        for cluster in self.clusters.values():
            cluster.dial_new()

    def sweep(self, now: float) -> None:
        """Look after all connections; due about once a second."""
        for cluster in self.clusters.values():
            cluster.sweep(now)
        if len(self.retired) > 0:
            left: list[Endpoint] = []
            for endpoint in self.retired:
                endpoint.sweep(now)
                if not endpoint.is_drained():
                    left.append(endpoint)
            # The list itself is shared with the clusters.
            self.retired.clear()
            self.retired.extend(left)

    def close(self) -> None:
        """End every connection now."""
        for cluster in self.clusters.values():
            endpoints = cluster.endpoints
            cluster.close()
            for endpoint in endpoints:
                endpoint.close()
        for endpoint in self.retired:
            endpoint.close()
