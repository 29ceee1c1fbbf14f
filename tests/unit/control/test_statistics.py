"""Statistics: differences of cumulative counters, percentiles, windows, restarts."""

from __future__ import annotations

import pytest

from seawall_control.domain.statistics import (
    LATENCY_BOUNDS_S,
    ClusterCounters,
    Counters,
    History,
    Sample,
    added,
    added_clusters,
    difference,
    percentile,
    summarise,
)


def calls(ok: int, failed: int = 0) -> Counters:
    """Return counters of so many calls."""
    return Counters(by_code=(ok, *[0] * 13, failed))


def test_bounds_are_those_that_proxies_count_in() -> None:
    """Both planes mean the same buckets."""
    from seawall_proxy.telemetry.counters import LATENCY_BOUNDS

    assert LATENCY_BOUNDS_S == LATENCY_BOUNDS


def test_difference_after_a_restart_is_all_of_the_newer() -> None:
    """A counter that went down means a new process, whose numbers are all new."""
    assert difference(calls(10), calls(7)).calls == 3
    assert difference(calls(5), calls(7)).calls == 5


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ((0, 0, 0), 0.5, 0.0),
        ((10, 0, 0), 0.5, 0.5),
        ((0, 10, 0), 0.5, 1.5),
        ((5, 5, 0), 0.5, 1.0),
        ((5, 5, 0), 0.75, 1.5),
        ((0, 0, 7), 0.5, 2.0),
        ((9, 0, 1), 0.99, 2.0),
    ],
)
def test_percentiles_are_interpolated_in_their_bucket(
    counts: tuple[int, ...], share: float, expected: float
) -> None:
    """Linear within a bucket; above all bounds the last bound is the answer."""
    assert percentile((1.0, 2.0), counts, share) == pytest.approx(expected)


def test_window_counts_what_happened_in_it() -> None:
    """The difference of the samples at both ends of the window, whatever came before."""
    history = History()
    for second in range(61):
        history.add(Sample(float(second), {"r": calls(100 * second)}, epoch=1))
    found, length_s = history.over(10.0, now=60.0)
    assert (found["r"].calls, length_s) == (1000, 10.0)


def test_window_adds_up_over_a_restart() -> None:
    """What an old and a new process did in the window is added, even when the new one did more."""
    history = History()
    history.add(Sample(0.0, {"r": calls(50)}, epoch=1))
    history.add(Sample(1.0, {"r": calls(60)}, epoch=1))
    history.add(Sample(2.0, {"r": calls(200)}, epoch=2))
    found, _ = history.over(10.0, now=2.0)
    assert found["r"].calls == 10 + 200


def test_the_ends_of_a_window_tell_all_of_what_only_grows() -> None:
    """The same as all samples between them, at a tenth of the work; a route that came in it is all new."""
    history = History()
    for second in range(301):
        routes = {"r": calls(100 * second, second)} | ({"s": calls(second)} if second > 290 else {})
        history.add(Sample(float(second), routes, epoch=0))
    for window_s in (1.0, 10.0, 60.0, 200.0, 600.0):
        assert history.grown_over(window_s) == history.over(window_s, now=300.0)
    assert history.grown_over(60.0)[0]["s"].calls == 300
    assert History().grown_over(10.0) == ({}, 10.0)


def test_silent_proxy_had_no_calls() -> None:
    """An old last report is no traffic of now."""
    history = History()
    history.add(Sample(0.0, {"r": calls(0)}, epoch=1))
    history.add(Sample(1.0, {"r": calls(60)}, epoch=1))
    assert history.over(10.0, now=60.0) == ({}, 10.0)


def test_history_is_bounded() -> None:
    """Ten minutes of reports every 100 ms are some hundred samples, and the long window still holds."""
    history = History()
    for tick in range(12_000):
        history.add(Sample(tick / 10, {"r": calls(tick)}, epoch=1))
    assert len(history) < 200
    found, length_s = history.over(600.0, now=1199.9)
    assert found["r"].calls == pytest.approx(length_s * 10, rel=0.01) and length_s == pytest.approx(
        600, abs=15
    )


def test_fleet_adds_rates_and_histograms() -> None:
    """Rates of proxies are added, ratios come from added codes, and a route without traffic is 1.0
    successful.
    """
    one = {"r": Counters(by_code=(90, 10), latency_buckets=(100, 0), retries=10)}
    two = {"r": Counters(by_code=(100,), latency_buckets=(0, 100))}
    found = summarise((1.0, 2.0), [(one, 10.0), (two, 5.0)], {"r": calls(5), "idle": calls(7)})
    assert [s.route for s in found] == ["idle", "r"]
    idle, busy = found
    assert (idle.success_ratio, idle.rates.calls, idle.total.calls) == (1.0, 0.0, 7)
    assert busy.rates.calls == pytest.approx(10 + 20)
    assert busy.success_ratio == pytest.approx(0.95)
    assert busy.rates.retries == pytest.approx(1.0)
    assert busy.p50_s == pytest.approx(1.0)


def test_what_an_older_proxy_does_not_report_is_nothing() -> None:
    """Reports without reasons, from before an upgrade in place, and reports with them go together."""
    old = Counters(by_code=(10,), rejected=2)
    new = Counters(by_code=(12,), rejected=5, rejected_by={"LIMITED": 3, "RATE_LIMITED": 1}, hedges=4)
    grown = difference(new, old)
    assert (grown.rejected, grown.rejected_by, grown.hedges) == (3, {"LIMITED": 3, "RATE_LIMITED": 1}, 4)
    assert added(grown, old).rejected_by == {"LIMITED": 3, "RATE_LIMITED": 1}


def test_reasons_are_added_and_subtracted_by_name() -> None:
    """A reason that did not grow is not there, one that is new is there in full."""
    older = Counters(limited={"LIMITED": 3, "RATE_LIMITED": 1}, queue_wait_s=1.0)
    limited = {"LIMITED": 3, "RATE_LIMITED": 4, "QUEUE_TIMEOUT": 2}
    newer = Counters(limited=limited, queue_wait_s=1.5, wasted=1)
    grown = difference(newer, older)
    assert grown.limited == {"RATE_LIMITED": 3, "QUEUE_TIMEOUT": 2}
    assert (grown.refused_by_limits, grown.queue_wait_s, grown.wasted) == (5, 0.5, 1)
    assert added(newer, older).limited == {"LIMITED": 6, "RATE_LIMITED": 5, "QUEUE_TIMEOUT": 2}


def test_rates_of_hedges_limits_and_hopeless_calls() -> None:
    """Every rate is that of its own proxy's window, and the proxies' rates are added."""
    one = {"r": Counters(by_code=(10,), hedges=10, limited={"LIMITED": 20}, hopeless=30)}
    two = {"r": Counters(by_code=(10,), hedges=5)}
    (route,) = summarise((1.0,), [(one, 10.0), (two, 5.0)], {})
    assert (route.rates.hedges, route.rates.limited, route.rates.hopeless) == (2.0, 2.0, 3.0)


def test_clusters_of_proxies_are_added() -> None:
    """Ejections by reason, and endpoints that several proxies know count for each of them."""
    one = ClusterCounters(ejections={"latency": 2}, ejected=1, endpoints=3, panics=1)
    two = ClusterCounters(ejections={"latency": 1, "silence": 4}, spared={"latency/shadow": 1}, endpoints=3)
    assert added_clusters(one, two) == ClusterCounters(
        ejections={"latency": 3, "silence": 4},
        spared={"latency/shadow": 1},
        ejected=1,
        endpoints=6,
        panics=1,
    )
