"""Staged rollouts: the calls, and both clients' part for them. A rollout is begun by `policies.apply`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar

from google.protobuf.message import Message

from seawall.client.calls import Call, Seconds, default_author, duration
from seawall.v1 import admin_rollouts_pb2 as rollouts
from seawall.v1.admin_rollouts_pb2 import RolloutStrategy, StagedRollout

R = TypeVar("R", bound=Message)

WATCH_TIMEOUT_S: Final = 7 * 86_400.0
"""How long one watch lasts when nothing else is said."""


class _Runs(Protocol):
    def unary(self, call: Call[R]) -> R: ...

    def stream(self, call: Call[R]) -> Iterator[R]: ...


class _RunsAsync(Protocol):
    async def unary(self, call: Call[R]) -> R: ...

    def stream(self, call: Call[R]) -> AsyncIterator[R]: ...


def strategy(
    *canaries: float | str,
    bake: Seconds = 300.0,
    **guards: Any,
) -> RolloutStrategy:
    """Return a plan with a stage for each of `canaries`: a percentage of the proxies, or a label selector.

    `bake` is how long each stage has to hold; `guards` are fields of `RolloutGuards`, such as
    `max_error_increase_percent=0.5` or `min_calls=1000`.
    """
    stages = [
        rollouts.RolloutStage(selector=one, bake=duration(bake))
        if isinstance(one, str)
        else rollouts.RolloutStage(percent=one, bake=duration(bake))
        for one in canaries
    ]
    return RolloutStrategy(stages=stages, guards=rollouts.RolloutGuards(**guards))


def get(policy_set: str, revision: int) -> Call[rollouts.GetStagedRolloutResponse]:
    """One rollout; revision 0 is the newest of the set."""
    request = rollouts.GetStagedRolloutRequest(policy_set=policy_set, revision=revision)
    return Call("/seawall.v1.RolloutService/GetStagedRollout", request, rollouts.GetStagedRolloutResponse)


def list_page(policy_set: str, size: int, token: str) -> Call[rollouts.ListStagedRolloutsResponse]:
    """One page of rollouts, newest first."""
    request = rollouts.ListStagedRolloutsRequest(policy_set=policy_set, page_size=size, page_token=token)
    return Call("/seawall.v1.RolloutService/ListStagedRollouts", request, rollouts.ListStagedRolloutsResponse)


def watch(policy_set: str, timeout_s: float) -> Call[rollouts.WatchStagedRolloutResponse]:
    """Follow the rollout of a set."""
    request = rollouts.WatchStagedRolloutRequest(policy_set=policy_set)
    return Call(
        "/seawall.v1.RolloutService/WatchStagedRollout",
        request,
        rollouts.WatchStagedRolloutResponse,
        timeout_s,
    )


def pause(policy_set: str, actor: str, reason: str) -> Call[rollouts.PauseRolloutResponse]:
    """Hold a rollout."""
    request = rollouts.PauseRolloutRequest(
        policy_set=policy_set, actor=actor or default_author(), reason=reason
    )
    return Call("/seawall.v1.RolloutService/PauseRollout", request, rollouts.PauseRolloutResponse)


def resume(policy_set: str, actor: str, reason: str) -> Call[rollouts.ResumeRolloutResponse]:
    """Let a rollout go on."""
    request = rollouts.ResumeRolloutRequest(
        policy_set=policy_set, actor=actor or default_author(), reason=reason
    )
    return Call("/seawall.v1.RolloutService/ResumeRollout", request, rollouts.ResumeRolloutResponse)


def promote(policy_set: str, actor: str, reason: str) -> Call[rollouts.PromoteRolloutResponse]:
    """Give a revision to everybody."""
    request = rollouts.PromoteRolloutRequest(
        policy_set=policy_set, actor=actor or default_author(), reason=reason
    )
    return Call("/seawall.v1.RolloutService/PromoteRollout", request, rollouts.PromoteRolloutResponse)


def undo(policy_set: str, actor: str, reason: str) -> Call[rollouts.UndoRolloutResponse]:
    """Take a revision back."""
    request = rollouts.UndoRolloutRequest(
        policy_set=policy_set, actor=actor or default_author(), reason=reason
    )
    return Call("/seawall.v1.RolloutService/UndoRollout", request, rollouts.UndoRolloutResponse)


class AsyncRollouts:
    """Staged rollouts; see `AsyncSeawall.rollouts`. `policy_set` "" is the default set; `actor` is who wants
    it, empty the user of this process.
    """

    def __init__(self, run: _RunsAsync) -> None:
        self._run = run

    async def get(self, revision: int = 0, *, policy_set: str = "") -> StagedRollout:
        """Return the rollout of a revision; 0 is the newest of the set. `NotFound` when there is none."""
        return (await self._run.unary(get(policy_set, revision))).rollout

    async def list(self, *, limit: int = 20, policy_set: str = "") -> Sequence[StagedRollout]:
        """Return up to `limit` (at most 100) rollouts, newest first."""
        return (await self._run.unary(list_page(policy_set, limit, ""))).rollouts

    async def watch(
        self, *, policy_set: str = "", timeout_s: float = WATCH_TIMEOUT_S
    ) -> AsyncIterator[StagedRollout]:
        """Yield the newest rollout of the set as it is, then after each change, until it has ended."""
        async for answer in self._run.stream(watch(policy_set, timeout_s)):
            yield answer.rollout

    async def pause(self, *, policy_set: str = "", actor: str = "", reason: str = "") -> StagedRollout:
        """Hold the rollout at its stage; its guards go on watching."""
        return (await self._run.unary(pause(policy_set, actor, reason))).rollout

    async def resume(self, *, policy_set: str = "", actor: str = "", reason: str = "") -> StagedRollout:
        """Let a paused rollout go on."""
        return (await self._run.unary(resume(policy_set, actor, reason))).rollout

    async def promote(self, *, policy_set: str = "", actor: str = "", reason: str = "") -> StagedRollout:
        """Give the revision to everybody at once, whatever is proven."""
        return (await self._run.unary(promote(policy_set, actor, reason))).rollout

    async def undo(self, *, policy_set: str = "", actor: str = "", reason: str = "") -> StagedRollout:
        """Take the revision back: the stable content becomes everybody's again, as a new revision."""
        return (await self._run.unary(undo(policy_set, actor, reason))).rollout


class Rollouts:
    """Staged rollouts; see `Seawall.rollouts`. `policy_set` "" is the default set; `actor` is who wants it,
    empty the user of this process.
    """

    def __init__(self, run: _Runs) -> None:
        self._run = run

    def get(self, revision: int = 0, *, policy_set: str = "") -> StagedRollout:
        """Return the rollout of a revision; 0 is the newest of the set. `NotFound` when there is none."""
        return self._run.unary(get(policy_set, revision)).rollout

    def list(self, *, limit: int = 20, policy_set: str = "") -> Sequence[StagedRollout]:
        """Return up to `limit` (at most 100) rollouts, newest first."""
        return self._run.unary(list_page(policy_set, limit, "")).rollouts

    def watch(self, *, policy_set: str = "", timeout_s: float = WATCH_TIMEOUT_S) -> Iterator[StagedRollout]:
        """Yield the newest rollout of the set as it is, then after each change, until it has ended."""
        for answer in self._run.stream(watch(policy_set, timeout_s)):
            yield answer.rollout

    def pause(self, *, policy_set: str = "", actor: str = "", reason: str = "") -> StagedRollout:
        """Hold the rollout at its stage; its guards go on watching."""
        return self._run.unary(pause(policy_set, actor, reason)).rollout

    def resume(self, *, policy_set: str = "", actor: str = "", reason: str = "") -> StagedRollout:
        """Let a paused rollout go on."""
        return self._run.unary(resume(policy_set, actor, reason)).rollout

    def promote(self, *, policy_set: str = "", actor: str = "", reason: str = "") -> StagedRollout:
        """Give the revision to everybody at once, whatever is proven."""
        return self._run.unary(promote(policy_set, actor, reason)).rollout

    def undo(self, *, policy_set: str = "", actor: str = "", reason: str = "") -> StagedRollout:
        """Take the revision back: the stable content becomes everybody's again, as a new revision."""
        return self._run.unary(undo(policy_set, actor, reason)).rollout
