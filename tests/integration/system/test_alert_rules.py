"""Rules over what proxies and control planes really do, as processes: from what happens to the alert."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from seawall.v1 import admin_alerts_pb2 as pb
from seawall.v1 import event_pb2
from tests.integration.control.kit import Stubs
from tests.integration.system.test_both_planes import call, document, following, until
from tests.kit.processes import free_port
from tests.kit.stand import Control, Stand

pytestmark = pytest.mark.integration

PATIENCE_S = 120.0


def trigger(kind: str, *, window_s: int = 0, **fields: Any) -> pb.AlertTrigger:
    """Return a trigger."""
    found = pb.AlertTrigger(kind=f"ALERT_TRIGGER_KIND_{kind}", **fields)
    if window_s:
        found.window.FromSeconds(window_s)
    return found


async def watch(control: Control, name: str, *triggers: pb.AlertTrigger) -> None:
    """Add a rule."""
    async with grpc.aio.insecure_channel(control.grpc) as channel:
        rule = pb.AlertRule(name=name, when=triggers)
        await Stubs(channel).alerts.CreateAlertRule(pb.CreateAlertRuleRequest(rule=rule))


async def alerts(control: Control, rule: str, phase: pb.AlertPhase) -> list[pb.Alert]:
    """Return the alerts of a rule."""
    async with grpc.aio.insecure_channel(control.grpc) as channel:
        request = pb.ListAlertsRequest(rule=rule, phases=[phase])
        return list((await Stubs(channel).alerts.ListAlerts(request)).alerts)


async def fires(control: Control, rule: str, about: Callable[[pb.Alert], bool] = lambda _: True) -> pb.Alert:
    """Return the alert of a rule about something, once it fires."""

    async def check() -> pb.Alert | None:
        found = await alerts(control, rule, pb.ALERT_PHASE_FIRING)
        return next((alert for alert in found if about(alert)), None)

    alert: pb.Alert = await until(f"{rule} fires", check, PATIENCE_S)
    return alert


async def resolves(control: Control, rule: str, alert: pb.Alert) -> None:
    """Wait until an alert is over."""

    async def check() -> bool:
        return any(one.id == alert.id for one in await alerts(control, rule, pb.ALERT_PHASE_RESOLVED))

    await until(f"{rule} resolves", check, PATIENCE_S)


async def test_absence(stand: Stand) -> None:
    """Calls that stop, and a proxy that is killed, until they are back."""
    _, address = stand.upstream()
    control = stand.control()
    config = stand.policy(document(address))
    proxy = following(stand, control, config, "p1")
    await watch(control, "app/calls", trigger("ABSENCE", of=["calls"], window_s=10))
    await watch(control, "app/proxy", trigger("ABSENCE", of=["proxy"], window_s=10))
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        for _ in range(5):
            await call(channel)
        calls = await fires(control, "app/calls", lambda alert: alert.subject.route == "all")
        assert "route all: no calls for " in calls.summary
        await call(channel)
    await resolves(control, "app/calls", calls)
    proxy.child.kill()
    gone = await fires(control, "app/proxy")
    assert (gone.subject.proxy, "proxy p1: no report for " in gone.summary) == ("p1", True)
    following(stand, control, config, "p1")
    await resolves(control, "app/proxy", gone)


async def test_burn_rate(stand: Stand) -> None:
    """A route whose upstream is away burns its budget over both windows."""
    control = stand.control()
    proxy = following(stand, control, stand.policy(document(f"127.0.0.1:{free_port()}")), "p1")
    burn = trigger("BURN_RATE", objective=0.9, min_calls=10)
    pair = burn.windows.add(factor=5.0)
    pair.long.FromSeconds(60)
    pair.short.FromSeconds(10)
    await watch(control, "app/budget", burn)

    async def fail() -> None:
        async with grpc.aio.insecure_channel(proxy.address) as channel:
            while True:
                with pytest.raises(grpc.aio.AioRpcError):
                    await call(channel)
                await asyncio.sleep(0.02)

    failing = asyncio.create_task(fail())
    try:
        alert = await fires(control, "app/budget")
    finally:
        failing.cancel()
        await asyncio.gather(failing, return_exceptions=True)
    assert alert.subject.route == "all"
    said = "the error budget of 90 % burns 10 times too fast over 1 min and 10 times over 10 s"
    assert said in alert.summary
    # The short window shows that it is over while the long one still remembers.
    await resolves(control, "app/budget", alert)


async def test_disk_and_queue(stand: Stand) -> None:
    """The disk under the store is used; messages wait for a receiver that is away, until it is given up."""
    control = stand.control("--alert-allow-net", "127.0.0.0/8")
    await watch(control, "app/disk", trigger("DISK", threshold=0.0001))
    await watch(control, "app/queue", trigger("QUEUE", of=["deliveries"], threshold=1))
    disk = await fires(control, "app/disk")
    assert 0.0 < disk.value <= 1.0
    assert disk.summary.startswith("the disk of the store is ")
    async with grpc.aio.insecure_channel(control.grpc) as channel:
        stubs = Stubs(channel)
        hook = pb.WebhookSettings(url=f"http://127.0.0.1:{free_port()}/", secret="s" * 16)
        away = pb.Channel(name="away", min_severity=event_pb2.SEVERITY_HIGH, webhook=hook)
        await stubs.alerts.CreateChannel(pb.CreateChannelRequest(channel=away))
        await watch(control, "app/again", trigger("DISK", threshold=0.0001))
        queue = await fires(control, "app/queue")
        assert "messages of alerts wait for their channels" in queue.summary
        update = pb.UpdateChannelRequest(channel=pb.Channel(name="away", disabled=True))
        update.update_mask.paths.append("disabled")
        await stubs.alerts.UpdateChannel(update)
    await resolves(control, "app/queue", queue)
