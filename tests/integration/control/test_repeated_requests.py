"""A change that is asked for several times with one `request_id` is made once, and answered each time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf import json_format

from seawall.v1 import admin_access_pb2 as access_pb
from seawall.v1 import admin_access_pb2_grpc, admin_healing_pb2_grpc
from seawall.v1 import admin_alerts_pb2 as alerts_pb
from seawall.v1 import admin_fleet_pb2 as fleet_pb
from seawall.v1 import admin_groups_pb2 as groups_pb
from seawall.v1 import admin_healing_pb2 as healing_pb
from seawall.v1 import admin_operations_pb2 as operations_pb
from seawall.v1 import fleet_pb2 as fleet_messages
from seawall_control.api import roles
from seawall_control.domain.access import Role
from seawall_control.domain.audit import BEGUN, TOPIC, AuditRecord, decoded
from seawall_control.domain.errors import StoreUnavailable
from seawall_control.domain.requests import DAY_US, KIND, RUNNING_US
from seawall_control.server import ControlPlane
from tests.integration.control.kit import Proxy, Stubs, until
from tests.integration.control.test_events import refused
from tests.integration.control.web import ask

pytestmark = pytest.mark.integration


async def records(plane: ControlPlane) -> list[AuditRecord]:
    """Return what the journal says, oldest first."""
    return [decoded(entry) for entry in await plane.store.entries(TOPIC, limit=100, oldest_first=True)]


@pytest.fixture
async def channel(plane: ControlPlane) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to it."""
    async with grpc.aio.insecure_channel(plane.addresses.grpc) as found:
        yield found


def healing(channel: grpc.aio.Channel) -> Any:
    """Return the stub of healing."""
    return admin_healing_pb2_grpc.HealingServiceStub(channel)  # type: ignore[no-untyped-call]


def access(channel: grpc.aio.Channel) -> Any:
    """Return the stub of access."""
    return admin_access_pb2_grpc.AccessServiceStub(channel)  # type: ignore[no-untyped-call]


def runbook(request_id: str, description: str = "") -> healing_pb.SetRunbookRequest:
    """Return a request that makes a new version of a runbook each time that it is carried out."""
    made = healing_pb.Runbook(
        name="mine",
        condition="error_rate",
        threshold=0.5,
        action="free_memory",
        description=description,
    )
    return healing_pb.SetRunbookRequest(runbook=made, request_id=request_id)


def test_every_change_can_be_repeated(plane: ControlPlane) -> None:
    """AIP-155; but not an enrolment, whose token is good for one."""
    lacking = {
        method.name
        for service in plane.served.descriptors()
        for method in service.methods
        if roles.access_of(method).changes and "request_id" not in method.input_type.fields_by_name
    }
    assert lacking == {"Enrol"}


async def test_what_is_asked_twice_is_done_once(plane: ControlPlane, channel: grpc.aio.Channel) -> None:
    """And answered as before, over either protocol; another id is another request."""
    stub, one = healing(channel), str(uuid4())
    first = await stub.SetRunbook(runbook(one))
    assert await stub.SetRunbook(runbook(one)) == first
    body = json_format.MessageToDict(runbook(one.upper()), preserving_proto_field_name=True)
    path = "/api/v1/seawall.v1.HealingService/SetRunbook"
    over_http = await ask(plane.addresses.http, path, method="POST", body=body)
    assert (over_http.status, over_http.json["runbook"]["etag"]) == (200, "1")
    assert (await stub.SetRunbook(runbook(str(uuid4())))).runbook.etag == "2"
    assert plane.access.gate.requests.repeated == 2
    made, again, http, other = await records(plane)
    assert [one.step for one in (made, again, http, other)] == [1, 0, 0, 1]
    assert [one.result.get("repeated") for one in (made, again, http)] == [None, "True", "True"]


async def test_an_id_is_of_one_request(plane: ControlPlane, channel: grpc.aio.Channel) -> None:
    """Not of another, nor of no UUID; and what is only tried is no request."""
    stub, one = healing(channel), str(uuid4())
    tried = runbook(one)
    tried.validate_only = True
    await stub.SetRunbook(tried)
    await stub.SetRunbook(runbook(one))
    _, reason, message = await refused(stub.SetRunbook(runbook(one, "another")))
    assert (reason, "was used for another request" in message) == ("INVALID_REQUEST", True)
    _, reason, _ = await refused(
        stub.DeleteRunbook(healing_pb.DeleteRunbookRequest(name="mine", request_id=one))
    )
    assert reason == "INVALID_REQUEST"
    _, reason, message = await refused(stub.SetRunbook(runbook("first")))
    assert (reason, message) == ("INVALID_REQUEST", "request_id must be a UUID")
    assert (await records(plane))[-1].outcome == "INVALID_ARGUMENT"


async def test_what_is_known_by_what_it_made(plane: ControlPlane, stubs: Stubs) -> None:
    """Also long after the end of it; another request with its id is refused, as with every other method."""
    one = str(uuid4())
    silence = alerts_pb.Silence(author="ann", reason="planned", rules=["builtin/*"])
    silence.end_time.GetCurrentTime()
    silence.end_time.seconds += 3600
    create = alerts_pb.CreateSilenceRequest(silence=silence, request_id=one)
    first = await stubs.alerts.CreateSilence(create)
    await stubs.alerts.ExpireSilence(alerts_pb.ExpireSilenceRequest(id=first.silence.id, actor="ann"))
    assert (await stubs.alerts.CreateSilence(create)).silence.id == one
    plane.alerting.administration._clock = _At(silence.end_time.ToMicroseconds() + 1)  # type: ignore[assignment]
    assert (await stubs.alerts.CreateSilence(create)).silence.id == one
    create.silence.reason = "another"
    start = operations_pb.StartOperationRequest(actor="ann", reason="test", request_id=one)
    start.action.reset_breaker.breaker = "b"
    start.duration.FromSeconds(60)
    begun = await stubs.fleet_operations.StartOperation(start)
    assert (await stubs.fleet_operations.StartOperation(start)).operation.id == begun.operation.id == one
    start.duration.FromSeconds(61)
    for call, words in (
        (stubs.alerts.CreateSilence(create), "another silence"),
        (stubs.fleet_operations.StartOperation(start), "another operation"),
    ):
        _, reason, message = await refused(call)
        assert (reason, words in message) == ("INVALID_REQUEST", True)


async def test_a_repetition_hears_what_the_first_has_heard(plane: ControlPlane, stubs: Stubs) -> None:
    """Asked while the first is still at the proxies, it waits for what they say."""
    proxy = Proxy(stubs, "p")
    await proxy.hello()
    start = operations_pb.StartOperationRequest(actor="ann", reason="test", request_id=str(uuid4()))
    start.action.reset_breaker.breaker = "b"
    start.duration.FromSeconds(60)
    calls = [stubs.fleet_operations.StartOperation(start)]
    command = (await proxy.hear("command")).command
    calls.append(stubs.fleet_operations.StartOperation(start))

    async def waits() -> bool:
        return any(turns.takers == 2 for turns in plane.access.gate.requests._running.values())

    await until(waits, what="the second waits")
    await proxy.say(command_result=fleet_messages.CommandResult(id=command.id, ok=True))
    answers = [(await call).operation for call in calls]
    assert [[(ack.proxy, ack.ok) for ack in one.acks] for one in answers] == [[("p", True)]] * 2


async def test_ids_of_others_are_others(plane: ControlPlane, channel: grpc.aio.Channel) -> None:
    """Nobody hears what another one was answered."""
    stub, one = healing(channel), str(uuid4())
    bearers = []
    for name in ("ann", "bob"):
        _, secret = await plane.access.tokens.create(name, [Role.EDITOR], expires_us=0, created_by="t")
        bearers.append((("authorization", f"Bearer {secret}"),))
    etags = [(await stub.SetRunbook(runbook(one), metadata=who)).runbook.etag for who in (*bearers, *bearers)]
    assert etags == ["1", "2", "1", "2"]


async def test_those_who_ask_at_once_hear_the_same(channel: grpc.aio.Channel) -> None:
    """The later ones wait for the first."""
    stub, one = healing(channel), str(uuid4())
    answers = await asyncio.gather(*(stub.SetRunbook(runbook(one)) for _ in range(8)))
    assert {answer.runbook.etag for answer in answers} == {"1"}


async def test_a_request_that_was_refused_may_be_asked_again(channel: grpc.aio.Channel) -> None:
    """It has changed nothing, so there is nothing to remember."""
    stub, one = healing(channel), str(uuid4())
    wrong = runbook(one)
    wrong.runbook.condition = "nothing"
    await refused(stub.SetRunbook(wrong))
    assert (await stub.SetRunbook(runbook(one))).runbook.etag == "1"


async def test_secrets_are_told_once(plane: ControlPlane, channel: grpc.aio.Channel) -> None:
    """What is remembered of a new token is that it was made."""
    stub, one = access(channel), str(uuid4())
    request = access_pb.CreateTokenRequest(name="ci", roles=["ROLE_VIEWER"], request_id=one)
    made = await stub.CreateToken(request)
    code, reason, message = await refused(stub.CreateToken(request))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_UNANSWERED")
    assert "it holds a secret" in message
    assert len((await stub.ListTokens(access_pb.ListTokensRequest())).tokens) == 1
    (kept,) = await plane.store.documents(KIND)
    assert made.secret not in kept.body


async def test_commands_to_proxies_are_sent_once(plane: ControlPlane, stubs: Stubs) -> None:
    """No transaction holds them: the entry that they are begun claims the id."""
    request = fleet_pb.ResetBreakerRequest(breaker="b", request_id=str(uuid4()))
    first = await stubs.operations.ResetBreaker(request)
    assert await stubs.operations.ResetBreaker(request) == first
    assert [one.outcome for one in await records(plane)] == [BEGUN, "OK", "OK"]


async def test_a_crash_before_the_answer_is_kept(
    plane: ControlPlane, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change was made and nobody knows its answer; it is not made again."""
    stub, one = healing(channel), str(uuid4())
    requests = plane.access.gate.requests

    async def killed(*_: Any, **__: Any) -> None: ...

    with monkeypatch.context() as patched:
        patched.setattr(requests, "ended", killed)
        await stub.SetRunbook(runbook(one))
    code, reason, _ = await refused(stub.SetRunbook(runbook(one)))
    assert (code, reason) == (grpc.StatusCode.ABORTED, "REQUEST_RUNNING")
    now_us = requests.now_us()
    monkeypatch.setattr(requests, "_clock", _At(now_us + RUNNING_US + 1))
    code, reason, message = await refused(stub.SetRunbook(runbook(one)))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_UNANSWERED")
    assert (await records(plane))[0].call in message
    assert (await stub.GetRunbook(healing_pb.GetRunbookRequest(name="mine"))).runbook.etag == "1"


async def test_a_failure_after_a_change_is_remembered_as_one(
    plane: ControlPlane, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Part of it is done, so it is not simply done again."""
    stub, one = healing(channel), str(uuid4())
    true = plane.store.commit

    async def lost(changes: Any, **named: Any) -> Any:
        found = await true(changes, **named)
        if any(getattr(change, "kind", "") == "runbook" for change in changes):
            raise StoreUnavailable("lost")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(plane.store, "commit", lost)
        await refused(stub.SetRunbook(runbook(one)))
    _, reason, message = await refused(stub.SetRunbook(runbook(one)))
    assert (reason, "ended with UNAVAILABLE" in message) == ("REQUEST_UNANSWERED", True)


async def test_old_requests_are_forgotten(
    plane: ControlPlane, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a day at the earliest, and two at the latest; also with clocks that differ at midnight."""
    stub, one = healing(channel), str(uuid4())
    requests = plane.access.gate.requests
    now_us = requests.now_us()
    midnight = now_us // DAY_US * DAY_US
    monkeypatch.setattr(requests, "_clock", _At(midnight + 1))
    await stub.SetRunbook(runbook(one))
    for at_us in (midnight - 1, midnight + 2 * DAY_US - 1):
        monkeypatch.setattr(requests, "_clock", _At(at_us))
        assert await requests.tidy(requests.now_us()) == 0
        assert (await stub.SetRunbook(runbook(one))).runbook.etag == "1"
    monkeypatch.setattr(requests, "_clock", _At(midnight + 3 * DAY_US))
    assert await requests.tidy(requests.now_us()) == 1
    assert await plane.store.documents(KIND) == []


class _At:
    """A clock that stands."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        """Return the time."""
        return self._now_us


async def test_two_control_planes_carry_it_out_once(planes: list[ControlPlane]) -> None:
    """Asked both at the same moment, many times over: one makes the change, and both know its answer."""
    async with (
        grpc.aio.insecure_channel(planes[0].addresses.grpc) as here,
        grpc.aio.insecure_channel(planes[1].addresses.grpc) as there,
    ):
        for _ in range(10):
            request = groups_pb.SetGroupingRulesRequest(request_id=str(uuid4()))
            request.rules.add(name="r", filter="component = c", by=["component"])
            calls = [stub.groups.SetGroupingRules(request) for stub in (Stubs(here), Stubs(there)) * 2]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            told = [one for one in answers if isinstance(one, groups_pb.SetGroupingRulesResponse)]
            refusals = [one for one in answers if isinstance(one, grpc.aio.AioRpcError)]
            assert {one.code() for one in refusals} <= {grpc.StatusCode.ABORTED}
            assert len({one.etag for one in told}) == 1
            again = [await stub.groups.SetGroupingRules(request) for stub in (Stubs(here), Stubs(there))]
            assert {one.etag for one in again} == {told[0].etag}
        documents = await planes[0].store.documents("grouping")
    assert [one.version for one in documents] == [10]
