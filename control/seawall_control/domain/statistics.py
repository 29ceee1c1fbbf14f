"""Rates and percentiles over a recent window, from cumulative counters that proxies report.

Cumulative numbers make a lost report harmless: the difference of any two tells what happened between. A
counter that went down means that the proxy started anew, and then all of the newer number is new (as
Prometheus's `rate` does it). Histogram differences are again histograms; percentiles are interpolated
linearly within a bucket, and fleets are added bucket by bucket, never averaged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

KEEP_S: Final = 660.0
"""How long samples are kept: the longest window, 10 min, and what a late report needs."""
DENSE_S: Final = 70.0
"""Samples of the last so many seconds are all kept (one a second at most); older ones one in ten."""
MIN_GAP_S: Final = 0.9
SPARSE_GAP_S: Final = 10.0
LATENCY_BOUNDS_S: Final[tuple[float, ...]] = (
    0.0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006,
    0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25,
    0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
)  # fmt: skip
"""Bounds of gRFC A66, which proxies count in; the planes share no code, so a test compares the two lists."""

Counts = Mapping[str, int]
MOST_NAMES: Final = 64
"""Names that one `Counts` of a proxy may have; so many a proxy keeps apart itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Cumulative numbers of one route of one proxy, or differences of such."""

    by_code: tuple[int, ...] = ()
    retries: int = 0
    budget_exhausted: int = 0
    rejected: int = 0
    fallbacks: int = 0
    cancelled: int = 0
    recovered: int = 0
    latency_buckets: tuple[int, ...] = ()
    latency_sum_s: float = 0.0
    in_flight: int = 0
    rejected_by: Counts = field(default_factory=dict)
    """By reason, as everything in this form; a proxy that is older than the field leaves it empty."""
    limited: Counts = field(default_factory=dict)
    limited_by_criticality: Counts = field(default_factory=dict)
    queued: int = 0
    queue_wait_s: float = 0.0
    hedges: int = 0
    hedges_won: int = 0
    hedges_refused: Counts = field(default_factory=dict)
    hopeless: int = 0
    wasted: int = 0
    wasted_s: float = 0.0
    would: Counts = field(default_factory=dict)
    """What was in shadow would have done, as `mechanism/what`."""

    @property
    def calls(self) -> int:
        """Finished calls."""
        return sum(self.by_code)

    @property
    def refused_by_limits(self) -> int:
        """Calls that a limit or a rate limit refused."""
        return sum(self.limited.values())


ZERO: Final = Counters()


def _longer(first: Sequence[int], second: Sequence[int]) -> int:
    return max(len(first), len(second))


def _at(values: Sequence[int], index: int) -> int:
    return values[index] if index < len(values) else 0


def _combined(first: Sequence[int], second: Sequence[int], sign: int) -> tuple[int, ...]:
    return tuple(_at(first, i) + sign * _at(second, i) for i in range(_longer(first, second)))


def added_counts(first: Counts, second: Counts) -> Counts:
    """Return the sums by name."""
    if not second:
        return first
    if not first:
        return second
    return {name: first.get(name, 0) + second.get(name, 0) for name in {**first, **second}}


def _grown(newer: Counts, older: Counts) -> Counts:
    if not older:
        return newer
    return {name: count - older.get(name, 0) for name, count in newer.items() if count > older.get(name, 0)}


def added(first: Counters, second: Counters) -> Counters:
    """Return the sum, as for two proxies with the same route."""
    return Counters(
        by_code=_combined(first.by_code, second.by_code, 1),
        retries=first.retries + second.retries,
        budget_exhausted=first.budget_exhausted + second.budget_exhausted,
        rejected=first.rejected + second.rejected,
        fallbacks=first.fallbacks + second.fallbacks,
        cancelled=first.cancelled + second.cancelled,
        recovered=first.recovered + second.recovered,
        latency_buckets=_combined(first.latency_buckets, second.latency_buckets, 1),
        latency_sum_s=first.latency_sum_s + second.latency_sum_s,
        in_flight=first.in_flight + second.in_flight,
        rejected_by=added_counts(first.rejected_by, second.rejected_by),
        limited=added_counts(first.limited, second.limited),
        limited_by_criticality=added_counts(first.limited_by_criticality, second.limited_by_criticality),
        queued=first.queued + second.queued,
        queue_wait_s=first.queue_wait_s + second.queue_wait_s,
        hedges=first.hedges + second.hedges,
        hedges_won=first.hedges_won + second.hedges_won,
        hedges_refused=added_counts(first.hedges_refused, second.hedges_refused),
        hopeless=first.hopeless + second.hopeless,
        wasted=first.wasted + second.wasted,
        wasted_s=first.wasted_s + second.wasted_s,
        would=added_counts(first.would, second.would),
    )


def total_of(counters: Iterable[Counters]) -> Counters:
    """Return the sum of many."""
    total = ZERO
    for item in counters:
        total = added(total, item)
    return total


def _went_down(newer: Counters, older: Counters) -> bool:
    return (
        any(value < 0 for value in _combined(newer.by_code, older.by_code, -1))
        or any(value < 0 for value in _combined(newer.latency_buckets, older.latency_buckets, -1))
        or newer.retries < older.retries
        or newer.rejected < older.rejected
        or newer.fallbacks < older.fallbacks
    )


def difference(newer: Counters, older: Counters) -> Counters:
    """Return what happened between two samples of one process, or since its start when it started anew in
    between.
    """
    if _went_down(newer, older):
        older = ZERO
    return Counters(
        by_code=_combined(newer.by_code, older.by_code, -1),
        retries=newer.retries - older.retries,
        budget_exhausted=max(0, newer.budget_exhausted - older.budget_exhausted),
        rejected=newer.rejected - older.rejected,
        fallbacks=newer.fallbacks - older.fallbacks,
        cancelled=max(0, newer.cancelled - older.cancelled),
        recovered=max(0, newer.recovered - older.recovered),
        latency_buckets=_combined(newer.latency_buckets, older.latency_buckets, -1),
        latency_sum_s=max(0.0, newer.latency_sum_s - older.latency_sum_s),
        in_flight=newer.in_flight,
        rejected_by=_grown(newer.rejected_by, older.rejected_by),
        limited=_grown(newer.limited, older.limited),
        limited_by_criticality=_grown(newer.limited_by_criticality, older.limited_by_criticality),
        queued=max(0, newer.queued - older.queued),
        queue_wait_s=max(0.0, newer.queue_wait_s - older.queue_wait_s),
        hedges=max(0, newer.hedges - older.hedges),
        hedges_won=max(0, newer.hedges_won - older.hedges_won),
        hedges_refused=_grown(newer.hedges_refused, older.hedges_refused),
        hopeless=max(0, newer.hopeless - older.hopeless),
        wasted=max(0, newer.wasted - older.wasted),
        wasted_s=max(0.0, newer.wasted_s - older.wasted_s),
        would=_grown(newer.would, older.would),
    )


def percentile(bounds_s: Sequence[float], counts: Sequence[int], share: float) -> float:
    """Return the latency in seconds that `share` (0 to 1) of the calls stayed within; 0 when there were none.

    `counts[i]` are the calls above `bounds_s[i-1]` and up to `bounds_s[i]`; the last count is for what is
    above all bounds, and is answered with the last bound.
    """
    total = sum(counts)
    if total == 0 or not bounds_s:
        return 0.0
    rank = share * total
    below = 0
    for index, count in enumerate(counts):
        if count and below + count >= rank:
            if index >= len(bounds_s):
                return bounds_s[-1]
            low = bounds_s[index - 1] if index else 0.0
            return low + (bounds_s[index] - low) * max(0.0, rank - below) / count
        below += count
    return bounds_s[-1]


@dataclass(frozen=True, slots=True)
class Sample:
    """All routes of a proxy at one time, in monotonic seconds of the control plane."""

    at_s: float
    routes: Mapping[str, Counters]
    epoch: int
    """Changes when the proxy starts anew."""


class History:
    """Samples of one proxy, bounded in number: dense for the last minute, sparse for ten."""

    def __init__(self) -> None:
        self._dense: deque[Sample] = deque()
        self._sparse: deque[Sample] = deque()

    def __len__(self) -> int:
        return len(self._dense) + len(self._sparse)

    def add(self, sample: Sample) -> None:
        """Keep a sample; one that comes too soon after the last takes its place."""
        if (
            len(self._dense) > 1
            and sample.at_s - self._dense[-2].at_s < MIN_GAP_S
            and sample.epoch == self._dense[-1].epoch
        ):
            self._dense[-1] = sample
        else:
            self._dense.append(sample)
        while self._dense[0].at_s < sample.at_s - DENSE_S and len(self._dense) > 2:
            old = self._dense.popleft()
            if (
                not self._sparse
                or old.at_s - self._sparse[-1].at_s >= SPARSE_GAP_S
                or old.epoch != self._sparse[-1].epoch
            ):
                self._sparse.append(old)
        while self._sparse and self._sparse[0].at_s < sample.at_s - KEEP_S:
            self._sparse.popleft()

    def latest(self) -> Sample | None:
        """Return the newest sample."""
        return self._dense[-1] if self._dense else None

    def over(self, window_s: float, *, now: float) -> tuple[Mapping[str, Counters], float]:
        """Return what happened per route in the window that ends with the newest sample, and how long that
        was in seconds.

        Restarts inside the window are added up; a proxy that has said nothing for the window's length had no
        calls in it.
        """
        newest = self.latest()
        if newest is None or now - newest.at_s > max(window_s, 5.0):
            return {}, window_s
        samples = self._within(newest, window_s)
        before = samples[0]
        totals: dict[str, Counters] = {}
        for sample in samples[1:]:
            same_run = sample.epoch == before.epoch
            for route, counters in sample.routes.items():
                grown = difference(counters, before.routes.get(route, ZERO) if same_run else ZERO)
                totals[route] = added(totals[route], grown) if route in totals else grown
            before = sample
        for route, counters in newest.routes.items():
            totals.setdefault(route, Counters(in_flight=counters.in_flight))
        return totals, max(newest.at_s - samples[0].at_s, MIN_GAP_S)

    def grown_over(self, window_s: float) -> tuple[Mapping[str, Counters], float]:
        """Return the same of numbers that only grow, as of one run: then the ends of the window tell all."""
        newest = self.latest()
        if newest is None:
            return {}, window_s
        first = self._within(newest, window_s)[0]
        grown = {
            route: difference(counters, first.routes.get(route, ZERO))
            for route, counters in newest.routes.items()
        }
        return grown, max(newest.at_s - first.at_s, MIN_GAP_S)

    def _within(self, newest: Sample, window_s: float) -> list[Sample]:
        oldest_s = newest.at_s - window_s - MIN_GAP_S / 2
        return [sample for sample in (*self._sparse, *self._dense) if sample.at_s >= oldest_s]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCounters:
    """Numbers of one cluster of one proxy, or of several together."""

    ejections: Counts = field(default_factory=dict)
    """Outliers that were left out, by reason."""
    spared: Counts = field(default_factory=dict)
    """Outliers that were not, as `reason/why`."""
    ejected: int = 0
    """Endpoints that are left out now."""
    endpoints: int = 0
    panics: int = 0


def added_clusters(first: ClusterCounters, second: ClusterCounters) -> ClusterCounters:
    """Return the sum, as for two proxies with the same cluster."""
    return ClusterCounters(
        ejections=added_counts(first.ejections, second.ejections),
        spared=added_counts(first.spared, second.spared),
        ejected=first.ejected + second.ejected,
        endpoints=first.endpoints + second.endpoints,
        panics=first.panics + second.panics,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What happens on a route in a second, over the fleet."""

    calls: float = 0.0
    retries: float = 0.0
    fallbacks: float = 0.0
    rejected: float = 0.0
    hedges: float = 0.0
    limited: float = 0.0
    hopeless: float = 0.0
    wasted_s: float = 0.0
    """Seconds of attempts that came to nothing."""


def rates_of(counters: Counters, length_s: float) -> Rates:
    """Return the rates of what happened in `length_s` seconds (above 0)."""
    return Rates(
        calls=counters.calls / length_s,
        retries=counters.retries / length_s,
        fallbacks=counters.fallbacks / length_s,
        rejected=counters.rejected / length_s,
        hedges=counters.hedges / length_s,
        limited=counters.refused_by_limits / length_s,
        hopeless=counters.hopeless / length_s,
        wasted_s=counters.wasted_s / length_s,
    )


def added_rates(first: Rates, second: Rates) -> Rates:
    """Return the sum, as for two proxies with the same route."""
    return Rates(
        calls=first.calls + second.calls,
        retries=first.retries + second.retries,
        fallbacks=first.fallbacks + second.fallbacks,
        rejected=first.rejected + second.rejected,
        hedges=first.hedges + second.hedges,
        limited=first.limited + second.limited,
        hopeless=first.hopeless + second.hopeless,
        wasted_s=first.wasted_s + second.wasted_s,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSummary:
    """A route over the fleet."""

    route: str
    rates: Rates
    success_ratio: float
    p50_s: float
    p95_s: float
    p99_s: float
    total: Counters


def summarise(
    bounds_s: Sequence[float],
    windows: Iterable[tuple[Mapping[str, Counters], float]],
    totals: Mapping[str, Counters],
) -> tuple[RouteSummary, ...]:
    """Return every route's summary by name, from the windows of all proxies (each with its own length) and
    the cumulative totals.

    Rates of proxies are added; percentiles and the success ratio come from the added histograms and codes.
    """
    merged: dict[str, Counters] = {}
    rates: dict[str, Rates] = {}
    for window, length_s in windows:
        for route, counters in window.items():
            rate = rates_of(counters, length_s)
            known = merged.get(route)
            merged[route] = counters if known is None else added(known, counters)
            rates[route] = rate if known is None else added_rates(rates[route], rate)
    found: list[RouteSummary] = []
    for route in sorted(set(merged) | set(totals)):
        counters = merged.get(route, ZERO)
        found.append(
            RouteSummary(
                route=route,
                rates=rates.get(route, Rates()),
                success_ratio=_at(counters.by_code, 0) / counters.calls if counters.calls else 1.0,
                p50_s=percentile(bounds_s, counters.latency_buckets, 0.50),
                p95_s=percentile(bounds_s, counters.latency_buckets, 0.95),
                p99_s=percentile(bounds_s, counters.latency_buckets, 0.99),
                total=totals.get(route, ZERO),
            )
        )
    return tuple(found)
