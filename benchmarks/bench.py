"""What the figures share: the samples of a run, its size, its progress line.

A shape is one line of a figure's table: one load, or one configuration. Every shape is measured in rounds,
the proxies in turn within a round, so that what the machine does meanwhile hits all of them alike. What is
quoted is the median over the rounds, and a ratio is the median of the ratios within each round.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from time import monotonic

from benchmarks.loads import Load, Sample, run
from benchmarks.peers import AIO, ENVOY, INTERPRETED
from benchmarks.processes import Running

SLOWER = {AIO: 12, INTERPRETED: 3, ENVOY: 3}
"""Proxies that get this fraction of a closed loop's calls, so that a run ends in time."""

Rounds = dict[str, list[float]]
"""A figure by proxy, one number a round; a round that failed has none for the proxy (NaN)."""

NAN = float("nan")


@dataclass
class Bench:
    """One run of the benchmark."""

    rounds: int = 3
    quick: bool = False
    peers: tuple[str, ...] = ()
    """Which proxies to start."""
    values: dict[str, dict[str, Rounds]] = field(default_factory=dict)
    """By figure and unit (`cpu us/call`), then shape."""
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""
    errors: dict[str, int] = field(default_factory=dict)
    """Failed calls by proxy."""
    began: float = field(default_factory=monotonic)

    def say(self, text: str) -> None:
        """Print a line of progress."""
        print(f"[{monotonic() - self.began:5.0f} s] {text}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Keep and print what the reader of the result must know."""
        if text not in self.notes:
            self.notes.append(text)
            self.say(text)

    def add(self, figure: str, shape: str, proxy: str, value: float) -> None:
        """Record one number of one round."""
        self.values.setdefault(figure, {}).setdefault(shape, {}).setdefault(proxy, []).append(value)

    def calls(self, proxy: str, calls: int) -> int:
        """Return how many calls of a closed loop this proxy gets in this run."""
        return max(200, calls // SLOWER.get(proxy, 1) // (4 if self.quick else 1))

    def measure(self, place: str, target: Running, work: Callable[[], Sample]) -> Sample | None:
        """Run one load, say what it cost, and note when it failed."""
        try:
            sample = work()
        except (RuntimeError, OSError) as error:
            self.note(f"failed: {place}, {target.name}: {error}")
            return None
        self.errors[target.name] = self.errors.get(target.name, 0) + sample.errors
        wrong = f"  {sample.errors} FAILED CALLS" if sample.errors else ""
        self.say(f"{place:52} {target.name:22} {sample.cpu_us:8.1f} us CPU/call{wrong}")
        return sample

    def closed(self, place: str, target: Running, load: Load) -> Sample | None:
        """Run a closed loop with as many calls as the proxy gets."""
        sized = Load(**{**load.__dict__, "calls": self.calls(target.name, load.calls)})
        return self.measure(place, target, lambda: run(target, sized))


def middle(rounds: Rounds, proxy: str) -> float:
    """Return the median over the rounds, NaN without any."""
    numbers = [value for value in rounds.get(proxy, []) if value == value]  # noqa: PLR0124 - not NaN
    return median(numbers) if numbers else NAN


def spread(rounds: Rounds, proxy: str) -> float:
    """Return the noise: half the distance of the extremes, as a share of the median."""
    numbers = [value for value in rounds.get(proxy, []) if value == value]  # noqa: PLR0124 - not NaN
    if len(numbers) < 2 or median(numbers) == 0:
        return 0.0
    return (max(numbers) - min(numbers)) / 2 / abs(median(numbers))


def ratio(rounds: Rounds, proxy: str, peer: str) -> float:
    """Return the median of the ratios within each round, NaN without any."""
    pairs = zip(rounds.get(proxy, []), rounds.get(peer, []), strict=False)
    numbers = [mine / theirs for mine, theirs in pairs if mine == mine and theirs > 0]  # noqa: PLR0124
    return median(numbers) if numbers else NAN
