"""The two algorithms of gRFC A50 over the counts of one interval."""

from __future__ import annotations

from math import sqrt

from seawall_policy.outlier.options import RateOptions


def below_the_mean(ok: list[int], failed: list[int], options: RateOptions) -> list[int]:
    """Return the positions of endpoints whose share of success is below mean - factor x standard deviation
    of all that have enough calls; the worst first.
    """
    positions: list[int] = []
    rates: list[float] = []
    for position in range(len(ok)):
        total = ok[position] + failed[position]
        if total >= options.min_calls:
            positions.append(position)
            rates.append(ok[position] / total)
    count = len(rates)
    if count < max(2, options.min_endpoints):
        return []
    mean = sum(rates) / count
    variance = 0.0
    for rate in rates:
        variance += (rate - mean) * (rate - mean)
    least = mean - options.threshold * sqrt(variance / count)
    found = [(rates[index], positions[index]) for index in range(count) if rates[index] < least]
    found.sort()
    return [position for _, position in found]


def above_the_threshold(ok: list[int], failed: list[int], options: RateOptions) -> list[int]:
    """Return the positions of endpoints whose share of failures is above the threshold, if enough endpoints
    have enough calls; the worst first.
    """
    found: list[tuple[float, int]] = []
    eligible = 0
    for position in range(len(ok)):
        total = ok[position] + failed[position]
        if total < options.min_calls:
            continue
        eligible += 1
        share = failed[position] / total
        if share > options.threshold:
            found.append((-share, position))
    if eligible < options.min_endpoints:
        return []
    found.sort()
    return [position for _, position in found]
