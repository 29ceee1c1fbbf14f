"""Policies over real gRPC: validate, apply, compare, look back, roll back."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from seawall.v1 import admin_policies_pb2 as pb
from seawall.v1 import policy_pb2
from tests.integration.control.kit import Stubs, document

pytestmark = pytest.mark.integration


def details(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """Return the rich status of an error."""
    raw = dict(error.trailing_metadata())["grpc-status-details-bin"]
    return status_pb2.Status.FromString(raw)


def info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """Return the reason of an error."""
    found = error_details_pb2.ErrorInfo()
    assert details(error).details[0].Unpack(found)
    return found


async def apply(stubs: Stubs, doc: policy_pb2.PolicyDocument, **more: Any) -> Any:
    """Apply a document."""
    return await stubs.policies.ApplyPolicy(pb.ApplyPolicyRequest(document=doc, **more))


async def test_first_apply_makes_revision_one(stubs: Stubs) -> None:
    """A new document becomes the next revision, with its author, reason and hash."""
    answer = await apply(stubs, document(1), author="ann", message="first")
    assert answer.changed
    assert (answer.revision.revision, answer.revision.author, answer.revision.message) == (1, "ann", "first")
    assert answer.revision.name == "policySets/default/revisions/1"
    assert len(answer.revision.hash) == 64
    read = await stubs.policies.GetRevision(pb.GetRevisionRequest())
    assert read.revision.document == document(1)


async def test_unchanged_document_makes_no_revision(stubs: Stubs) -> None:
    """Applying what is already the newest content changes nothing."""
    await apply(stubs, document(1))
    again = await apply(stubs, document(1))
    assert not again.changed and again.revision.revision == 1


async def test_bad_document_is_refused_with_every_mistake(stubs: Stubs) -> None:
    """A document with mistakes is INVALID_ARGUMENT, each mistake a field violation, and nothing is stored."""
    bad = document(1)
    bad.routes[0].cluster = "nowhere"
    bad.routes[0].policy = "missing"
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await apply(stubs, bad)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (info(raised.value).reason, info(raised.value).domain) == ("POLICY_INVALID", "seawall")
    violations = error_details_pb2.BadRequest()
    assert details(raised.value).details[1].Unpack(violations)
    fields = {v.field for v in violations.field_violations}
    assert {"routes[0].cluster", "routes[0].policy"} <= fields
    checked = await stubs.policies.ValidatePolicy(pb.ValidatePolicyRequest(document=bad))
    assert {v.field for v in checked.violations if not v.warning} == fields
    with pytest.raises(grpc.aio.AioRpcError) as none:
        await stubs.policies.GetRevision(pb.GetRevisionRequest())
    assert none.value.code() is grpc.StatusCode.NOT_FOUND


async def test_stale_etag_is_aborted(stubs: Stubs) -> None:
    """A change based on what is no longer the newest revision is ABORTED and says what is."""
    first = await apply(stubs, document(1))
    second = await apply(stubs, document(2), etag=first.revision.hash)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await apply(stubs, document(3), etag=first.revision.hash)
    assert raised.value.code() is grpc.StatusCode.ABORTED
    assert info(raised.value).metadata["actual"] == second.revision.hash


async def test_of_concurrent_changes_with_one_etag_one_wins(stubs: Stubs) -> None:
    """Ten changes based on the same revision: one is applied, nine are ABORTED."""
    etag = (await apply(stubs, document(1))).revision.hash
    results = await asyncio.gather(
        *(apply(stubs, document(2 + i), etag=etag) for i in range(10)), return_exceptions=True
    )
    failed = [r for r in results if isinstance(r, grpc.aio.AioRpcError)]
    assert len(failed) == 9 and {f.code() for f in failed} == {grpc.StatusCode.ABORTED}


async def test_repeated_request_id_returns_first_answer(stubs: Stubs) -> None:
    """A repeat of a request is answered as the first time, also after others have applied."""
    request_id = str(uuid.uuid4())
    first = await apply(stubs, document(1), request_id=request_id)
    await apply(stubs, document(2))
    again = await apply(stubs, document(1), request_id=request_id)
    assert (again.revision, again.changed) == (first.revision, True)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await apply(stubs, document(3), request_id=request_id)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_validate_only_stores_nothing(stubs: Stubs) -> None:
    """A dry run answers like the real one and changes nothing."""
    answer = await apply(stubs, document(1), validate_only=True)
    assert answer.changed and answer.revision.revision == 1
    listed = await stubs.policies.ListRevisions(pb.ListRevisionsRequest())
    assert not listed.revisions


async def test_rollback_is_a_new_revision_with_old_content(stubs: Stubs) -> None:
    """Going back makes a higher revision with the old hash, and a repeat of the request answers the same."""
    first = await apply(stubs, document(1))
    await apply(stubs, document(2))
    request = pb.RollbackPolicyRequest(request_id=str(uuid.uuid4()), author="bob")
    back = (await stubs.policies.RollbackPolicy(request)).revision
    assert (back.revision, back.hash, back.rollback_of) == (3, first.revision.hash, 1)
    assert (await stubs.policies.RollbackPolicy(request)).revision == back
    read = await stubs.policies.GetRevision(pb.GetRevisionRequest(revision=3))
    assert read.revision.document == document(1)


async def test_rollback_without_history_says_so(stubs: Stubs) -> None:
    """With one revision there is nothing to go back to."""
    await apply(stubs, document(1))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stubs.policies.RollbackPolicy(pb.RollbackPolicyRequest())
    assert raised.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_revisions_are_listed_in_pages_newest_first(stubs: Stubs) -> None:
    """Pages follow each other without gaps or repeats, and their token is bound to the set."""
    for i in range(5):
        await apply(stubs, document(1 + i))
    numbers = []
    token = ""
    for _ in range(3):
        page = await stubs.policies.ListRevisions(pb.ListRevisionsRequest(page_size=2, page_token=token))
        numbers += [r.revision for r in page.revisions]
        token = page.next_page_token
    assert numbers == [5, 4, 3, 2, 1] and token == ""
    first = await stubs.policies.ListRevisions(pb.ListRevisionsRequest(page_size=2))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stubs.policies.ListRevisions(
            pb.ListRevisionsRequest(policy_set="other", page_token=first.next_page_token)
        )
    assert info(raised.value).reason == "INVALID_PAGE_TOKEN"


async def test_diff_names_the_changed_field(stubs: Stubs) -> None:
    """A comparison shows changed fields only, of a document or of two revisions."""
    await apply(stubs, document(1))
    found = await stubs.policies.DiffPolicy(pb.DiffPolicyRequest(document=document(2)))
    assert found.from_revision == 1
    assert [c.field for c in found.changes] == ["policies.standard.timeout"]
    await apply(stubs, document(2))
    between = await stubs.policies.DiffPolicy(pb.DiffPolicyRequest(from_revision=1, to_revision=2))
    assert list(between.changes) == list(found.changes)
    same = await stubs.policies.DiffPolicy(pb.DiffPolicyRequest(document=document(2)))
    assert not same.changes


async def test_a_document_that_takes_most_routes_away_is_refused(stubs: Stubs) -> None:
    """Half a file, or another one: nothing happens unless it is said to be meant."""
    many = document(1)
    for number in range(9):
        many.routes.add(name=f"r{number}", cluster="shop").match.service = f"s{number}"
    half = document(1)
    for number in range(4):
        half.routes.add(name=f"r{number}", cluster="shop").match.service = f"s{number}"
    await stubs.policies.ApplyPolicy(pb.ApplyPolicyRequest(document=many))
    for validate_only in (True, False):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stubs.policies.ApplyPolicy(
                pb.ApplyPolicyRequest(document=document(1), validate_only=validate_only)
            )
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "has 1 routes and revision 1 of policy set default has 10" in (refused.value.details() or "")
    assert (await stubs.policies.ApplyPolicy(pb.ApplyPolicyRequest(document=half))).changed
    await stubs.policies.ApplyPolicy(pb.ApplyPolicyRequest(document=many))
    meant = pb.ApplyPolicyRequest(document=document(1), allow_shrink=True)
    assert (await stubs.policies.ApplyPolicy(meant)).changed


async def test_a_document_without_routes_takes_none_away_by_accident(stubs: Stubs) -> None:
    """An empty file is a valid policy, under which every call fails; however few routes there were."""
    empty = policy_pb2.PolicyDocument(version="v1")
    assert (await stubs.policies.ApplyPolicy(pb.ApplyPolicyRequest(document=empty))).changed
    await stubs.policies.ApplyPolicy(pb.ApplyPolicyRequest(document=document(1)))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stubs.policies.ApplyPolicy(pb.ApplyPolicyRequest(document=empty))
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "has no routes and revision 2 of policy set default has 1: all would go" in (
        refused.value.details() or ""
    )
    meant = pb.ApplyPolicyRequest(document=empty, allow_shrink=True)
    assert (await stubs.policies.ApplyPolicy(meant)).changed
