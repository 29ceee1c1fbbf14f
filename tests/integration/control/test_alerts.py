"""Alerts end to end: events and statistics come in over the wire, messages go out over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from standardwebhooks import Webhook

from seawall.v1 import admin_alerts_pb2 as pb
from seawall.v1 import admin_events_pb2, event_pb2, stats_pb2
from seawall_control.server import ControlPlane
from tests.integration.control.kit import Proxy, Stubs, event, until
from tests.kit.processes import PATIENCE_S
from tests.kit.receivers import WebReceiver

pytestmark = pytest.mark.integration

SECRET = "whsec_" + "c2Vhd2FsbC10ZXN0LXNlY3JldC0wMTIz"


def breaker_event(number: int, *, opened: bool) -> event_pb2.ErrorEvent:
    """Return the event of a breaker that opened or closed."""
    found = event(number, severity=3)
    found.kind = event_pb2.EVENT_KIND_BREAKER_OPENED if opened else event_pb2.EVENT_KIND_BREAKER_CLOSED
    found.error_type = "breaker_opened" if opened else "breaker_closed"
    found.route = "all"
    found.details.update({"breaker": "all"})
    return found


async def webhook(stubs: Stubs, url: str, **more: Any) -> pb.Channel:
    """Add a signed webhook."""
    channel = pb.Channel(name="hook", webhook=pb.WebhookSettings(url=url, secret=SECRET), **more)
    answer = await stubs.alerts.CreateChannel(pb.CreateChannelRequest(channel=channel, actor="test"))
    found: pb.Channel = answer.channel
    return found


async def deliveries(stubs: Stubs, channel: str = "hook") -> list[Any]:
    """Return deliveries, the oldest first."""
    answer = await stubs.alerts.ListDeliveries(pb.ListDeliveriesRequest(channel=channel))
    return list(answer.deliveries)[::-1]


async def test_a_breaker_opens_and_recovers(stubs: Stubs) -> None:
    """An alert is told once, with a signature that an independent library accepts, and then as resolved."""
    async with WebReceiver() as receiver:
        await webhook(stubs, receiver.url)
        proxy = Proxy(stubs, "p1")
        await proxy.hello()
        await proxy.send("s", (1, breaker_event(1, opened=True)))

        async def came(number: int) -> bool:
            return len(receiver.posts) >= number

        await until(lambda: came(1), what="a message")
        await asyncio.sleep(2.5)
        assert len(receiver.posts) == 1
        post = receiver.posts[0]
        document = Webhook(SECRET).verify(post.body, post.headers)
        (alert,) = document["alerts"]
        assert (alert["state"], alert["rule"], alert["breaker"]) == ("firing", "builtin/breaker-open", "all")
        assert (alert["severity"], alert["proxy"]) == ("high", "p1")
        firing = await stubs.alerts.ListAlerts(pb.ListAlertsRequest(phases=[pb.ALERT_PHASE_FIRING]))
        assert [a.id for a in firing.alerts] == [alert["alert_id"]]

        await proxy.send("s", (2, breaker_event(2, opened=False)))
        await until(lambda: came(2), what="the message that it is over")
        (alert,) = receiver.posts[1].json()["alerts"]
        assert (alert["state"], alert["alert_id"]) == ("resolved", firing.alerts[0].id)

        async def noted() -> bool:
            found = [(d.news, d.state == pb.DELIVERY_STATE_SENT) for d in await deliveries(stubs)]
            return found == [("firing", True), ("resolved", True)]

        await until(noted, what="both are noted as sent")

        async def whats() -> list[str]:
            history = await stubs.alerts.ListAlertHistory(pb.ListAlertHistoryRequest())
            return [entry.what for entry in history.entries]

        async def all_sent() -> bool:
            return (await whats()).count("sent") >= 4

        await until(all_sent, what="both were sent to the webhook and to the log")
        said = await whats()
        assert (said.count("firing"), said.count("resolved"), said.count("sent")) == (1, 1, 4)


async def test_statistics_close_a_breaker(stubs: Stubs) -> None:
    """What a proxy reports is the truth: an opened breaker whose closing was never heard of resolves."""
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    await proxy.send("s", (1, breaker_event(1, opened=True)))

    async def phase(wanted: pb.AlertPhase) -> bool:
        answer = await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/breaker-open"))
        return [a.phase for a in answer.alerts] == [wanted]

    await until(lambda: phase(pb.ALERT_PHASE_FIRING), what="it fires")

    async def resolves() -> bool:
        closed = stats_pb2.BreakerStatus(name="all", route="all", state=stats_pb2.BREAKER_STATE_CLOSED)
        await proxy.say(stats={"breakers": [closed]})
        await asyncio.sleep(0.2)
        return await phase(pb.ALERT_PHASE_RESOLVED)

    await until(resolves, what="it resolves by what the proxy reports")


async def test_a_channel_that_is_down(stubs: Stubs) -> None:
    """A message that fails is tried again and seen to be; what was given up is sent once more on request."""
    async with WebReceiver(status=503) as receiver:
        await webhook(stubs, receiver.url)
        await stubs.events.ReportEvents(
            admin_events_pb2.ReportEventsRequest(events=[event(1, severity=4, component="app")])
        )

        async def failing() -> bool:
            found = await deliveries(stubs)
            return bool(found) and found[0].attempts >= 2

        await until(failing, what="a second attempt")
        (waiting,) = await deliveries(stubs)
        assert waiting.state == pb.DELIVERY_STATE_PENDING
        assert waiting.error == "127.0.0.1 answered 503"
        receiver.status = 410

        async def given_up() -> bool:
            return bool((await deliveries(stubs))[0].state == pb.DELIVERY_STATE_FAILED)

        await until(given_up, what="it is given up")
        receiver.status = 204
        await stubs.alerts.RetryDelivery(pb.RetryDeliveryRequest(id=waiting.id, actor="test"))

        async def arrived() -> bool:
            return bool((await deliveries(stubs))[0].state == pb.DELIVERY_STATE_SENT)

        await until(arrived, what="it arrives")
        assert len({post.headers["webhook-id"] for post in receiver.posts}) == 1
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stubs.alerts.RetryDelivery(pb.RetryDeliveryRequest(id=waiting.id))
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_secrets_are_never_read(plane: ControlPlane, stubs: Stubs) -> None:
    """Reads show that a secret is set; a write that repeats what was read keeps it."""
    async with WebReceiver() as receiver:
        made = await webhook(stubs, receiver.url)
        assert made.webhook.secret == "***"
        listed = (await stubs.alerts.ListChannels(pb.ListChannelsRequest())).channels
        assert [(c.name, c.WhichOneof("settings")) for c in listed] == [("hook", "webhook"), ("log", "log")]
        assert SECRET not in str(listed)
        made.min_severity = event_pb2.SEVERITY_HIGH
        changed = await stubs.alerts.UpdateChannel(pb.UpdateChannelRequest(channel=made))
        assert changed.channel.webhook.secret == "***"
        test = await stubs.alerts.TestChannel(pb.TestChannelRequest(name="hook"))
        assert test.ok, test.error
        post = receiver.posts[0]
        assert Webhook(SECRET).verify(post.body, post.headers)["alerts"][0]["state"] == "test"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stubs.alerts.UpdateChannel(pb.UpdateChannelRequest(channel=made))
        assert caught.value.code() is grpc.StatusCode.ABORTED


async def test_a_change_without_a_mask_is_of_what_is_set(stubs: Stubs) -> None:
    """AIP-134: what is not said stays as it was, and with `*` it does not; nothing said is a mistake."""
    async with WebReceiver() as receiver:
        made = await webhook(stubs, receiver.url)
        some = pb.Channel(name="hook", disabled=True)
        changed = (await stubs.alerts.UpdateChannel(pb.UpdateChannelRequest(channel=some))).channel
        assert (changed.disabled, changed.webhook.url) == (True, made.webhook.url)
        whole = pb.UpdateChannelRequest(channel=made)
        whole.channel.etag = changed.etag
        whole.update_mask.paths.append("*")
        assert not (await stubs.alerts.UpdateChannel(whole)).channel.disabled
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stubs.alerts.UpdateChannel(pb.UpdateChannelRequest(channel=pb.Channel(name="hook")))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    rule = pb.AlertRule(name="builtin/error-rate", severity=event_pb2.SEVERITY_CRITICAL)
    changed_rule = (await stubs.alerts.UpdateAlertRule(pb.UpdateAlertRuleRequest(rule=rule))).rule
    assert changed_rule.severity == event_pb2.SEVERITY_CRITICAL
    assert changed_rule.when


async def test_silences(stubs: Stubs) -> None:
    """A silenced alert fires and is shown, with why nobody is told; when the silence ends they are."""
    async with WebReceiver() as receiver:
        await webhook(stubs, receiver.url)
        silence = pb.Silence(rules=["builtin/*"], filter="component = app", author="me", reason="known")
        silence.end_time.GetCurrentTime()
        silence.end_time.seconds += 600
        made = (await stubs.alerts.CreateSilence(pb.CreateSilenceRequest(silence=silence))).silence
        assert made.active
        report = admin_events_pb2.ReportEventsRequest(events=[event(1, severity=4, component="app")])
        await stubs.events.ReportEvents(report)

        async def quiet() -> bool:
            answer = await stubs.alerts.ListAlerts(pb.ListAlertsRequest(phases=[pb.ALERT_PHASE_FIRING]))
            return [a.quiet_by for a in answer.alerts] == [f"silence {made.id}"]

        await until(quiet, what="it is quiet")
        assert receiver.posts == []
        await stubs.alerts.ExpireSilence(pb.ExpireSilenceRequest(id=made.id, actor="me"))

        async def told() -> bool:
            return len(receiver.posts) == 1

        await until(told, what="it is told")
        twice = pb.CreateSilenceRequest(silence=silence, request_id="6f0c8f0a-6a0e-4d0e-9c39-7e5f1b7c2d11")
        first, second = [(await stubs.alerts.CreateSilence(twice)).silence for _ in range(2)]
        assert first == second
        assert first.id == twice.request_id
        silence.ClearField("end_time")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stubs.alerts.CreateSilence(pb.CreateSilenceRequest(silence=silence))
        assert "end_time" in (caught.value.details() or "")


async def test_following_and_acknowledging(stubs: Stubs) -> None:
    """What happens to alerts is followed live; an acknowledgement is part of it."""
    call = stubs.alerts.WatchAlerts(pb.WatchAlertsRequest(filter="component = app", current=True))
    await asyncio.sleep(0.2)
    report = admin_events_pb2.ReportEventsRequest(events=[event(1, severity=4, component="app")])
    await stubs.events.ReportEvents(report)
    async with asyncio.timeout(PATIENCE_S):
        first = await call.read()
        assert (first.what, first.alert.rule) == ("firing", "builtin/critical-event")
        await stubs.alerts.AcknowledgeAlert(
            pb.AcknowledgeAlertRequest(id=first.alert.id, actor="me", reason="on it")
        )
        second = await call.read()
    assert (second.what, second.alert.acknowledged_by) == ("acknowledged", "me")
    stored = (await stubs.alerts.GetAlert(pb.GetAlertRequest(id=first.alert.id))).alert
    assert stored.acknowledge_reason == "on it"
    call.cancel()


async def test_thresholds(stubs: Stubs) -> None:
    """The three thresholds have their defaults, are changed alone, and are those of the built-in rules."""
    found = (await stubs.alerts.GetThresholds(pb.GetThresholdsRequest())).thresholds
    shown = (found.error_rate, found.specific_error_count, found.recovery_failure_rate)
    assert shown == (0.15, 20, 0.25)
    wanted = pb.Thresholds(specific_error_count=3)
    after = await stubs.alerts.UpdateThresholds(pb.UpdateThresholdsRequest(thresholds=wanted, actor="me"))
    assert (after.thresholds.error_rate, after.thresholds.specific_error_count) == (0.15, 3)
    rule = (await stubs.alerts.GetAlertRule(pb.GetAlertRuleRequest(name="builtin/specific-error"))).rule
    assert (rule.when[0].threshold, rule.changed, rule.etag) == (3, True, "1")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.alerts.UpdateThresholds(
            pb.UpdateThresholdsRequest(thresholds=pb.Thresholds(error_rate=1.5))
        )
    assert "thresholds.error_rate" in str(caught.value.trailing_metadata()) or "error_rate" in str(
        caught.value.details()
    )
    events = [event(number, severity=1, component="app") for number in range(3)]
    await stubs.events.ReportEvents(admin_events_pb2.ReportEventsRequest(events=events))

    async def fires() -> bool:
        answer = await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/specific-error"))
        return len(answer.alerts) == 1

    await until(fires, what="three of one kind")


async def test_error_rate_of_statistics(stubs: Stubs) -> None:
    """The error rate comes from what proxies count, not from events."""
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    ok = [100, *([0] * 16)]
    await proxy.say(stats={"routes": [{"route": "r", "by_code": ok}]})
    await asyncio.sleep(1.2)
    bad = [130, *([0] * 13), 30, 0, 0]
    await proxy.say(stats={"routes": [{"route": "r", "by_code": bad}]})

    async def fires() -> bool:
        answer = await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/error-rate"))
        return len(answer.alerts) == 1

    await until(fires, what="half of the calls failed")
    (alert,) = (await stubs.alerts.ListAlerts(pb.ListAlertsRequest(rule="builtin/error-rate"))).alerts
    assert alert.subject.route == "r"
    assert alert.summary.startswith("route r: 30 of 60 calls failed within 5 min (50 %")
