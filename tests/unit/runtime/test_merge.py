"""Several workers' numbers as one proxy's."""

from __future__ import annotations

from seawall.v1 import fleet_pb2, stats_pb2
from seawall_proxy.runtime.workers.merge import counters_of, merge_metrics, merge_pages, merge_stats
from seawall_proxy.telemetry import names, prometheus
from seawall_proxy.telemetry.counters import ProxyCounters, RouteCounters


class Breakers:
    """A route with one breaker, which is open."""

    def __init__(self, opened: int) -> None:
        self.route = "r"
        self.states = [0, 1, 0, 0, 0, 0, 0]
        self.opened = opened
        self.rejected = 2
        self.would_reject = 1


def page(seconds: float, opened: int, revision: int, connections: int) -> str:
    """Return a scrape page with one call."""
    counters = RouteCounters("r")
    counters.started = counters.in_flight = 1
    counters.finish(0, seconds)
    made = prometheus.Exposition()
    prometheus.add_routes(made, {"r": counters})
    latency = counters.latency
    made.histograms(
        names.Metric("x_seconds", "histogram", "X."), [((("key", "r"),), latency.buckets, latency.total_s)]
    )
    prometheus.add_breakers(made, [Breakers(opened)])
    proxy = ProxyCounters()
    proxy.connections_open = connections
    prometheus.add_proxy(made, proxy, revision=revision, control_connected=None)
    return made.text()


def lines(text: str) -> dict[str, float]:
    """Return the samples of a page."""
    samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    assert len(samples) == len({key for key, _, _ in samples}), "a sample is there twice"
    return {key: float(value) for key, _, value in samples}


def test_scrape_pages_are_added_and_levels_are_not() -> None:
    """Counters, histograms and gauges of amounts are added; a revision and a breaker's opening count once."""
    merged = merge_metrics([page(0.002, 3, 7, 4), page(0.3, 1, 7, 5)])
    found = lines(merged)
    assert found['seawall_calls_total{route="r",rpc_status_code="OK"}'] == 2
    assert found['x_seconds_bucket{key="r",le="+Inf"}'] == 2
    assert found['x_seconds_bucket{key="r",le="0.002"}'] == 1
    assert found['x_seconds_sum{key="r"}'] == 0.302
    assert found["seawall_connections"] == 9
    assert found["seawall_policy_revision"] == 7
    assert found['seawall_breaker_opened_total{route="r"}'] == 3
    assert found['seawall_breaker_rejected_total{route="r"}'] == 4
    assert found['seawall_breaker_state{route="r",state="open"}'] == 1
    heads = [line for line in merged.splitlines() if line.startswith("# TYPE ")]
    assert len(heads) == len(set(heads))


def test_what_a_dead_worker_leaves_is_its_counters() -> None:
    """Gauges die with their worker, counters stay."""
    left = merge_metrics([page(0.002, 3, 7, 4)], counters_only=True)
    found = lines(left)
    assert found['seawall_calls_total{route="r",rpc_status_code="OK"}'] == 1
    assert "seawall_connections" not in found
    assert names.POLICY_REVISION.name not in left
    assert lines(merge_metrics([left, page(0.1, 0, 8, 1)]))["seawall_policy_revision"] == 8


def test_reports_are_added_by_name() -> None:
    """Routes, breakers and endpoints are one each; the worst state of a breaker is the proxy's."""
    one = fleet_pb2.StatsReport(
        connections=2,
        events_produced=5,
        routes=[stats_pb2.RouteCounters(route="a", by_code=[1, 2], latency_buckets=[1], in_flight=1)],
        breakers=[
            stats_pb2.BreakerStatus(
                name="a", route="a", state="BREAKER_STATE_OPEN", opened=1, rejected=3, trigger="x"
            )
        ],
        endpoints=[fleet_pb2.EndpointStatus(cluster="c", address="h:1", state="backoff", in_flight=1)],
    )
    two = fleet_pb2.StatsReport(
        connections=1,
        events_produced=1,
        routes=[
            stats_pb2.RouteCounters(route="a", by_code=[1, 0, 4], latency_buckets=[2, 3], in_flight=2),
            stats_pb2.RouteCounters(route="b", by_code=[9]),
        ],
        breakers=[
            stats_pb2.BreakerStatus(name="a", route="a", state="BREAKER_STATE_CLOSED", opened=1, rejected=1)
        ],
        endpoints=[fleet_pb2.EndpointStatus(cluster="c", address="h:1", state="ready", in_flight=2)],
    )
    both = merge_stats([one, two])
    assert (both.connections, both.events_produced) == (3, 6)
    assert [(r.route, list(r.by_code), r.in_flight) for r in both.routes] == [
        ("a", [2, 2, 4], 3),
        ("b", [9], 0),
    ]
    assert list(both.routes[0].latency_buckets) == [3, 3]
    (breaker,) = both.breakers
    assert (breaker.state, breaker.opened, breaker.rejected, breaker.trigger) == (2, 1, 4, "x")
    (endpoint,) = both.endpoints
    assert (endpoint.state, endpoint.in_flight) == ("ready", 3)
    kept = counters_of(one)
    assert not kept.breakers
    assert not kept.endpoints
    assert (kept.connections, kept.routes[0].in_flight, kept.events_produced) == (0, 0, 5)
    assert merge_stats([two], kept).routes[0].by_code == [2, 2, 4]


def test_reasons_of_workers_are_added() -> None:
    """Maps are added by name; what all workers see alike, such as who is ejected, counts once."""
    one = fleet_pb2.StatsReport(
        routes=[stats_pb2.RouteCounters(route="a", rejected_by={"LIMITED": 2}, hedges=1)],
        clusters=[
            stats_pb2.ClusterCounters(cluster="c", ejections={"latency": 1}, ejected=1, endpoints=3, panics=1)
        ],
    )
    two = fleet_pb2.StatsReport(
        routes=[stats_pb2.RouteCounters(route="a", rejected_by={"LIMITED": 3, "RATE_LIMITED": 1})],
        clusters=[
            stats_pb2.ClusterCounters(
                cluster="c", ejections={"latency": 1, "sibling": 1}, ejected=2, endpoints=3
            )
        ],
    )
    both = merge_stats([one, two], counters_of(one))
    (route,) = both.routes
    assert (dict(route.rejected_by), route.hedges) == ({"LIMITED": 7, "RATE_LIMITED": 1}, 2)
    (cluster,) = both.clusters
    assert dict(cluster.ejections) == {"latency": 3, "sibling": 1}
    assert (cluster.ejected, cluster.endpoints, cluster.panics) == (2, 3, 2)
    assert (counters_of(one).clusters[0].ejected, counters_of(one).clusters[0].endpoints) == (0, 0)


def test_status_pages_are_merged_by_name() -> None:
    """Numbers are added, endpoints and routes found by their names, what differs is shown at its worst."""
    one = {
        "routes": [{"name": "a", "calls": 1, "breaker": {"state": "closed", "opened": 1}}],
        "clusters": {
            "c": {"endpoints": [{"address": "h:1", "state": "ready", "last_error": "", "weight": 3}]}
        },
        "listening": True,
        "waiting": ["x"],
        "age_seconds": 3.0,
    }
    two = {
        "routes": [
            {"name": "b", "calls": 7},
            {"name": "a", "calls": 2, "breaker": {"state": "open", "opened": 1}},
        ],
        "clusters": {
            "c": {"endpoints": [{"address": "h:1", "state": "backoff", "last_error": "no", "weight": 3}]}
        },
        "listening": False,
        "waiting": ["x", "y"],
        "age_seconds": 2.0,
    }
    assert merge_pages([one, two]) == {  # type: ignore[list-item]
        "routes": [
            {"name": "a", "calls": 3, "breaker": {"state": "open", "opened": 1}},
            {"name": "b", "calls": 7},
        ],
        "clusters": {
            "c": {"endpoints": [{"address": "h:1", "state": "ready", "last_error": "no", "weight": 3}]}
        },
        "listening": True,
        "waiting": ["x", "y"],
        "age_seconds": 3.0,
    }
