"""Every method of every service, over gRPC and HTTP: who gets in, who does not, and what is left of it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from starlette.routing import Route
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from seawall.v1 import admin_access_pb2, admin_events_pb2, admin_policies_pb2, event_pb2, fleet_pb2
from seawall_control.api import gate as gate_module
from seawall_control.api import roles as access_table
from seawall_control.api.http import routes
from seawall_control.api.http.access import asked_by
from seawall_control.domain.access import Role
from seawall_control.domain.audit import AuditRecord
from seawall_control.domain.buckets import Buckets
from seawall_control.domain.errors import Unauthenticated
from seawall_control.server import ControlPlane, ControlSettings
from seawall_control.store.sqlite import open_store
from tests.integration.control.kit import Stubs
from tests.kit.processes import PATIENCE_S

PERSONS = {
    "viewer": Role.VIEWER,
    "operator": Role.OPERATOR,
    "editor": Role.EDITOR,
    "admin": Role.ADMIN,
    "reporter": Role.REPORTER,
}
LETS_IN = {
    Role.VIEWER: {"viewer", "operator", "editor", "admin"},
    Role.EDITOR: {"editor", "admin"},
    Role.OPERATOR: {"operator", "admin"},
    Role.ADMIN: {"admin"},
    Role.PROXY: {"proxy-1"},
    Role.REPORTER: {"reporter", "operator", "admin"},
    Role.ENROLLEE: set[str](),
}
REQUEST = "6c1b8f3e-0000-4000-8000-000000000001"
REFUSED = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


def body_of(response: HTTPResponse) -> str:
    """Return the body; that of a stream, which has no length and no end, is left unread."""
    return "" if response.length is None else response.read().decode()


async def http(
    address: str, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of a request."""

    def ask() -> tuple[int, dict[str, str], str]:
        connection = HTTPConnection(address, timeout=PATIENCE_S)
        kind = {"content-type": "application/json"} if body is not None else {}
        connection.request(method, path, body, {**kind, **(headers or {})})
        response = connection.getresponse()
        try:
            return response.status, dict(response.getheaders()), body_of(response)
        finally:
            connection.close()

    return await asyncio.to_thread(ask)


class Secured:
    """A control plane that takes no call without a credential, and a token for each role."""

    def __init__(self, plane: ControlPlane, channel: grpc.aio.Channel, secrets: dict[str, str]) -> None:
        self.plane = plane
        self.channel = channel
        self.secrets = secrets

    def metadata(self, name: str | None) -> tuple[tuple[str, str], ...]:
        """Return what a call of this token carries; None: nothing."""
        return () if name is None else (("authorization", f"Bearer {self.secrets[name]}"),)

    async def code(
        self, method: MethodDescriptor, name: str | None, *, may_be_silent: bool = False
    ) -> grpc.StatusCode:
        """Call a method with an empty request, as somebody; return how it ended.

        A stream that `may_be_silent` has let its caller in when it says nothing for a while. A refusal is
        always waited for: how long its entry in the audit takes is the disk's affair.
        """
        kind = ("stream" if method.client_streaming else "unary") + (
            "_stream" if method.server_streaming else "_unary"
        )
        call: Any = getattr(self.channel, kind)(
            access_table.path_of(method),
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        request = GetMessageClass(method.input_type)()
        running = call(iter([request]) if method.client_streaming else request,
                       metadata=self.metadata(name), timeout=PATIENCE_S)  # fmt: skip
        try:
            if method.server_streaming:
                async with asyncio.timeout(0.4 if may_be_silent else None):
                    await running.read()
                running.cancel()
                return grpc.StatusCode.OK
            await running
        except TimeoutError:
            running.cancel()
            return grpc.StatusCode.OK
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK


@pytest.fixture
async def secured(strict: ControlPlane) -> AsyncIterator[Secured]:
    """Give people and a proxy their tokens."""
    secrets = {}
    for name, role in {**PERSONS, "proxy-1": Role.PROXY}.items():
        _, secrets[name] = await strict.access.tokens.create(name, [role], expires_us=0, created_by="test")
    async with grpc.aio.insecure_channel(strict.addresses.grpc) as channel:
        yield Secured(strict, channel, secrets)


def methods(plane: ControlPlane) -> list[MethodDescriptor]:
    """Return every method that is served."""
    return [method for service in plane.served.descriptors() for method in service.methods]


async def test_no_method_is_open(secured: Secured) -> None:
    """Without a credential nothing is served but whether anything is."""
    found = methods(secured.plane)
    assert len(found) > 20
    # The sweep is one address that fails again and again.
    secured.plane.access.gate._failures = Buckets(per_second=1e4, burst=1e4, capacity=10)
    for method in found:
        assert await secured.code(method, None) is grpc.StatusCode.UNAUTHENTICATED, method.full_name


@pytest.mark.parametrize("disk_s", [0.0, 0.6])
async def test_every_method_with_every_role(
    secured: Secured, disk_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may, gets past the gate (and perhaps no further: the requests are empty); who may not, does not,
    also where the disk is slow to take the entry of the refusal.
    """
    secured.plane.access.gate._failures = Buckets(per_second=1e4, burst=1e4, capacity=10)
    true = secured.plane.access.audit.write_refusal

    async def slow(record: AuditRecord) -> None:
        await asyncio.sleep(disk_s if record.method.endswith(("/TailEvents", "/Connect")) else 0.0)
        await true(record)

    monkeypatch.setattr(secured.plane.access.audit, "write_refusal", slow)
    for method in methods(secured.plane):
        wanted = access_table.access_of(method).role
        for name in secured.secrets:
            code = await secured.code(method, name, may_be_silent=name in LETS_IN[wanted])
            if name in LETS_IN[wanted]:
                assert code not in REFUSED, (method.full_name, name)
            else:
                assert code is grpc.StatusCode.PERMISSION_DENIED, (method.full_name, name)


OPEN = {"/health", "/api/v1/errors/health", "/livez", "/ready", "/readyz"}


async def test_no_page_is_open(secured: Secured) -> None:
    """Every route over HTTP, with nobody and with every role."""
    # The sweep is one address that fails again and again.
    secured.plane.access.gate._failures = Buckets(per_second=1e4, burst=1e4, capacity=10)
    table = access_table.table(secured.plane.served.services)
    pages: list[tuple[str, str, Role, bool]] = []
    for route in routes(secured.plane.parts):
        asked = asked_by(route)
        if not isinstance(route, Route):
            # A WebSocket; it asks for what a stream over HTTP does, and is tried on its own.
            assert table[asked.rpc].role is Role.VIEWER
            continue
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}:
            if asked.named_by_path:
                for rpc, access in table.items():
                    if rpc.startswith("/seawall."):
                        service, _, name = rpc[1:].partition("/")
                        path = route.path_format.format(service=service, method=name)
                        pages.append((method, path, access.role, False))
                continue
            path = route.path_format.format(**dict.fromkeys(route.param_convertors, "x"))
            pages.append((method, path, table[asked.rpc].role if asked.rpc else asked.role, asked.everybody))
    assert {("DELETE", "/api/v1/errors"), ("GET", "/metrics")} <= {page[:2] for page in pages}
    assert len(pages) > 2 * len(methods(secured.plane))
    for method, path, wanted, everybody in pages:
        for who in (None, *secured.secrets):
            headers = {"seawall-timeout": "200ms"}
            if who is not None:
                headers["authorization"] = f"Bearer {secured.secrets[who]}"
            body = b"{}" if method == "POST" else None
            status, _, _ = await http(secured.plane.addresses.http, method, path, body=body, headers=headers)
            if everybody:
                assert (path in OPEN, status in {200, 503}) == (True, True)
            elif who is None:
                assert status == 401, (method, path)
            else:
                assert (status not in {401, 403}) == (who in LETS_IN[wanted]), (method, path, who, status)


async def test_no_web_socket_is_open(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before it is accepted, and ends when its token is revoked."""
    monkeypatch.setattr(gate_module, "RECHECK_S", 0.1)
    address = f"ws://{secured.plane.addresses.http}/api/v1/errors/ws"
    for name in (None, "reporter", "proxy-1"):
        headers = {} if name is None else {"authorization": f"Bearer {secured.secrets[name]}"}
        with pytest.raises(InvalidStatus, match="403"):
            async with connect(address, additional_headers=headers):
                pass
    bearer = {"authorization": f"Bearer {secured.secrets['viewer']}"}
    async with connect(address, additional_headers=bearer) as socket:
        await secured.plane.access.tokens.revoke("viewer")
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), PATIENCE_S)


async def test_pages_that_are_not_there_are_not_there_for_those_who_may_look(secured: Secured) -> None:
    """Whoever may not look does not learn what there is."""
    address = secured.plane.addresses.http
    assert (await http(address, "GET", "/nothing"))[0] == 401
    bearer = {"authorization": f"Bearer {secured.secrets['viewer']}"}
    assert (await http(address, "GET", "/nothing", headers=bearer))[0] == 404
    assert (await http(address, "PUT", "/status", headers=bearer))[0] == 405
    _, headers, body = await http(address, "GET", "/status")
    assert headers["www-authenticate"].startswith("Bearer")
    assert json.loads(body)["error"]["reason"] == "UNAUTHENTICATED"


async def test_health_is_open_and_reflection_is_not(secured: Secured) -> None:
    """Load balancers show no credentials."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    answer = await health_pb2_grpc.HealthStub(secured.channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    stub = reflection_pb2_grpc.ServerReflectionStub(secured.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = stub.ServerReflectionInfo(iter([request]))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    call = stub.ServerReflectionInfo(iter([request]), metadata=secured.metadata("viewer"))
    assert (await call.read()).list_services_response.service


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer sw_short",
        "Basic c3dfOmE=",
        "Bearer " + "x" * 5000,
        "Bearer swe_" + "0" * 49,
        "Bearer sw_" + "0" * 49,
    ],
)
async def test_bad_credentials(secured: Secured, authorization: str) -> None:
    """Each is refused, with a sentence that says what a good one looks like."""
    stub: Any = secured.channel.unary_unary(
        "/seawall.v1.OperationsService/GetSystemHealth",
        request_serializer=lambda _: b"",
        response_deserializer=bytes,
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub(None, metadata=(("authorization", authorization),))
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "token" in (refused.value.details() or "")


async def test_two_credentials_are_none(secured: Secured) -> None:
    """It would be open which one counts."""
    stub: Any = secured.channel.unary_unary(
        "/seawall.v1.OperationsService/GetSystemHealth",
        request_serializer=lambda _: b"",
        response_deserializer=bytes,
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub(None, metadata=secured.metadata("admin") * 2)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_revoked_token_ends_its_streams(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower that was let in yesterday does not follow for ever."""
    monkeypatch.setattr(gate_module, "RECHECK_S", 0.1)
    tail = secured.channel.unary_stream(
        "/seawall.v1.EventService/TailEvents",
        request_serializer=admin_events_pb2.TailEventsRequest.SerializeToString,
        response_deserializer=admin_events_pb2.TailEventsResponse.FromString,
    )(admin_events_pb2.TailEventsRequest(), metadata=secured.metadata("viewer"), timeout=PATIENCE_S)
    reading = asyncio.create_task(tail.read())
    await asyncio.sleep(0.3)
    assert not reading.done()
    await secured.plane.access.tokens.revoke("viewer")
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await reading
    assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "revoked" in (ended.value.details() or "")


class At:
    """A clock that stands."""

    def __init__(self, at_us: int) -> None:
        self.at_us = at_us

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        return self.at_us

    def monotonic_s(self) -> float:
        """See `Clock.monotonic_s`."""
        return self.at_us / 1e6


async def test_an_expired_token_is_refused(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the microsecond, without anybody revoking it."""
    tokens = secured.plane.access.tokens
    clock = At(tokens._clock.now_us() + 3600 * 1_000_000 - 1)
    _, secret = await tokens.create("brief", [Role.VIEWER], expires_us=clock.at_us + 1, created_by="test")
    monkeypatch.setattr(tokens, "_clock", clock)
    assert (await tokens.authenticate(secret, "")).name == "brief"
    clock.at_us += 1
    with pytest.raises(Unauthenticated, match="has expired"):
        await tokens.authenticate(secret, "")


async def test_a_proxys_token_is_for_its_node(secured: Secured) -> None:
    """The name in the Hello has to be the one of the credential."""
    connect: Any = secured.channel.stream_stream(
        "/seawall.v1.FleetService/Connect",
        request_serializer=fleet_pb2.ConnectRequest.SerializeToString,
        response_deserializer=fleet_pb2.ConnectResponse.FromString,
    )
    for node, expected in (("proxy-1", grpc.StatusCode.OK), ("proxy-2", grpc.StatusCode.PERMISSION_DENIED)):
        stream = connect(metadata=secured.metadata("proxy-1"), timeout=PATIENCE_S)
        await stream.write(fleet_pb2.ConnectRequest(hello=fleet_pb2.Hello(node=node, boot_id="1")))
        if expected is grpc.StatusCode.OK:
            assert (await stream.read()).WhichOneof("kind") == "welcome"
            stream.cancel()
        else:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stream.read()
            assert refused.value.code() is expected
            assert "'proxy-1'" in (refused.value.details() or "")


async def test_changes_are_on_record_and_looking_is_not(secured: Secured) -> None:
    """Who, from where, what, with which outcome; a refused call too; never a secret."""
    plane = secured.plane
    apply = secured.channel.unary_unary(
        "/seawall.v1.PolicyService/ApplyPolicy",
        request_serializer=admin_policies_pb2.ApplyPolicyRequest.SerializeToString,
        response_deserializer=admin_policies_pb2.ApplyPolicyResponse.FromString,
    )
    request = admin_policies_pb2.ApplyPolicyRequest(author="mallory", message="m", request_id=REQUEST)
    json_format.ParseDict(
        {"version": "v1", "clusters": [{"name": "c", "endpoints": [{"address": "127.0.0.1:1"}]}],
         "routes": [{"name": "r", "cluster": "c"}]},
        request.document,
    )  # fmt: skip
    answer = await apply(request, metadata=secured.metadata("editor"))
    assert answer.revision.author == "editor"
    with pytest.raises(grpc.aio.AioRpcError):
        await apply(admin_policies_pb2.ApplyPolicyRequest(), metadata=secured.metadata("editor"))
    with pytest.raises(grpc.aio.AioRpcError):
        await apply(request, metadata=secured.metadata("viewer"))
    create = secured.channel.unary_unary(
        "/seawall.v1.AccessService/CreateToken",
        request_serializer=admin_access_pb2.CreateTokenRequest.SerializeToString,
        response_deserializer=admin_access_pb2.CreateTokenResponse.FromString,
    )
    made = await create(
        admin_access_pb2.CreateTokenRequest(name="new", roles=["ROLE_VIEWER"]),
        metadata=secured.metadata("admin"),
    )
    listing = secured.channel.unary_unary(
        "/seawall.v1.AccessService/ListAuditEntries",
        request_serializer=admin_access_pb2.ListAuditEntriesRequest.SerializeToString,
        response_deserializer=admin_access_pb2.ListAuditEntriesResponse.FromString,
    )
    page = await listing(admin_access_pb2.ListAuditEntriesRequest(), metadata=secured.metadata("viewer"))
    token, denied, failed, applied = page.entries
    assert (applied.actor, applied.actor_kind, applied.address) == ("editor", "token", "127.0.0.1")
    assert applied.method == "/seawall.v1.PolicyService/ApplyPolicy"
    assert (applied.outcome, applied.request_id) == ("OK", REQUEST)
    assert applied.result["revision.hash"] == answer.revision.hash
    assert (failed.outcome, failed.reason) == ("INVALID_ARGUMENT", "POLICY_INVALID")
    assert (denied.actor, denied.outcome) == ("viewer", "PERMISSION_DENIED")
    assert token.resource["name"] == "new"
    assert token.result["token.id"] == made.token.id
    assert made.secret not in page.SerializeToString().decode("latin-1")
    assert (await plane.access.audit.verify()).broken is None
    # One page at a time leads through the same entries.
    numbers, page_token = [], ""
    while True:
        request_page = admin_access_pb2.ListAuditEntriesRequest(page_size=1, page_token=page_token)
        one = await listing(request_page, metadata=secured.metadata("viewer"))
        numbers += [entry.number for entry in one.entries]
        page_token = one.next_page_token
        if not page_token:
            break
    assert numbers == [4, 3, 2, 1]
    only = admin_access_pb2.ListAuditEntriesRequest(actor="editor", method="ApplyPolicy")
    assert len((await listing(only, metadata=secured.metadata("viewer"))).entries) == 2


async def test_changes_over_http_are_on_record(secured: Secured) -> None:
    """The same method, the same entry."""
    status, _, _ = await http(
        secured.plane.addresses.http,
        "DELETE",
        "/api/v1/errors?older_than_days=30",
        body=b"{}",
        headers={"authorization": f"Bearer {secured.secrets['operator']}"},
    )
    assert status == 200
    (entry,) = await secured.plane.access.audit.page(before=0, limit=10)
    body = json.loads(entry.body)
    assert (body["actor"], body["method"]) == ("operator", "/seawall.v1.EventService/DeleteResolvedEvents")
    assert (body["outcome"], body["resource"]) == ("OK", {"path": "/api/v1/errors"})


async def test_reporting_events_fills_no_journal(secured: Secured) -> None:
    """Events are a record of their own, and there are many."""
    report = secured.channel.unary_unary(
        "/seawall.v1.EventService/ReportEvents",
        request_serializer=admin_events_pb2.ReportEventsRequest.SerializeToString,
        response_deserializer=admin_events_pb2.ReportEventsResponse.FromString,
    )
    event = event_pb2.ErrorEvent(component="c", message="m", severity=event_pb2.SEVERITY_LOW)
    await report(admin_events_pb2.ReportEventsRequest(events=[event]), metadata=secured.metadata("reporter"))
    assert not await secured.plane.access.audit.page(before=0, limit=10)


async def test_who_calls_too_often_waits(secured: Secured) -> None:
    """Each caller has its own measure, and hears how long to wait."""
    secured.plane.access.gate._calls = Buckets(per_second=0.001, burst=3, capacity=10)
    health: Any = secured.channel.unary_unary(
        "/seawall.v1.OperationsService/GetSystemHealth",
        request_serializer=lambda _: b"",
        response_deserializer=bytes,
    )
    for _ in range(3):
        await health(None, metadata=secured.metadata("viewer"))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await health(None, metadata=secured.metadata("viewer"))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    trailers = dict(refused.value.trailing_metadata())
    status = status_pb2.Status.FromString(bytes(trailers["grpc-status-details-bin"]))
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    assert 0 < retry.retry_delay.ToMilliseconds() <= 1_000_000
    await health(None, metadata=secured.metadata("operator"))


async def test_guessing_is_slowed_down_and_good_callers_are_not(secured: Secured) -> None:
    """All from one address: the guesser is told to wait, everybody else goes on."""
    # As many at once as ever, and no time for more, however long they take.
    slow = Buckets(per_second=0.001, burst=gate_module.FAILURES_BURST, capacity=10)
    secured.plane.access.gate._failures = slow
    health: Any = secured.channel.unary_unary(
        "/seawall.v1.OperationsService/GetSystemHealth",
        request_serializer=lambda _: b"",
        response_deserializer=bytes,
    )
    codes = []
    for _ in range(gate_module.FAILURES_BURST + 10):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await health(None, metadata=(("authorization", "Bearer sw_" + "0" * 49),))
        codes.append(refused.value.code())
    assert codes[0] is grpc.StatusCode.UNAUTHENTICATED
    assert codes[-1] is grpc.StatusCode.RESOURCE_EXHAUSTED
    await health(None, metadata=secured.metadata("viewer"))


async def test_the_local_user_needs_no_token(tmp_path: Path) -> None:
    """As it is without any setting; another user of the machine is refused."""
    settings = ControlSettings(
        data_dir=tmp_path / "control", grpc_address="127.0.0.1:0", http_address="127.0.0.1:0", grace_s=1.0
    )
    store = await open_store(settings.data_dir)
    plane = ControlPlane(settings, store)
    await plane.start()
    try:
        async with grpc.aio.insecure_channel(plane.addresses.grpc) as channel:
            health: Any = channel.unary_unary(
                "/seawall.v1.OperationsService/GetSystemHealth",
                request_serializer=lambda _: b"",
                response_deserializer=bytes,
            )
            await health(None)
            assert (await http(plane.addresses.http, "GET", "/status"))[0] == 200
            # The same as when the socket were another user's.
            plane.access.gate.users._allowed = frozenset({os.geteuid() + 1})
            plane.access.gate.users._remembered.clear()
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await health(None)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert "only from the user that runs it" in (refused.value.details() or "")
            assert (await http(plane.addresses.http, "GET", "/status"))[0] == 401
    finally:
        await plane.stop()
        await store.aclose()


async def test_a_fleet_on_one_machine_comes_back_at_once(tmp_path: Path) -> None:
    """Proxies without credentials share an address, and no measure; everything else of it has one."""
    settings = ControlSettings(
        data_dir=tmp_path / "control", grpc_address="127.0.0.1:0", http_address="127.0.0.1:0", grace_s=1.0
    )
    store = await open_store(settings.data_dir)
    plane = ControlPlane(settings, store)
    plane.access.gate._calls = Buckets(per_second=0.01, burst=2, capacity=10)
    await plane.start()
    try:
        async with grpc.aio.insecure_channel(plane.addresses.grpc) as channel:
            connect: Any = channel.stream_stream(
                "/seawall.v1.FleetService/Connect",
                request_serializer=fleet_pb2.ConnectRequest.SerializeToString,
                response_deserializer=fleet_pb2.ConnectResponse.FromString,
            )
            for number in range(5):
                stream = connect(timeout=PATIENCE_S)
                hello = fleet_pb2.Hello(node=f"p{number}", boot_id="1")
                await stream.write(fleet_pb2.ConnectRequest(hello=hello))
                assert (await stream.read()).WhichOneof("kind") == "welcome"
                stream.cancel()
            codes = [(await http(plane.addresses.http, "GET", "/status"))[0] for _ in range(3)]
            assert codes == [200, 200, 429]
    finally:
        await plane.stop()
        await store.aclose()


async def test_a_refused_change_is_on_record_before_its_caller_hears_of_it(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the record takes."""
    true = plane.store.commit

    async def slow(changes: Any, *, at_us: int) -> Any:
        await asyncio.sleep(0.3)
        return await true(changes, at_us=at_us)

    monkeypatch.setattr(plane.store, "commit", slow)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.policies.RollbackPolicy(admin_policies_pb2.RollbackPolicyRequest(policy_set="none"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    (entry,) = await plane.store.entries("audit")
    assert '"NOT_FOUND"' in entry.body
