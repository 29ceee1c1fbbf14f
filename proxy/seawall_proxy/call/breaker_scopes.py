"""Breakers that are not a whole route's: one for each of its methods, or one for each endpoint.

A method gets a breaker of its own under the rule by which it gets statistics of its own (`methods`): the
policy or a descriptor names it, or a server has answered it. All others of the route share `_OTHER`, so no
caller can make breakers grow. Addresses come from the policy and the name service; one that is new when all
places are taken gets the place of one whose breaker is closed and idle.

An endpoint whose breaker is open is passed over like one that is away. Only when the breakers forbid every
endpoint that can be reached is the attempt rejected.

Keys: `route/package.Service/Method`, `route/_OTHER`, `route@address`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from seawall_policy.breaker import CLOSED, PER_ENDPOINT, Breaker, BreakerOptions
from seawall_policy.model import MethodInfo
from seawall_proxy.call.methods import OTHER
from seawall_proxy.call.upstream_port import UpstreamCluster, UpstreamEndpoint
from seawall_proxy.telemetry.counters import MethodCounters

MAX_OWN: Final = 500
"""Breakers of one route."""
_MAX_NAME_BYTES: Final = 256


class ScopedBreakers:
    """The breakers of one route."""

    def __init__(self, route: str, options: BreakerOptions, draw: Callable[[], float]) -> None:
        self.route: str = route
        self.options: BreakerOptions = options
        self.per_endpoint: bool = options.scope == PER_ENDPOINT
        self.max_own: int = MAX_OWN
        self.permit: int = -1
        """What `choose` was given by the breaker that it leaves in `chosen`."""
        self.chosen: Breaker | None = None
        self.gone_opened: int = 0
        """Counted by breakers that are no more."""
        self.gone_rejected: int = 0
        self.gone_would_reject: int = 0
        self._draw: Callable[[], float] = draw
        self._mark: str = "@" if self.per_endpoint else "/"
        self._own: dict[str, Breaker] = {}
        """By address, or by method as `package.Service/Method`."""
        self._by_path: dict[bytes, Breaker] = {}

    def all(self) -> list[Breaker]:
        """Return every breaker that there is."""
        return list(self._own.values())

    def follow(self, options: BreakerOptions, now: float) -> None:
        """Go on under a new policy; what has been learned is kept."""
        self.options = options
        for name, old in list(self._own.items()):
            new = Breaker(options, self._draw, old.key)
            new.carry_over(old, now)
            self._own[name] = new
        for path in list(self._by_path):
            self._by_path[path] = self._own[path[1:].decode("ascii", "replace")]

    def find(self, key: str) -> Breaker | None:
        """Return the breaker of a key; None where there is none."""
        prefix = self.route + self._mark
        return self._own.get(key[len(prefix) :]) if key.startswith(prefix) else None

    def ensure(self, key: str) -> Breaker | None:
        """Return the breaker of a key, made if need be; None where the key is not this route's."""
        prefix = self.route + self._mark
        if not key.startswith(prefix) or len(key) == len(prefix):
            return None
        name = key[len(prefix) :]
        if self.per_endpoint:
            return self.of_endpoint(name)
        return self.other() if name == OTHER else self._of_path(b"/" + name.encode("ascii", "replace"))

    def retry_after(self, path: bytes, now: float) -> float:
        """Return after how many seconds a call that was rejected may come back."""
        if not self.per_endpoint:
            return self._by_path.get(path, self.other()).retry_after(now)
        least = inf
        for breaker in self._own.values():
            wait = breaker.retry_after(now)
            if wait > 0.0:
                least = min(least, wait)
        return least if least < inf else 0.0

    # of methods

    def of_method(
        self, path: bytes, slot: MethodCounters | None, named: bool, methods: dict[bytes, MethodInfo]
    ) -> Breaker | None:
        """Return the breaker of a call of `path`, None where endpoints have them. `slot` is the method's
        statistics if they are known, and `named` tells that the route is for one method.
        """
        if self.per_endpoint:
            return None
        breaker = self._by_path.get(path)
        if breaker is not None:
            return breaker
        learned = slot is not None and slot.method != OTHER and slot.owner.route == self.route
        if learned or named or path in methods:
            return self._of_path(path)
        return self.other()

    def watching(self, path: bytes) -> Breaker | None:
        """Return the breaker that calls of `path` have met; None where endpoints have them."""
        return None if self.per_endpoint else self._by_path.get(path, self._own.get(OTHER))

    def other(self) -> Breaker:
        """Return the breaker of the methods that have none of their own."""
        breaker = self._own.get(OTHER)
        return self._make(OTHER) if breaker is None else breaker

    def _of_path(self, path: bytes) -> Breaker:
        breaker = self._by_path.get(path)
        if breaker is None:
            if len(self._by_path) >= self.max_own or len(path) > _MAX_NAME_BYTES:
                return self.other()
            breaker = self._make(path[1:].decode("ascii", "replace"))
            self._by_path[path] = breaker
        return breaker

    def _make(self, name: str) -> Breaker:
        breaker = Breaker(self.options, self._draw, f"{self.route}{self._mark}{name}")
        self._own[name] = breaker
        return breaker

    # of endpoints

    def choose(
        self,
        cluster: UpstreamCluster,
        endpoint: UpstreamEndpoint,
        key: bytes | None,
        tried: int,
        now: float,
    ) -> UpstreamEndpoint | None:
        """Return the endpoint that an attempt may go to, with `chosen` and `permit`: the one that was picked
        if its breaker lets it, else another. None when no breaker does; then `chosen` has refused. `key` is
        the value that the cluster is hashed by, if it is, and `tried` the mask of what the call has tried.
        """
        blocked = 0
        while True:
            breaker = self.of_endpoint(endpoint.address)
            self.chosen = breaker
            asked = breaker.would_admit(now)
            if asked:
                self.permit = breaker.admit(now)
                if self.permit >= 0:
                    return endpoint
            blocked |= cluster.bit(endpoint)
            other = self._pick(cluster, key, tried | blocked)
            if other is not None and cluster.bit(other) & blocked:
                # Rather one that was tried before than one that is open.
                other = self._pick(cluster, key, blocked)
            if other is None or cluster.bit(other) & blocked:
                if asked:
                    # It has drawn a blank on its ramp, and must not draw again: nobody would use the permit.
                    return None
                self.permit = breaker.admit(now)
                return endpoint if self.permit >= 0 else None
            endpoint = other

    def _pick(self, cluster: UpstreamCluster, key: bytes | None, tried: int) -> UpstreamEndpoint | None:
        return cluster.pick(tried) if key is None else cluster.pick_for(key, tried)

    def of_endpoint(self, address: str) -> Breaker:
        """Return the breaker of an address."""
        breaker = self._own.get(address)
        if breaker is None:
            if len(self._own) >= self.max_own:
                self._make_room()
            breaker = self._make(address)
        return breaker

    def _make_room(self) -> None:
        """Forget the breaker that is missed least: a closed and idle one, else the oldest."""
        least = ""
        for address, breaker in self._own.items():
            if breaker.state == CLOSED and breaker.in_flight == 0:
                least = address
                break
            if least == "":
                least = address
        gone = self._own.pop(least)
        self.gone_opened += gone.opened_count
        self.gone_rejected += gone.rejected
        self.gone_would_reject += gone.would_reject
