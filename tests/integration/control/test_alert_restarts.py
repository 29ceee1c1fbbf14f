"""Alerts over the death of the process, of the store, and what groups come to."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import grpc
import pytest

from seawall.v1 import admin_alerts_pb2 as pb
from seawall.v1 import admin_events_pb2
from seawall_control.domain.errors import StoreFull
from seawall_control.domain.events import Severity
from seawall_control.domain.records import Change
from seawall_control.server import ControlPlane
from seawall_control.services.notices import Notice, NoticeKind
from tests.integration.control.kit import Stubs, event, until
from tests.integration.control.test_alerts import webhook
from tests.integration.control.test_process import Process
from tests.kit.receivers import WebReceiver

pytestmark = pytest.mark.integration

FREE = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--alert-allow-net", "127.0.0.0/8")


def told(receiver: WebReceiver) -> list[tuple[str, str, str]]:
    """Return what arrived: rule, state and alert, each as often as it was said."""
    return [(a["rule"], a["state"], a["alert_id"]) for post in receiver.posts for a in post.json()["alerts"]]


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
    """What the groups of events say becomes an alert of the rule about them."""
    data = {"component": "route/all", "route": "all", "error_type": "Boom", "code": "UNAVAILABLE"}
    plane.notices.publish(Notice(NoticeKind.GROUP_REGRESSED, 1, "group/g1", Severity.HIGH, data))

    async def fires() -> bool:
        found = (await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/group-returned"))).alerts
        return [(a.subject.fingerprint, a.summary) for a in found] == [
            ("g1", "group of Boom in route/all is regressed")
        ]

    await until(fires, what="it fires")
