"""GroupService: decode, call the use case, encode."""

from __future__ import annotations

from seawall.v1 import admin_groups_pb2 as pb
from seawall.v1 import admin_groups_pb2_grpc, event_pb2
from seawall_control.api import codec, group_codec
from seawall_control.api.caller import author
from seawall_control.api.errors import Context, answered
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.grouping import Rule
from seawall_control.services.grouping import Grouping
from seawall_control.services.groups import GroupService

_MASK = ("assignee", "archive")


class GroupServicer(admin_groups_pb2_grpc.GroupServiceServicer):
    """seawall.v1.GroupService."""

    def __init__(self, groups: GroupService, grouping: Grouping) -> None:
        self._groups = groups
        self._grouping = grouping

    async def ListGroups(self, request: pb.ListGroupsRequest, context: Context) -> pb.ListGroupsResponse:
        """Return a page of groups."""

        async def work() -> pb.ListGroupsResponse:
            page = await self._groups.page(
                filter_text=request.filter,
                size=request.page_size,
                token=request.page_token,
                order_by=request.order_by,
            )
            return pb.ListGroupsResponse(
                groups=[group_codec.group_message(group) for group in page.groups],
                next_page_token=page.next_token,
            )

        return await answered(context, work())

    async def GetGroup(self, request: pb.GetGroupRequest, context: Context) -> pb.GetGroupResponse:
        """Return a group and what belongs to it."""

        async def work() -> pb.GetGroupResponse:
            view = await self._groups.view(
                request.id, samples=request.samples, window_us=codec.duration_us(request.window)
            )
            return pb.GetGroupResponse(
                group=group_codec.group_message(view.group),
                samples=[codec.event_message(event) for event in view.samples],
                hours=[group_codec.hour_message(at, n, escalating=f) for at, n, f in view.hours],
                fingerprints=view.prints,
            )

        return await answered(context, work())

    async def UpdateGroup(self, request: pb.UpdateGroupRequest, context: Context) -> pb.UpdateGroupResponse:
        """Assign, mute, note."""

        async def work() -> pb.UpdateGroupResponse:
            wanted = set(request.update_mask.paths)
            unknown = sorted(wanted - {*_MASK, "*"})
            if unknown:
                raise InvalidRequest(f"update_mask: {unknown[0][:64]!r} is none of {', '.join(_MASK)}")
            if "*" in wanted:
                wanted = {path for path in _MASK if path != "archive" or request.group.HasField("archive")}
            group = await self._groups.update(
                request.group.id,
                assignee=request.group.assignee if "assignee" in wanted else None,
                archive=group_codec.archive_of(request.group.archive) if "archive" in wanted else None,
                note=request.note,
                etag=request.group.etag,
                actor=author(request.actor),
            )
            return pb.UpdateGroupResponse(group=group_codec.group_message(group))

        return await answered(context, work())

    async def ResolveGroup(
        self, request: pb.ResolveGroupRequest, context: Context
    ) -> pb.ResolveGroupResponse:
        """Resolve a group and its events."""

        async def work() -> pb.ResolveGroupResponse:
            group, number = await self._groups.resolve(
                request.id,
                resolution=request.resolution,
                revision=min(request.policy_revision, 2**62),
                etag=request.etag,
                actor=author(request.actor),
            )
            return pb.ResolveGroupResponse(group=group_codec.group_message(group), resolved=number)

        return await answered(context, work())

    async def ReopenGroup(self, request: pb.ReopenGroupRequest, context: Context) -> pb.ReopenGroupResponse:
        """Take a resolution or a muting back."""

        async def work() -> pb.ReopenGroupResponse:
            group = await self._groups.reopen(
                request.id, note=request.note, etag=request.etag, actor=author(request.actor)
            )
            return pb.ReopenGroupResponse(group=group_codec.group_message(group))

        return await answered(context, work())

    async def MergeGroups(self, request: pb.MergeGroupsRequest, context: Context) -> pb.MergeGroupsResponse:
        """Make groups one."""

        async def work() -> pb.MergeGroupsResponse:
            group = await self._groups.merge(request.id, list(request.ids), actor=author(request.actor))
            return pb.MergeGroupsResponse(group=group_codec.group_message(group))

        return await answered(context, work())

    async def SplitGroup(self, request: pb.SplitGroupRequest, context: Context) -> pb.SplitGroupResponse:
        """Take fingerprints out of a group."""

        async def work() -> pb.SplitGroupResponse:
            group = await self._groups.split(
                request.id, list(request.fingerprints), actor=author(request.actor)
            )
            return pb.SplitGroupResponse(group=group_codec.group_message(group))

        return await answered(context, work())

    async def GetGroupingRules(
        self, request: pb.GetGroupingRulesRequest, context: Context
    ) -> pb.GetGroupingRulesResponse:
        """Return the rules."""

        async def work() -> pb.GetGroupingRulesResponse:
            await self._grouping.load()
            return pb.GetGroupingRulesResponse(
                rules=[
                    pb.GroupingRule(
                        name=rule.name,
                        filter=rule.filter,
                        by=rule.by,
                        severity=codec.enum(event_pb2.Severity, rule.severity),
                    )
                    for rule in self._grouping.rules.rules
                ],
                etag=str(self._grouping.version) if self._grouping.version else "",
            )

        return await answered(context, work())

    async def SetGroupingRules(
        self, request: pb.SetGroupingRulesRequest, context: Context
    ) -> pb.SetGroupingRulesResponse:
        """Put rules in force."""

        async def work() -> pb.SetGroupingRulesResponse:
            await self._grouping.set(
                [Rule(rule.name, rule.filter, tuple(rule.by), int(rule.severity)) for rule in request.rules],
                etag=request.etag,
                allow_empty=request.allow_empty,
                validate_only=request.validate_only,
            )
            version = self._grouping.version
            return pb.SetGroupingRulesResponse(etag=str(version) if version else "")

        return await answered(context, work())
