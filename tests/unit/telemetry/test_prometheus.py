"""The scrape page."""

from __future__ import annotations

import re

from seawall_proxy.telemetry import names, prometheus
from seawall_proxy.telemetry.counters import MethodCounters, ProxyCounters, RouteCounters
from seawall_proxy.telemetry.prometheus import Exposition
from seawall_proxy.telemetry.spool import SpoolStatus

SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? \S+')


class Breakers:
    """A route with one breaker, which is open."""

    route = "a"
    states = [0, 1, 0, 0, 0, 0, 0]  # noqa: RUF012 - never changed
    opened = 3
    rejected = 7
    would_reject = 0


def page() -> Exposition:
    """Return a page with everything."""
    route = RouteCounters('a"b\\c\nd')
    method = MethodCounters(route, "shop.v1.Orders/Get")
    for seconds in (0.0, 0.0005, 0.02, 500.0):
        route.in_flight += 1
        route.finish(0, seconds)
        method.by_code[0] += 1
        method.latency.add(seconds)
    route.mirror("shadow").by_code[14] += 2
    route.mirror("shadow").drop("too_slow")
    route.reject("BREAKER_OPEN")
    route.fall_back("static")
    made = Exposition()
    prometheus.add_routes(made, {route.route: route, "": RouteCounters("")})
    prometheus.add_methods(made, [method])
    prometheus.add_mirrors(made, {route.route: route})
    route.degraded_calls = 4
    route.journal.replayed = 2
    route.journal.skip("full")
    prometheus.add_keeping(made, {route.route: route, "": RouteCounters("")})
    prometheus.add_degraded(made, [("a", True), ("b", False)])
    prometheus.add_kept(made, [("a", 3, 900)], [("b", 1, 100)])
    prometheus.add_access_log(made, 7, {"queue_full": 3}, 1)
    prometheus.add_breakers(made, [Breakers()])
    prometheus.add_proxy(made, ProxyCounters(), revision=4, control_connected=True)
    spool = SpoolStatus(
        spool_id="0",
        last=10,
        acked=4,
        bytes=100,
        segments=1,
        oldest_s=1000.0,
        unsynced=0,
        dropped={"spool_full": 2},
        sync_errors=0,
        write_errors=0,
        degraded=False,
    )
    prometheus.add_spool(made, spool, 5, 1090.0)
    return made


def test_every_line_is_of_the_format() -> None:
    """Each family is announced once, before its samples; labels are escaped."""
    text = page().text()
    assert text.endswith("\n")
    announced: list[str] = []
    for line in text.rstrip("\n").split("\n"):
        if line.startswith("# TYPE "):
            announced.append(line.split()[2])
        elif not line.startswith("# HELP "):
            assert SAMPLE.fullmatch(line), line
            base = re.sub(r"_(bucket|sum|count)$", "", re.split(r"[{ ]", line)[0])
            assert announced[-1] in (base, re.split(r"[{ ]", line)[0])
    assert len(announced) == len(set(announced))
    assert 'route="a\\"b\\\\c\\nd"' in text


def test_histogram_is_cumulative_and_complete() -> None:
    """Buckets never fall, the last one is the count, and the sum is the sum."""
    lines = [
        line for line in page().text().split("\n") if line.startswith("rpc_server_call_duration_seconds")
    ]
    counts = [int(line.rsplit(" ", 1)[1]) for line in lines if "_bucket" in line]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1], len(counts)) == (1, 4, 42)
    assert 'le="+Inf"' in lines[41]
    assert next(line for line in lines if "_count" in line).endswith(" 4")
    assert next(line for line in lines if "_sum" in line).endswith(" 500.0205")


def test_breaker_shows_one_state() -> None:
    """One series for each state, and exactly one of them is 1."""
    lines = [line for line in page().text().split("\n") if line.startswith("seawall_breaker_state{")]
    assert [line for line in lines if line.endswith(" 1")] == [
        'seawall_breaker_state{route="a",state="open"} 1'
    ]
    assert len(lines) == 7


def test_spool_and_reasons_are_shown() -> None:
    """What waits and what was dropped can be seen."""
    text = page().text()
    assert "seawall_spool_depth 6\n" in text
    assert 'seawall_spool_dropped_total{reason="spool_full"} 2\n' in text
    assert "seawall_events_waiting 5\n" in text
    assert 'reason="BREAKER_OPEN"} 1\n' in text
    assert 'kind="static"} 1\n' in text


def test_metric_names_are_unique_and_follow_the_conventions() -> None:
    """Counters end in _total, durations in _seconds; every family has a sentence of help."""
    assert len({metric.name for metric in names.ALL}) == len(names.ALL)
    for metric in names.ALL:
        assert metric.name.startswith(("seawall_", "rpc_"))
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert metric.help


def test_degraded_routes_and_what_is_kept() -> None:
    """Gauges for routes that can be so; counters only where something was counted."""
    text = page().text()
    assert 'seawall_degraded{route="a"} 1\n' in text
    assert 'seawall_degraded{route="b"} 0\n' in text
    assert 'seawall_last_good_bytes{route="a"} 900\n' in text
    assert 'seawall_journal_entries{route="b"} 1\n' in text
    assert "seawall_journal_stored_total" not in text
    assert text.count("seawall_journal_replayed_total{") == 1


def test_a_limit_and_what_it_holds() -> None:
    """Both are gauges, so what is left of a limit can be seen."""
    made = Exposition()
    prometheus.add_gates(made, [("a", 40, 25, 2, 7)])
    text = made.text()
    for line in (
        'seawall_limit{route="a"} 40\n',
        'seawall_limit_inflight{route="a"} 25\n',
        'seawall_limit_long_calls{route="a"} 2\n',
        'seawall_queue_depth{route="a"} 7\n',
    ):
        assert line in text
