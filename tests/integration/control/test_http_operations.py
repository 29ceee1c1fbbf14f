"""Breakers, recovery, task history and health under the paths that the requirements give them."""

from __future__ import annotations

import asyncio

import pytest

from seawall.v1 import fleet_pb2, stats_pb2
from seawall_control.server import ControlPlane
from tests.integration.control.kit import Proxy, Stubs, event, until
from tests.integration.control.test_events import report
from tests.integration.control.web import ask

pytestmark = pytest.mark.integration

BREAKERS = "/api/v1/errors/circuit-breakers"
METHOD = "pay/shop.v1.Payments/Charge"


async def reporting(plane: ControlPlane, stubs: Stubs, node: str, *states: int, scale: int = 1) -> Proxy:
    """Return a proxy that has reported breakers in these states, and calls of a route."""
    proxy = Proxy(stubs, node)
    await proxy.hello()
    names = ("pay", METHOD)
    breakers = [
        stats_pb2.BreakerStatus(name=name, route="pay", state=state, opened=3)  # type: ignore[arg-type]
        for name, state in zip(names, states, strict=False)
    ]
    counted = stats_pb2.RouteCounters(
        route="pay",
        by_code=[90 * scale, *[0] * 13, 8 * scale],
        retries=6 * scale,
        recovered=4 * scale,
        fallbacks=2 * scale,
        hedges=5 * scale,
        hedges_won=1 * scale,
    )
    spool = fleet_pb2.SpoolStatus(depth=12)
    await proxy.say(stats=fleet_pb2.StatsReport(routes=[counted], breakers=breakers, spool=spool))

    async def reported() -> bool:
        return plane.fleet.stats.latest(node) is not None

    await until(reported, what="statistics have arrived")
    return proxy


async def test_breakers_by_name(plane: ControlPlane, stubs: Stubs) -> None:
    """The worst state of any proxy is the state; each proxy's own is beside it."""
    await reporting(plane, stubs, "p1", stats_pb2.BREAKER_STATE_OPEN, stats_pb2.BREAKER_STATE_CLOSED)
    await reporting(plane, stubs, "p2", stats_pb2.BREAKER_STATE_HALF_OPEN)
    at = plane.addresses.http
    found = (await ask(at, BREAKERS)).json["circuit_breakers"]
    assert set(found) == {"pay", METHOD}
    assert (found["pay"]["state"], found["pay"]["route"], found[METHOD]["state"]) == ("open", "pay", "closed")
    assert [(p["proxy"], p["state"]) for p in found["pay"]["proxies"]] == [
        ("p1", "open"),
        ("p2", "half_open"),
    ]
    assert found["pay"]["proxies"][0]["opened"] == "3"
    assert (await ask(at, f"{BREAKERS}/{METHOD}")).json == {METHOD: found[METHOD]}
    page = (await ask(at, "/metrics")).body.decode().splitlines()
    for state, number in (("open", 1), ("closed", 1), ("half_open", 1), ("forced_open", 0)):
        assert f'seawall_control_breakers{{state="{state}"}} {number}' in page
    assert set((await ask(at, f"{BREAKERS}?proxy=p2")).json["circuit_breakers"]) == {"pay"}
    for path in (f"{BREAKERS}/nobody", f"{BREAKERS}?proxy=nobody"):
        answer = await ask(at, path)
        assert (answer.status, answer.json["error"]["reason"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("name", ["pay", METHOD])
async def test_a_breaker_is_reset_by_its_path(plane: ControlPlane, stubs: Stubs, name: str) -> None:
    """The command reaches the proxies, with the reason; what they say comes back. A body is not needed."""
    proxy = await reporting(
        plane, stubs, "p1", stats_pb2.BREAKER_STATE_OPEN, stats_pb2.BREAKER_STATE_FORCED_OPEN
    )
    at = plane.addresses.http
    for body, reason in (({"reason": "deployed a fix"}, "deployed a fix"), (None, "")):
        asked = asyncio.ensure_future(ask(at, f"{BREAKERS}/{name}/reset", method="POST", body=body))
        command = (await proxy.hear("command")).command
        assert (command.reset_breaker.breaker, command.reset_breaker.reason) == (name, reason)
        await proxy.say(command_result=fleet_pb2.CommandResult(id=command.id, ok=True))
        answer = await asked
        assert (answer.status, answer.json["results"]) == (200, [{"proxy": "p1", "ok": True, "message": ""}])


async def test_resets_that_are_refused(plane: ControlPlane, stubs: Stubs) -> None:
    """A breaker that nobody has, another method, a body that is wrong, another site."""
    await reporting(plane, stubs, "p1", stats_pb2.BREAKER_STATE_OPEN)
    at = plane.addresses.http
    assert (await ask(at, f"{BREAKERS}/nobody/reset", method="POST")).status == 404
    assert (await ask(at, f"{BREAKERS}/pay/reset", method="PUT")).status == 405
    assert (await ask(at, f"{BREAKERS}/pay/reset", method="POST", body={"reason": 1})).status == 400
    assert (await ask(at, f"{BREAKERS}/pay/reset", method="POST", body={"proxy": "nobody"})).status == 404
    evil = {"origin": "https://evil.example"}
    assert (await ask(at, f"{BREAKERS}/pay/reset", method="POST", headers=evil)).status == 403


async def test_recovery(plane: ControlPlane, stubs: Stubs) -> None:
    """Calls in trouble that came out of it, by what: lately, by route, and since the proxies started."""
    proxy = await reporting(plane, stubs, "p1")
    at = plane.addresses.http
    total = (await ask(at, "/api/v1/errors/recovery/stats")).json["since_start"]
    assert (total["successful_recoveries"], total["failed_calls"]) == (6, 8)
    assert total["success_rate"] == pytest.approx(6 / 14, abs=1e-6)
    assert total["by_strategy"]["retry"] == {"attempts": 6, "successful": 4}
    await asyncio.sleep(1)
    counted = stats_pb2.RouteCounters(
        route="pay", by_code=[99, *[0] * 13, 9], retries=9, recovered=7, fallbacks=2, hedges=5, hedges_won=1
    )
    await proxy.say(stats=fleet_pb2.StatsReport(routes=[counted]))

    async def lately() -> bool:
        found = (await ask(at, "/api/v1/errors/recovery/stats?window_minutes=1")).json
        pay = found["routes"].get("pay", {"successful_recoveries": 0})
        return bool(pay["successful_recoveries"] == 3 and found["failed_calls"] == 1)

    await until(lately, what="the window has what was reported last")
    refused = await ask(at, "/api/v1/errors/recovery/stats?window_minutes=60")
    assert (refused.status, "window_minutes" in refused.json["error"]["message"]) == (400, True)


async def test_the_history_of_a_task(plane: ControlPlane, stubs: Stubs) -> None:
    """Its events, the oldest first, in pages, whatever its name."""
    name = 'job/7 "nightly"'
    events = [event(n) for n in range(1, 6)]
    for item in events[:4]:
        item.job_id = name
    await report(stubs, *events)
    at = plane.addresses.http
    path = "/api/v1/errors/task/job/7%20%22nightly%22/history"
    first = (await ask(at, f"{path}?page_size=3")).json
    assert (first["task_id"], [e["id"] for e in first["errors"]]) == (name, [e.id for e in events[:3]])
    rest = (await ask(at, f"{path}?page_size=3&page_token={first['next_page_token']}")).json
    assert ([e["id"] for e in rest["errors"]], rest["next_page_token"]) == ([events[3].id], "")
    assert (await ask(at, "/api/v1/errors/task/nobody/history")).json["errors"] == []


async def test_health_has_the_names_of_all_who_ask(plane: ControlPlane) -> None:
    """The same report under both paths; liveness tells of the process alone."""
    at = plane.addresses.http
    assert (await ask(at, "/api/v1/errors/health")).json["status"] == "healthy"
    assert [(await ask(at, path)).status for path in ("/livez", "/readyz")] == [200, 200]
    plane.health.draining = True
    found = [(await ask(at, path)).status for path in ("/livez", "/readyz", "/api/v1/errors/health")]
    assert found == [200, 503, 503]


async def test_what_has_not_changed_is_not_sent_again(plane: ControlPlane, stubs: Stubs) -> None:
    """GET answers have a tag; a reader that has it gets 304, and the whole answer after a change."""
    at = plane.addresses.http
    for path in ("/api/v1/errors", "/api/v1/errors/stats", "/api/v1/seawall.v1.EventService/ListEvents"):
        first = await ask(at, path)
        again = await ask(at, path, headers={"if-none-match": f'"other", W/{first.headers["etag"]}'})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
        await report(stubs, event(1 + len(path)))
        changed = await ask(at, path, headers={"if-none-match": first.headers["etag"]})
        assert changed.status == 200 and changed.headers["etag"] != first.headers["etag"]


async def test_metrics_under_the_names_of_an_older_system(plane: ControlPlane, stubs: Stubs) -> None:
    """Only when asked, with the numbers that are ours under other names."""
    await reporting(plane, stubs, "p1", stats_pb2.BREAKER_STATE_CLOSED, stats_pb2.BREAKER_STATE_OPEN)
    await report(stubs, event(1, severity=4))
    at = plane.addresses.http
    assert b"error_recovery" not in (await ask(at, "/metrics")).body
    found: dict[str, str] = {}

    async def at_rest() -> bool:
        lines = (await ask(at, "/metrics?aliases=error_recovery")).body.decode().splitlines()
        found.update(dict(line.rsplit(" ", 1) for line in lines if line.startswith("error_recovery_")))
        return float(found['error_recovery_queue_size{flow="control"}']) == 0.0

    await until(at_rest, what="nothing waits for the store")
    size = float(found.pop('error_recovery_disk_usage_mb{flow="control"}'))
    assert size > 0.05
    # The event and the breaker fire as soon as the rules are asked.
    assert float(found.pop('error_recovery_alert_count{flow="fleet"}')) in (0.0, 1.0, 2.0)
    assert {name: float(value) for name, value in found.items()} == {
        "error_recovery_system_health": 0.5,
        'error_recovery_flow_health{flow="pay"}': 0.0,
        'error_recovery_queue_size{flow="control"}': 0.0,
        'error_recovery_queue_size{flow="fleet"}': 12.0,
        "error_recovery_total_errors": 1.0,
        'error_recovery_successful_recoveries{flow="fleet"}': 6.0,
    }
    assert (await ask(at, "/metrics?aliases=mine")).status == 400


async def test_self_healing(plane: ControlPlane) -> None:
    """What was done and what is measured, as the RPCs tell it."""
    at = plane.addresses.http
    stats = (await ask(at, "/api/v1/errors/self-healing/stats")).json
    assert stats == {"counts": [], "open": 0, "effectiveness": None}
    answer = await ask(at, "/api/v1/errors/self-healing/diagnose", method="POST")
    found = {observation["condition"] for observation in answer.json["observations"]}
    assert "disk" in found
    refused = await ask(at, "/api/v1/errors/self-healing/diagnose", method="POST", body={"only": "disk"})
    assert refused.status == 400


async def test_thresholds_of_alerts(plane: ControlPlane) -> None:
    """Shown and changed under the names of the requirements; what is not named stays, nonsense is refused."""
    at, path = plane.addresses.http, "/api/v1/errors/alerts/thresholds"
    before = (await ask(at, path)).json
    assert before == {"error_rate": 0.15, "specific_error_count": 20, "recovery_failure_rate": 0.25}
    changed = await ask(at, path, method="PUT", body={"error_rate": 0.2, "specific_error_count": 5})
    after = {"error_rate": 0.2, "specific_error_count": 5, "recovery_failure_rate": 0.25}
    assert (changed.status, changed.json) == (200, after)
    assert (await ask(at, path)).json == after
    for body in ({}, {"error_rte": 0.1}, {"error_rate": 7}, {"specific_error_count": "many"}):
        answer = await ask(at, path, method="PUT", body=body)
        assert (answer.status, bool(answer.json["error"]["message"])) == (400, True), body
    assert (await ask(at, path)).json == after


async def test_analysis(plane: ControlPlane, stubs: Stubs) -> None:
    """Under the names of the requirements, with what the paths of breakers, recovery and healing say."""
    await reporting(plane, stubs, "p1", stats_pb2.BREAKER_STATE_OPEN)
    at = plane.addresses.http
    found = (await ask(at, "/api/v1/errors/analysis?window_minutes=5")).json
    told = found["error_analysis"]
    assert {"total_errors", "error_rate", "error_distribution", "anomalies", "recommendations"} <= set(told)
    assert found["window_minutes"] == 5
    assert found["circuit_breakers"] == (await ask(at, BREAKERS)).json["circuit_breakers"]
    assert set(found["recovery"]) <= set((await ask(at, "/api/v1/errors/recovery/stats")).json)
    assert found["self_healing"] == (await ask(at, "/api/v1/errors/self-healing/stats")).json
    for query in ("window_minutes=1", "window_minutes=x", "minutes=5"):
        assert (await ask(at, f"/api/v1/errors/analysis?{query}")).status == 400
