"""Taking turns.

With equal weights the turn goes round. With unequal ones each slot has a moment of its next turn, one
interval of 1/weight after the last (earliest deadline first, as in Envoy's scheduler): turns of a heavy slot
are spread out between those of the others instead of coming in a row, and a pick costs one operation on a
heap.

When members or weights change, a slot keeps the part of its interval that it has waited for; otherwise
changes that come faster than rounds would give all turns to the heavy ones. New slots start at a random part
of their first interval.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heapreplace

from seawall_policy.balance.weighted import NONE, are_equal


class Turns:
    """Whose turn it is."""

    def __init__(self) -> None:
        self._slots: list[int] = []
        self._next: int = 0
        self._equal: bool = True
        self._now: float = 0.0
        """Moment of the latest turn, in units of 1/weight."""
        self._queue: list[tuple[float, int]] = []
        """Moment of the next turn and slot, a heap; empty while weights are equal."""
        self._weights: dict[int, float] = {}

    def set(self, slots: list[int], weights: list[float], draw: Callable[[], float]) -> None:
        """Take the slots that have turns from now on, in order, with a weight above 0 for each."""
        self._slots = slots
        self._equal = are_equal(weights)
        if self._equal:
            self._queue = []
            self._weights = {}
            return
        waiting: dict[int, float] = {}
        for moment, slot in self._queue:
            waiting[slot] = (moment - self._now) * self._weights[slot]
        self._now = 0.0
        self._weights = {}
        queue: list[tuple[float, int]] = []
        for position in range(len(slots)):
            slot = slots[position]
            weight = weights[position]
            self._weights[slot] = weight
            part = waiting[slot] if slot in waiting else draw()
            queue.append((part / weight, slot))
        heapify(queue)
        self._queue = queue

    def take(self) -> int:
        """Return whose turn it is and move on; NONE when there is nobody."""
        if not self._equal:
            return self._take_weighted()
        slots = self._slots
        count = len(slots)
        if count == 0:
            return NONE
        turn = self._next
        if turn >= count:
            turn = 0
        self._next = turn + 1
        return slots[turn]

    def _take_weighted(self) -> int:
        queue = self._queue
        moment, slot = queue[0]
        self._now = moment
        heapreplace(queue, (moment + 1.0 / self._weights[slot], slot))
        return slot
