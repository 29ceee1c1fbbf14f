"""ProposalService: decode, call the use case, encode."""

from __future__ import annotations

from seawall.v1 import admin_policies_pb2, admin_proposals_pb2_grpc
from seawall.v1 import admin_proposals_pb2 as pb
from seawall_control.api import codec
from seawall_control.api.caller import caller_name, person
from seawall_control.api.errors import Context, answered
from seawall_control.api.policies import applied
from seawall_control.domain import paging
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.proposals import Proposal
from seawall_control.services.policies import PolicyService
from seawall_control.services.proposals import ProposalService


def _message(proposal: Proposal) -> pb.Proposal:
    found = pb.Proposal(
        id=proposal.id,
        policy_set=proposal.policy_set,
        author=proposal.author,
        message=proposal.message,
        create_time=codec.optional_time(proposal.created_us),
        expire_time=codec.optional_time(proposal.expires_us),
        based_on=proposal.based_on,
    )
    if proposal.change:
        found.change.ParseFromString(proposal.change)
    return found


class ProposalServicer(admin_proposals_pb2_grpc.ProposalServiceServicer):
    """seawall.v1.ProposalService."""

    def __init__(self, proposals: ProposalService, policies: PolicyService) -> None:
        self._proposals = proposals
        self._policies = policies

    async def ProposePolicy(
        self, request: pb.ProposePolicyRequest, context: Context
    ) -> pb.ProposePolicyResponse:
        """Check and keep a change."""

        async def work() -> pb.ProposePolicyResponse:
            if not request.HasField("change"):
                raise InvalidRequest("change must be given: what ApplyPolicy would take")
            change = admin_policies_pb2.ApplyPolicyRequest()
            change.CopyFrom(request.change)
            change.validate_only = True
            change.request_id = ""
            would = await applied(self._policies, change, author=caller_name())
            made = await self._proposals.propose(
                change.SerializeToString(),
                policy_set=change.policy_set,
                etag=change.etag,
                author=caller_name(),
                person=person(),
                message=change.message,
            )
            return pb.ProposePolicyResponse(proposal=_message(made), would=would)

        return await answered(context, work())

    async def ListProposals(
        self, request: pb.ListProposalsRequest, context: Context
    ) -> pb.ListProposalsResponse:
        """Return the proposals that wait."""

        async def work() -> pb.ListProposalsResponse:
            found, next_token = paging.short_page(
                await self._proposals.waiting(),
                lambda one: (one.created_us, one.id),
                size=request.page_size,
                token=request.page_token,
                scope=("proposals",),
            )
            return pb.ListProposalsResponse(
                proposals=[_message(one) for one in found], next_page_token=next_token
            )

        return await answered(context, work())

    async def GetProposal(self, request: pb.GetProposalRequest, context: Context) -> pb.GetProposalResponse:
        """Return a proposal with its change."""

        async def work() -> pb.GetProposalResponse:
            return pb.GetProposalResponse(proposal=_message(await self._proposals.get(request.id)))

        return await answered(context, work())

    async def ApproveProposal(
        self, request: pb.ApproveProposalRequest, context: Context
    ) -> pb.ApproveProposalResponse:
        """Apply what somebody else has proposed."""

        async def apply(proposal: Proposal) -> admin_policies_pb2.ApplyPolicyResponse:
            change = admin_policies_pb2.ApplyPolicyRequest.FromString(proposal.change)
            change.validate_only = False
            change.request_id = proposal.id
            change.etag = proposal.based_on
            change.message = f"{change.message}\n\nApproved by {caller_name()}".strip()
            return await applied(self._policies, change, author=proposal.author, approved=True)

        async def work() -> pb.ApproveProposalResponse:
            return pb.ApproveProposalResponse(
                applied=await self._proposals.approve(request.id, caller_name(), person(), apply)
            )

        return await answered(context, work())

    async def RejectProposal(
        self, request: pb.RejectProposalRequest, context: Context
    ) -> pb.RejectProposalResponse:
        """Drop a proposal."""

        async def work() -> pb.RejectProposalResponse:
            await self._proposals.reject(request.id)
            return pb.RejectProposalResponse()

        return await answered(context, work())
