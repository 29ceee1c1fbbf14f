"""The endpoints of one priority, or the part of them in the proxy's own zone, and how one of them is picked.

A level is filled again whenever an endpoint's state, health or weight changes, not at each pick: what a pick
looks at holds only endpoints that may be picked, so its cost does not depend on how many there are. Calls go
to endpoints with a connection; to those that are being connected only while there is no other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seawall_policy.balance.least_request import draw_two, is_less_busy
from seawall_policy.balance.ring_hash import HashRing
from seawall_policy.balance.round_robin import Turns
from seawall_policy.balance.slow_start import SlowStart
from seawall_policy.balance.weighted import NONE, WeightedDraw
from seawall_policy.health import UNHEALTHY
from seawall_policy.members import HashOptions
from seawall_policy.model import (
    BALANCE_LEAST_REQUEST,
    BALANCE_PEAK_EWMA,
    BALANCE_RING_HASH,
    BALANCE_ROUND_ROBIN,
)
from seawall_proxy.upstream.endpoint import BACKOFF, CONNECTING, Endpoint

_NOBODY: Final = WeightedDraw([], [])


class Level:
    """Some of a cluster's endpoints."""

    def __init__(self, balance: int, priority: int, elsewhere: bool, draw: Callable[[], float]) -> None:
        self.balance: int = balance
        self.priority: int = priority
        self.elsewhere: bool = elsewhere
        """The endpoints that are not in the proxy's zone."""
        self.endpoints: list[Endpoint] = []
        self.turns: Turns = Turns()
        self.pool: WeightedDraw = _NOBODY
        self.warming: bool = False
        """Some endpoint has not its full weight yet."""
        self._by_slot: dict[int, Endpoint] = {}
        self._allowed: int = 0
        self._ring: HashRing | None = None
        self._draw: Callable[[], float] = draw

    def set_endpoints(self, endpoints: list[Endpoint], hashing: HashOptions | None) -> None:
        """Take the members, whatever their state."""
        self.endpoints = endpoints
        self._by_slot = {endpoint.index: endpoint for endpoint in endpoints}
        self._ring = None
        if hashing is not None and self.balance == BALANCE_RING_HASH:
            self._ring = HashRing(
                [endpoint.index for endpoint in endpoints],
                [endpoint.address for endpoint in endpoints],
                [float(endpoint.weight) for endpoint in endpoints],
                hashing.min_ring,
                hashing.max_ring,
            )

    def wanted(self) -> int:
        """Return how many endpoints ought to serve: all but those that a person has taken out."""
        count = 0
        for endpoint in self.endpoints:
            if not endpoint.parked:
                count += 1
        return count

    def available(self) -> int:
        """Return how many endpoints can be expected to serve."""
        count = 0
        for endpoint in self.endpoints:
            if (
                endpoint.usable
                and endpoint.health != UNHEALTHY
                and not endpoint.ejected
                and not endpoint.parked
            ):
                count += 1
        return count

    def fill(self, panic: bool, slow_start: SlowStart | None, now: float) -> bool:
        """Look at the endpoints; with `panic` their health is ignored, and ejected ones get one attempt at a
        time. Return whether that made a difference.
        """
        ready: list[Endpoint] = []
        coming: list[Endpoint] = []
        ignored = False
        for endpoint in self.endpoints:
            if endpoint.retired or endpoint.state == BACKOFF or endpoint.parked:
                continue
            if endpoint.health == UNHEALTHY or endpoint.ejected:
                if not panic:
                    continue
                ignored = True
            if endpoint.state != CONNECTING:
                ready.append(endpoint)
            elif endpoint.usable:
                coming.append(endpoint)
        if len(ready) == 0:
            ready = coming if len(coming) > 0 else self._last_hope(panic)
        self._set_pool(ready, slow_start, now)
        return ignored

    def _last_hope(self, panic: bool) -> list[Endpoint]:
        """Return the ejected endpoints, or those that are being dialled again after a failure: better than a
        refusal.
        """
        found = [
            e for e in self.endpoints if e.ejected and e.usable and e.health != UNHEALTHY and not e.parked
        ]
        if len(found) > 0:
            return found
        for endpoint in self.endpoints:
            well = panic or endpoint.health != UNHEALTHY
            if well and endpoint.state == CONNECTING and not endpoint.retired and not endpoint.parked:
                found.append(endpoint)
        return found

    def _set_pool(self, endpoints: list[Endpoint], slow_start: SlowStart | None, now: float) -> None:
        slots: list[int] = []
        weights: list[float] = []
        self.warming = False
        allowed = 0
        for endpoint in endpoints:
            weight = float(endpoint.weight)
            if slow_start is not None:
                share = slow_start.share(now - endpoint.warm_since)
                if share < 1.0:
                    self.warming = True
                    weight *= share
            slots.append(endpoint.index)
            weights.append(weight)
            allowed |= 1 << endpoint.index
        self._allowed = allowed
        self.pool = WeightedDraw(slots, weights)
        if self.balance == BALANCE_ROUND_ROBIN:
            self.turns.set(slots, weights, self._draw)

    def pick(self, tried: int, now: float) -> int:
        """Return a slot outside the mask `tried`; NONE when there is none."""
        pool = self.pool
        if tried != 0:
            # Repeats do not move the turn: one failing endpoint would draw first attempts to itself.
            pool = pool.without(tried)
        elif self.balance == BALANCE_ROUND_ROBIN:
            return self.turns.take()
        if pool.count < 2:
            return NONE if pool.count == 0 else pool.slots[0]
        if self.balance == BALANCE_LEAST_REQUEST:
            return self._less_busy(pool)
        if self.balance == BALANCE_PEAK_EWMA:
            return self._cheaper(pool, now)
        return pool.pick(self._draw())

    def pick_hashed(self, key: bytes, tried: int) -> int:
        """Return the slot for a key; NONE when there is none."""
        ring = self._ring
        if ring is None:
            return NONE
        return ring.pick(ring.hash(key), self._allowed, tried)

    def hash(self, key: bytes) -> int:
        """Return the hash of a key; 0 when this level has no ring."""
        ring = self._ring
        return 0 if ring is None else ring.hash(key)

    def _less_busy(self, pool: WeightedDraw) -> int:
        first, second = draw_two(pool, self._draw)
        one = self._by_slot[pool.slots[first]]
        other = self._by_slot[pool.slots[second]]
        if is_less_busy(other.in_flight, pool.weights[second], one.in_flight, pool.weights[first]):
            return other.index
        return one.index

    def _cheaper(self, pool: WeightedDraw, now: float) -> int:
        first, second = draw_two(pool, self._draw)
        one = self._by_slot[pool.slots[first]]
        other = self._by_slot[pool.slots[second]]
        if other.cost(pool.weights[second], now) < one.cost(pool.weights[first], now):
            return other.index
        return one.index
