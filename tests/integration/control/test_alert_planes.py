"""Alerts with two control planes on one database: one asks the rules and sends, wherever things happen."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from seawall.v1 import admin_alerts_pb2 as pb
from seawall.v1 import admin_events_pb2, admin_groups_pb2
from seawall_control.domain.events import MICROS, Severity
from seawall_control.domain.records import Put
from seawall_control.domain.runs import Ending, Run
from seawall_control.server import ControlPlane
from seawall_control.services.runs import CONTROL
from tests.integration.control.kit import Proxy, Stubs, event, until
from tests.integration.control.test_alerts import breaker_event, webhook
from tests.integration.control.test_process import Process
from tests.kit.postgres import PostgresServer
from tests.kit.processes import PATIENCE_S
from tests.kit.receivers import WebReceiver

pytestmark = pytest.mark.integration


async def test_one_of_them_tells(planes: list[ControlPlane]) -> None:
    """What happens at the one that does not lead is told once; what is changed there counts; and when the
    leading one ends, the other goes on with the same alerts.
    """
    async with (
        WebReceiver() as receiver,
        grpc.aio.insecure_channel(planes[1].addresses.grpc) as second,
    ):
        there = Stubs(second)
        await webhook(there, receiver.url)

        async def known() -> bool:
            return "hook" in planes[0].alerting.evaluator._channels

        await until(known, what="the leading one knows the channel")
        watching = there.alerts.WatchAlerts(pb.WatchAlertsRequest())
        proxy = Proxy(there, "p2")
        await proxy.hello()
        await proxy.send("s", (1, breaker_event(1, opened=True)))

        def told() -> list[Any]:
            return [alert for post in receiver.posts for alert in post.json()["alerts"]]

        async def came() -> bool:
            return len(told()) >= 1

        await until(came, what="the message")
        async with asyncio.timeout(PATIENCE_S):
            seen = await watching.read()
        assert (seen.what, seen.alert.rule) == ("firing", "builtin/breaker-open")
        await there.alerts.AcknowledgeAlert(pb.AcknowledgeAlertRequest(id=seen.alert.id, actor="me"))

        async def noted() -> bool:
            (alert,) = planes[0].alerting.evaluator._engine.active()
            return alert.acknowledged_by == "me"

        await until(noted, what="the leading one knows of the acknowledgement")
        assert len(told()) == 1
        watching.cancel()

        leader = planes.pop(0)
        await leader.stop()
        await leader.store.aclose()

        async def leads() -> bool:
            return planes[0].alerting.evaluator._leading

        await until(leads, what="the other one leads")
        assert [a.id for a in planes[0].alerting.evaluator._engine.active()] == [seen.alert.id]
        await proxy.send("s", (2, breaker_event(2, opened=False)))

        async def over() -> bool:
            return len(told()) >= 2

        await until(over, what="it is over")
        assert [(a["state"], a["alert_id"]) for a in told()] == [
            ("firing", seen.alert.id),
            ("resolved", seen.alert.id),
        ]


async def test_statistics_of_another(planes: list[ControlPlane]) -> None:
    """Calls, breakers and proxies that only the other one sees count, and its proxies are not absent."""
    async with grpc.aio.insecure_channel(planes[1].addresses.grpc) as channel:
        stubs = Stubs(channel)
        proxy = Proxy(stubs, "p2")
        await proxy.hello()
        calls = 0

        async def fires() -> bool:
            nonlocal calls
            calls += 30
            counts = [calls, *([0] * 13), calls, 0, 0]
            await proxy.say(stats={"routes": [{"route": "r", "by_code": counts}]})
            await asyncio.sleep(0.5)
            answer = await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/error-rate"))
            return [a.subject.route for a in answer.alerts] == ["r"]

        try:
            async with asyncio.timeout(2 * PATIENCE_S):
                while not await fires():
                    pass
        except TimeoutError:
            pytest.fail("the calls of the other one's proxy do not count")
        facts = await planes[0].alerting.evaluator._signals.facts(frozenset({"b"}))
        assert [(p.node, p.connected) for p in facts.proxies] == [("p2", True)]
        assert [(b.name, b.is_open) for b in facts.breakers] == [("b", False)]


async def test_a_silence_made_at_the_other(planes: list[ControlPlane]) -> None:
    """It is in force at the one that tells."""
    async with grpc.aio.insecure_channel(planes[1].addresses.grpc) as channel:
        stubs = Stubs(channel)
        silence = pb.Silence(author="me", reason="known")
        silence.end_time.GetCurrentTime()
        silence.end_time.seconds += 600
        made = (await stubs.alerts.CreateSilence(pb.CreateSilenceRequest(silence=silence))).silence

        async def known() -> bool:
            silences = planes[0].alerting.evaluator._engine._silencer._silences
            return [silence.id for silence, _ in silences] == [made.id]

        await until(known, what="the leading one knows the silence")
        report = admin_events_pb2.ReportEventsRequest(events=[event(1, severity=4, component="app")])
        await stubs.events.ReportEvents(report)

        async def quiet() -> bool:
            answer = await stubs.alerts.ListAlerts(pb.ListAlertsRequest(phases=[pb.ALERT_PHASE_FIRING]))
            return [a.quiet_by for a in answer.alerts] == [f"silence {made.id}"]

        await until(quiet, what="it is quiet")


async def test_a_control_plane_that_is_missed_is_told_once(planes: list[ControlPlane]) -> None:
    """One that did not say that it stops, by whoever looks; one that did is not missed."""
    at_us = planes[0].clock.now_us()
    runs = {
        "gone/10.0.0.1:9090": Run(id="r1", seen_us=at_us - 90 * MICROS),
        "stopped/10.0.0.2:9090": Run(id="r2", seen_us=at_us - 90 * MICROS, ending=Ending.CLEAN),
        "here/10.0.0.3:9090": Run(id="r3", seen_us=at_us - 10 * MICROS),
    }
    puts = [Put(CONTROL, name, run.to_text()) for name, run in runs.items()]
    await planes[0].store.commit(puts, at_us=at_us)
    await asyncio.gather(*(plane.runs.look_around() for plane in planes for _ in range(3)))
    page = await planes[1].events.page(filter_text="error_type = control_plane_lost")
    assert [(event.component, event.severity) for event in page.events] == [
        ("control/gone/10.0.0.1:9090", Severity.MEDIUM)
    ]
    await planes[0].runs.end("SIGTERM")
    page = await planes[1].events.page(filter_text="error_type = control_plane_stopped")
    assert [event.reason for event in page.events] == ["CONTROL_PLANE_STOPPED"]


async def test_groups_of_another(planes: list[ControlPlane]) -> None:
    """A group that comes back at the one that does not lead is an alert of the leading one, and still one
    after the other has taken over.
    """
    async with grpc.aio.insecure_channel(planes[1].addresses.grpc) as channel:
        stubs = Stubs(channel)
        report = admin_events_pb2.ReportEventsRequest(events=[event(1, severity=3, component="app")])
        await stubs.events.ReportEvents(report)
        (group,) = (await stubs.groups.ListGroups(admin_groups_pb2.ListGroupsRequest())).groups
        await stubs.groups.ResolveGroup(admin_groups_pb2.ResolveGroupRequest(id=group.id))
        again = event(2, severity=3, component="app")
        again.message = "call 1 failed"
        again.timestamp.seconds += 1
        await stubs.events.ReportEvents(admin_events_pb2.ReportEventsRequest(events=[again]))

        async def alerts() -> list[tuple[str, str, int]]:
            answer = await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/group-returned"))
            return [(a.id, a.subject.fingerprint, int(a.value)) for a in answer.alerts]

        async def fires() -> bool:
            return [one[1:] for one in await alerts()] == [(group.id, 1)]

        await until(fires, what="the leading one tells")
        before = await alerts()
        leader = planes.pop(0)
        await leader.stop()
        await leader.store.aclose()

        async def leads() -> bool:
            return planes[0].alerting.evaluator._leading

        await until(leads, what="the other one leads")
        await asyncio.sleep(3)
        assert await alerts() == before
        engine = planes[0].alerting.evaluator._engine
        assert [(a.id, a.value) for a in engine.active()] == [(before[0][0], 1.0)]


async def test_windows_of_the_one_before(planes: list[ControlPlane]) -> None:
    """Who takes over counts with the calls that the one before has seen."""
    async with grpc.aio.insecure_channel(planes[0].addresses.grpc) as channel:
        proxy = Proxy(Stubs(channel), "p1")
        await proxy.hello()
        for fine in (0, 1900):
            await proxy.say(stats={"routes": [{"route": "r", "by_code": [fine, *([0] * 13), fine // 19]}]})

        async def counted() -> bool:
            told: Any = planes[0].alerting.evaluator._signals.counted
            return any(routes.get("r") == [100, 2000] for _, routes in told.values())

        await until(counted, what="the rules have heard of the calls")
        leader = planes.pop(0)
        await leader.stop()
        await leader.store.aclose()

    async def leads() -> bool:
        return planes[0].alerting.evaluator._leading

    await until(leads, what="the other one leads")
    async with grpc.aio.insecure_channel(planes[0].addresses.grpc) as channel:
        stubs = Stubs(channel)
        proxy = Proxy(stubs, "p1")
        await proxy.hello()
        for failed in (100, 160, 960):
            await proxy.say(stats={"routes": [{"route": "r", "by_code": [1900, *([0] * 13), failed]}]})
            await asyncio.sleep(1.5)
            if failed == 160:
                answer = await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/error-rate"))
                assert not answer.alerts

        async def fires() -> bool:
            answer = await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/error-rate"))
            return [a.summary.split(" (")[0] for a in answer.alerts] == [
                "route r: 960 of 2860 calls failed within 5 min"
            ]

        await until(fires, what="it fires by all that is known")


async def test_the_leading_one_is_killed(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """Two processes: the other one goes on with the same alerts and tells nothing twice."""
    url = postgres_server.url_of(await postgres_server.new_database())
    options = ("--store", url, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
    both: list[Process] = []
    spoken: list[Stubs] = []
    try:
        async with WebReceiver() as receiver, AsyncExitStack() as stack:
            for _ in range(2):
                process = await Process(tmp_path, *options, "--alert-allow-net", "127.0.0.0/8").start()
                both.append(process)
                channel = await stack.enter_async_context(
                    grpc.aio.insecure_channel(process.addresses["grpc"])
                )
                spoken.append(Stubs(channel))
                if len(both) == 1:
                    # The one that leads knows the channel since it made it.
                    await webhook(spoken[0], receiver.url, min_severity=4)
            (leader, other), stubs = both, spoken[1]

            async def told(number: int) -> bool:
                return len(receiver.posts) >= number

            report = admin_events_pb2.ReportEventsRequest(events=[event(1, severity=4, component="app")])
            await stubs.events.ReportEvents(report)
            await until(lambda: told(1), what="the first message")
            (before,) = (
                await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/critical-event"))
            ).alerts
            await leader.end(signal.SIGKILL)
            again = [event(2, severity=4, component="app"), event(3, severity=4, component="new")]
            await stubs.events.ReportEvents(admin_events_pb2.ReportEventsRequest(events=again))
            await until(lambda: told(2), what="a message of the other one")
            await asyncio.sleep(3)
            said = [(a["alert_id"], a["component"]) for post in receiver.posts for a in post.json()["alerts"]]
            assert [component for _, component in said] == ["app", "new"]
            assert said[0][0] == before.id
            assert "the periodic work from now on" in other.log
    finally:
        for process in both:
            if process.process.returncode is None:
                await process.end(signal.SIGTERM)
