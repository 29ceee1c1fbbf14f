"""Rollouts by stages and operations on the fleet: real proxies, real calls, and a kill."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import pytest

from seawall.client import AsyncSeawall
from seawall.client.rollouts import strategy
from seawall.v1 import admin_operations_pb2 as operations_pb
from seawall.v1 import admin_rollouts_pb2 as pb
from seawall.v1 import policy_pb2
from tests.integration.system.test_both_planes import applied, call, document, following, until
from tests.kit.processes import PATIENCE_S, free_port, http_get, wait_until
from tests.kit.rpc import unary_unary
from tests.kit.stand import Proxy, Stand

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NODES = ("one", "two", "three")


class Traffic:
    """Calls through every proxy all the time."""

    def __init__(self) -> None:
        self.failed: dict[str, int] = dict.fromkeys(NODES, 0)
        self.served: dict[str, int] = dict.fromkeys(NODES, 0)

    async def through(self, node: str, channel: grpc.aio.Channel) -> None:
        """Call until cancelled; each takes 20 ms at the upstream."""
        send = unary_unary(channel, "/any.Service/Unary")
        while True:
            try:
                await send(b"x", timeout=PATIENCE_S, metadata=(("sleep", "0.02"),))
                self.served[node] += 1
            except grpc.aio.AioRpcError:
                self.failed[node] += 1
            await asyncio.sleep(0.002)


@asynccontextmanager
async def traffic(proxies: dict[str, Proxy]) -> AsyncIterator[Traffic]:
    """Have calls made through all proxies."""
    made = Traffic()
    channels = {node: grpc.aio.insecure_channel(proxy.address) for node, proxy in proxies.items()}
    tasks = [
        asyncio.create_task(made.through(node, channel))
        for node, channel in channels.items()
        for _ in range(2)
    ]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        for channel in channels.values():
            await channel.close()


async def ended(seawall: AsyncSeawall, revision: int, limit_s: float = 3 * PATIENCE_S) -> Any:
    """Wait until a rollout has ended; return it."""

    async def check() -> Any:
        found = await seawall.rollouts.get(revision)
        return found if found.HasField("end_time") else None

    return await until(f"the rollout of revision {revision} has ended", check, limit_s)


async def test_a_bad_policy_is_taken_back_and_a_good_one_arrives(stand: Stand) -> None:
    """A timeout that no call can keep breaks the calls of one proxy, for a few seconds; the other two never
    see it. Then a good policy goes out by stages, over a control plane that is killed in the middle.
    """
    _, address = stand.upstream()
    port = free_port()
    control = stand.control(grpc=f"127.0.0.1:{port}")
    config = stand.policy(document(address))
    proxies = {node: following(stand, control, config, node, f"data-{node}") for node in NODES}
    bad = stand.policy(document(address, timeout="5ms"), "bad.yaml")
    good = stand.policy(document(address, timeout="90s"), "good.yaml")
    async with AsyncSeawall(control.grpc) as seawall, traffic(proxies) as made:
        await seawall.policies.apply(config)
        await applied(seawall, 1, 3)
        before = dict(made.failed)
        answer = await seawall.policies.apply(bad, rollout=strategy(30, bake=30))
        (canary,) = answer.targets
        found = await ended(seawall, 2)
        assert found.state == pb.STAGED_ROLLOUT_STATE_ROLLED_BACK
        worst = found.findings[0]
        assert (worst.guard, worst.route) == ("error_rate", "all")
        # All of them; but where the whole process stands still for long, an answer and its end in time are
        # found at once, and the answer counts.
        assert worst.canary > 0.8
        assert worst.canary_calls >= 1
        assert f"{worst.canary_calls} calls failed with the new revision" in found.reason
        await applied(seawall, 3, 3)
        harmed = {node for node in NODES if made.failed[node] > before[node]}
        assert harmed == {canary}
        events = [event async for event in seawall.events.list('error_type = "rollout_rolled_back"')]
        assert len(events) == 1
        assert f"{100 * worst.canary:.2f} % of {worst.canary_calls} calls failed" in events[0].message

        # More calls than there are before the kill, however long that takes; and one of three processes may
        # be slower than the others for a while, which is no fault of the policy.
        guards = {"min_calls": 400, "max_latency_ratio": 1000}
        answer = await seawall.policies.apply(good, rollout=strategy(30, bake=4, **guards))
        (canary,) = answer.targets
        served = made.served[canary]

        async def proves_itself() -> bool:
            return made.served[canary] > served + 40

        await until("the canary serves calls", proves_itself)
    control.child.kill()
    control = await asyncio.to_thread(stand.control, grpc=f"127.0.0.1:{port}")
    async with AsyncSeawall(control.grpc) as seawall, traffic(proxies):
        under_way = await seawall.rollouts.get(4)
        assert under_way.state == pb.STAGED_ROLLOUT_STATE_RUNNING
        found = await ended(seawall, 4)
        assert found.state == pb.STAGED_ROLLOUT_STATE_SUCCEEDED, found
        await applied(seawall, 4, 3)


async def test_faults_and_drains_reach_every_proxy_and_those_who_come(stand: Stand) -> None:
    """A fault fails calls until it is cancelled; an endpoint that is drained gets none; a proxy that is
    drained says so; a proxy that is started meanwhile does the same.
    """
    _, a = stand.upstream("a")
    _, b = stand.upstream("b")
    control = stand.control()
    both = document(a)
    both["clusters"] = [{"name": "up", "endpoints": [a, b]}]
    config = stand.policy(both)
    proxies = {"one": following(stand, control, config, "one", "data-one")}
    reason = "game day"
    async with AsyncSeawall(control.grpc) as seawall:
        await seawall.policies.apply(config)
        await applied(seawall, 1, 1)
        fault = policy_pb2.Fault(abort=policy_pb2.FaultAbort(code="DATA_LOSS", percent=100))
        broken = await seawall.fleet_operations.start(
            operations_pb.OperationAction(fault=operations_pb.FaultAction(route="all", fault=fault)),
            duration=600,
            reason=reason,
        )
        drained = await seawall.fleet_operations.start(
            operations_pb.OperationAction(drain=operations_pb.DrainAction(cluster="up", address=a)),
            duration=600,
            reason=reason,
        )

        async def one_does() -> bool:
            found = [await seawall.fleet_operations.get(o.id) for o in (broken, drained)]
            return all(operation.done == 1 for operation in found)

        await until("the first does both", one_does)
        proxies["two"] = await asyncio.to_thread(following, stand, control, config, "two", "data-two")

        async def both_did() -> bool:
            found = [await seawall.fleet_operations.get(o.id) for o in (broken, drained)]
            return all(operation.done == 2 for operation in found)

        await until("the newcomer does both", both_did)
        for proxy in proxies.values():
            async with grpc.aio.insecure_channel(proxy.address) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call(channel)
                assert caught.value.code() is grpc.StatusCode.DATA_LOSS
        await seawall.fleet_operations.cancel(broken.id)
        for proxy in proxies.values():

            async def is_over(proxy: Proxy = proxy) -> bool:
                return bool(proxy.status()["operations"]["faults"] == {})

            await until("the fault is over", is_over)
            assert list(proxy.status()["operations"]["drained"]) == [f"up/{a}"]
            async with grpc.aio.insecure_channel(proxy.address) as channel:
                served = set()
                for _ in range(10):
                    made = unary_unary(channel, "/any.Service/Unary")(b"x", timeout=PATIENCE_S)
                    await made
                    served |= {value for key, value in await made.trailing_metadata() if key == "served-by"}
                assert served == {"b"}
        out = await seawall.fleet_operations.start(
            operations_pb.OperationAction(drain=operations_pb.DrainAction()),
            proxy="two",
            duration=600,
            reason=reason,
        )
        wait_until(lambda: http_get(proxies["two"].admin, "/ready")[0] == 503, "it is drained")
        assert http_get(proxies["one"].admin, "/ready")[0] == 200
        await seawall.fleet_operations.cancel(out.id)
        wait_until(lambda: http_get(proxies["two"].admin, "/ready")[0] == 200, "it is back")


def listeners(proxy: Proxy) -> list[Any]:
    """Return the workers that accept calls."""
    return [worker for worker in proxy.status()["workers"] if worker["state"] == "ready"]


async def test_workers_do_what_one_of_them_missed(stand: Stand) -> None:
    """A worker that replaces one that died drains what the others drain."""
    _, a = stand.upstream("a")
    _, b = stand.upstream("b")
    control = stand.control()
    both = document(a)
    both["clusters"] = [{"name": "up", "endpoints": [a, b]}]
    config = stand.policy(both)
    proxy = stand.proxy(config, "--control", control.grpc, "--node", "one", "--workers", "2")
    async with AsyncSeawall(control.grpc) as seawall:
        await seawall.policies.apply(config)
        await applied(seawall, 1, 1)
        drained = await seawall.fleet_operations.start(
            operations_pb.OperationAction(drain=operations_pb.DrainAction(cluster="up", address=a)),
            duration=600,
            reason="disk",
        )

        async def it_does() -> bool:
            return bool((await seawall.fleet_operations.get(drained.id)).done == 1)

        await until("the proxy drains it", it_does)
        victim = proxy.status()["workers"][0]["pid"]
        os.kill(victim, signal.SIGKILL)

        def is_replaced() -> bool:
            status = proxy.status()
            return bool(status["worker_restarts"] == 1 and status["workers"][0]["pid"] not in (None, victim))

        wait_until(is_replaced, "the worker is replaced")
        wait_until(lambda: len(listeners(proxy)) == 2, "both accept")
        for _ in range(6):
            async with grpc.aio.insecure_channel(
                proxy.address, options=[("grpc.use_local_subchannel_pool", 1)]
            ) as channel:
                made = unary_unary(channel, "/any.Service/Unary")(b"x", timeout=PATIENCE_S)
                await made
                served = {value for key, value in await made.trailing_metadata() if key == "served-by"}
                assert served == {"b"}
