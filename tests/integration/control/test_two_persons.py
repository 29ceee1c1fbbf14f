"""Changes of policies that take two people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from seawall.v1 import (
    admin_access_pb2,
    admin_access_pb2_grpc,
    admin_analysis_pb2_grpc,
    admin_policies_pb2,
    admin_policies_pb2_grpc,
    admin_proposals_pb2_grpc,
)
from seawall.v1 import admin_proposals_pb2 as pb
from seawall_control.access import AccessSettings
from seawall_control.api.gate import GatePolicy
from seawall_control.domain.access import Role
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.proposals import LIFE_US
from seawall_control.server import ControlPlane, ControlSettings
from seawall_control.store.sqlite import open_store
from tests.integration.control.kit import document

pytestmark = pytest.mark.integration


class House:
    """A control plane with `--two-person` and tokens of editors."""

    def __init__(self, plane: ControlPlane, channel: grpc.aio.Channel, secrets: dict[str, str]) -> None:
        self.plane = plane
        self.channel = channel
        self.policies: Any = admin_policies_pb2_grpc.PolicyServiceStub(channel)  # type: ignore[no-untyped-call]
        self.proposals: Any = admin_proposals_pb2_grpc.ProposalServiceStub(channel)  # type: ignore[no-untyped-call]
        self.analysis: Any = admin_analysis_pb2_grpc.AnalysisServiceStub(channel)  # type: ignore[no-untyped-call]
        self.secrets = secrets

    def as_(self, name: str) -> dict[str, Any]:
        """Return what a call of somebody carries."""
        return {"metadata": (("authorization", f"Bearer {self.secrets[name]}"),)}

    async def propose(self, name: str, number: int, **more: Any) -> pb.Proposal:
        """Propose a document as somebody."""
        change = admin_policies_pb2.ApplyPolicyRequest(document=document(number), message="why", **more)
        made = await self.proposals.ProposePolicy(pb.ProposePolicyRequest(change=change), **self.as_(name))
        found: pb.Proposal = made.proposal
        return found

    async def approve(self, name: str, proposal: pb.Proposal) -> Any:
        """Approve as somebody."""
        return await self.proposals.ApproveProposal(
            pb.ApproveProposalRequest(id=proposal.id), **self.as_(name)
        )


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Start one."""
    settings = ControlSettings(
        data_dir=tmp_path / "control",
        grpc_address="127.0.0.1:0",
        http_address="127.0.0.1:0",
        grace_s=1.0,
        access=AccessSettings(gate=GatePolicy(local_user=False), two_person=True),
    )
    store = await open_store(settings.data_dir)
    plane = ControlPlane(settings, store)
    await plane.start()
    secrets = {}
    for name, role in (("ann", Role.EDITOR), ("bob", Role.EDITOR), ("admin", Role.ADMIN)):
        _, secrets[name] = await plane.access.tokens.create(
            name, [role], expires_us=0, created_by="test", owner=name
        )
    async with grpc.aio.insecure_channel(plane.addresses.grpc) as channel:
        yield House(plane, channel, secrets)
    await plane.stop()
    await store.aclose()


async def refused(call: Callable[[], Any], code: grpc.StatusCode) -> str:
    """Make a call that is refused; return what it said."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call()
    assert caught.value.code() is code, caught.value.details()
    return str(caught.value.details())


async def test_one_proposes_and_another_approves(house: House) -> None:
    """The revision is the author's, and says who approved; both are on record."""
    apply = admin_policies_pb2.ApplyPolicyRequest(document=document(1))
    for name in ("ann", "admin"):
        said = await refused(
            lambda name=name: house.policies.ApplyPolicy(apply, **house.as_(name)),  # type: ignore[misc]
            grpc.StatusCode.FAILED_PRECONDITION,
        )
        assert "seawall proposals create" in said
    made = await house.propose("ann", 1, author="bob")
    assert (made.author, made.policy_set, made.based_on) == ("ann", "default", "")
    assert "somebody else approves" in await refused(
        lambda: house.approve("ann", made), grpc.StatusCode.PERMISSION_DENIED
    )
    (waiting,) = (
        await house.proposals.ListProposals(pb.ListProposalsRequest(), **house.as_("bob"))
    ).proposals
    assert waiting.id == made.id and not waiting.HasField("change")
    whole = await house.proposals.GetProposal(pb.GetProposalRequest(id=made.id), **house.as_("bob"))
    assert whole.proposal.change.document == document(1)
    done = await house.approve("bob", made)
    assert (done.applied.revision.revision, done.applied.revision.author) == (1, "ann")
    assert done.applied.revision.message == "why\n\nApproved by bob"
    await refused(lambda: house.approve("bob", made), grpc.StatusCode.NOT_FOUND)
    entries = [entry.body for entry in await house.plane.access.audit.page(before=0, limit=20)]
    assert any('"actor":"bob"' in body and "policy_set/default" in body for body in entries)


async def test_two_tokens_of_one_person_are_one_person(house: House) -> None:
    """Whatever they are called; one that says no owner is its maker's."""
    channel = house.channel
    access: Any = admin_access_pb2_grpc.AccessServiceStub(channel)  # type: ignore[no-untyped-call]

    async def make(who: str, name: str, owner: str = "") -> str:
        request = admin_access_pb2.CreateTokenRequest(name=name, roles=["ROLE_EDITOR"], owner=owner)
        made = await access.CreateToken(request, **house.as_(who))
        house.secrets[name] = made.secret
        return str(made.token.owner)

    assert await make("admin", "ann-ci", "Ann") == "ann"
    assert await make("admin", "mine") == "admin"
    assert await make("admin", "mine-too") == "admin"
    assert await make("admin", "other-admin", "carl") == "carl"
    for one, other in (("ann", "ann-ci"), ("mine", "mine-too"), ("mine", "admin"), ("admin", "mine")):
        made = await house.propose(one, 1)
        said = await refused(lambda: house.approve(other, made), grpc.StatusCode.PERMISSION_DENIED)  # noqa: B023
        assert "are both" in said and "--owner" in said
        await house.proposals.RejectProposal(pb.RejectProposalRequest(id=made.id), **house.as_("bob"))
    wrong = admin_access_pb2.CreateTokenRequest(name="x", roles=["ROLE_EDITOR"], owner="a b")
    await refused(lambda: access.CreateToken(wrong, **house.as_("admin")), grpc.StatusCode.INVALID_ARGUMENT)
    await house.approve("other-admin", await house.propose("mine", 1))


async def test_a_proposal_stands_on_one_revision(house: House) -> None:
    """What was looked at is what is applied: with another revision below it is proposed anew."""
    first, second = await house.propose("ann", 1), await house.propose("bob", 2)
    await house.approve("bob", first)
    await refused(lambda: house.approve("ann", second), grpc.StatusCode.ABORTED)
    await house.proposals.RejectProposal(pb.RejectProposalRequest(id=second.id), **house.as_("bob"))
    await refused(lambda: house.approve("ann", second), grpc.StatusCode.NOT_FOUND)
    await house.approve("ann", await house.propose("bob", 2))
    # Back to what was approved once takes nobody else.
    back = await house.policies.RollbackPolicy(
        admin_policies_pb2.RollbackPolicyRequest(revision=1), **house.as_("ann")
    )
    assert back.revision.rollback_of == 1


async def test_mistakes_are_found_when_it_is_proposed(house: House) -> None:
    """And what is only checked takes nobody."""
    empty = pb.ProposePolicyRequest(change=admin_policies_pb2.ApplyPolicyRequest())
    await refused(
        lambda: house.proposals.ProposePolicy(empty, **house.as_("ann")), grpc.StatusCode.INVALID_ARGUMENT
    )
    nothing = pb.ProposePolicyRequest()
    await refused(
        lambda: house.proposals.ProposePolicy(nothing, **house.as_("ann")), grpc.StatusCode.INVALID_ARGUMENT
    )
    dry = admin_policies_pb2.ApplyPolicyRequest(document=document(1), validate_only=True)
    assert (await house.policies.ApplyPolicy(dry, **house.as_("ann"))).changed


async def test_a_proposal_ends_by_itself(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a week nobody remembers what it stood on."""
    made = await house.propose("ann", 1)
    clock = house.plane.proposals._clock
    later = clock.now_us() + LIFE_US + 1

    class Later:
        """A clock a week on."""

        def now_us(self) -> int:
            """Return microseconds."""
            return later

    monkeypatch.setattr(house.plane.proposals, "_clock", Later())
    await refused(lambda: house.approve("bob", made), grpc.StatusCode.NOT_FOUND)
    assert not (await house.proposals.ListProposals(pb.ListProposalsRequest(), **house.as_("bob"))).proposals


async def test_an_approval_whose_end_was_not_seen_is_made_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The revision was made and the proposal still waits: approving it again only takes it away."""
    made = await house.propose("ann", 1)

    async def lost(*_: Any, **__: Any) -> Any:
        raise RuntimeError("lost")

    with monkeypatch.context() as patched:
        patched.setattr(house.plane.proposals._records, "commit", lost)
        await refused(lambda: house.approve("bob", made), grpc.StatusCode.INTERNAL)
    again = await house.approve("bob", made)
    assert again.applied.revision.revision == 1
    assert (await house.plane.store.revisions("default", before=0, limit=9))[0].revision == 1


async def test_tuning_is_proposed_and_nothing_else_is(house: House) -> None:
    """A change of a policy that Seawall thinks of takes a person; what is taken back does not."""
    needing = [action for action in Action if house.plane.healing._needs_person(action)]
    assert needing == [Action.TUNE]
