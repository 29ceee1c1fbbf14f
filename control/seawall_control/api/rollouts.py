"""RolloutService: decode, call the use case, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator

from seawall.v1 import admin_rollouts_pb2 as pb
from seawall.v1 import admin_rollouts_pb2_grpc
from seawall_control.api.caller import author
from seawall_control.api.errors import Context, abort, answered
from seawall_control.api.rollout_codec import rollout_message
from seawall_control.domain import paging
from seawall_control.domain.errors import NotFound
from seawall_control.domain.revisions import policy_set_name
from seawall_control.domain.rollout.machine import Rollout
from seawall_control.services.edge import Clock
from seawall_control.services.rollouts import Rollouts


class RolloutServicer(admin_rollouts_pb2_grpc.RolloutServiceServicer):
    """seawall.v1.RolloutService."""

    def __init__(self, rollouts: Rollouts, clock: Clock) -> None:
        self._rollouts = rollouts
        self._clock = clock

    def _whole(self, rollout: Rollout) -> pb.StagedRollout:
        members = self._rollouts.members(rollout) if not rollout.state.is_final else ()
        return rollout_message(rollout, self._clock.now_us(), members=members)

    async def GetStagedRollout(
        self, request: pb.GetStagedRolloutRequest, context: Context
    ) -> pb.GetStagedRolloutResponse:
        """Return one rollout."""

        async def work() -> pb.GetStagedRolloutResponse:
            found = await self._rollouts.get(request.policy_set, request.revision)
            return pb.GetStagedRolloutResponse(rollout=self._whole(found))

        return await answered(context, work())

    async def ListStagedRollouts(
        self, request: pb.ListStagedRolloutsRequest, context: Context
    ) -> pb.ListStagedRolloutsResponse:
        """Return the rollouts of a set, newest first."""

        async def work() -> pb.ListStagedRolloutsResponse:
            limit = paging.page_size(request.page_size, default=20, most=100)
            scope = ("rollouts", policy_set_name(request.policy_set))
            before = int(paging.decode(request.page_token, scope)[0]) if request.page_token else 0
            found = [
                rollout
                for rollout in await self._rollouts.of_set(request.policy_set)
                if not before or rollout.revision < before
            ]
            page, now_us = found[:limit], self._clock.now_us()
            token = paging.encode((page[-1].revision,), scope) if len(found) > limit else ""
            return pb.ListStagedRolloutsResponse(
                rollouts=[rollout_message(rollout, now_us) for rollout in page], next_page_token=token
            )

        return await answered(context, work())

    async def WatchStagedRollout(
        self, request: pb.WatchStagedRolloutRequest, context: Context
    ) -> AsyncIterator[pb.WatchStagedRolloutResponse]:
        """Follow the rollout of a set until it has ended."""
        try:
            watcher = self._rollouts.watchers.follow(policy_set_name(request.policy_set))
        except Exception as error:  # noqa: BLE001 - the table decides
            await abort(context, error)
        try:
            rollout = await self._rollouts.get(request.policy_set)
            revision = rollout.revision
            yield pb.WatchStagedRolloutResponse(rollout=self._whole(rollout))
            while not rollout.state.is_final:
                rollout = await watcher.next()
                if rollout.revision != revision:
                    raise NotFound(
                        f"the rollout of revision {revision} has ended; revision {rollout.revision} is being "
                        "rolled out in its place"
                    )
                yield pb.WatchStagedRolloutResponse(rollout=self._whole(rollout))
        except Exception as error:  # noqa: BLE001 - the table decides
            await abort(context, error)
        finally:
            self._rollouts.watchers.leave(watcher)

    async def PauseRollout(
        self, request: pb.PauseRolloutRequest, context: Context
    ) -> pb.PauseRolloutResponse:
        """Hold a rollout at its stage."""

        async def work() -> pb.PauseRolloutResponse:
            done = await self._rollouts.pause(
                request.policy_set, actor=author(request.actor), reason=request.reason
            )
            return pb.PauseRolloutResponse(rollout=self._whole(done))

        return await answered(context, work())

    async def ResumeRollout(
        self, request: pb.ResumeRolloutRequest, context: Context
    ) -> pb.ResumeRolloutResponse:
        """Let a rollout go on."""

        async def work() -> pb.ResumeRolloutResponse:
            done = await self._rollouts.resume(
                request.policy_set, actor=author(request.actor), reason=request.reason
            )
            return pb.ResumeRolloutResponse(rollout=self._whole(done))

        return await answered(context, work())

    async def PromoteRollout(
        self, request: pb.PromoteRolloutRequest, context: Context
    ) -> pb.PromoteRolloutResponse:
        """Give a revision to everybody."""

        async def work() -> pb.PromoteRolloutResponse:
            done = await self._rollouts.promote(
                request.policy_set, actor=author(request.actor), reason=request.reason
            )
            return pb.PromoteRolloutResponse(rollout=self._whole(done))

        return await answered(context, work())

    async def UndoRollout(self, request: pb.UndoRolloutRequest, context: Context) -> pb.UndoRolloutResponse:
        """Take a revision back."""

        async def work() -> pb.UndoRolloutResponse:
            done = await self._rollouts.undo(
                request.policy_set, actor=author(request.actor), reason=request.reason
            )
            return pb.UndoRolloutResponse(rollout=self._whole(done))

        return await answered(context, work())
