"""Two control planes on one database: each sees the whole fleet, the one that leads judges all of it, and
what is said to both at once is done once.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from seawall.v1 import admin_fleet_pb2 as fleet_pb
from seawall.v1 import admin_operations_pb2 as operations_pb
from seawall.v1 import admin_policies_pb2 as policies_pb
from seawall.v1 import admin_rollouts_pb2 as pb
from seawall.v1 import fleet_pb2, stats_pb2
from seawall_control.server import ControlPlane
from seawall_control.services import fleet as fleet_service
from seawall_control.services import fleet_beyond, fleet_sharing
from tests.integration.control.kit import Proxy, Stubs, until
from tests.integration.control.test_postgres import listening
from tests.integration.control.test_rollouts import all_have, apply, fleet, plan

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell each other more often than in earnest."""
    for module, name in ((fleet_sharing, "EVERY_S"), (fleet_sharing, "OFTEN_S"), (fleet_service, "LOOK_S")):
        monkeypatch.setattr(module, name, 0.2)
    monkeypatch.setattr(fleet_service, "LOOK_STAGED_S", 0.2)


@asynccontextmanager
async def both(planes: list[ControlPlane]) -> AsyncIterator[tuple[Stubs, Stubs]]:
    """Stubs of both, the one that leads first."""
    await listening(planes)
    ordered = sorted(planes, key=lambda plane: not plane.leads())
    async with (
        grpc.aio.insecure_channel(ordered[0].addresses.grpc) as one,
        grpc.aio.insecure_channel(ordered[1].addresses.grpc) as two,
    ):
        yield Stubs(one), Stubs(two)


def report(calls: int, state: int) -> fleet_pb2.StatsReport:
    """Return what a proxy says."""
    return fleet_pb2.StatsReport(
        routes=[stats_pb2.RouteCounters(route="all", by_code=[calls])],
        clusters=[stats_pb2.ClusterCounters(cluster="shop", endpoints=2)],
        breakers=[stats_pb2.BreakerStatus(name="all", route="all", state=state)],  # type: ignore[arg-type]
        events_produced=7,
        connections=3,
    )


async def test_each_sees_the_whole_fleet(planes: list[ControlPlane]) -> None:
    """Proxies, statistics of routes and clusters, breakers; what only the other knows is said to be there."""
    async with both(planes) as sides:
        proxies = [Proxy(side, f"edge-{n}") for n, side in enumerate(sides)]
        for number, proxy in enumerate(proxies):
            await proxy.hello()
            await proxy.say(stats=report(100 + number, stats_pb2.BREAKER_STATE_OPEN))
        for number, side in enumerate(sides):
            other = f"edge-{1 - number}"

            async def is_seen(side: Stubs = side) -> bool:
                listed = (await side.operations.ListProxies(fleet_pb.ListProxiesRequest())).proxies
                routes = (await side.operations.ListRouteStats(fleet_pb.ListRouteStatsRequest())).routes
                return (
                    all(p.connected and p.events_produced == 7 for p in listed)
                    and {p.node for p in listed} == {"edge-0", "edge-1"}
                    and [list(r.total.by_code) for r in routes] == [[201]]
                )

            await until(is_seen, what=f"{other} is seen")
            shown = (await side.operations.GetProxy(fleet_pb.GetProxyRequest(node=other))).proxy
            assert (shown.connected, shown.events_produced, shown.connections) == (True, 7, 3)
            assert shown.control_plane
            own = (await side.operations.GetProxy(fleet_pb.GetProxyRequest(node=f"edge-{number}"))).proxy
            assert own.control_plane == ""
            routes = (await side.operations.ListRouteStats(fleet_pb.ListRouteStatsRequest())).routes
            assert [(r.route, list(r.total.by_code)) for r in routes] == [("all", [201])]
            assert routes[0].breaker == stats_pb2.BREAKER_STATE_OPEN
            clusters = (await side.operations.ListClusterStats(fleet_pb.ListClusterStatsRequest())).clusters
            assert [(c.cluster, c.proxies, c.total.endpoints) for c in clusters] == [("shop", 2, 4)]
            breakers = (await side.operations.ListBreakers(fleet_pb.ListBreakersRequest())).breakers
            assert [(b.name, b.proxy) for b in breakers] == [("all", "edge-0"), ("all", "edge-1")]
            with pytest.raises(grpc.aio.AioRpcError, match="is connected to control plane"):
                await side.operations.ListRouteStats(fleet_pb.ListRouteStatsRequest(proxy=other))
            answer = await side.operations.ResetBreaker(
                fleet_pb.ResetBreakerRequest(breaker="all", proxy=other, reason="r", actor="a")
            )
            assert "is connected to control plane" in answer.results[0].message


async def test_rates_of_the_others_are_added(planes: list[ControlPlane]) -> None:
    """Calls through a proxy of the other control plane are counted per second here too."""
    async with both(planes) as (here, there):
        proxy = Proxy(there, "edge-1")
        await proxy.hello()
        calls = 0

        async def is_counted() -> bool:
            nonlocal calls
            calls += 50
            await proxy.say(stats=report(calls, stats_pb2.BREAKER_STATE_CLOSED))
            request = fleet_pb.ListRouteStatsRequest()
            routes = (await here.operations.ListRouteStats(request)).routes
            return any(route.calls_per_second > 10 for route in routes)

        await until(is_counted, what="calls of the other side")


async def test_a_control_plane_that_is_gone_takes_its_proxies_along(
    planes: list[ControlPlane],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that says nothing more is not believed for long."""
    monkeypatch.setattr(fleet_beyond, "GONE_S", 1.0)
    async with both(planes) as (_, there):
        proxy = Proxy(there, "edge-1")
        await proxy.hello()
        leader = next(plane for plane in planes if plane.leads())
        other = next(plane for plane in planes if plane is not leader)

        async def is_seen() -> bool:
            return leader.fleet.is_online("edge-1")

        await until(is_seen, what="the proxy is seen")
        monkeypatch.setattr(other.sharing, "tell", asyncio.Event().wait)

        async def is_gone() -> bool:
            return not leader.fleet.is_online("edge-1")

        await until(is_gone, what="the proxy is taken for gone")


async def test_the_one_that_leads_judges_the_calls_at_the_other(planes: list[ControlPlane]) -> None:
    """All proxies are connected to the control plane that does not lead: a revision that breaks calls is
    taken back, and a good one becomes everybody's.
    """
    async with both(planes) as (here, there), fleet(there, "one", "two", "three", "four") as followers:
        await apply(here, 1)
        await all_have(followers, 1)
        leader = next(plane for plane in planes if plane.leads())

        async def are_seen() -> bool:
            return len(leader.fleet.everywhere("default")) == 4

        await until(are_seen, what="all are seen")
        bad = (await apply(here, 2, validate_only=True, rollout=plan())).revision.hash
        for follower in followers:
            follower.fails_with.add(bad)
        answer = await apply(here, 2, rollout=plan(bake_s=60))
        assert len(answer.targets) == 2
        ended = await ends(here, pb.STAGED_ROLLOUT_STATE_ROLLED_BACK)
        assert ended.findings[0].guard == "error_rate", ended
        assert "100.00 % of" in ended.reason
        await all_have(followers, 3)
        await apply(there, 3, rollout=plan(bake_s=0.5))
        ended = await ends(there, pb.STAGED_ROLLOUT_STATE_SUCCEEDED)
        assert ended.reason == "in effect at 4 connected proxies"


async def ends(stubs: Stubs, wanted: int) -> Any:
    """Wait for an end of the newest rollout; return it."""

    async def check() -> bool:
        request = pb.GetStagedRolloutRequest()
        found = (await stubs.rollouts.GetStagedRollout(request)).rollout
        return bool(found.state == wanted)

    await until(check, what=pb.StagedRolloutState.Name(wanted))
    return (await stubs.rollouts.GetStagedRollout(pb.GetStagedRolloutRequest())).rollout


async def test_verbs_at_both_at_once_are_said_one_after_the_other(planes: list[ControlPlane]) -> None:
    """Whatever is said to either, both come to the same state, and nobody is told of a conflict that only
    asking again would solve.
    """
    async with both(planes) as sides:
        await apply(sides[0], 1)
        await apply(sides[0], 2, rollout=plan(bake_s=60))

        async def known() -> bool:
            return all(plane.rollouts.active for plane in planes)

        await until(known, what="both know the rollout")
        for _ in range(5):
            work = []
            for side in sides:
                work.append(side.rollouts.PauseRollout(pb.PauseRolloutRequest(actor="ann", reason="r")))
                work.append(side.rollouts.ResumeRollout(pb.ResumeRolloutRequest(actor="bob", reason="r")))
            results = await asyncio.gather(*(_result(one) for one in work))
            assert set(results) <= {grpc.StatusCode.OK, grpc.StatusCode.FAILED_PRECONDITION}, results
            assert grpc.StatusCode.OK in results

        results = await asyncio.gather(
            *(_result(s.rollouts.UndoRollout(pb.UndoRolloutRequest(actor="a", reason="r"))) for s in sides)
        )
        assert grpc.StatusCode.OK in results
        assert set(results) <= {grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND}, results
        newest = await sides[1].policies.GetRevision(policies_pb.GetRevisionRequest())
        assert (newest.revision.revision, newest.revision.rollback_of) == (3, 1)


async def test_a_rollout_that_is_over_elsewhere_is_not_undone(planes: list[ControlPlane]) -> None:
    """A control plane that has not heard of its end yet looks again when it meets another revision."""
    async with both(planes) as (here, there):
        await apply(here, 1)
        await apply(here, 2, rollout=plan(bake_s=60))

        async def known() -> bool:
            return bool(planes[1].rollouts.active)

        async def forgotten() -> bool:
            return not planes[1].rollouts.active

        await until(known, what="the other knows the rollout")
        runs = planes[1].rollouts._runs
        as_it_was = dict(runs.all)
        await apply(here, 3, supersede=True)
        await until(forgotten, what="the other knows that it is over")
        runs.all.update(as_it_was)
        undo = there.rollouts.UndoRollout(pb.UndoRolloutRequest(actor="a", reason="r"))
        assert await _result(undo) == grpc.StatusCode.NOT_FOUND
        newest = await there.policies.GetRevision(policies_pb.GetRevisionRequest())
        assert newest.revision.revision == 3


async def _result(call: Any) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_one_request_at_both_begins_one_operation(planes: list[ControlPlane]) -> None:
    """The same id is the same operation wherever it is asked for, and what proxies said to it stays; another
    operation with the id is refused.
    """
    async with both(planes) as sides:
        proxies = [Proxy(side, f"edge-{n}") for n, side in enumerate(sides)]
        for proxy in proxies:
            await proxy.hello()
        request = operations_pb.StartOperationRequest(
            action=operations_pb.OperationAction(
                hold_breaker=operations_pb.HoldBreakerAction(
                    breaker="all", state=stats_pb2.BREAKER_STATE_FORCED_OPEN
                )
            ),
            actor="ann",
            reason="r",
            request_id=str(uuid.uuid4()),
        )
        request.duration.FromSeconds(60)

        async def obey(proxy: Proxy) -> None:
            while True:
                command = (await proxy.hear("command")).command
                result = fleet_pb2.CommandResult(id=command.id, ok=True)
                await proxy.say(command_result=result)

        tasks = [asyncio.create_task(obey(proxy)) for proxy in proxies]
        try:
            begun = await asyncio.gather(*(side.fleet_operations.StartOperation(request) for side in sides))
            assert len({answer.operation.id for answer in begun}) == 1

            async def is_carried_out() -> bool:
                found = (
                    await sides[0].fleet_operations.GetOperation(
                        operations_pb.GetOperationRequest(id=begun[0].operation.id)
                    )
                ).operation
                return bool(found.done == 2)

            await until(is_carried_out, what="both proxies did it, and both answers are kept")
            request.action.hold_breaker.breaker = "other"
            with pytest.raises(grpc.aio.AioRpcError, match="was used for another operation"):
                await sides[1].fleet_operations.StartOperation(request)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
