"""Families of routes: calls, latencies, limits, fallbacks, mirrors, faults, shadows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from seawall_policy import status
from seawall_policy.fault import KIND_NAMES
from seawall_policy.limit.options import CLASS_NAMES
from seawall_policy.shadow import KIND_NAMES as SHADOW_KINDS
from seawall_proxy.telemetry import names
from seawall_proxy.telemetry.counters import (
    MethodCounters,
    MirrorCounters,
    RouteCounters,
)
from seawall_proxy.telemetry.prometheus.exposition import Exposition, Labels
from seawall_proxy.telemetry.would import would_of


def add_routes(page: Exposition, routes: Mapping[str, RouteCounters]) -> None:
    """Add what is counted by route; calls without a route are under the empty name."""
    by_name = [((("route", name),), routes[name]) for name in sorted(routes)]
    page.family(
        names.CALLS,
        (
            ((*labels, ("rpc_status_code", status.name(code))), count)
            for labels, counters in by_name
            for code, count in enumerate(counters.by_code)
            if count
        ),
    )
    page.family(names.IN_FLIGHT, ((labels, counters.in_flight) for labels, counters in by_name))
    page.family(names.RETRIES, ((labels, counters.retries) for labels, counters in by_name))
    page.family(names.RECOVERED, ((labels, counters.recovered) for labels, counters in by_name))
    page.family(names.BUDGET_EXHAUSTED, ((labels, counters.budget_exhausted) for labels, counters in by_name))
    page.family(
        names.NOT_RETRIED,
        (
            ((*labels, ("reason", reason)), count)
            for labels, counters in by_name
            for reason, count in sorted(counters.not_retried.items())
        ),
    )
    page.family(names.HEDGES, ((labels, counters.hedges) for labels, counters in by_name))
    page.family(names.HEDGES_WON, ((labels, counters.hedges_won) for labels, counters in by_name))
    page.family(names.HEDGES_SHADOW, ((labels, counters.hedges_shadow) for labels, counters in by_name))
    page.family(
        names.HEDGES_REFUSED,
        (
            ((*labels, ("reason", reason)), count)
            for labels, counters in by_name
            for reason, count in sorted(counters.hedges_refused.items())
        ),
    )
    page.family(names.HOPELESS, ((labels, counters.hopeless) for labels, counters in by_name))
    page.family(names.WASTED, ((labels, counters.wasted) for labels, counters in by_name))
    page.family(names.WASTED_SECONDS, ((labels, counters.wasted_s) for labels, counters in by_name))
    page.family(names.FALLBACKS, ((labels, counters.fallbacks) for labels, counters in by_name))
    page.family(
        names.FALLBACKS_BY_KIND,
        (
            ((*labels, ("kind", kind)), count)
            for labels, counters in by_name
            for kind, count in sorted(counters.fallback_by_kind.items())
        ),
    )
    page.family(names.CANCELLED, ((labels, counters.cancelled) for labels, counters in by_name))
    page.family(
        names.REJECTED,
        (
            ((*labels, ("reason", reason)), count)
            for labels, counters in by_name
            for reason, count in sorted(counters.rejected_by.items())
        ),
    )


def add_limits(page: Exposition, routes: Mapping[str, RouteCounters]) -> None:
    """Add what limits have done to the calls of routes."""
    by_name = [((("route", name),), routes[name]) for name in sorted(routes)]
    limited = [(labels, counters) for labels, counters in by_name if counters.limited or counters.queue_waits]
    page.family(names.QUEUED, ((labels, counters.queue_waits) for labels, counters in limited))
    page.family(names.QUEUE_WAIT, ((labels, counters.queue_wait_s) for labels, counters in limited))
    page.family(
        names.LIMITED,
        (
            ((*labels, ("reason", reason), ("criticality", CLASS_NAMES[criticality])), count)
            for labels, counters in limited
            for (reason, criticality), count in sorted(counters.limited.items())
        ),
    )
    page.family(
        names.WOULD_LIMIT,
        (
            ((*labels, ("reason", reason)), count)
            for labels, counters in by_name
            for reason, count in sorted(counters.would_limit_by.items())
        ),
    )


def add_keeping(page: Exposition, routes: Mapping[str, RouteCounters]) -> None:
    """Add what is counted about degraded routes and about journals, where there is anything."""
    by_name = [((("route", name),), routes[name]) for name in sorted(routes)]
    page.family(
        names.DEGRADED_CALLS,
        ((labels, counters.degraded_calls) for labels, counters in by_name if counters.degraded_calls),
    )
    for metric, counts in (
        (names.JOURNAL_STORED, [(labels, counters.journal.stored) for labels, counters in by_name]),
        (names.JOURNAL_REPLAYED, [(labels, counters.journal.replayed) for labels, counters in by_name]),
        (names.JOURNAL_WAITED, [(labels, counters.journal.waited) for labels, counters in by_name]),
        (names.JOURNAL_REUSED, [(labels, counters.journal.reused) for labels, counters in by_name]),
    ):
        page.family(metric, [(labels, count) for labels, count in counts if count])
    page.family(
        names.JOURNAL_SKIPPED,
        (
            ((*labels, ("reason", reason)), count)
            for labels, counters in by_name
            for reason, count in sorted(counters.journal.skipped.items())
        ),
    )


def add_degraded(page: Exposition, routes: Iterable[tuple[str, bool]]) -> None:
    """Add which routes live on their fallbacks; only those that have any are given."""
    page.family(names.DEGRADED, (((("route", route),), float(active)) for route, active in routes))


def add_kept(
    page: Exposition,
    last_good: Iterable[tuple[str, int, int]],
    journals: Iterable[tuple[str, int, int]],
) -> None:
    """Add how many answers are kept and in how many bytes, given by route."""
    good = list(last_good)
    known = list(journals)
    for metric, rows, place in (
        (names.LAST_GOOD_ENTRIES, good, 1),
        (names.LAST_GOOD_BYTES, good, 2),
        (names.JOURNAL_ENTRIES, known, 1),
        (names.JOURNAL_BYTES, known, 2),
    ):
        page.family(metric, [((("route", row[0]),), float(row[place])) for row in rows])


def add_gates(page: Exposition, gates: Iterable[tuple[str, int, int, int, int]]) -> None:
    """Add limits given as route, limit, calls at work, long calls and calls that wait."""
    rows = [((("route", route),), numbers) for route, *numbers in gates]
    for index, metric in enumerate(
        (names.LIMIT, names.LIMIT_IN_FLIGHT, names.LIMIT_LONG_CALLS, names.QUEUE_DEPTH)
    ):
        page.family(metric, [(labels, numbers[index]) for labels, numbers in rows])


def add_tenants(page: Exposition, limits: Iterable[tuple[str, int]]) -> None:
    """Add how many tenants have calls under limits with fair shares, by route."""
    page.family(names.TENANTS, (((("route", route),), tenants) for route, tenants in limits))


def add_rate_limits(page: Exposition, limiters: Iterable[tuple[str, int]]) -> None:
    """Add rate limits given as route and buckets."""
    page.family(names.RATE_KEYS, (((("route", route),), keys) for route, keys in limiters))


def add_methods(page: Exposition, slots: Iterable[MethodCounters]) -> None:
    """Add what is counted by method; those of a route add up to the route."""
    rows = [
        ((("rpc_method", slot.method), ("route", slot.owner.route)), slot)
        for slot in sorted(slots, key=lambda slot: (slot.owner.route, slot.method))
    ]
    page.histograms(
        names.CALL_DURATION,
        (
            ((("rpc_system_name", "grpc"), *labels), slot.latency.buckets, slot.latency.total_s)
            for labels, slot in rows
        ),
    )
    page.family(
        names.METHOD_CALLS,
        (
            ((*labels, ("rpc_status_code", status.name(code))), count)
            for labels, slot in rows
            for code, count in enumerate(slot.by_code)
            if count
        ),
    )


def add_mirrors(page: Exposition, routes: Mapping[str, RouteCounters]) -> None:
    """Add what became of copies, by the route of the call and the cluster of the mirror."""
    rows: list[tuple[Labels, MirrorCounters]] = [
        ((("route", name), ("cluster", cluster)), counters)
        for name in sorted(routes)
        for cluster, counters in sorted(routes[name].mirrors.items())
    ]
    page.family(
        names.MIRRORED,
        (
            ((*labels, ("rpc_status_code", status.name(code))), count)
            for labels, counters in rows
            for code, count in enumerate(counters.by_code)
            if count
        ),
    )
    page.family(
        names.MIRROR_DROPPED,
        (
            ((*labels, ("reason", reason)), count)
            for labels, counters in rows
            for reason, count in sorted(counters.dropped_by.items())
        ),
    )
    page.family(names.MIRROR_IN_FLIGHT, ((labels, counters.in_flight) for labels, counters in rows))


def add_faults(page: Exposition, routes: Mapping[str, RouteCounters]) -> None:
    """Add what was broken on purpose; routes that never had a fault are left out."""
    rows = [((("route", name),), routes[name].faults) for name in sorted(routes)]
    rows = [
        (labels, faults) for labels, faults in rows if faults.capped or any(faults.injected) or faults.active
    ]
    page.family(
        names.FAULTS_INJECTED,
        (
            ((*labels, ("kind", KIND_NAMES[kind])), count)
            for labels, faults in rows
            for kind, count in enumerate(faults.injected)
            if count
        ),
    )
    page.family(names.FAULTS_ACTIVE, ((labels, faults.active) for labels, faults in rows))
    page.family(names.FAULTS_CAPPED, ((labels, faults.capped) for labels, faults in rows))


def add_shadows(page: Exposition, routes: Mapping[str, RouteCounters]) -> None:
    """Add what shadow policies would have done otherwise."""
    page.family(
        names.SHADOW,
        (
            ((("route", name), ("would", SHADOW_KINDS[kind])), count)
            for name in sorted(routes)
            for kind, count in enumerate(routes[name].shadow.would)
            if count
        ),
    )


def add_would(page: Exposition, routes: Mapping[str, RouteCounters], rejects: Mapping[str, int]) -> None:
    """Add what everything in shadow would have done; `rejects` is what the breakers of each route would have
    rejected.
    """
    page.family(
        names.WOULD,
        (
            ((("route", name), ("mechanism", mechanism), ("would", what)), count)
            for name in sorted(routes)
            for mechanism, what, count in would_of(routes[name], rejects.get(name, 0))
        ),
    )
