"""Alerts over the death of the process, of the store, and what groups come to."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from seawall.v1 import admin_alerts_pb2 as pb
from seawall.v1 import admin_events_pb2, admin_groups_pb2
from seawall_control.domain.alerts.past import Bucket
from seawall_control.domain.errors import StoreFull
from seawall_control.domain.records import Change
from seawall_control.server import ControlPlane
from seawall_control.services.alerting.continuity import CALLS
from tests.integration.control.kit import Proxy, Stubs, event, until
from tests.integration.control.test_alerts import webhook
from tests.integration.control.test_process import Process
from tests.kit.receivers import WebReceiver

pytestmark = pytest.mark.integration

FREE = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--alert-allow-net", "127.0.0.0/8")


def told(receiver: WebReceiver) -> list[tuple[str, str, str]]:
    """Return what arrived: rule, state and alert, each as often as it was said."""
    return [(a["rule"], a["state"], a["alert_id"]) for post in receiver.posts for a in post.json()["alerts"]]


def stored_calls(path: Path) -> int:
    """Return how many calls the store has counted for the windows of rules."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        bodies = db.execute("SELECT body FROM documents WHERE kind = ?", (CALLS,)).fetchall()
    buckets = [Bucket.of_text(body) for (body,) in bodies]
    return sum(total for bucket in buckets for _, total in bucket.calls.values())


async def test_kill_9_loses_no_message_and_repeats_no_alert(tmp_path: Path) -> None:
    """Killed while a channel is down: after the start the message arrives, of the same alert, which still
    fires and is not told again.
    """
    async with WebReceiver(status=503) as receiver:
        process = await Process(tmp_path / "data", *FREE).start()
        try:
            async with grpc.aio.insecure_channel(process.addresses["grpc"]) as channel:
                stubs = Stubs(channel)
                await webhook(stubs, receiver.url)
                report = admin_events_pb2.ReportEventsRequest(events=[event(1, severity=4, component="app")])
                await stubs.events.ReportEvents(report)

                async def tried() -> bool:
                    return len(receiver.posts) >= 2

                await until(tried, what="two attempts")
                (alert,) = (await stubs.alerts.ListAlerts(pb.ListAlertsRequest())).alerts
        finally:
            await process.end(signal.SIGKILL)
        receiver.posts.clear()
        receiver.status = 200
        process = await Process(tmp_path / "data", *FREE).start()
        try:
            async with grpc.aio.insecure_channel(process.addresses["grpc"]) as channel:
                stubs = Stubs(channel)

                async def arrived() -> bool:
                    return any(state == "firing" and ident == alert.id for _, state, ident in told(receiver))

                await until(arrived, what="the message arrives")

                async def restarted() -> bool:
                    return any(rule == "builtin/restart" for rule, _, _ in told(receiver))

                await until(restarted, what="the restart is told")
                firing = await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/critical-event"))
                assert [(a.id, a.phase) for a in firing.alerts] == [(alert.id, pb.ALERT_PHASE_FIRING)]
                assert [item for item in told(receiver) if item[0] == "builtin/critical-event"] == [
                    ("builtin/critical-event", "firing", alert.id)
                ]
        finally:
            await process.end(signal.SIGTERM)


async def test_a_store_that_is_full_is_told(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be stored is told all the same, and stored once that is possible."""
    async with WebReceiver() as receiver:
        await webhook(stubs, receiver.url)
        store: Any = plane.store
        commit, state = store.commit, store.report_state

        async def full(_changes: list[Change], *, at_us: int) -> None:
            raise StoreFull("no room")

        async def report_state() -> Any:
            report = await state()
            object.__setattr__(report, "state", "full")
            object.__setattr__(report, "detail", "no room")
            return report

        monkeypatch.setattr(store, "commit", full)
        monkeypatch.setattr(store, "report_state", report_state)

        async def came() -> bool:
            return any(rule == "builtin/store" for rule, _, _ in told(receiver))

        await until(came, what="the full store is told")
        monkeypatch.setattr(store, "commit", commit)
        monkeypatch.setattr(store, "report_state", state)

        async def stored() -> bool:
            found = (await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/store"))).alerts
            return bool(found) and bool(found[0].summary == "the store is full: no room")

        await until(stored, what="it is stored afterwards")


async def test_a_group_that_comes_back_is_told(plane: ControlPlane, stubs: Stubs) -> None:
    """A group that is resolved and has events again becomes an alert of the rule about that."""
    report = admin_events_pb2.ReportEventsRequest(events=[event(1, severity=3, component="app")])
    await stubs.events.ReportEvents(report)
    (group,) = (await stubs.groups.ListGroups(admin_groups_pb2.ListGroupsRequest())).groups
    await stubs.groups.ResolveGroup(admin_groups_pb2.ResolveGroupRequest(id=group.id))
    again = event(2, severity=3, component="app")
    again.message = "call 1 failed"
    again.timestamp.seconds += 1
    await stubs.events.ReportEvents(admin_events_pb2.ReportEventsRequest(events=[again]))

    async def fires() -> bool:
        found = (await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/group-returned"))).alerts
        return [(a.subject.fingerprint, a.summary) for a in found] == [
            (group.id, "group of UNAVAILABLE in app is regressed")
        ]

    await until(fires, what="it fires")


async def test_windows_survive_kill_9(tmp_path: Path) -> None:
    """After the start the calls of before count: a few that fail are few, and what fired goes on."""

    async def speak(proxy: Proxy, calls: dict[str, tuple[int, int]]) -> None:
        routes = [
            {"route": route, "by_code": [fine, *([0] * 13), failed, 0, 0]}
            for route, (fine, failed) in calls.items()
        ]
        await proxy.say(stats={"routes": routes})

    async def firing(stubs: Stubs) -> list[tuple[str, str]]:
        answer = await stubs.alerts.ListAlerts(
            pb.ListAlertsRequest(rule="builtin/error-rate", phases=[pb.ALERT_PHASE_FIRING])
        )
        return [(a.id, a.subject.route) for a in answer.alerts]

    process = await Process(tmp_path / "data", *FREE).start()
    try:
        async with grpc.aio.insecure_channel(process.addresses["grpc"]) as channel:
            stubs = Stubs(channel)
            proxy = Proxy(stubs, "p1")
            await proxy.hello()
            await speak(proxy, {"fine": (0, 0), "bad": (0, 0)})
            await asyncio.sleep(1.5)
            await speak(proxy, {"fine": (1900, 100), "bad": (10, 90)})

            async def fires() -> bool:
                return [route for _, route in await firing(stubs)] == ["bad"]

            await until(fires, what="the bad route fires")
            (alert,) = await firing(stubs)

            async def kept() -> bool:
                return await asyncio.to_thread(stored_calls, tmp_path / "data" / "control.db") == 2100

            await until(kept, what="counts are stored, as they are every ten seconds")
    finally:
        await process.end(signal.SIGKILL)
    process = await Process(tmp_path / "data", *FREE).start()
    try:
        async with grpc.aio.insecure_channel(process.addresses["grpc"]) as channel:
            stubs = Stubs(channel)
            proxy = Proxy(stubs, "p1")
            await proxy.hello()
            await speak(proxy, {"fine": (1900, 100), "bad": (10, 90)})
            await asyncio.sleep(1.5)
            await speak(proxy, {"fine": (1900, 160), "bad": (10, 90)})
            await asyncio.sleep(3)
            assert await firing(stubs) == [alert]
            await speak(proxy, {"fine": (1900, 960), "bad": (10, 90)})

            async def both() -> bool:
                return sorted(route for _, route in await firing(stubs)) == ["bad", "fine"]

            await until(both, what="the other route fires when it is bad by all that is known")
            shown = await stubs.alerts.ListAlerts(
                pb.ListAlertsRequest(rule="builtin/error-rate", filter="route = fine")
            )
            assert shown.alerts[0].summary.startswith("route fine: 960 of 2860 calls failed")
    finally:
        await process.end(signal.SIGTERM)
