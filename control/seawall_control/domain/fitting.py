"""The least-squares line through samples of a quantity over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A line, and how much of the samples' variation it explains."""

    mean_at: float
    mean: float
    slope: float
    """Change of the quantity in one unit of time."""
    fit: float
    """r squared, 0 to 1; 0 where the quantity does not vary."""

    def at(self, at: float) -> float:
        """Return the quantity that the line has at a time."""
        return self.mean + self.slope * (at - self.mean_at)


def fitted(samples: Sequence[tuple[float, float]]) -> Line | None:
    """Return the line through (time, quantity); None when there are no two times."""
    size = len(samples)
    if size < 2:
        return None
    mean_at = sum(at for at, _ in samples) / size
    mean = sum(value for _, value in samples) / size
    over = sum((at - mean_at) ** 2 for at, _ in samples)
    if over == 0:
        return None
    both = sum((at - mean_at) * (value - mean) for at, value in samples)
    spread = sum((value - mean) ** 2 for _, value in samples)
    return Line(mean_at, mean, both / over, both * both / (over * spread) if spread > 0 else 0.0)
