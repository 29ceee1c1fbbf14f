"""Proxies, breakers and statistics as the commands show them."""

from __future__ import annotations

from typing import Any

import pytest

from seawall.v1 import fleet_pb2, stats_pb2
from tests.integration.cli.conftest import Connect, Run, some_breaker
from tests.kit.processes import wait_until

pytestmark = pytest.mark.integration


def test_an_empty_fleet_is_no_error(run: Run) -> None:
    """Nothing to show is exit 0, nothing on stdout but the empty list, and a hint on stderr."""
    for arguments, key in (
        (["get", "proxies"], "proxies"),
        (["breaker", "list"], "breakers"),
        (["stat"], "routes"),
    ):
        text = run(*arguments)
        assert (text.code, text.out.strip()) == (0, ""), arguments
        assert text.err
        assert run(*arguments, "-o", "json").json() == {key: []}


def test_proxies_and_breakers_are_listed_and_described(run: Run, proxies: Connect) -> None:
    """What a proxy reports is what the commands show."""
    proxy = proxies("p1")
    endpoint = {"cluster": "c", "address": "127.0.0.1:1", "state": "ready", "in_flight": 2}
    proxy.report(breakers=[some_breaker(stats_pb2.BREAKER_STATE_OPEN)], endpoints=[endpoint], connections=3)
    shown = wait_until(
        lambda: run("breaker", "list", "-o", "json").json()["breakers"], "the breaker is reported"
    )
    assert [(one["name"], one["proxy"], one["state"]) for one in shown] == [("r", "p1", "open")]
    assert run("get", "breakers", "-o", "json").json()["breakers"] == shown
    assert "○ OPEN" in run("breaker", "list").out
    (item,) = run("get", "proxies", "-o", "json").json()["proxies"]
    assert (item["node"], item["connected"], item["connections"]) == ("p1", True, 3)
    text = run("describe", "proxy", "p1").out
    assert "127.0.0.1:1" in text
    assert "○ OPEN" in text
    assert "p1" in run("describe", "breaker", "r").out
    wrong = run("describe", "breaker", "x")
    assert (wrong.code, "Known breakers: r." in wrong.err) == (1, True)
    assert run("describe", "proxy", "p9").code == 1


def test_what_waits_on_a_proxys_disk(run: Run, proxies: Connect) -> None:
    """In every form of a proxy, in the metrics of the control plane, and in `check` when it does not move."""
    proxy = proxies("p1")
    assert run("get", "proxies", "-o", "json").json()["proxies"][0]["spool"] is None
    assert "Spool" not in run("describe", "proxy", "p1").out
    spool = fleet_pb2.SpoolStatus(depth=1234, bytes=2_500_000, dropped={"spool_full": 7})
    spool.oldest_age.FromSeconds(95)
    proxy.report(spool=spool)

    def shown() -> Any:
        return run("describe", "proxy", "p1", "-o", "json").json()["spool"]

    assert wait_until(shown, "the spool is reported") == {
        "depth": 1234,
        "bytes": 2_500_000,
        "oldest_age_s": 95.0,
        "dropped": {"spool_full": 7},
        "degraded": False,
        "problem": "",
    }
    line = next(line for line in run("describe", "proxy", "p1").out.splitlines() if line.startswith("Spool"))
    assert line.split(":", 1)[1].strip() == (
        "1,234 events wait (2.5 MB on disk), the oldest for 1m35s; dropped: 7 spool_full"
    )
    assert "1234 events wait on disk for a minute or more: p1" in run("check", "--no-proxy").out
    proxy.report(spool=fleet_pb2.SpoolStatus(problem="no event spool: read-only"))
    wait_until(lambda: "no event spool: read-only" in run("describe", "proxy", "p1").out, "the problem")


def test_a_breaker_is_reset_and_tripped_on_the_proxies(run: Run, proxies: Connect) -> None:
    """Every proxy's answer is shown; the exit code is 0 when all did it."""
    proxy = proxies("p1")
    proxy.report(breakers=[some_breaker(stats_pb2.BREAKER_STATE_OPEN)])
    wait_until(lambda: run("breaker", "list", "-o", "json").json()["breakers"], "the breaker is reported")
    reset = run("breaker", "reset", "r")
    assert (reset.code, "✓ reset" in reset.out) == (0, True), reset.err
    trip = run("breaker", "trip", "r", "--for", "10s", "--reason", "drill", "-o", "json")
    assert trip.code == 0, trip.err
    assert trip.json() == {"breaker": "r", "results": [{"proxy": "p1", "ok": True, "message": ""}]}
    for verb, said in (("hold-closed", "✓ held closed"), ("observe", "✓ observing")):
        held = run("breaker", verb, "r", "--for", "10s", "--reason", "drill")
        assert (held.code, said in held.out) == (0, True), held.err
        assert "decides again in 10s" in held.err


def test_a_breaker_command_without_a_proxy_fails(run: Run) -> None:
    """Nothing was done, and the exit code says so."""
    assert run("breaker", "reset", "r").code == 1


def test_an_unknown_proxy_is_no_quiet_one(run: Run) -> None:
    """A misspelt node name is an error, not an empty answer."""
    for command in (["stat"], ["breaker", "list"]):
        ran = run(*command, "--proxy", "nobody")
        assert (ran.code, "there is no proxy 'nobody'" in ran.err) == (1, True), command


def test_statistics_of_routes(run: Run, proxies: Connect) -> None:
    """Rates are those of the window, totals those since the start; a wrong name lists the right ones."""
    proxy = proxies("p1")
    none = stats_pb2.RouteCounters(route="r", by_code=[0] * 17)
    some = stats_pb2.RouteCounters(route="r", by_code=[90, *([0] * 13), 10, 0, 0], retries=7, fallbacks=2)
    proxy.report(routes=[none])
    proxy.report(routes=[some])
    shown = wait_until(
        lambda: [one for one in run("stat", "-o", "json").json()["routes"] if one["total"]["calls"] == 100],
        "the statistics are there",
    )
    assert shown[0]["total"]["by_code"] == {"OK": 90, "UNAVAILABLE": 10}
    assert (shown[0]["total"]["retries"], shown[0]["total"]["fallbacks"]) == (7, 2)
    assert run("stat", "r").out.splitlines()[1].startswith("r ")
    wrong = run("stat", "x")
    assert (wrong.code, "Known routes: r." in wrong.err) == (1, True)


def test_outliers_of_clusters(run: Run, proxies: Connect) -> None:
    """`get clusters` tells who was left out and why; a proxy's page marks the endpoint."""
    assert run("get", "clusters", "-o", "json").json() == {"clusters": []}
    cluster = stats_pb2.ClusterCounters(
        cluster="shop", ejections={"latency": 3}, spared={"silence/shadow": 1}, ejected=1, endpoints=2
    )
    endpoint = fleet_pb2.EndpointStatus(
        cluster="shop", address="h:1", state="ready", outlier="ejected", outlier_reason="latency"
    )
    proxies("p1").report(clusters=[cluster], endpoints=[endpoint])
    shown = wait_until(
        lambda: run("get", "clusters", "-o", "json").json()["clusters"], "the cluster is there"
    )
    assert shown == [
        {
            "cluster": "shop",
            "proxies": 1,
            "endpoints": 2,
            "ejected": 1,
            "ejections": {"latency": 3},
            "spared": {"silence/shadow": 1},
            "panics": 0,
        }
    ]
    line = run("get", "clusters").out.splitlines()[1]
    assert line.split() == ["shop", "1", "2", "1", "latency", "3", "silence/shadow", "1", "0"]
    assert "ready, ejected" in run("describe", "proxy", "p1").out
    assert run("describe", "proxy", "p1", "-o", "json").json()["endpoints"][0]["outlier_reason"] == "latency"
