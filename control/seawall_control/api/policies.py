"""PolicyService: decode, call the use case, encode."""

from __future__ import annotations

from seawall.v1 import admin_policies_pb2 as pb
from seawall.v1 import admin_policies_pb2_grpc, fleet_pb2
from seawall_control.api import codec
from seawall_control.api.caller import author, scope
from seawall_control.api.errors import Context, answered
from seawall_control.api.rollout_codec import rollout_message, strategy_of
from seawall_control.domain.fleet import Standing
from seawall_control.services.fleet import Fleet
from seawall_control.services.inheritance import document_of, own_document_of
from seawall_control.services.policies import PolicyService
from seawall_control.services.publications import Plan, Publication


def _made(one: Publication) -> pb.PolicyFollower:
    """Encode what became of a set that changed."""
    rollout = one.rollout
    return pb.PolicyFollower(
        revision=codec.revision_message(one.applied.revision),
        rollout=None if rollout is None else rollout_message(rollout, rollout.create_time_us),
        targets=one.targets,
    )


async def applied(
    policies: PolicyService, request: pb.ApplyPolicyRequest, *, author: str, approved: bool = False
) -> pb.ApplyPolicyResponse:
    """Do what a request asks for, in somebody's name, `approved` by another or not. Raise as
    `PolicyService.apply`.
    """
    result = await policies.apply(
        request.document,
        policy_set=request.policy_set,
        etag=request.etag,
        validate_only=request.validate_only,
        request_id=request.request_id,
        author=author,
        message=request.message,
        plan=Plan(
            strategy=strategy_of(request.rollout) if request.HasField("rollout") else None,
            supersede=request.supersede,
            allow_shrink=request.allow_shrink,
            only=scope(),
        ),
        approved=approved,
    )
    made = _made(result.publication)
    return pb.ApplyPolicyResponse(
        revision=made.revision,
        changed=result.publication.applied.changed,
        violations=[codec.violation_message(v) for v in result.warnings],
        rollout=made.rollout if made.HasField("rollout") else None,
        targets=made.targets,
        followers=[_made(one) for one in result.publication.followers],
    )


class PolicyServicer(admin_policies_pb2_grpc.PolicyServiceServicer):
    """seawall.v1.PolicyService."""

    def __init__(self, policies: PolicyService, fleet: Fleet) -> None:
        self._policies = policies
        self._fleet = fleet

    async def ValidatePolicy(
        self, request: pb.ValidatePolicyRequest, context: Context
    ) -> pb.ValidatePolicyResponse:
        """Check a document."""

        async def work() -> pb.ValidatePolicyResponse:
            violations = await self._policies.validate(request.document, policy_set=request.policy_set)
            return pb.ValidatePolicyResponse(violations=[codec.violation_message(v) for v in violations])

        return await answered(context, work())

    async def ApplyPolicy(self, request: pb.ApplyPolicyRequest, context: Context) -> pb.ApplyPolicyResponse:
        """Make a document the newest revision."""

        async def work() -> pb.ApplyPolicyResponse:
            return await applied(self._policies, request, author=author(request.author))

        return await answered(context, work())

    async def DiffPolicy(self, request: pb.DiffPolicyRequest, context: Context) -> pb.DiffPolicyResponse:
        """Compare."""

        async def work() -> pb.DiffPolicyResponse:
            found = await self._policies.diff(
                policy_set=request.policy_set,
                from_revision=request.from_revision,
                to_revision=request.to_revision,
                document=request.document if request.HasField("document") else None,
            )
            changes = [pb.Change(field=c.field, before=c.before, after=c.after) for c in found.changes]
            return pb.DiffPolicyResponse(changes=changes, from_revision=found.from_revision)

        return await answered(context, work())

    async def GetRevision(self, request: pb.GetRevisionRequest, context: Context) -> pb.GetRevisionResponse:
        """Return a revision."""

        async def work() -> pb.GetRevisionResponse:
            revision = await self._policies.revision(policy_set=request.policy_set, number=request.revision)
            own = own_document_of(revision) if revision.base else None
            return pb.GetRevisionResponse(
                revision=codec.revision_message(revision, document_of(revision), own)
            )

        return await answered(context, work())

    async def ListRevisions(
        self, request: pb.ListRevisionsRequest, context: Context
    ) -> pb.ListRevisionsResponse:
        """Return revisions, newest first."""

        async def work() -> pb.ListRevisionsResponse:
            page = await self._policies.revisions(
                policy_set=request.policy_set, size=request.page_size, token=request.page_token
            )
            return pb.ListRevisionsResponse(
                revisions=[codec.revision_message(r) for r in page.revisions], next_page_token=page.next_token
            )

        return await answered(context, work())

    async def RollbackPolicy(
        self, request: pb.RollbackPolicyRequest, context: Context
    ) -> pb.RollbackPolicyResponse:
        """Bring an older revision's content back."""

        async def work() -> pb.RollbackPolicyResponse:
            found = await self._policies.rollback(
                policy_set=request.policy_set,
                revision=request.revision,
                etag=request.etag,
                validate_only=request.validate_only,
                request_id=request.request_id,
                author=author(request.author),
                message=request.message,
                only=scope(),
            )
            return pb.RollbackPolicyResponse(
                revision=codec.revision_message(found.applied.revision),
                followers=[_made(one) for one in found.followers],
            )

        return await answered(context, work())

    async def DescribePolicy(
        self, request: pb.DescribePolicyRequest, context: Context
    ) -> pb.DescribePolicyResponse:
        """Return a document with everything that it extends written out."""

        async def work() -> pb.DescribePolicyResponse:
            found = await self._policies.describe(
                policy_set=request.policy_set,
                number=request.revision,
                document=request.document if request.HasField("document") else None,
            )
            return pb.DescribePolicyResponse(
                document=found.document,
                layers=[
                    pb.PolicyLayer(policy_set=one.policy_set, revision=one.revision) for one in found.layers
                ],
                settings=[
                    pb.PolicySetting(field=one.field, value=one.value, layer=one.layer)
                    for one in found.settings
                ],
                extended_by=found.extended_by,
                behind=found.behind,
            )

        return await answered(context, work())

    async def GetRollout(self, request: pb.GetRolloutRequest, context: Context) -> pb.GetRolloutResponse:
        """Return where every proxy of the set stands."""

        async def work() -> pb.GetRolloutResponse:
            newest, rows = await self._fleet.pushes.rollout(request.policy_set)
            return pb.GetRolloutResponse(
                revision=newest.revision if newest else 0,
                hash=newest.hash if newest else "",
                proxies=[
                    pb.ProxyRollout(
                        proxy=row.proxy.node,
                        state=codec.enum(pb.RolloutState, row.standing),
                        applied_revision=row.proxy.applied_revision,
                        last_verdict=codec.enum(fleet_pb2.PolicyVerdict, row.proxy.last_verdict),
                        # Those of an earlier revision say nothing about this one.
                        reasons=row.proxy.reasons if row.standing is Standing.REJECTED else (),
                        update_time=codec.optional_time(row.proxy.answered_us),
                    )
                    for row in rows
                ],
                applied=sum(row.standing is Standing.APPLIED for row in rows),
                connected=sum(row.standing is not Standing.DISCONNECTED for row in rows),
            )

        return await answered(context, work())
