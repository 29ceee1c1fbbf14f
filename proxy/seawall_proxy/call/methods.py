"""Which methods get numbers of their own, so that no caller can make statistics grow.

A path is whatever somebody sent. It is kept apart when it is *known*: named by the route itself or by a
descriptor, or *learned*: a server has answered it with anything but UNIMPLEMENTED, and it is among the first
so many of which that is true. All other calls of a route are counted together as `_OTHER`, the word that
OpenTelemetry's RPC conventions have for it.

Every finished call of a route is in exactly one of its slots, so the slots add up to the route. A slot is
looked up once for each distinct header block and route and remembered there.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.telemetry.counters import MethodCounters, RouteCounters

OTHER: Final = "_OTHER"
DEFAULT_LEARNED: Final = 500
MAX_SLOTS: Final = 20_000
"""Routes times methods; as many methods as descriptors may hold."""
_MAX_NAME_BYTES: Final = 256


class MethodRegistry:
    """The slots of one process."""

    def __init__(self, max_learned: int = DEFAULT_LEARNED) -> None:
        self.max_learned: int = max_learned
        self.slots: list[MethodCounters] = []
        """Every slot, in the order in which they came to be."""
        self._by_path: dict[bytes, list[MethodCounters]] = {}
        self._learned: dict[bytes, None] = {}
        self._other: dict[RouteCounters, MethodCounters] = {}

    def find(self, owner: RouteCounters, path: bytes, known: bool, answered: bool) -> MethodCounters:
        """Return the slot for a call of `path` on the route with counters `owner`.

        `known` tells that the policy names the method, `answered` that a server has just answered it with
        something other than UNIMPLEMENTED.
        """
        slots = self._by_path.get(path)
        if slots is not None:
            for slot in slots:
                if slot.owner is owner:
                    return slot
        if not self._may_have(path, known, answered):
            return self.other(owner)
        made = MethodCounters(owner, path[1:].decode("ascii", "replace"))
        self.slots.append(made)
        if slots is None:
            self._by_path[path] = [made]
        else:
            slots.append(made)
        return made

    def other(self, owner: RouteCounters) -> MethodCounters:
        """Return the slot of a route for the methods that are not kept apart."""
        slot = self._other.get(owner)
        if slot is None:
            slot = MethodCounters(owner, OTHER)
            self._other[owner] = slot
            self.slots.append(slot)
        return slot

    def learned(self) -> int:
        """Return how many methods were learned."""
        return len(self._learned)

    def _may_have(self, path: bytes, known: bool, answered: bool) -> bool:
        if len(self.slots) >= MAX_SLOTS or len(path) > _MAX_NAME_BYTES:
            return False
        if known or path in self._learned:
            return True
        if not answered or len(self._learned) >= self.max_learned:
            return False
        self._learned[path] = None
        return True
