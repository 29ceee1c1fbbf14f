"""Habits that every RPC of the contract has alike (https://google.aip.dev): what a list takes, and how what
cannot be taken is refused. Methods are found by their descriptors, so that a new one is held to them too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor

from seawall.v1 import admin_alerts_pb2 as alerts_pb
from seawall.v1 import admin_fleet_pb2 as fleet_pb
from seawall.v1 import admin_policies_pb2, fleet_pb2, stats_pb2
from seawall.v1.admin_proposals_pb2 import ProposePolicyRequest
from seawall_control.api.roles import access_of
from seawall_control.domain.enrolment import WAITING_KIND
from seawall_control.server import ControlPlane
from tests.integration.control.kit import Proxy, Stubs, document, until
from tests.integration.control.test_events import refused
from tests.integration.control.web import ask
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration

PROPOSE = "/api/v1/seawall.v1.ProposalService/ProposePolicy"
CHANNEL = "/api/v1/seawall.v1.AlertService/CreateChannel"


def methods(plane: ControlPlane, *wanted: str) -> Iterator[MethodDescriptor]:
    """Yield the methods whose requests have these fields."""
    for service in plane.served.descriptors():
        for method in service.methods:
            if not method.client_streaming and set(wanted) <= set(method.input_type.fields_by_name):
                yield method


async def called(plane: ControlPlane, method: MethodDescriptor, body: dict[str, Any]) -> tuple[int, str, str]:
    """Return status, reason and message of a call."""
    path = f"/api/v1/{method.containing_service.full_name}/{method.name}"
    # Most streams go on for ever when they are not refused; one that is refused has a whole answer.
    async with asyncio.timeout(PATIENCE_S):
        got = await ask(plane.addresses.http, path, method="POST", body=body)
    error = got.json.get("error", {})
    return got.status, error.get("reason", ""), error.get("message", "")


async def test_pages(plane: ControlPlane) -> None:
    """AIP-158: more than the most is the most, less than 0 is refused; so is a token that is not ours."""
    found = list(methods(plane, "page_size", "page_token"))
    assert len(found) > 12
    wrong = []
    for method in found:
        for body, status, reason in (
            ({"page_size": 2**31 - 1}, 200, ""),
            ({"page_size": -1}, 400, "INVALID_REQUEST"),
            ({"page_token": "damaged"}, 400, "INVALID_PAGE_TOKEN"),
        ):
            named = {"job_id": "j"} if method.name == "GetEntityHistory" else {}
            got = await called(plane, method, {**body, **named})
            if got[:2] != (status, reason):
                wrong.append((method.full_name, body, got))
    assert wrong == []


def test_lists_have_pages(plane: ControlPlane) -> None:
    """What can grow comes in pages from the start; to add them later breaks callers."""
    wrong = [
        method.name
        for method in methods(plane)
        if method.name.startswith("List") and not method.server_streaming
        for taken, given in [(method.input_type.fields_by_name, method.output_type.fields_by_name)]
        if not {"page_size", "page_token"} <= set(taken) or "next_page_token" not in given
    ]
    assert wrong == []


async def test_short_lists_come_in_pages(plane: ControlPlane) -> None:
    """Each item once and in the order of the whole list; all of them where no size is asked for."""
    await plane.keys.rotate(plane.alerting.reseal, prepare_only=False, accept_loss=False)
    channel = alerts_pb.Channel(log=alerts_pb.LogSettings())
    for number in range(3):
        await plane.policies.apply(document(number + 1))
        change = admin_policies_pb2.ApplyPolicyRequest(document=document(number + 9))
        body = json_format.MessageToDict(ProposePolicyRequest(change=change))
        assert (await ask(plane.addresses.http, f"{PROPOSE}", method="POST", body=body)).status == 200
        channel.name = f"c{number}"
        body = json_format.MessageToDict(alerts_pb.CreateChannelRequest(channel=channel))
        assert (await ask(plane.addresses.http, f"{CHANNEL}", method="POST", body=body)).status == 200
    for service, field, least in (
        ("AccessService/ListKeys", "keys", 2),
        ("AlertService/ListChannels", "channels", 3),
        ("HealingService/ListHealingActions", "actions", 10),
        ("HealingService/ListRunbooks", "runbooks", 5),
        ("ProposalService/ListProposals", "proposals", 3),
    ):
        path = f"/api/v1/seawall.v1.{service}"
        everything = (await ask(plane.addresses.http, path)).json
        assert len(everything[field]) >= least and not everything.get("next_page_token"), service
        seen, token, sizes = [], "", []
        while True:
            page = (await ask(plane.addresses.http, f"{path}?page_size=2&page_token={token}")).json
            seen += page[field]
            sizes.append(len(page[field]))
            token = page.get("next_page_token", "")
            if not token:
                break
        assert seen == everything[field], service
        assert set(sizes[:-1]) <= {2}


async def test_filters(plane: ControlPlane) -> None:
    """AIP-160: a field that there is not, and half a condition, are refused with where."""
    found = list(methods(plane, "filter"))
    assert len(found) > 6
    wrong = []
    for method in found:
        named = {"name": "x"} if "name" in method.input_type.fields_by_name else {}
        for text in ("nosuch = 1", "severity ="):
            got = await called(plane, method, {"filter": text, **named})
            if got[:2] != (400, "INVALID_FILTER") or "filter, character " not in got[2]:
                wrong.append((method.full_name, text, got))
    assert wrong == []


async def test_orders_and_masks(plane: ControlPlane) -> None:
    """AIP-132 and 134: what is not known is refused, and what is known is named."""
    wrong = []
    for method in methods(plane, "order_by"):
        got = await called(plane, method, {"order_by": "nosuch desc"})
        if got[0] != 400 or "order_by" not in got[2]:
            wrong.append((method.full_name, got))
    for method in methods(plane, "update_mask"):
        got = await called(plane, method, {"update_mask": "nosuch"})
        if got[0] not in (400, 404):
            wrong.append((method.full_name, got))
    assert wrong == []


async def test_nothing_is_missing_without_being_said(plane: ControlPlane) -> None:
    """Every method, asked for nothing at all, answers or says what it needs: never that it failed."""
    wrong = []
    for method in methods(plane):
        if method.server_streaming:
            continue
        status, reason, message = await called(plane, method, {})
        if status >= 500 or (status >= 400 and (not reason or not message)):
            wrong.append((method.full_name, status, reason, message))
    assert wrong == []


SAYS_ALL = {
    "ArchiveEvents": "moves what is resolved and older than 14 days",
    "FinishAuthorityRotation": "is a verb about the one authority",
    "RotateAuthority": "is a verb about the one authority",
    "RotateKey": "is a verb about the keys of the store",
}
"""Methods that change something when they are asked for nothing but that."""


async def test_nothing_is_changed_by_saying_nothing(plane: ControlPlane) -> None:
    """An empty request replaces no list with an empty one, and resets nothing: it is refused."""
    done = set()
    for method in methods(plane):
        if access_of(method).changes and not method.server_streaming:
            status, _, _ = await called(plane, method, {})
            done |= {method.name} if status == 200 else set()
    assert done == SAYS_ALL.keys()


UNTRIED = {
    # What they do is what they say, to the one thing that they name.
    "AcknowledgeAlert", "ApproveHealingCase", "ApproveProposal", "CancelOperation", "CreateEnrolmentToken",
    "CreateToken", "DeleteAlertRule", "DeleteArchive", "DeleteChannel", "DeleteRunbook", "ExpireSilence",
    "PauseRollout", "PromoteRollout", "RejectHealingCase", "RejectProposal", "ReopenGroup", "ResolveGroup",
    "ResumeRollout", "RetryDelivery", "RevokeToken", "UndoRollout", "UpdateEvent", "UpdateGroup",
    # To be taken back by each other, and no event is touched.
    "MergeGroups", "SplitGroup",
    # A trial of a channel, and a proposal, whose answer says what it would come to.
    "TestChannel", "ProposePolicy",
    # Have a way of their own to go half of it: prepare_only, and force.
    "FinishAuthorityRotation", "RotateAuthority", "RotateKey",
    # Takes a token that is good for one.
    "Enrol",
}  # fmt: skip
"""Changes without `validate_only`, and why."""


def test_what_a_change_comes_to_can_be_asked(plane: ControlPlane) -> None:
    """AIP-163: where that cannot be read off the request: how many events, which proxies, what a document."""
    lacking = {
        method.name
        for method in methods(plane)
        if access_of(method).changes and "validate_only" not in method.input_type.fields_by_name
    }
    assert lacking == UNTRIED


async def test_what_is_only_tried_changes_nothing(plane: ControlPlane, stubs: Stubs) -> None:
    """Which proxies would be asked, how many certificates refused, what the numbers would be."""
    proxies = [Proxy(stubs, f"p{number}") for number in range(2)]
    for proxy in proxies:
        await proxy.hello()
    reset = fleet_pb.ResetBreakerRequest(breaker="b", validate_only=True)
    trip = fleet_pb.TripBreakerRequest(breaker="b", proxy="p1", validate_only=True)
    hold = fleet_pb.HoldBreakerRequest(
        breaker="b", state=stats_pb2.BREAKER_STATE_DISABLED, validate_only=True
    )
    for call, nodes in (
        (stubs.operations.ResetBreaker(reset), ["p0", "p1"]),
        (stubs.operations.TripBreaker(trip), ["p1"]),
        (stubs.operations.HoldBreaker(hold), ["p0", "p1"]),
    ):
        results = (await call).results
        assert [one.proxy for one in results] == nodes
        assert {(one.ok, one.message) for one in results} == {(False, "would be asked; nothing was sent")}
    assert await proxies[0].is_silent()
    path = "/api/v1/seawall.v1.AnalysisService"
    change = {"settings": {"error_rate": 0.42}, "validate_only": True}
    tried = await ask(plane.addresses.http, f"{path}/UpdateAnalysisSettings", method="POST", body=change)
    assert tried.json["settings"]["error_rate"] == 0.42
    now = await ask(plane.addresses.http, f"{path}/GetAnalysisSettings")
    assert now.json["settings"]["error_rate"] != 0.42
    _, secret = await plane.access.enrolment.create_token("p0", ttl_s=60.0, created_by="t")
    assert secret
    access = "/api/v1/seawall.v1.AccessService/RevokeCertificates"
    tried = await ask(plane.addresses.http, access, method="POST", body={"node": "p0", "validate_only": True})
    assert (tried.status, tried.json["revoked"]) == (200, 0)
    assert len(await plane.store.documents(WAITING_KIND)) == 1
    assert not await plane.store.entries("audit"), "what is tried is on no record"


async def test_silences_come_in_pages(plane: ControlPlane, stubs: Stubs) -> None:
    """All of them, once, newest first; those that are over as well where that is asked."""
    made = []
    for _ in range(5):
        silence = alerts_pb.Silence(author="a", reason="r")
        silence.end_time.GetCurrentTime()
        silence.end_time.seconds += 3600
        answer = await stubs.alerts.CreateSilence(alerts_pb.CreateSilenceRequest(silence=silence))
        made.append(answer.silence.id)
    await stubs.alerts.ExpireSilence(alerts_pb.ExpireSilenceRequest(id=made[0]))
    for all_, wanted in ((True, made), (False, made[1:])):
        seen: list[str] = []
        request = alerts_pb.ListSilencesRequest(include_ended=all_, page_size=2)
        while True:
            page = await stubs.alerts.ListSilences(request)
            assert len(page.silences) <= 2
            seen += [one.id for one in page.silences]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert seen == sorted(wanted, reverse=True)


async def test_a_page_goes_on_for_its_own_question_only(plane: ControlPlane, stubs: Stubs) -> None:
    """Breakers and statistics of a fleet come in pages; a token of one list is none of another."""
    proxies = [Proxy(stubs, f"p{number}") for number in range(3)]
    for proxy in proxies:
        await proxy.hello()
        stats = fleet_pb2.StatsReport()
        for name in ("b", "a"):
            stats.breakers.add(name=name, route=name, state=stats_pb2.BREAKER_STATE_CLOSED)
        await proxy.say(stats=stats)

    async def all_there() -> bool:
        return len((await stubs.operations.ListBreakers(fleet_pb.ListBreakersRequest())).breakers) == 6

    await until(all_there, what="all have reported")
    seen, token = [], ""
    while True:
        page = await stubs.operations.ListBreakers(
            fleet_pb.ListBreakersRequest(page_size=4, page_token=token)
        )
        seen += [(one.name, one.proxy) for one in page.breakers]
        if not page.next_page_token:
            break
        token = page.next_page_token
    assert seen == [(name, f"p{number}") for name in "ab" for number in range(3)]
    for other in (
        stubs.operations.ListBreakers(fleet_pb.ListBreakersRequest(page_token=token, proxy="p1")),
        stubs.operations.ListClusterStats(fleet_pb.ListClusterStatsRequest(page_token=token)),
    ):
        assert (await refused(other))[1] == "INVALID_PAGE_TOKEN"
