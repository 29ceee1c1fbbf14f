"""The share of its weight that an endpoint gets while it warms up.

Envoy's formula: max(min_weight, (age / window)^(1 / aggression)). Aggression 1 is a straight line; above it
the share grows faster at first.
"""

from __future__ import annotations

from typing import Final

WINDOW_S: Final = 30.0
AGGRESSION: Final = 1.0
MIN_WEIGHT: Final = 0.1
STEPS: Final = 40
"""How often weights are computed anew in one window."""


class SlowStart:
    """How endpoints warm up."""

    def __init__(
        self, window_s: float = WINDOW_S, aggression: float = AGGRESSION, min_weight: float = MIN_WEIGHT
    ) -> None:
        self.window_s: float = window_s
        self.aggression: float = aggression
        self.min_weight: float = min_weight
        """Above 0 to 1."""

    def share(self, age_s: float) -> float:
        """Return the share, above 0 to 1, of an endpoint that came `age_s` seconds ago."""
        if age_s >= self.window_s:
            return 1.0
        if age_s <= 0.0:
            return self.min_weight
        grown = age_s / self.window_s
        if self.aggression != 1.0:
            grown = _power(grown, 1.0 / self.aggression)
        return max(self.min_weight, grown)

    def step_s(self) -> float:
        """Return for how long a computed share is good enough."""
        return self.window_s / STEPS


def _power(base: float, exponent: float) -> float:
    result: float = base**exponent
    return result
