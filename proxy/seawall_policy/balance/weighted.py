"""Drawing at random, each slot in proportion to its weight; and drawing among those that are left over.

With equal weights a draw is one multiplication, otherwise a binary search in the sums of the weights.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

NONE: Final = -1
"""Nobody is left to pick."""


class WeightedDraw:
    """A fixed set of slots to draw from."""

    def __init__(self, slots: list[int], weights: list[float]) -> None:
        """Take `slots` and a weight above 0 for each of them."""
        self.slots: list[int] = slots
        self.weights: list[float] = weights
        self.count: int = len(slots)
        self.equal: bool = are_equal(weights)
        self._sums: list[float] = [] if self.equal else _running_sums(weights)

    def rank(self, draw: float) -> int:
        """Return the position of a slot, drawn by weight; `draw` is in [0, 1). There must be one."""
        if self.equal:
            return int(draw * self.count)
        sums = self._sums
        # A draw just below 1 may round up to the whole sum.
        return min(bisect_right(sums, draw * sums[self.count - 1]), self.count - 1)

    def pick(self, draw: float) -> int:
        """Return a slot, drawn by weight; NONE when there is none."""
        return NONE if self.count == 0 else self.slots[self.rank(draw)]

    def without(self, excluded: int) -> WeightedDraw:
        """Return the same without the slots in the mask `excluded`: for repeats, which are few."""
        slots: list[int] = []
        weights: list[float] = []
        for position in range(self.count):
            slot = self.slots[position]
            if not (excluded >> slot) & 1:
                slots.append(slot)
                weights.append(self.weights[position])
        return WeightedDraw(slots, weights)


def are_equal(weights: list[float]) -> bool:
    """Tell whether all weights are the same."""
    return len(weights) == 0 or min(weights) == max(weights)


def _running_sums(weights: list[float]) -> list[float]:
    sums: list[float] = []
    total = 0.0
    for weight in weights:
        total += weight
        sums.append(total)
    return sums
