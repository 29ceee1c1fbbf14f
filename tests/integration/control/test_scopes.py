"""Tokens that are limited to policy sets: what they open, and that they open nothing else."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from seawall.v1 import (
    admin_access_pb2,
    admin_access_pb2_grpc,
    admin_fleet_pb2,
    admin_fleet_pb2_grpc,
    admin_policies_pb2,
    admin_policies_pb2_grpc,
    admin_rollouts_pb2,
    admin_rollouts_pb2_grpc,
    fleet_pb2,
    policy_pb2,
)
from seawall_control.api import roles
from seawall_control.domain.access import Role
from seawall_control.domain.buckets import Buckets
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.scopes import FILTERED, SCOPED
from tests.integration.control.kit import document
from tests.integration.control.test_access import Secured, methods, secured
from tests.integration.control.web import ask

pytestmark = pytest.mark.integration

__all__ = ["secured"]


async def scoped(secured: Secured, *policy_sets: str, role: Role = Role.EDITOR, name: str = "ours") -> str:
    """Make a token that is limited to these sets; return its name."""
    _, secured.secrets[name] = await secured.plane.access.tokens.create(
        name, [role], expires_us=0, created_by="test", policy_sets=policy_sets
    )
    return name


def policies(secured: Secured) -> Any:
    """Return the stub."""
    return admin_policies_pb2_grpc.PolicyServiceStub(secured.channel)  # type: ignore[no-untyped-call]


async def applied(secured: Secured, name: str, policy_set: str, number: int, **more: Any) -> Any:
    """Apply a document as somebody."""
    request = admin_policies_pb2.ApplyPolicyRequest(document=document(number), policy_set=policy_set, **more)
    return await policies(secured).ApplyPolicy(request, metadata=secured.metadata(name))


async def denied(call: Any) -> str:
    """Make a call that is refused; return what it said."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED, caught.value.details()
    return str(caught.value.details())


async def connected(secured: Secured, node: str, policy_set: str) -> Any:
    """Return the open stream of a proxy that follows a set."""
    if node not in secured.secrets:
        _, secured.secrets[node] = await secured.plane.access.tokens.create(
            node, [Role.PROXY], expires_us=0, created_by="test"
        )
    connect: Any = secured.channel.stream_stream(
        "/seawall.v1.FleetService/Connect",
        request_serializer=fleet_pb2.ConnectRequest.SerializeToString,
        response_deserializer=fleet_pb2.ConnectResponse.FromString,
    )
    stream = connect(metadata=secured.metadata(node), timeout=60)
    hello = fleet_pb2.Hello(node=node, boot_id="1", policy_set=policy_set)
    await stream.write(fleet_pb2.ConnectRequest(hello=hello))
    assert (await stream.read()).WhichOneof("kind") == "welcome"
    return stream


async def test_no_other_method_is_open(secured: Secured) -> None:
    """Every method of every service, with each role: refused unless it is in the table, and in the table
    refused for another set than the token's.
    """
    secured.plane.access.gate._failures = Buckets(per_second=1e6, burst=1e6, capacity=10)
    seen = set()
    for role in (Role.VIEWER, Role.EDITOR):
        name = await scoped(secured, "ours", role=role, name=f"ours-{role.label}")
        for method in methods(secured.plane):
            path = roles.path_of(method)
            # An empty request is about the set `default`.
            found = await secured.code(method, name)
            assert (found is not grpc.StatusCode.PERMISSION_DENIED) == (path in FILTERED), path
            seen.add(path)
    assert set(SCOPED) | FILTERED <= seen
    assert len(seen) > 90


async def test_the_table_names_what_requests_have(secured: Secured) -> None:
    """A field that is misspelt there would open a method."""
    found = {roles.path_of(method): method for method in methods(secured.plane)}
    for path, fields in SCOPED.items():
        assert not found[path].client_streaming
        assert fields[0] == "policy_set"
        names = set(found[path].input_type.fields_by_name)
        assert {field.partition(".")[0] for field in fields} <= names
        assert ("document" in names) == ("document.extends" in fields), path


async def test_its_own_set_is_open(secured: Secured) -> None:
    """To see, to compare, to change, and to go back."""
    name = await scoped(secured, "ours", "more")
    metadata = secured.metadata(name)
    stub = policies(secured)
    await applied(secured, name, "ours", 1)
    await applied(secured, name, "more", 1)
    await applied(secured, name, "ours", 2)
    listed = await stub.ListRevisions(
        admin_policies_pb2.ListRevisionsRequest(policy_set="ours"), metadata=metadata
    )
    assert [revision.revision for revision in listed.revisions] == [2, 1]
    back = admin_policies_pb2.RollbackPolicyRequest(policy_set="ours", revision=1)
    assert (await stub.RollbackPolicy(back, metadata=metadata)).revision.revision == 3
    await stub.GetRollout(admin_policies_pb2.GetRolloutRequest(policy_set="ours"), metadata=metadata)
    said = await denied(applied(secured, name, "theirs", 1))
    assert "limited to policy set more, ours" in said
    assert await secured.plane.store.latest("theirs") is None
    viewer = await scoped(secured, "ours", role=Role.VIEWER, name="looks")
    await denied(applied(secured, viewer, "ours", 3))


async def test_sets_that_extend_each_other(secured: Secured) -> None:
    """What is extended is written out, and what extends changes with it: both are other sets."""
    await applied(secured, "editor", "base", 1)
    child = policy_pb2.PolicyDocument(version="v1", extends="base")
    request = admin_policies_pb2.ApplyPolicyRequest(document=child, policy_set="ours")
    stub = policies(secured)
    name = await scoped(secured, "ours")
    await denied(stub.ApplyPolicy(request, metadata=secured.metadata(name)))
    diff = admin_policies_pb2.DiffPolicyRequest(document=child, policy_set="ours")
    await denied(stub.DiffPolicy(diff, metadata=secured.metadata(name)))
    await stub.ApplyPolicy(request, metadata=secured.metadata("editor"))
    based = await scoped(secured, "base", name="based")
    said = await denied(applied(secured, based, "base", 2))
    assert "'ours' is another" in said
    newest = await secured.plane.store.latest("base")
    assert newest is not None and newest.revision == 1
    await applied(secured, "editor", "base", 2)
    back = admin_policies_pb2.RollbackPolicyRequest(policy_set="base", revision=1)
    await denied(stub.RollbackPolicy(back, metadata=secured.metadata(based)))
    both = await scoped(secured, "base", "ours", name="both")
    await applied(secured, both, "base", 3)
    newest = await secured.plane.store.latest("ours")
    assert newest is not None and newest.revision == 3


async def test_proxies_of_its_own_sets_are_shown(secured: Secured) -> None:
    """Others are not there, page by page and by name."""
    name = await scoped(secured, "ours", "more")
    metadata = secured.metadata(name)
    stub: Any = admin_fleet_pb2_grpc.OperationsServiceStub(secured.channel)  # type: ignore[no-untyped-call]

    async def names(size: int = 0, who: str = name) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            request = admin_fleet_pb2.ListProxiesRequest(page_size=size, page_token=token)
            page = await stub.ListProxies(request, metadata=secured.metadata(who))
            found += [proxy.node for proxy in page.proxies]
            token = page.next_page_token
            if not token:
                return found

    proxies = {}
    for number, policy_set in enumerate(("ours", "", "theirs", "more", "theirs", "ours")):
        node = f"p{number}"
        proxies[node] = await connected(secured, node, policy_set)
    assert await names(who="viewer") == [f"p{number}" for number in range(6)]
    for size in (0, 1, 2):
        assert await names(size) == ["p0", "p3", "p5"]
    await stub.GetProxy(admin_fleet_pb2.GetProxyRequest(node="p0"), metadata=metadata)
    said = []
    for node in ("p2", "p9"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetProxy(admin_fleet_pb2.GetProxyRequest(node=node), metadata=metadata)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        said.append(str(caught.value.details()).replace(node, "NODE"))
    assert said[0] == said[1], "who may not see it does not learn that it is there"
    for stream in proxies.values():
        stream.cancel()


async def test_rollouts_of_its_own_sets_are_shown(secured: Secured) -> None:
    """By the same table as their revisions; to stop one takes an operator."""
    name = await scoped(secured, "ours")
    metadata = secured.metadata(name)
    stub: Any = admin_rollouts_pb2_grpc.RolloutServiceStub(secured.channel)  # type: ignore[no-untyped-call]
    listing = admin_rollouts_pb2.ListStagedRolloutsRequest
    assert not (await stub.ListStagedRollouts(listing(policy_set="ours"), metadata=metadata)).rollouts
    await denied(stub.ListStagedRollouts(listing(policy_set="theirs"), metadata=metadata))
    await denied(stub.ListStagedRollouts(listing(), metadata=metadata))
    watch = stub.WatchStagedRollout(
        admin_rollouts_pb2.WatchStagedRolloutRequest(policy_set="theirs"), metadata=metadata
    )
    await denied(watch.read())
    pause = admin_rollouts_pb2.PauseRolloutRequest(policy_set="ours")
    await denied(stub.PauseRollout(pause, metadata=metadata))


async def test_over_http_it_is_the_same(secured: Secured) -> None:
    """RPCs by their path, with the same table; every page that is written by hand is closed."""
    name = await scoped(secured, "ours")
    headers = {"authorization": f"Bearer {secured.secrets[name]}"}
    address = secured.plane.addresses.http
    path = "/api/v1/seawall.v1.PolicyService/ApplyPolicy"
    body = {"document": MessageToDict(document(1)), "policySet": "ours"}
    assert ParseDict(body, admin_policies_pb2.ApplyPolicyRequest()).policy_set == "ours"
    assert (await ask(address, path, method="POST", headers=headers, body=body)).status == 200
    other = {**body, "policySet": "theirs"}
    assert (await ask(address, path, method="POST", headers=headers, body=other)).status == 403
    get = "/api/v1/seawall.v1.PolicyService/GetRevision?policy_set="
    assert (await ask(address, get + "ours", headers=headers)).status == 200
    assert (await ask(address, get + "theirs", headers=headers)).status == 403
    pages = (
        "/status", "/metrics", "/api/v1/errors", "/api/v1/openapi.json", "/api/v1/errors/stats", "/nothing",
        "/api/v1/seawall.v1.EventService/ListEvents", "/api/v1/seawall.v1.No/Such",
    )  # fmt: skip
    for page in pages:
        assert (await ask(address, page, headers=headers)).status == 403, page
    thresholds = "/api/v1/errors/alerts/thresholds"
    put = await ask(address, thresholds, method="PUT", headers=headers, body={"error_rate": 0.5})
    assert put.status == 403


async def test_who_can_be_limited(secured: Secured) -> None:
    """Roles that are about more than policies cannot; the list says who is."""
    stub: Any = admin_access_pb2_grpc.AccessServiceStub(secured.channel)  # type: ignore[no-untyped-call]
    request = admin_access_pb2.CreateTokenRequest(name="x", roles=["ROLE_EDITOR"], policy_sets=["ours"])
    made = await stub.CreateToken(request, metadata=secured.metadata("admin"))
    assert list(made.token.policy_sets) == ["ours"]
    for role in (Role.ADMIN, Role.OPERATOR, Role.REPORTER, Role.PROXY):
        with pytest.raises(InvalidRequest, match="limited to policy sets"):
            await secured.plane.access.tokens.create(
                "y", [role], expires_us=0, created_by="t", policy_sets=["ours"]
            )
    document = await secured.plane.store.document("access.token", "x")
    assert document is not None and '"roles":[]' in document.body, "a version without limits lets nobody in"
