"""Counting: buckets by their upper bound, reasons in bounded room."""

from __future__ import annotations

from bisect import bisect_left

import pytest

from seawall_proxy.telemetry.counters import (
    BUCKETS,
    LATENCY_BOUNDS,
    MAX_REASONS,
    OTHER,
    LatencyHistogram,
    ProxyCounters,
    RouteCounters,
    add_reason,
)


def test_bounds_are_those_of_grfc_a66() -> None:
    """There are 41 growing bounds from 0 to 100 s, and one bucket more."""
    assert len(LATENCY_BOUNDS) == 41
    assert LATENCY_BOUNDS[0] == 0.0
    assert LATENCY_BOUNDS[-1] == 100.0
    assert list(LATENCY_BOUNDS) == sorted(set(LATENCY_BOUNDS))
    assert len(LatencyHistogram().buckets) == BUCKETS == 42


@pytest.mark.parametrize("at", range(41))
def test_a_bucket_holds_what_is_at_most_its_bound(at: int) -> None:
    """A duration equal to a bound is in its bucket, one just above in the next."""
    bound = LATENCY_BOUNDS[at]
    for seconds in (bound, bound * 1.000001 + 1e-9, bound * 0.999999 - 1e-9):
        histogram = LatencyHistogram()
        histogram.add(seconds)
        assert histogram.buckets.index(1) == bisect_left(LATENCY_BOUNDS, seconds)
        assert histogram.count() == 1


def test_negative_durations_count_as_zero() -> None:
    """A clock that seems to run backwards takes nothing from the sum."""
    histogram = LatencyHistogram()
    histogram.add(-1.0)
    histogram.add(0.5)
    assert histogram.buckets[0] == 1
    assert histogram.total_s == 0.5


def test_finishing_a_call_counts_code_time_and_flight() -> None:
    """One finish moves one call from the gauge to its code and its bucket."""
    counters = RouteCounters("a")
    counters.in_flight = 2
    counters.finish(14, 0.002)
    assert counters.in_flight == 1
    assert counters.by_code[14] == 1
    assert counters.latency.count() == 1


def test_reasons_are_bounded() -> None:
    """Beyond the limit every new reason counts as `other`, and nothing is lost."""
    counts: dict[str, int] = {}
    for number in range(MAX_REASONS + 20):
        add_reason(counts, f"r{number}")
        add_reason(counts, f"r{number}")
    assert len(counts) == MAX_REASONS + 1
    assert counts["r0"] == 2
    assert counts[OTHER] == 40


def test_rejections_fallbacks_and_protocol_errors_keep_their_reasons() -> None:
    """Total and parts agree."""
    route = RouteCounters("a")
    route.reject("BREAKER_OPEN")
    route.reject("BREAKER_OPEN")
    route.fall_back("static")
    proxy = ProxyCounters()
    proxy.protocol_error("FLOW")
    assert (route.rejected, route.rejected_by) == (2, {"BREAKER_OPEN": 2})
    assert (route.fallbacks, route.fallback_by_kind) == (1, {"static": 1})
    assert (proxy.protocol_errors, proxy.protocol_errors_by) == (1, {"FLOW": 1})
