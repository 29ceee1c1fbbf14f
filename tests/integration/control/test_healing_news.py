"""What runbooks do is heard of: by events, by alerts, and by the systems that they ask."""

from __future__ import annotations

from dataclasses import replace

import pytest
from standardwebhooks import Webhook

from seawall.v1 import admin_alerts_pb2, admin_events_pb2, event_pb2, fleet_pb2
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.conditions import Condition
from seawall_control.domain.healing.engine import State
from seawall_control.domain.healing.runbooks import Mode
from seawall_control.server import ControlPlane
from tests.integration.control.kit import Proxy, Stubs, event, until
from tests.integration.control.test_alerts import SECRET, webhook
from tests.integration.control.test_healing import ALWAYS, states
from tests.integration.control.web import ask
from tests.kit.receivers import WebReceiver

pytestmark = pytest.mark.integration


async def told(stubs: Stubs, error_type: str) -> event_pb2.ErrorEvent:
    """Return the event of a type, once there is one."""
    request = admin_events_pb2.ListEventsRequest(filter=f"error_type = {error_type}")
    found: list[event_pb2.ErrorEvent] = []

    async def there() -> bool:
        found[:] = (await stubs.events.ListEvents(request)).events
        return bool(found)

    await until(there, what=f"{error_type} is told")
    (one,) = found
    return one


async def ask_http(plane: ControlPlane) -> str:
    """Return the page of metrics."""
    return (await ask(plane.addresses.http, "/metrics")).body.decode()


def metric(page: str, series: str) -> float:
    """Return a number of the page."""
    (line,) = [line for line in page.splitlines() if line.rpartition(" ")[0] == series]
    return float(line.rpartition(" ")[2])


async def test_a_proposal_is_told_until_it_is_answered(plane: ControlPlane, stubs: Stubs) -> None:
    """The event names the case and what it would do, an alert tells people, and the answer resolves it; what
    helped asks for nobody.
    """
    ask = replace(ALWAYS, name="ask", action=Action.FREE_MEMORY, mode=Mode.APPROVE)
    await plane.healing.books.put(ask)
    await plane.healing.look()
    (case,) = plane.healing.open_cases
    proposed = await told(stubs, "healing_proposed")
    assert (proposed.component, proposed.severity) == ("healing/ask", event_pb2.SEVERITY_MEDIUM)
    assert proposed.message.startswith(
        f"Case {case.id} of runbook ask about store waits for an answer: it would "
    )
    assert (proposed.details["case"], proposed.resolved) == (case.id, False)

    async def alerted() -> bool:
        request = admin_alerts_pb2.ListAlertsRequest(rule="builtin/healing")
        return [a.subject.component for a in (await stubs.alerts.ListAlerts(request)).alerts] == [
            "healing/ask"
        ]

    await until(alerted, what="people are told")
    groups = {one.observation.subject for one in await plane.healing.diagnose()}
    assert f"group/{proposed.fingerprint}" not in groups, "it would call runbooks again"
    await plane.healing.approve(case.id, actor="ann")

    async def answered() -> bool:
        return (await told(stubs, "healing_proposed")).resolved

    await until(answered, what="the proposal waits no more")
    assert (await told(stubs, "healing_proposed")).resolution == "running (ann)"
    assert metric(await ask_http(plane), "seawall_control_healing_cases_open") == 1.0
    await states(plane, State.NOT_HELPED)
    page = await ask_http(plane)
    assert metric(page, 'seawall_control_healing_cases_total{state="not_helped"}') == 1.0
    assert metric(page, "seawall_control_healing_cases_open") == 0.0
    ended = await told(stubs, "healing_not_helped")
    assert (ended.severity, ended.resolved) == (event_pb2.SEVERITY_MEDIUM, False)


async def test_an_action_that_fails_is_told(plane: ControlPlane, stubs: Stubs) -> None:
    """With the reason, and HIGH: what was to be healed is not."""
    await plane.healing.books.put(ALWAYS)
    await plane.healing.look()
    failed = await told(stubs, "healing_failed")
    assert failed.severity == event_pb2.SEVERITY_HIGH
    assert failed.message.startswith("Case heal-1 of runbook always about store failed: ")


async def test_a_known_problem_is_healed_where_it_is(plane: ControlPlane, stubs: Stubs) -> None:
    """A runbook that is bound to one group of errors acts on the route of that group, and on no other."""
    known, other = event(1), event(2, component="route/other")
    known.route, other.route = "all", "other"
    await stubs.events.ReportEvents(admin_events_pb2.ReportEventsRequest(events=[known, other]))
    subjects = [
        one.observation.subject
        for one in await plane.healing.diagnose()
        if one.observation.condition is Condition.GROUP_EVENTS and "on all" in one.observation.text
    ]
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    bound = replace(
        ALWAYS,
        name="known",
        condition=Condition.GROUP_EVENTS,
        threshold=1.0,
        subject=subjects[0],
        action=Action.RESET_BREAKER,
    )
    await plane.healing.books.put(bound)
    await plane.healing.look()
    command = (await proxy.hear("command")).command
    assert command.reset_breaker.breaker == "all"
    assert command.reset_breaker.actor == "seawall-healing"
    await proxy.say(command_result=fleet_pb2.CommandResult(id=command.id, ok=True))
    assert "reset on 1 of 1 proxies" in (await states(plane, State.VERIFYING))[0]
    assert [case.subject for case in plane.healing.open_cases] == subjects


async def test_another_system_is_asked_and_knows_who_asks(plane: ControlPlane, stubs: Stubs) -> None:
    """Over a webhook channel, signed; a refusal is the end of the case."""
    async with WebReceiver() as receiver:
        await webhook(stubs, receiver.url)
        restart = replace(
            ALWAYS, name="restart", action=Action.WEBHOOK, parameters={"channel": "hook", "what": "restart"}
        )
        await plane.healing.books.put(restart)
        await plane.healing.look()
        assert "hook was asked to restart" in (await states(plane, State.VERIFYING))[0]
        (post,) = [post for post in receiver.posts if post.json()["type"] == "seawall.healing"]
        said = Webhook(SECRET).verify(post.body, post.headers)
        assert (said["what"], said["subject"], said["runbook"]) == ("restart", "store", "restart")
        assert said["id"] == post.headers["webhook-id"] == "heal-1"
        receiver.status = 410
        await plane.healing.books.put(replace(restart, name="again"))
        await plane.healing.look()
        assert "answered 410" in (await told(stubs, "healing_failed")).message
