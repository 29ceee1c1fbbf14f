"""Two control planes on one database: whatever judges the fleet sees all of it, wherever proxies are
connected, wherever they go, and whoever dies.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from seawall.v1 import admin_events_pb2 as events_pb
from seawall.v1 import admin_fleet_pb2 as fleet_pb
from seawall.v1 import event_pb2, fleet_pb2, stats_pb2
from seawall_control.domain.alerts.rules import Trigger, TriggerKind
from seawall_control.domain.alerts.watch_levels import AbsenceWatch
from seawall_control.domain.healing.conditions import Condition
from seawall_control.server import ControlPlane
from seawall_control.services import fleet as fleet_service
from seawall_control.services import fleet_beyond, fleet_sharing
from seawall_control.services.alerting.signals import Signals
from tests.integration.control.kit import Proxy, Stubs, until
from tests.integration.control.test_alerts import breaker_event
from tests.integration.control.test_planes import both
from tests.integration.control.web import ask
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration
OPEN = stats_pb2.BREAKER_STATE_OPEN
CLOSED = stats_pb2.BREAKER_STATE_CLOSED


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell each other more often than in earnest, and take nobody for gone by mistake."""
    for module, name in ((fleet_sharing, "EVERY_S"), (fleet_sharing, "OFTEN_S"), (fleet_service, "LOOK_S")):
        monkeypatch.setattr(module, name, 0.2)


def report(calls: int, failed: int = 0, *, state: int = CLOSED, ejected: str = "") -> fleet_pb2.StatsReport:
    """Return what a proxy says."""
    endpoints = [
        fleet_pb2.EndpointStatus(
            cluster="shop",
            address=address,
            state="ready",
            outlier="ejected" if address == ejected else "in",
            outlier_reason="consecutive_failures" if address == ejected else "",
        )
        for address in ("10.0.0.1:1", "10.0.0.2:1")
    ]
    return fleet_pb2.StatsReport(
        routes=[stats_pb2.RouteCounters(route="all", by_code=[calls - failed, *([0] * 13), failed])],
        breakers=[stats_pb2.BreakerStatus(name="all", route="all", state=state)],  # type: ignore[arg-type]
        endpoints=endpoints,
        spool=fleet_pb2.SpoolStatus(depth=3, bytes=50, max_bytes=100),
    )


def ordered(planes: list[ControlPlane]) -> tuple[ControlPlane, ControlPlane]:
    """Return the one that leads, then the other."""
    first, second = sorted(planes, key=lambda plane: not plane.leads())
    return first, second


def signals(plane: ControlPlane) -> Signals:
    """Return what the rules are told."""
    return plane.alerting.evaluator._signals


def counted(plane: ControlPlane) -> int:
    """Return calls of the last ten minutes, as this control plane sees the fleet."""
    return sum(counters.calls for counters in plane.fleet.view.lately(600.0).values())


def absence(plane: ControlPlane, window_s: float) -> AbsenceWatch:
    """Return the watch of a rule over proxies that do not report, as of an hour ago."""
    trigger = Trigger(kind=TriggerKind.ABSENCE, of=("proxy",), window_s=window_s)
    return AbsenceWatch(trigger, plane.clock.now_us() - 3600 * 1_000_000)


async def missing(plane: ControlPlane, watch: AbsenceWatch) -> list[str]:
    """Return the proxies that a rule misses."""
    facts = await signals(plane).facts(frozenset())
    return [reading.subject.proxy for reading in watch.readings(facts, {}, plane.clock.now_us())]


async def settled(plane: ControlPlane) -> None:
    """Wait until nothing is left to hear of proxies that came."""

    async def is_settled() -> bool:
        return not list(plane.fleet.stats.ledger.gaps())

    await until(is_settled, what="all gaps are closed")


async def test_a_proxy_that_goes_and_comes_back_is_counted_once(planes: list[ControlPlane]) -> None:
    """To the other control plane, and back, with calls on the way: nothing twice, nothing missed."""
    async with both(planes) as sides:
        leader, other = ordered(planes)
        calls = 0
        seen: list[int] = []

        async def visit(side: Stubs, plane: ControlPlane, *steps: int) -> None:
            nonlocal calls
            proxy = Proxy(side, "edge-1", boot_id="boot-7")
            await proxy.hello()
            for step in steps:
                calls += step
                await proxy.say(stats=report(calls))
                await asyncio.sleep(0.3)
            await settled(plane)
            await proxy.call.done_writing()
            await proxy.end()

        await visit(sides[0], leader, 0, 10)
        calls += 5  # on its way
        await visit(sides[1], other, 1, 20)
        calls += 7
        await visit(sides[0], leader, 2, 30)

        async def is_heard() -> bool:
            seen[:] = [counted(leader), counted(other)]
            return seen == [75, 75]

        await until(is_heard, what="both have counted 75 calls")
        await asyncio.sleep(0.5)
        assert [counted(leader), counted(other)] == [75, 75]


async def test_what_judges_sees_the_proxies_of_the_other(planes: list[ControlPlane]) -> None:
    """Alert facts, breakers over HTTP, recovery, healing, filling, old metrics: of a proxy that is connected
    to the one that does not lead.
    """
    async with both(planes) as (_, there):
        leader, _ = ordered(planes)
        proxy = Proxy(there, "edge-1")
        await proxy.hello()
        await proxy.say(stats=report(100))
        calls = 100

        async def is_seen() -> bool:
            nonlocal calls
            calls += 10
            await proxy.say(stats=report(calls, calls // 2, state=OPEN, ejected="10.0.0.2:1"))
            await asyncio.sleep(0.3)
            facts = await signals(leader).facts(frozenset())
            return [b.name for b in facts.breakers] == ["all"] and counted(leader) > 100

        await until(is_seen, what="the leader sees it")
        facts = await signals(leader).facts(frozenset())
        (fact,) = facts.proxies
        assert (fact.node, fact.connected, fact.boot_id, fact.spooled) == ("edge-1", True, "boot-1", 3)
        (breaker,) = facts.breakers
        assert (breaker.proxy, breaker.is_open) == ("edge-1", True)
        at = leader.addresses.http
        shown = (await ask(at, "/api/v1/errors/circuit-breakers")).json["circuit_breakers"]
        assert shown["all"]["state"] == "open"
        recovery = (await ask(at, "/api/v1/errors/recovery/stats")).json
        assert recovery["routes"].keys() == {"all"}
        await leader.fleet.look_around()
        observed = await leader.healing._observe(None)
        by_condition = {one.condition: one for one in observed}
        ejected = [one for one in observed if one.condition is Condition.ENDPOINT_EJECTED]
        assert [(one.subject, one.value) for one in ejected] == [
            ("endpoint/shop/10.0.0.1:1", 0.0),
            ("endpoint/shop/10.0.0.2:1", 1.0),
        ]
        assert Condition.ERROR_RATE in by_condition
        assert by_condition[Condition.POLICY_DRIFT].subject == "proxy/edge-1"
        await leader.filling.sample()
        assert {one.resource: one.used for one in leader.filling.exhaustions()}["spool/edge-1"] == 0.5
        page = (await ask(at, "/metrics?aliases=error_recovery")).body.decode()
        assert 'error_recovery_flow_health{flow="all"} 0' in page
        assert 'error_recovery_queue_size{flow="fleet"} 3' in page
        assert "seawall_control_spooled_events 0" in page
        listed = await sides_proxy(there, "edge-1")
        assert not listed.stale


async def sides_proxy(stubs: Stubs, node: str) -> fleet_pb.Proxy:
    """Return a proxy as it is shown."""
    found: Any = (await stubs.operations.GetProxy(fleet_pb.GetProxyRequest(node=node))).proxy
    assert isinstance(found, fleet_pb.Proxy)
    return found


async def test_live_views_show_what_happens_at_the_other(planes: list[ControlPlane]) -> None:
    """A breaker that opens and closes at its proxy, after what there was before; each once."""
    async with both(planes) as (here, there):
        proxy = Proxy(there, "edge-1")
        await proxy.hello()
        await proxy.send("s", (1, breaker_event(1, opened=True)))
        await until_stored(here, 1)
        tail = here.events.TailEvents(events_pb.TailEventsRequest(backlog=10))
        async with asyncio.timeout(PATIENCE_S):
            assert (await tail.read()).event.kind == event_pb2.EVENT_KIND_BREAKER_OPENED
            await proxy.send("s", (2, breaker_event(2, opened=False)))
            found = await tail.read()
        assert (found.event.kind, found.skipped) == (event_pb2.EVENT_KIND_BREAKER_CLOSED, 0)
        tail.cancel()


async def until_stored(stubs: Stubs, number: int) -> None:
    """Wait until so many events are stored."""

    async def are_stored() -> bool:
        answer = await stubs.events.ListEvents(events_pb.ListEventsRequest())
        return len(answer.events) == number

    await until(are_stored, what=f"{number} events")


async def test_breakers_that_close_elsewhere_are_closed(planes: list[ControlPlane]) -> None:
    """The leader's alert ends by what the proxy reports, also when no event of it came."""
    async with both(planes) as (_, there):
        leader, _ = ordered(planes)
        proxy = Proxy(there, "edge-1")
        await proxy.hello()
        await proxy.say(stats=report(1, state=OPEN))

        async def states(wanted: bool) -> bool:
            facts = await signals(leader).facts(frozenset({"all"}))
            return [b.is_open for b in facts.breakers] == [wanted]

        await until(lambda: states(True), what="it is open")
        await proxy.say(stats=report(1, state=CLOSED))
        await until(lambda: states(False), what="it is closed")


async def test_one_that_dies_with_its_proxies(
    planes: list[ControlPlane],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a word: until it is taken for gone its proxies are there, then they have been away since they
    were last heard of, and not for as long as the record says. Those that have gone to another are there all
    along, and what they did meanwhile is counted.
    """
    monkeypatch.setattr(fleet_beyond, "GONE_S", 2.0)
    async with both(planes) as (here, there):
        leader, other = ordered(planes)
        proxies = [Proxy(there, f"edge-{n}", boot_id=f"boot-{n}") for n in (1, 2)]
        for proxy in proxies:
            await proxy.hello()
            await proxy.say(stats=report(0))
        await asyncio.sleep(0.5)
        for proxy in proxies:
            await proxy.say(stats=report(50))

        async def are_heard() -> bool:
            return counted(leader) == 100

        await until(are_heard, what="the leader has heard of the calls")
        # The record is as old as it may be: it is written when something changes.
        for node in ("edge-1", "edge-2"):
            await leader.store.remember(
                dataclasses.replace(
                    other.fleet.proxy(node), last_seen_us=leader.clock.now_us() - 3500 * 1_000_000
                )
            )
        monkeypatch.setattr(other.sharing, "tell", asyncio.Event().wait)
        died_us = leader.clock.now_us()
        moved = Proxy(here, "edge-1", boot_id="boot-1")
        await moved.hello()
        await moved.say(stats=report(60))

        watch = absence(leader, 3.0)

        async def is_missed() -> bool:
            return await missing(leader, watch) == ["edge-2"]

        await until(is_missed, what="the proxy of the dead one is missed")
        facts = {p.node: p for p in (await signals(leader).facts(frozenset())).proxies}
        assert abs(facts["edge-2"].last_seen_us - died_us) < 600_000_000, "it is not an hour"

        async def is_counted() -> bool:
            return counted(leader) == 110

        await until(is_counted, what="what it did meanwhile is counted")
        await moved.say(stats=report(65))

        async def goes_on() -> bool:
            return counted(leader) == 115

        await until(goes_on, what="it goes on")


async def test_no_storm_when_one_is_stopped(planes: list[ControlPlane]) -> None:
    """It says that it goes: its proxies are away at once, and back when they have come here. No proxy is told
    of as absent, and its calls are those that it had.
    """
    async with both(planes) as (here, there):
        leader, other = ordered(planes)
        watch = absence(leader, PATIENCE_S)
        nodes = [f"edge-{n}" for n in range(5)]
        for node in nodes:
            proxy = Proxy(there, node, boot_id=node)
            await proxy.hello()
            await proxy.say(stats=report(0))
            await asyncio.sleep(0.2)
            await proxy.say(stats=report(10))

        async def are_heard() -> bool:
            return counted(leader) == 50

        await until(are_heard, what="the leader has heard of the calls")
        planes.remove(other)
        await other.stop()
        await other.store.aclose()

        async def are_away() -> bool:
            return not any(leader.fleet.is_online(node) for node in nodes)

        await until(are_away, what="they are away at once")
        for node in nodes:
            proxy = Proxy(here, node, boot_id=node)
            await proxy.hello()
            await proxy.say(stats=report(12))

        async def are_counted() -> bool:
            return counted(leader) == 60

        await until(are_counted, what="the calls on the way are counted")
        await settled(leader)
        assert (counted(leader), await missing(leader, watch)) == (60, [])


async def test_clocks_that_differ_hide_nobody(planes: list[ControlPlane]) -> None:
    """The other's clock is ten minutes ahead, or behind: its proxies are there all the same."""
    async with both(planes) as (_, there):
        leader, other = ordered(planes)
        clock = other.sharing._clock

        class Off:
            """A clock that is wrong."""

            def __init__(self, by_us: int) -> None:
                self.by_us = by_us

            def now_us(self) -> int:
                """Return the wrong time."""
                return clock.now_us() + self.by_us

            def monotonic_s(self) -> float:
                """Return what is right."""
                return clock.monotonic_s()

        proxy = Proxy(there, "edge-1")
        await proxy.hello()
        await proxy.say(stats=report(1, state=OPEN))
        for by_us in (600_000_000, -600_000_000):
            other.sharing._clock = Off(by_us)
            leader.fleet.beyond.told({})

            async def is_seen() -> bool:
                facts = await signals(leader).facts(frozenset())
                return [(p.node, p.connected) for p in facts.proxies] == [("edge-1", True)] and bool(
                    facts.breakers
                )

            await until(is_seen, what=f"the proxy is seen with a clock off by {by_us}")
