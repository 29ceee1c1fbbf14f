"""Staged rollouts over the wire: who gets what, what takes a revision back, and what a restart changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from seawall.v1 import admin_policies_pb2 as policies_pb
from seawall.v1 import admin_rollouts_pb2 as pb
from seawall.v1 import fleet_pb2, stats_pb2
from seawall_control.domain.errors import StoreUnavailable
from seawall_control.server import ControlPlane, ControlSettings
from seawall_control.store.sqlite import open_store
from tests.integration.control.kit import Proxy, Stubs, document, until
from tests.kit.processes import PATIENCE_S, http_get

pytestmark = pytest.mark.integration


@dataclass
class Follower:
    """A proxy that takes what it is given, and says how its calls went."""

    proxy: Proxy
    node: str
    refuses: set[str] = field(default_factory=set)
    fails_with: set[str] = field(default_factory=set)
    got: list[tuple[int, str]] = field(default_factory=list)
    """Revisions and hashes that were pushed."""
    calls: int = 0
    failed: int = 0

    @property
    def has(self) -> tuple[int, str]:
        """Return what is in effect."""
        return next(((r, h) for r, h in reversed(self.got) if h not in self.refuses), (0, ""))

    async def listen(self) -> None:
        """Answer every push."""
        while True:
            message = await self.proxy.call.read()
            if message is grpc.aio.EOF:
                return
            if message.WhichOneof("kind") == "policy":
                self.got.append((message.policy.revision, message.policy.hash))
                if message.policy.hash in self.refuses:
                    await self.proxy.nack(message.policy, "this version does not know it")
                else:
                    await self.proxy.ack(message.policy)

    async def report(self) -> None:
        """Tell of 200 more calls each tenth of a second."""
        while True:
            self.calls += 200
            self.failed += 200 if self.has[1] in self.fails_with else 0
            by_code = [0] * 17
            by_code[0], by_code[14] = self.calls - self.failed, self.failed
            route = stats_pb2.RouteCounters(route="all", by_code=by_code)
            await self.proxy.say(stats=fleet_pb2.StatsReport(routes=[route]))
            await asyncio.sleep(0.1)


@asynccontextmanager
async def fleet(
    stubs: Stubs, *nodes: str, applied: tuple[int, str] = (0, "")
) -> AsyncIterator[list[Follower]]:
    """Connect proxies that answer and report by themselves."""
    followers, tasks = [], []
    for node in nodes:
        proxy = Proxy(stubs, node, applied_revision=applied[0], applied_hash=applied[1])
        await proxy.hello()
        follower = Follower(proxy, node)
        followers.append(follower)
        tasks += [asyncio.create_task(follower.listen()), asyncio.create_task(follower.report())]
    try:
        yield followers
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await task
        for follower in followers:
            follower.proxy.call.cancel()


async def apply(stubs: Stubs, timeout_s: int, **more: Any) -> Any:
    """Apply a document that differs by its timeout."""
    return await stubs.policies.ApplyPolicy(
        policies_pb.ApplyPolicyRequest(document=document(timeout_s), author="ann", **more)
    )


def plan(percent: float = 30, bake_s: float = 0.5, **guards: Any) -> pb.RolloutStrategy:
    """Return a plan with one stage."""
    bake = Duration()
    bake.FromMilliseconds(int(bake_s * 1000))
    return pb.RolloutStrategy(
        stages=[pb.RolloutStage(percent=percent, bake=bake)], guards=pb.RolloutGuards(**guards)
    )


async def state(stubs: Stubs, revision: int = 0) -> Any:
    """Return the rollout."""
    return (await stubs.rollouts.GetStagedRollout(pb.GetStagedRolloutRequest(revision=revision))).rollout


async def all_have(followers: list[Follower], revision: int) -> None:
    """Wait until everybody has a revision in effect."""

    async def check() -> bool:
        return all(follower.has[0] == revision for follower in followers)

    await until(check, what=f"everybody has revision {revision}: {[f.got for f in followers]}")


async def ends(stubs: Stubs, wanted: int, revision: int = 0) -> Any:
    """Wait for an end of the rollout; return it."""

    async def check() -> bool:
        found = await state(stubs, revision)
        assert not found.HasField("end_time") or found.state == wanted, found
        return bool(found.state == wanted)

    await until(check, what=pb.StagedRolloutState.Name(wanted))
    return await state(stubs, revision)


NODES = ("one", "two", "three", "four")


class ToldClock:
    """This machine's clocks, and what a test adds to them."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self.off_us = 0
        self._passed_s = 0.0

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_s += seconds
        self.off_us += int(seconds * 1_000_000)

    def now_us(self) -> int:
        """Return the wall clock's time."""
        return int(self._clock.now_us()) + self.off_us

    def monotonic_s(self) -> float:
        """Return the monotonic one's."""
        return float(self._clock.monotonic_s()) + self._passed_s


def told_clock(plane: ControlPlane) -> ToldClock:
    """Have rollouts, and when proxies report, go by a clock that is told how much time has passed."""
    steady: Any = plane.rollouts._clock
    told = ToldClock(steady._clock)
    steady._clock = told
    plane.fleet.stats._clock = told
    return told


def baked(plane: ControlPlane) -> str:
    """Return for how long the stage has baked, as it says."""
    return next((one.text for one in plane.rollouts.active[0].findings if one.guard == "bake"), "")


async def test_a_good_revision_reaches_one_then_everybody(plane: ControlPlane, stubs: Stubs) -> None:
    """The others keep the old one, as wanted, while the first proves itself; then it is everybody's."""
    clock = told_clock(plane)
    async with fleet(stubs, *NODES) as followers:
        await apply(stubs, 1)
        await all_have(followers, 1)
        answer = await apply(stubs, 2, rollout=plan(bake_s=600))
        assert (answer.changed, answer.revision.revision, len(answer.targets)) == (True, 2, 2)
        assert answer.rollout.state == pb.STAGED_ROLLOUT_STATE_RUNNING
        canaries = [f for f in followers if f.node in answer.targets]
        await all_have(canaries, 2)
        assert {f.has[0] for f in followers if f not in canaries} == {1}
        rows = (await stubs.policies.GetRollout(policies_pb.GetRolloutRequest())).proxies
        held = [row.proxy for row in rows if row.state == policies_pb.ROLLOUT_STATE_HELD]
        assert sorted(held) == sorted(set(NODES) - set(answer.targets))
        under_way = await state(stubs)
        assert sorted(m.proxy for m in under_way.members if m.member) == sorted(answer.targets)

        async def bakes() -> bool:
            return baked(plane) != ""

        await until(bakes, what="the stage bakes")
        clock.pass_s(600)
        ended = await ends(stubs, pb.STAGED_ROLLOUT_STATE_SUCCEEDED)
        assert ended.reason == "in effect at 4 connected proxies"
        await all_have(followers, 2)


async def test_a_revision_that_breaks_calls_is_taken_back(stubs: Stubs) -> None:
    """The canary gets the old content again, under a higher number; the others never had the new one; what
    happened is on the record.
    """
    async with fleet(stubs, *NODES) as followers:
        await apply(stubs, 1)
        await all_have(followers, 1)
        bad = (await apply(stubs, 2, validate_only=True, rollout=plan())).revision.hash
        for follower in followers:
            follower.fails_with.add(bad)
        answer = await apply(stubs, 2, rollout=plan(bake_s=60))
        ended = await ends(stubs, pb.STAGED_ROLLOUT_STATE_ROLLED_BACK)
        assert (ended.back_as, ended.stable_revision) == (3, 1)
        worst = ended.findings[0]
        assert (worst.guard, worst.route, worst.canary, worst.rest) == ("error_rate", "all", 1.0, 0.0)
        assert "100.00 % of" in ended.reason
        await all_have(followers, 3)
        for follower in followers:
            numbers = [number for number, _ in follower.got]
            assert numbers == ([1, 2, 3] if follower.node in answer.targets else [1, 3])
        newest = (await stubs.policies.GetRevision(policies_pb.GetRevisionRequest())).revision
        assert newest.rollback_of == 1
        assert newest.message.startswith("Back to revision 1: route all: 100.00 % of")


async def test_a_refusal_takes_it_back_and_it_is_not_sent_again(stubs: Stubs) -> None:
    """One NACK is enough; the refused content goes to nobody else."""
    async with fleet(stubs, *NODES) as followers:
        await apply(stubs, 1)
        await all_have(followers, 1)
        bad = (await apply(stubs, 2, validate_only=True, rollout=plan())).revision.hash
        for follower in followers:
            follower.refuses.add(bad)
        await apply(stubs, 2, rollout=plan(percent=1))
        ended = await ends(stubs, pb.STAGED_ROLLOUT_STATE_ROLLED_BACK)
        assert ended.findings[0].guard == "nacks"
        assert "this version does not know it" in ended.reason
        await all_have(followers, 3)
        assert [f.got.count((2, bad)) for f in followers].count(1) == 1
        assert sum(f.got.count((2, bad)) for f in followers) == 1


async def test_while_one_is_under_way_others_are_refused(stubs: Stubs) -> None:
    """With a message that says what to do, dry runs too; superseding it is possible, going back always."""
    async with fleet(stubs, *NODES) as followers:
        with pytest.raises(grpc.aio.AioRpcError) as nothing:
            await apply(stubs, 1, rollout=plan())
        assert "apply the first one without stages" in (nothing.value.details() or "")
        await apply(stubs, 1)
        await all_have(followers, 1)
        await apply(stubs, 2, rollout=plan(bake_s=600))
        for more in ({}, {"rollout": plan()}, {"validate_only": True}):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await apply(stubs, 3, **more)
            assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert "revision 2 of policy set default is being rolled out" in (refused.value.details() or "")
        third = await apply(stubs, 3, supersede=True, rollout=plan(bake_s=600))
        assert third.rollout.stable_revision == 1
        assert (await state(stubs, 2)).state == pb.STAGED_ROLLOUT_STATE_CANCELLED
        rolled = await stubs.policies.RollbackPolicy(policies_pb.RollbackPolicyRequest(revision=1))
        assert rolled.revision.revision == 4
        assert (await state(stubs, 3)).state == pb.STAGED_ROLLOUT_STATE_ROLLED_BACK
        await all_have(followers, 4)
        listed = await stubs.rollouts.ListStagedRollouts(pb.ListStagedRolloutsRequest(page_size=1))
        assert [r.revision for r in listed.rollouts] == [3]
        rest = await stubs.rollouts.ListStagedRollouts(
            pb.ListStagedRolloutsRequest(page_token=listed.next_page_token)
        )
        assert [r.revision for r in rest.rollouts] == [2] and not rest.next_page_token


async def test_operators_pause_resume_promote_and_undo(stubs: Stubs) -> None:
    """Each with who and why, and each seen by whoever watches."""
    async with fleet(stubs, *NODES) as followers:
        await apply(stubs, 1)
        await all_have(followers, 1)
        await apply(stubs, 2, rollout=plan(bake_s=600))
        seen: list[Any] = []

        async def watch() -> None:
            call = stubs.rollouts.WatchStagedRollout(pb.WatchStagedRolloutRequest())
            seen.extend([message.rollout async for message in call])

        watching = asyncio.create_task(watch())
        paused = await stubs.rollouts.PauseRollout(pb.PauseRolloutRequest(actor="bob", reason="lunch"))
        assert paused.rollout.reason == "paused by bob: lunch"
        with pytest.raises(grpc.aio.AioRpcError) as twice:
            await stubs.rollouts.PauseRollout(pb.PauseRolloutRequest())
        assert twice.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        await stubs.rollouts.ResumeRollout(pb.ResumeRolloutRequest(actor="bob"))
        await stubs.rollouts.PromoteRollout(pb.PromoteRolloutRequest(actor="bob", reason="looks fine"))
        await all_have(followers, 2)
        await ends(stubs, pb.STAGED_ROLLOUT_STATE_SUCCEEDED)
        async with asyncio.timeout(PATIENCE_S):
            await watching
        assert seen[0].revision == 2
        assert seen[-1].state == pb.STAGED_ROLLOUT_STATE_SUCCEEDED
        await apply(stubs, 3, rollout=plan(bake_s=600))
        undone = await stubs.rollouts.UndoRollout(pb.UndoRolloutRequest(actor="eve", reason="no"))
        assert (undone.rollout.state, undone.rollout.back_as) == (pb.STAGED_ROLLOUT_STATE_ROLLED_BACK, 4)
        await all_have(followers, 4)
        with pytest.raises(grpc.aio.AioRpcError) as over:
            await stubs.rollouts.UndoRollout(pb.UndoRolloutRequest())
        assert over.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    """The stage, its members and what was proven survive; harm is found afterwards as well."""
    settings = ControlSettings(
        data_dir=tmp_path / "control", grpc_address="127.0.0.1:0", http_address="127.0.0.1:0", grace_s=1.0
    )

    @asynccontextmanager
    async def running() -> AsyncIterator[Stubs]:
        store = await open_store(settings.data_dir)
        control = ControlPlane(settings, store)
        await control.start()
        try:
            async with grpc.aio.insecure_channel(control.addresses.grpc) as channel:
                yield Stubs(channel)
        finally:
            await control.stop()
            await store.aclose()

    async with running() as stubs, fleet(stubs, *NODES) as followers:
        await apply(stubs, 1)
        await all_have(followers, 1)
        stable = followers[0].has
        answer = await apply(stubs, 2, rollout=plan(bake_s=600))
        await all_have([f for f in followers if f.node in answer.targets], 2)
        new = (2, answer.revision.hash)
        before = await state(stubs)
    async with running() as stubs:
        after = await state(stubs)
        assert (after.state, after.stage, after.revision) == (before.state, before.stage, 2)
        others = [node for node in NODES if node not in answer.targets]
        async with (
            fleet(stubs, *answer.targets, applied=new) as canaries,
            fleet(stubs, *others, applied=stable) as rest,
        ):
            await asyncio.sleep(0.5)
            assert not any(f.got for f in (*canaries, *rest)), "everybody has what he is to have"
            for follower in canaries:
                follower.got.append(new)
                follower.fails_with.add(new[1])
            await ends(stubs, pb.STAGED_ROLLOUT_STATE_ROLLED_BACK)
            await all_have([*canaries, *rest], 3)


async def test_a_revision_that_proxies_do_not_survive_is_taken_back(
    plane: ControlPlane, stubs: Stubs
) -> None:
    """The canary dies of it again and again; its calls tell nothing, its restarts do."""
    await apply(stubs, 1)
    async with fleet(stubs, "steady") as steady:
        await all_have(steady, 1)
        stages = [pb.RolloutStage(selector="tier=canary")]
        await apply(stubs, 2, rollout=pb.RolloutStrategy(stages=stages))
        for number in range(4):
            proxy = Proxy(stubs, "weak", boot_id=f"run-{number}", labels={"tier": "canary"})
            await proxy.hello()
            await proxy.hear("policy")

            async def is_seen(boot_id: str = f"run-{number}") -> bool:
                # Once a second it is looked who is there.
                runs = plane.rollouts._runs.all.values()
                return all(run.runs.get("weak", ("", 0))[0] == boot_id for run in runs)

            await until(is_seen, what="this run of it is seen")
            proxy.call.cancel()
        ended = await ends(stubs, pb.STAGED_ROLLOUT_STATE_ROLLED_BACK)
        assert ended.reason == "weak has restarted 3 times since it was to have the revision"
        await all_have(steady, 3)


async def test_the_metrics_say_what_is_under_way(plane: ControlPlane, stubs: Stubs) -> None:
    """And how those before have ended."""
    async with fleet(stubs, *NODES) as followers:
        await apply(stubs, 1)
        await all_have(followers, 1)
        await apply(stubs, 2, rollout=plan(bake_s=600))
        await stubs.rollouts.UndoRollout(pb.UndoRolloutRequest())
        await apply(stubs, 3, rollout=plan(bake_s=600))
        _, page = await asyncio.to_thread(http_get, plane.addresses.http, "/metrics")
    assert 'seawall_control_rollouts_active{state="running"} 1' in page
    assert 'seawall_control_rollouts_ended_total{state="rolled_back"} 1' in page
    assert "seawall_control_operations_active 0" in page


async def test_labels_choose_the_canaries(stubs: Stubs) -> None:
    """A selector names who is first."""
    await apply(stubs, 1)
    async with fleet(stubs, "plain") as plain:
        canary = Proxy(stubs, "labelled", labels={"tier": "canary"})
        await canary.hello()
        await canary.ack((await canary.hear("policy")).policy)
        await all_have(plain, 1)
        stages = [pb.RolloutStage(selector="tier=canary")]
        answer = await apply(stubs, 2, rollout=pb.RolloutStrategy(stages=stages))
        assert list(answer.targets) == ["labelled"]
        assert (await canary.hear("policy")).policy.revision == 2
        bad = [pb.RolloutStage(selector="tier=(")]
        with pytest.raises(grpc.aio.AioRpcError) as wrong:
            await apply(stubs, 3, rollout=pb.RolloutStrategy(stages=bad))
        assert "rollout.stages[0].selector" in (wrong.value.details() or "")
        canary.call.cancel()


@pytest.mark.parametrize("stored", [True, False])
async def test_a_change_by_stages_of_unknown_fate_is_withheld_until_it_is_known(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """The store has lost its connection during the commit: nobody beyond the stages is given a revision that
    may be stored, and the rollout begins, or is given up, once it is known.
    """
    async with fleet(stubs, *NODES) as followers:
        await apply(stubs, 1)
        await all_have(followers, 1)
        real = type(plane.store).apply_all
        away = True

        async def lost(drafts: Any) -> Any:
            if stored or not away:
                await real(plane.store, drafts)
            if away:
                raise StoreUnavailable("whether the change was made is not known yet")

        async def unknown(draft: Any) -> Any:
            if away:
                raise StoreUnavailable("it is away")
            return (await real(plane.store, [draft]))[0]

        monkeypatch.setattr(plane.store, "apply_all", lost)
        monkeypatch.setattr(plane.store, "apply", unknown)
        with pytest.raises(grpc.aio.AioRpcError, match="not known yet"):
            await apply(stubs, 2, rollout=plan(bake_s=0.5))
        await asyncio.sleep(1.5)
        assert {follower.has[0] for follower in followers} == {1}
        assert (await state(stubs, 2)).state == pb.STAGED_ROLLOUT_STATE_PENDING
        away = False
        if stored:
            await ends(stubs, pb.STAGED_ROLLOUT_STATE_SUCCEEDED, 2)
            await all_have(followers, 2)
        else:
            cancelled = await ends(stubs, pb.STAGED_ROLLOUT_STATE_CANCELLED, 2)
            assert cancelled.reason == "its revision was never stored"
            assert {follower.has[0] for follower in followers} == {1}


async def test_a_stage_that_is_not_recorded_has_not_begun(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store takes nothing the rollout stays where it was; then it goes on to everybody."""
    async with fleet(stubs, *NODES) as followers:
        await apply(stubs, 1)
        await all_have(followers, 1)
        answer = await apply(stubs, 2, rollout=plan(bake_s=0.5))
        real, tried = plane.rollouts._book.keep, 0

        async def full(saved: Any, what: str = "", **more: Any) -> None:
            nonlocal tried
            # What only goes on is written now and then, too.
            tried += bool(what)
            if what and tried <= 3:
                raise StoreUnavailable("not now")
            await real(saved, what, **more)

        monkeypatch.setattr(plane.rollouts._book, "keep", full)

        async def is_tried() -> bool:
            return tried >= 1

        await until(is_tried, what="the next state is to be recorded")
        assert {f.node for f in followers if f.has[0] == 2} == set(answer.targets)
        await ends(stubs, pb.STAGED_ROLLOUT_STATE_SUCCEEDED, 2)
        await all_have(followers, 2)


async def test_a_clock_that_leaps_promotes_nobody(plane: ControlPlane, stubs: Stubs) -> None:
    """A stage of an hour is no shorter because the wall clock is set a day ahead meanwhile."""
    wall = told_clock(plane)
    async with fleet(stubs, *NODES) as followers:
        await apply(stubs, 1)
        await all_have(followers, 1)
        await apply(stubs, 2, rollout=plan(bake_s=3600))

        async def bakes() -> bool:
            return baked(plane) != ""

        await until(bakes, what="the stage bakes")
        wall.off_us = 86_400_000_000
        before = baked(plane)

        async def goes_on() -> bool:
            rollout = plane.rollouts.active[0]
            return rollout.state != "running" or baked(plane) != before

        await until(goes_on, what="it is looked at again")
        assert (await state(stubs)).state == pb.STAGED_ROLLOUT_STATE_RUNNING
        assert baked(plane).endswith("of 3600 s have passed")
        assert {follower.has[0] for follower in followers} == {1, 2}
