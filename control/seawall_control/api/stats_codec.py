"""Statistics between the contract's messages and the domain's values.

What a proxy sends is bounded here: a map keeps `MOST_NAMES` names of `_LONGEST_NAME` characters, the first by
name. A field that an older proxy does not know is zero or empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seawall.v1 import stats_pb2
from seawall_control.api.codec import seconds
from seawall_control.domain.statistics import (
    MOST_NAMES,
    ClusterCounters,
    Counters,
    Counts,
    RouteSummary,
)

_LONGEST_NAME: Final = 128


def _counts(message: Mapping[str, int]) -> Counts:
    names = sorted(name for name in message if len(name) <= _LONGEST_NAME)[:MOST_NAMES]
    return {name: message[name] for name in names}


def counters_of(message: stats_pb2.RouteCounters) -> Counters:
    """Decode the numbers of a route."""
    return Counters(
        by_code=tuple(message.by_code),
        retries=message.retries,
        budget_exhausted=message.budget_exhausted,
        rejected=message.rejected,
        fallbacks=message.fallbacks,
        cancelled=message.cancelled,
        recovered=message.recovered,
        latency_buckets=tuple(message.latency_buckets),
        latency_sum_s=message.latency_sum_seconds,
        in_flight=message.in_flight,
        rejected_by=_counts(message.rejected_by),
        limited=_counts(message.limited),
        limited_by_criticality=_counts(message.limited_by_criticality),
        queued=message.queued,
        queue_wait_s=message.queue_wait_seconds,
        hedges=message.hedges,
        hedges_won=message.hedges_won,
        hedges_refused=_counts(message.hedges_refused),
        hopeless=message.hopeless,
        wasted=message.wasted_attempts,
        wasted_s=message.wasted_seconds,
        would=_counts(message.would),
    )


def counters_message(route: str, counters: Counters) -> stats_pb2.RouteCounters:
    """Encode the numbers of a route."""
    return stats_pb2.RouteCounters(
        route=route,
        by_code=counters.by_code,
        retries=counters.retries,
        budget_exhausted=counters.budget_exhausted,
        rejected=counters.rejected,
        fallbacks=counters.fallbacks,
        cancelled=counters.cancelled,
        recovered=counters.recovered,
        latency_buckets=counters.latency_buckets,
        latency_sum_seconds=counters.latency_sum_s,
        in_flight=counters.in_flight,
        rejected_by=counters.rejected_by,
        limited=counters.limited,
        limited_by_criticality=counters.limited_by_criticality,
        queued=counters.queued,
        queue_wait_seconds=counters.queue_wait_s,
        hedges=counters.hedges,
        hedges_won=counters.hedges_won,
        hedges_refused=counters.hedges_refused,
        hopeless=counters.hopeless,
        wasted_attempts=counters.wasted,
        wasted_seconds=counters.wasted_s,
        would=counters.would,
    )


def route_message(
    summary: RouteSummary, breaker: stats_pb2.BreakerState, window_s: float
) -> stats_pb2.RouteStats:
    """Encode the statistics of a route."""
    return stats_pb2.RouteStats(
        route=summary.route,
        calls_per_second=summary.rates.calls,
        success_ratio=summary.success_ratio,
        p50_seconds=summary.p50_s,
        p95_seconds=summary.p95_s,
        p99_seconds=summary.p99_s,
        retries_per_second=summary.rates.retries,
        fallbacks_per_second=summary.rates.fallbacks,
        rejected_per_second=summary.rates.rejected,
        breaker=breaker,
        total=counters_message(summary.route, summary.total),
        window=seconds(window_s),
        hedges_per_second=summary.rates.hedges,
        limited_per_second=summary.rates.limited,
        hopeless_per_second=summary.rates.hopeless,
        wasted_seconds_per_second=summary.rates.wasted_s,
    )


def cluster_counters_of(message: stats_pb2.ClusterCounters) -> ClusterCounters:
    """Decode the numbers of a cluster."""
    return ClusterCounters(
        ejections=_counts(message.ejections),
        spared=_counts(message.spared),
        ejected=message.ejected,
        endpoints=message.endpoints,
        panics=message.panics,
    )


def cluster_stats_message(cluster: str, counters: ClusterCounters, proxies: int) -> stats_pb2.ClusterStats:
    """Encode the statistics of a cluster."""
    return stats_pb2.ClusterStats(
        cluster=cluster,
        proxies=proxies,
        total=stats_pb2.ClusterCounters(
            cluster=cluster,
            ejections=counters.ejections,
            spared=counters.spared,
            ejected=counters.ejected,
            endpoints=counters.endpoints,
            panics=counters.panics,
        ),
    )
