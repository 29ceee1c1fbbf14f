"""Statistics between messages and values: nothing is lost, and what a proxy sends is bounded."""

from __future__ import annotations

from dataclasses import fields

from seawall.v1 import stats_pb2
from seawall_control.api.stats_codec import (
    cluster_counters_of,
    cluster_stats_message,
    counters_message,
    counters_of,
    route_message,
)
from seawall_control.domain.statistics import MOST_NAMES, ClusterCounters, Counters, summarise

FULL = Counters(
    by_code=(1, 2),
    retries=3,
    budget_exhausted=4,
    rejected=5,
    fallbacks=6,
    cancelled=7,
    recovered=8,
    latency_buckets=(9, 10),
    latency_sum_s=11.5,
    in_flight=12,
    rejected_by={"LIMITED": 13},
    limited={"LIMITED": 14},
    limited_by_criticality={"sheddable": 15},
    queued=16,
    queue_wait_s=17.5,
    hedges=18,
    hedges_won=19,
    hedges_refused={"budget": 20},
    hopeless=21,
    wasted=22,
    wasted_s=23.5,
    would={"limit/refuse": 24},
)


def test_every_number_of_a_route_survives() -> None:
    """There and back nothing is lost; the example leaves no field at its default."""
    default = Counters()
    assert not [f.name for f in fields(Counters) if getattr(FULL, f.name) == getattr(default, f.name)]
    assert counters_of(counters_message("r", FULL)) == FULL


def test_a_proxy_without_the_newer_fields() -> None:
    """An older proxy's report is read as it always was."""
    old = stats_pb2.RouteCounters(route="r", by_code=[3], retries=1, rejected=2, in_flight=1)
    assert counters_of(old) == Counters(by_code=(3,), retries=1, rejected=2, in_flight=1)


def test_names_from_a_proxy_are_bounded() -> None:
    """A proxy that makes up names cannot fill the memory of the control plane."""
    many = {f"R{n:04}": n for n in range(1, 500)} | {"x" * 10_000: 1}
    found = counters_of(stats_pb2.RouteCounters(route="r", rejected_by=many)).rejected_by
    assert (len(found), found["R0001"], max(map(len, found))) == (MOST_NAMES, 1, 5)


def test_rates_of_a_route() -> None:
    """Rates of the window and totals since the start are told apart."""
    window = Counters(by_code=(10,), hedges=20, limited={"LIMITED": 30}, hopeless=40, wasted_s=50.0)
    (summary,) = summarise((1.0,), [({"r": window}, 10.0)], {"r": FULL})
    message = route_message(summary, stats_pb2.BREAKER_STATE_OPEN, 10.0)
    assert (message.calls_per_second, message.hedges_per_second) == (1.0, 2.0)
    assert (message.limited_per_second, message.hopeless_per_second) == (3.0, 4.0)
    assert message.wasted_seconds_per_second == 5.0
    assert (message.total.hedges, message.breaker) == (18, stats_pb2.BREAKER_STATE_OPEN)


def test_a_cluster_survives() -> None:
    """There and back nothing is lost."""
    full = ClusterCounters(
        ejections={"latency": 1}, spared={"silence/shadow": 2}, ejected=3, endpoints=4, panics=5
    )
    message = cluster_stats_message("c", full, 2)
    assert (message.cluster, message.proxies, message.total.cluster) == ("c", 2, "c")
    assert cluster_counters_of(message.total) == full
