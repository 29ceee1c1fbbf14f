"""A proxy with several workers, as processes with real clients."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import psutil
import pytest

from seawall.client import AsyncSeawall
from tests.kit.processes import PATIENCE_S, http_get, wait_until
from tests.kit.rpc import stream_stream, unary_unary
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration


def document(address: str, **policy: Any) -> dict[str, Any]:
    """Return a document with one route."""
    return {
        "workers": 2,
        "clusters": [{"name": "up", "endpoints": [address]}],
        "policies": {"p": policy or {"timeout": "20s"}},
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
    }


def workers(proxy: Proxy) -> list[dict[str, Any]]:
    """Return what /status says of each worker."""
    return list(proxy.status()["workers"])


def connections(proxy: Proxy) -> list[int]:
    """Return how many clients each worker has."""
    return [worker["connections"] or 0 for worker in workers(proxy)]


def counter(proxy: Proxy, name: str) -> float:
    """Return the sum of a metric over its labels."""
    _, page = http_get(proxy.admin, "/metrics")
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", page, re.MULTILINE)
    assert found, f"no {name} on the page"
    return sum(float(value) for value in found)


@asynccontextmanager
async def on_every_worker(proxy: Proxy) -> AsyncIterator[list[list[grpc.aio.Channel]]]:
    """Give open channels by the worker that serves them, at least one for each of two."""
    by_worker: list[list[grpc.aio.Channel]] = [[], []]
    async with AsyncExitStack() as stack:
        for _ in range(64):
            before = await asyncio.to_thread(connections, proxy)
            options = [("grpc.use_local_subchannel_pool", 1)]
            channel = await stack.enter_async_context(
                grpc.aio.insecure_channel(proxy.address, options=options)
            )
            assert await call(channel) == b"x"
            after = await asyncio.to_thread(connections, proxy)
            by_worker[int(after[1] > before[1])].append(channel)
            if all(by_worker):
                break
        assert all(by_worker), "one worker got none of 64 connections"
        yield by_worker


async def call(channel: grpc.aio.Channel, *metadata: tuple[str, str]) -> bytes:
    """Make one call."""
    return bytes(
        await unary_unary(channel, "/any.Service/Unary")(b"x", timeout=PATIENCE_S, metadata=metadata)
    )


async def fail(channel: grpc.aio.Channel, times: int) -> list[str]:
    """Make calls that the upstream fails; return the reasons that Seawall gave."""
    reasons = []
    for _ in range(times):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, ("fail", "14"))
        trailers = dict(caught.value.trailing_metadata() or ())
        reasons.append(str(trailers.get("seawall-reason", "")))
    return reasons


async def test_workers_look_like_one_proxy_and_a_killed_one_is_missed_by_its_clients_only(
    stand: Stand,
) -> None:
    """Counters are added up and never fall; a killed worker's calls fail, the other worker's go on; it is
    replaced within seconds, which is an event; SIGTERM ends them all.
    """
    _, address = stand.upstream()
    proxy = stand.proxy(stand.policy(document(address)), "--drain-grace", "0.2")
    async with on_every_worker(proxy) as (zero, one):
        made = 5 * (len(zero) + len(one))
        for channel in [*zero, *one] * 5:
            await call(channel)
        calls = await asyncio.to_thread(counter, proxy, "seawall_calls_total")
        assert calls == made + len(zero) + len(one)
        victim = workers(proxy)[0]["pid"]
        doomed = stream_stream(zero[0], "/any.Service/Chat")()
        safe = stream_stream(one[0], "/any.Service/Chat")()
        for chat in (doomed, safe):
            await chat.write(b"a")
            assert await chat.read() == b"a"
        os.kill(victim, signal.SIGKILL)
        assert await doomed.code() is grpc.StatusCode.UNAVAILABLE
        await safe.write(b"b")
        assert await safe.read() == b"b"
        await safe.done_writing()
        assert await safe.code() is grpc.StatusCode.OK
        assert await call(zero[0], ("x-again", "1")) == b"x"
        await asyncio.to_thread(
            wait_until, lambda: [w["state"] for w in workers(proxy)] == ["ready", "ready"], "it is back"
        )
        assert workers(proxy)[0]["pid"] != victim
        assert await asyncio.to_thread(counter, proxy, "seawall_calls_total") >= calls
        assert await asyncio.to_thread(counter, proxy, "seawall_worker_restarts_total") == 1
        kinds = [event["error_type"] for event in json.loads(http_get(proxy.admin, "/events")[1])["events"]]
        assert kinds.count("worker_died") == 1
    pids = [worker["pid"] for worker in workers(proxy)]
    assert await asyncio.to_thread(proxy.child.terminate) == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_a_breaker_that_opens_in_one_worker_is_open_in_all_and_one_probes(stand: Stand) -> None:
    """Failures that one worker sees open the route for the others' clients as well, as one event; its probes
    close it for all.
    """
    _, address = stand.upstream()
    breaker = {
        "window": {"kind": "count", "size": 4},
        "min_calls": 4,
        "open_for": "4s",
        "half_open_calls": 1,
        "success_threshold": 1,
    }
    proxy = stand.proxy(stand.policy(document(address, timeout="20s", breaker=breaker)))
    async with on_every_worker(proxy) as (zero, one):
        await fail(zero[0], 4)
        opened = asyncio.get_running_loop().time()
        assert (await fail(zero[0], 1)) == ["BREAKER_OPEN"]

        async def is_refused() -> bool:
            try:
                await call(one[0])
            except grpc.aio.AioRpcError as error:
                return bool(dict(error.trailing_metadata() or ())["seawall-reason"] == "BREAKER_OPEN")
            return False

        await until("it is open for the other one's clients", is_refused)
        # The one that opened looks first; the other one is held longer and believes what it finds.
        await asyncio.sleep(4.1 - (asyncio.get_running_loop().time() - opened))
        assert (await fail(one[0], 1)) == ["BREAKER_OPEN"]
        assert await call(zero[0]) == b"x"

        async def is_served() -> bool:
            return not await is_refused()

        await until("it is closed for the other one's clients", is_served)

        def told() -> list[str]:
            events = json.loads(http_get(proxy.admin, "/events")[1])["events"]
            return [
                e["error_type"]
                for e in events
                if e["component"] == "route/all" and "breaker" in e["error_type"]
            ]

        await asyncio.to_thread(wait_until, lambda: len(told()) >= 3, "the events are there")
        await asyncio.sleep(0.3)
        assert told() == ["breaker_closed", "breaker_half_open", "breaker_opened"]
        assert await asyncio.to_thread(counter, proxy, "seawall_breaker_opened_total") == 1


async def test_no_worker_outlives_a_killed_proxy(stand: Stand) -> None:
    """When the proxy's first process is killed its workers drain and end."""
    _, address = stand.upstream()
    proxy = stand.proxy(stand.policy(document(address)), "--drain-grace", "0.2", "--drain-limit", "30")
    pids = [worker["pid"] for worker in workers(proxy)]
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        slow = unary_unary(channel, "/any.Service/Unary")(b"slow", metadata=(("sleep", "3"),), timeout=60)
        await asyncio.to_thread(
            wait_until, lambda: proxy.status()["clusters"]["up"]["in_flight"] == 1, "it is under way"
        )
        proxy.child.kill()
        assert await slow == b"slow"
    await asyncio.to_thread(
        wait_until, lambda: not any(psutil.pid_exists(pid) for pid in pids), "the workers are gone"
    )


async def until(what: str, check: Any, limit_s: float = PATIENCE_S) -> Any:
    """Return the first true value that the coroutine function `check` gives."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit_s
    while not (value := await check()):
        assert loop.time() < end, f"not within {limit_s:g} s: {what}"
        await asyncio.sleep(0.05)
    return value


def handed_on(proxy: Proxy) -> int:
    """Return how many failed calls the first process knows of, among the newest events."""
    events = json.loads(http_get(proxy.admin, "/events")[1])["events"]
    return sum(event.get("code") == "INTERNAL" for event in events)


async def failures(seawall: AsyncSeawall) -> list[str]:
    """Return the ids of the failures that the control plane has stored."""
    return [event.id async for event in seawall.events.list("kind = CALL_FAILED", limit=1000)]


async def test_under_a_control_plane_workers_are_one_proxy(stand: Stand) -> None:
    """One node follows; a push is acknowledged once and in force in each worker; a command reaches each
    breaker and is one event; events come exactly once, also those of the time when the control plane was
    away, when a worker was killed, and when the proxy was replaced.
    """
    _, address = stand.upstream()
    control = stand.control()
    breaker = {"window": {"kind": "count", "size": 100}, "min_calls": 100, "open_for": "5s"}
    config = stand.policy(document(address, timeout="20s", breaker=breaker))
    arguments = ("--control", control.grpc, "--node", "one", "--drain-grace", "0.2")
    proxy = stand.proxy(config, *arguments)
    sent = 0
    successor = 0

    async def fail_some(channels: Sequence[grpc.aio.Channel], count: int) -> None:
        nonlocal sent
        for index in range(count):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(channels[index % len(channels)], ("fail", "13"))
            sent += caught.value.code() is grpc.StatusCode.INTERNAL

    try:
        async with AsyncSeawall(control.grpc) as seawall:
            await seawall.policies.apply(config)

            async def in_force() -> bool:
                rollout = await seawall.policies.rollout()
                return [state.applied_revision for state in rollout.proxies] == [1]

            await until("one proxy has revision 1", in_force)
            async with on_every_worker(proxy) as (zero, one):
                await fail_some([zero[0], one[0]], 6)
                await seawall.operations.trip_breaker("all", duration=30.0, reason="test")
                assert (await fail(zero[0], 1)) == (await fail(one[0], 1)) == ["BREAKER_OPEN"]
                await seawall.operations.reset_breaker("all")
                control.child.kill()
                await fail_some([zero[0], one[0]], 6)
                # What a killed worker has not handed on is declared, not stored.
                await asyncio.to_thread(wait_until, lambda: handed_on(proxy) == sent, "all are handed on")
                os.kill(workers(proxy)[1]["pid"], signal.SIGKILL)
                await asyncio.to_thread(
                    wait_until, lambda: {w["state"] for w in workers(proxy)} == {"ready"}, "it is back"
                )
                await fail_some([zero[0], one[0]], 4)
        stand.control(grpc=control.grpc)
        proxy.child.process.send_signal(signal.SIGUSR2)
        successor = await asyncio.to_thread(proxy.wait_for_generation, 2)
        await asyncio.to_thread(proxy.child.process.wait, 2 * PATIENCE_S)
        async with AsyncSeawall(control.grpc) as seawall:
            options = [("grpc.use_local_subchannel_pool", 1)]
            async with grpc.aio.insecure_channel(proxy.address, options=options) as channel:
                await fail_some([channel], 3)

            async def all_there() -> bool:
                return len(await failures(seawall)) >= sent

            await until("every event is stored", all_there)
            ids = await failures(seawall)
            assert len(ids) == len(set(ids)) == sent
            stored = [event async for event in seawall.events.list()]
            assert [e.error_type for e in stored].count("worker_died") == 1
            opened = [e for e in stored if e.error_type == "breaker_opened"]
            assert len(opened) == 1
            assert {e.proxy for e in stored if e.proxy} == {"one"}
    finally:
        if successor and psutil.pid_exists(successor):
            family = [psutil.Process(successor), *psutil.Process(successor).children(recursive=True)]
            for process in family:
                process.kill()
