"""A proxy that runs out of descriptors, memory or time keeps the calls that it has."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest

from tests.kit.processes import PATIENCE_S, http_get, wait_until
from tests.kit.rpc import trailing_of, unary_unary
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration

LIMITED = """
import resource, runpy, sys
resource.setrlimit(getattr(resource, sys.argv[1]), (int(sys.argv[2]),) * 2)
sys.argv[1:3] = []
runpy.run_module("seawall_proxy", run_name="__main__", alter_sys=True)
"""


def document(address: str, **overload: Any) -> dict[str, Any]:
    """Return a document with one route."""
    return {
        "overload": overload,
        "clusters": [{"name": "up", "endpoints": [address]}],
        "routes": [{"name": "all", "match": {}, "cluster": "up"}],
    }


def limited(stand: Stand, document: dict[str, Any], limit: str, value: int) -> Proxy:
    """Start a proxy under a resource limit."""
    config = stand.policy(document)
    arguments = ["-c", LIMITED, limit, str(value), "--config", str(config), "--log", "json"]
    return Proxy(stand._start("proxy", [*arguments, "--data-dir", str(stand.folder / "data")]))


def overload(proxy: Proxy) -> dict[str, Any]:
    """Return what /status says of it."""
    return dict(proxy.status()["overload"])


def events(proxy: Proxy) -> list[str]:
    """Return the kinds of the newest events."""
    found = json.loads(http_get(proxy.admin, "/events")[1])["events"]
    return [event["error_type"] for event in found]


async def call(channel: grpc.aio.Channel, timeout: float = PATIENCE_S) -> bytes:
    """Make one call."""
    return bytes(await unary_unary(channel, "/any.Service/Unary")(b"x", timeout=timeout))


async def test_out_of_descriptors_it_accepts_later_and_serves_on(stand: Stand) -> None:
    """With 64 descriptors and 100 connections nothing breaks: calls go on, idle connections are closed to
    make room, the others wait in the queue, and afterwards everything is as before.
    """
    _, address = stand.upstream()
    proxy = limited(stand, document(address), "RLIMIT_NOFILE", 64)
    host, port = proxy.address.rsplit(":", 1)
    crowd: list[socket.socket] = []
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(proxy.address))
        assert await call(channel) == b"x"
        for _ in range(100):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            assert sock.connect_ex((host, int(port))) in (0, 115)
            crowd.append(sock)
        began = time.monotonic()
        worst = closed = 0
        while time.monotonic() - began < 4.0 or (not closed and time.monotonic() - began < PATIENCE_S):
            assert await call(channel) == b"x"
            said = await asyncio.to_thread(overload, proxy)
            worst, closed = max(worst, said["descriptors"]), said["idle_connections_closed"]
            await asyncio.sleep(0.1)
        assert worst <= 64
        now = await asyncio.to_thread(overload, proxy)
        assert now["idle_connections_closed"] > 0
        assert now["descriptors_limit"] == 64
        await asyncio.to_thread(wait_until, lambda: "overload_shed" in events(proxy), "it is an event")
        for sock in crowd:
            sock.close()
        await asyncio.to_thread(wait_until, lambda: overload(proxy)["accepting"], "it accepts again")
        assert await call(channel) == b"x"
    async with grpc.aio.insecure_channel(proxy.address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        assert await call(channel) == b"x"
    assert "Too many open files" not in proxy.child.log()


async def refused(channel: grpc.aio.Channel) -> dict[str, Any] | None:
    """Make a call; return the trailers when the proxy refused it as overloaded, None when it was served."""
    outcome = await asyncio.gather(call(channel), return_exceptions=True)
    (error,) = outcome
    if error == b"x":
        return None
    assert isinstance(error, grpc.aio.AioRpcError)
    assert error.code() is grpc.StatusCode.UNAVAILABLE, error
    return trailing_of(error)


async def test_out_of_memory_new_calls_are_refused_and_open_ones_kept(stand: Stand) -> None:
    """When requests that wait have filled the memory limit, new calls get UNAVAILABLE with a pushback, and
    those that are there are answered.
    """
    _, address = stand.upstream()
    first = stand.proxy(stand.policy(document(address, memory_limit="16GiB"), "first.yaml"), data="first")
    used = wait_until(lambda: overload(first)["memory_bytes"], "it has measured itself")
    first.child.kill()
    proxy = stand.proxy(stand.policy(document(address, memory_limit=f"{(used >> 20) + 12}MiB")))
    assert overload(proxy)["memory_limit_from"] == "configured"
    body = b"m" * (900 << 10)
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        method = unary_unary(channel, "/any.Service/Unary")
        assert await refused(channel) is None
        big = [method(body, metadata=(("sleep", "8"),), timeout=120) for _ in range(40)]
        await asyncio.to_thread(
            wait_until, lambda: overload(proxy)["levels"]["memory"] == "refuse", "memory is full"
        )
        trailers = await refused(channel)
        assert trailers is not None
        assert trailers["seawall-reason"] == "OVERLOADED"
        assert 400 <= int(trailers["grpc-retry-pushback-ms"]) <= 1600
        outcomes = await asyncio.gather(*big, return_exceptions=True)
        kept = [outcome for outcome in outcomes if outcome == body]
        turned_away = [outcome for outcome in outcomes if outcome != body]
        assert len(kept) >= 8
        assert all("short of memory" in str(outcome) for outcome in turned_away), turned_away[:1]
    await asyncio.to_thread(wait_until, lambda: "overload_refuse" in events(proxy), "it is an event")
    _, page = http_get(proxy.admin, "/metrics")
    assert 'seawall_rejected_total{route="all",reason="OVERLOADED"}' in page


async def test_an_event_loop_that_stays_late_refuses_until_it_is_in_time(stand: Stand) -> None:
    """A process that is stopped again and again is late at every look: it refuses calls, and takes them again
    when it is left alone. A status page is served all the while.
    """
    _, address = stand.upstream()
    proxy = stand.proxy(stand.policy(document(address, event_loop_lag="300ms")))
    pid = proxy.child.process.pid
    stop = asyncio.Event()

    async def disturb() -> None:
        while not stop.is_set():
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(0.8)
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(0.1)

    async with grpc.aio.insecure_channel(proxy.address) as channel:
        began = time.monotonic()
        while await refused(channel) is not None:
            assert time.monotonic() - began < PATIENCE_S, "it is late by itself"
        disturbing = asyncio.create_task(disturb())
        trailers: dict[str, Any] | None = None
        until = time.monotonic() + PATIENCE_S
        while trailers is None and time.monotonic() < until:
            trailers = await refused(channel)
            await asyncio.sleep(0.05)
        stop.set()
        await disturbing
        assert trailers is not None
        assert trailers["seawall-reason"] == "OVERLOADED"
        while await refused(channel) is not None:
            assert time.monotonic() < until + PATIENCE_S
            await asyncio.sleep(0.1)
    kinds = {"overload_refuse", "overload_ended"}
    await asyncio.to_thread(wait_until, lambda: kinds <= set(events(proxy)), "both are events")
