"""How calls are spread over levels of endpoints, and when health is not believed.

A level is a priority, or the part of a priority that is in the proxy's own zone, which comes before the rest.
Level 0 takes all calls while enough of its endpoints are available: its *health* is 1.4 times the available
share, 1 at most, so it may lose 28 % of its endpoints before others get any of its calls (Envoy's
overprovisioning factor). What it cannot take goes to the next level, by that one's health, and so on. If all
levels together have less than 1, what there is stands for 1.

Only then is there panic: in a level of which less than the threshold is available the verdicts of health
checks are ignored, for either they are wrong, or the few endpoints that are left would fall over too. When no
endpoint is available anywhere, each level gets calls by its number of endpoints.

Source: Envoy, "Priority levels" and "Panic threshold".
"""

from __future__ import annotations

from typing import Final

OVERPROVISIONING: Final = 1.4
PANIC_THRESHOLD: Final = 0.5
_WHOLE: Final = 1.0 - 1e-9


class Spread:
    """What each level gets."""

    def __init__(self, shares: list[float], panic: list[bool]) -> None:
        self.shares: list[float] = shares
        """Share of the calls, 0 to 1 each, 1 together; all 0 only without endpoints."""
        self.panic: list[bool] = panic


def spread(totals: list[int], available: list[int], panic_threshold: float = PANIC_THRESHOLD) -> Spread:
    """Decide from the number of endpoints, and of available ones, of each level; the threshold is 0 to 1."""
    count = len(totals)
    healths: list[float] = []
    together = 0.0
    for level in range(count):
        health = 0.0
        if totals[level] > 0:
            health = min(1.0, OVERPROVISIONING * available[level] / totals[level])
        healths.append(health)
        together += health
    if together == 0.0:
        return _by_size(totals, panic_threshold)
    panic: list[bool] = []
    shares: list[float] = []
    left = 1.0
    scale = 1.0 if together >= _WHOLE else 1.0 / together
    for level in range(count):
        share = min(left, healths[level] * scale)
        left -= share
        shares.append(share)
        low = totals[level] > 0 and available[level] < panic_threshold * totals[level]
        panic.append(low and together < _WHOLE)
    return Spread(shares, panic)


def _by_size(totals: list[int], panic_threshold: float) -> Spread:
    everyone = 0
    for total in totals:
        everyone += total
    shares: list[float] = []
    panic: list[bool] = []
    for total in totals:
        shares.append(total / everyone if everyone > 0 else 0.0)
        panic.append(total > 0 and panic_threshold > 0.0)
    return Spread(shares, panic)


def level_of(shares: list[float], draw: float) -> int:
    """Return the level that a draw in [0, 1) falls to, by share; 0 when all shares are 0."""
    point = draw
    last = 0
    for level in range(len(shares)):
        if shares[level] <= 0.0:
            continue
        last = level
        if point < shares[level]:
            return level
        point -= shares[level]
    return last
