"""The less busy of two.

Two slots are drawn by weight, and the second takes the place of the first only if it is less busy: with
weight w and a attempts in flight, if its w / (a + 1) is higher (Envoy's least-request weight). A first choice
without anything in flight stays, for nobody is less busy; so shares follow the weights while there is little
to do, and loads do when there is much.

Source for two choices: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing".
"""

from __future__ import annotations

from collections.abc import Callable

from seawall_policy.balance.weighted import WeightedDraw


def draw_two(pool: WeightedDraw, draw: Callable[[], float]) -> tuple[int, int]:
    """Return the positions of two different slots, drawn by weight; twice the same when there is one."""
    count = pool.count
    if count == 1:
        return 0, 0
    if pool.equal:
        first = int(draw() * count)
        second = int(draw() * (count - 1))
        return first, second + 1 if second >= first else second
    first = pool.rank(draw())
    second = pool.rank(draw())
    if second == first:
        # One heavy slot can be drawn many times in a row: the second try is among the others, alike.
        second = int(draw() * (count - 1))
        if second >= first:
            second += 1
    return first, second


def is_less_busy(active: int, weight: float, than_active: int, than_weight: float) -> bool:
    """Tell whether a slot is less busy than another one; see the module."""
    if than_active == 0:
        return False
    return weight * (than_active + 1) > than_weight * (active + 1)
