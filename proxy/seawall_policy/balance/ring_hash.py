"""Consistent hashing: the same key goes to the same endpoint, and most keys stay where they are when an
endpoint comes or goes.

Each slot owns points on a ring of 64-bit hashes, in proportion to its weight: the hashes of `name_0`,
`name_1`, ... A key belongs to the first point at or behind its hash; when that slot may not be picked, to
the next that may. The ring is built over all members, whatever their state, so that a failure moves only the
keys of the endpoint that failed.

The number of points is the least that gives every slot a whole number of them, between `min_ring` and
`max_ring`; each slot has at least one. Source: gRFC A42, which takes it from Envoy.
"""

from __future__ import annotations

from bisect import bisect_left
from math import ceil
from typing import Final

from seawall_policy.balance.weighted import NONE
from seawall_policy.balance.xxhash64 import xxh64

MIN_RING: Final = 1024
MAX_RING: Final = 4096
MOST_POINTS: Final = 65_536
"""A ring is built while calls wait: 4,096 points take some 10 ms interpreted."""
_MAX_MEMORY: Final = 4096
_MAX_REMEMBERED_BYTES: Final = 128
"""A longer key is hashed each time: clients choose keys, and memory is not theirs to choose."""


class HashRing:
    """The points of some slots."""

    def __init__(
        self,
        slots: list[int],
        names: list[str],
        weights: list[float],
        min_ring: int = MIN_RING,
        max_ring: int = MAX_RING,
    ) -> None:
        """Build the ring; `names` (addresses) make a slot's points the same in every proxy."""
        self._points: list[int] = []
        self._owners: list[int] = []
        self._count: int = len(slots)
        self._hashes: dict[bytes, int] = {}
        points: list[tuple[int, int]] = []
        shares = points_of(weights, min_ring, max_ring)
        for position in range(len(slots)):
            name = names[position]
            slot = slots[position]
            points.extend([(xxh64(f"{name}_{n}".encode()), slot) for n in range(shares[position])])
        points.sort()
        for point, owner in points:
            self._points.append(point)
            self._owners.append(owner)

    def __len__(self) -> int:
        return len(self._points)

    def hash(self, key: bytes) -> int:
        """Return the hash of a key; recent ones are remembered."""
        known = self._hashes.get(key)
        if known is None:
            if len(self._hashes) >= _MAX_MEMORY:
                self._hashes.clear()
            known = xxh64(key)
            if len(key) <= _MAX_REMEMBERED_BYTES:
                self._hashes[key] = known
        return known

    def pick(self, key_hash: int, allowed: int, excluded: int = 0) -> int:
        """Return the slot for a key's hash among those in the mask `allowed` and not in `excluded`; NONE
        when there is none.
        """
        count = len(self._points)
        able = allowed & ~excluded
        if count == 0 or able == 0:
            return NONE
        at = bisect_left(self._points, key_hash)
        seen = 0
        # Ends after one round, or as soon as every slot was met.
        for step in range(count):
            slot = self._owners[(at + step) % count]
            if (able >> slot) & 1:
                return slot
            seen |= 1 << slot
            if step >= self._count and seen.bit_count() >= self._count:
                return NONE
        return NONE


def points_of(weights: list[float], min_ring: int, max_ring: int) -> list[int]:
    """Return how many points each weight gives, at least one each."""
    if len(weights) == 0:
        return []
    total = 0.0
    least = weights[0]
    for weight in weights:
        total += weight
        least = min(least, weight)
    least /= total
    # As many points as make the lightest slot's share a whole number, within the bounds.
    scale = min(float(ceil(least * min_ring)) / least, float(max_ring))
    shares: list[int] = []
    reached = 0.0
    given = 0
    for weight in weights:
        reached += scale * weight / total
        share = 0
        while given < reached:
            share += 1
            given += 1
        shares.append(max(1, share))
    return shares
