"""Tokens that are limited to policy sets: what they open, and that they open nothing else."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from seawall.v1 import (
    admin_access_pb2,
    admin_access_pb2_grpc,
    admin_policies_pb2,
    admin_policies_pb2_grpc,
    policy_pb2,
)
from seawall_control.api import roles
from seawall_control.domain.access import Role
from seawall_control.domain.buckets import Buckets
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.scopes import SCOPED
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
            assert await secured.code(method, name) is grpc.StatusCode.PERMISSION_DENIED, path
            seen.add(path)
    assert set(SCOPED) <= seen
    assert len(seen) > 90


async def test_the_table_names_what_requests_have(secured: Secured) -> None:
    """A field that is misspelt there would open a method."""
    found = {roles.path_of(method): method for method in methods(secured.plane)}
    for path, fields in SCOPED.items():
        assert not found[path].client_streaming and not found[path].server_streaming
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
