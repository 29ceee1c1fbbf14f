"""How long connections live, on both sides: calls do not notice."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import pytest

from tests.integration.transport.kit import document, metric, plain_channel
from tests.kit.processes import PATIENCE_S, wait_until
from tests.kit.rpc import stream_stream, unary_unary
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration


def start(
    stand: Stand, connection: dict[str, Any], cluster: dict[str, Any] | None = None
) -> tuple[Proxy, str]:
    """Start a proxy whose listener has these limits; return it and its endpoint."""
    listeners = [{"name": "main", "address": "127.0.0.1:0", "connection": connection}]
    endpoint = stand.upstream()[1]
    more = {} if cluster is None else {"connection": cluster}
    return stand.proxy(stand.policy(document(endpoint, listeners, **more))), endpoint


async def test_old_connections_are_replaced(stand: Stand) -> None:
    """Past max_age a client is moved to another connection: every call succeeds, a stream that is open then
    too. One call for each connection may meet C-core in the act of leaving, which it then fails by itself
    ("Stream removed").
    """
    proxy, _ = start(stand, {"max_age": "1s", "max_age_jitter": 0.1})
    async with plain_channel(proxy.address) as client:
        chat = stream_stream(client, "/a.S/Chat")()
        await chat.write(b"first")
        assert await chat.read() == b"first"
        until = time.monotonic() + 3.5
        calls = 0
        removed: list[str] = []
        while time.monotonic() < until or calls <= 50:
            try:
                assert await unary_unary(client, "/a.S/Unary")(b"x", timeout=PATIENCE_S) == b"x"
            except grpc.aio.AioRpcError as error:
                removed.append(error.details() or "")
            calls += 1
            await asyncio.sleep(0.005)
        left = await asyncio.to_thread(metric, proxy, "seawall_connections_total") - 1
        assert len(removed) <= left and all(said.startswith("Stream removed (GOAWAY") for said in removed)
        await chat.write(b"last")
        assert await chat.read() == b"last"
        await chat.done_writing()
        assert await chat.read() is grpc.aio.EOF
    assert metric(proxy, "seawall_connections_total") >= 2


async def test_the_grace_is_the_end(stand: Stand) -> None:
    """A call that outlasts max_age and max_age_grace is cut off with UNAVAILABLE."""
    proxy, _ = start(stand, {"max_age": "1s", "max_age_grace": "1s"})
    began = time.monotonic()
    async with plain_channel(proxy.address) as client:
        chat = stream_stream(client, "/a.S/Chat")()

        async def talk() -> None:
            await chat.write(b"first")
            assert await chat.read() == b"first"
            await chat.read()

        # On a busy machine the end may come before the first answer does.
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await talk()
        assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
        assert 2.0 <= time.monotonic() - began < PATIENCE_S


async def test_connections_end_after_so_many_calls(stand: Stand) -> None:
    """After max_requests a client is moved to another connection, and no call fails."""
    proxy, _ = start(stand, {"max_requests": 10})
    async with plain_channel(proxy.address) as client:
        until = time.monotonic() + 3.5
        calls = 0
        while time.monotonic() < until or calls < 50:
            assert await unary_unary(client, "/a.S/Unary")(b"x", timeout=PATIENCE_S) == b"x"
            calls += 1
            await asyncio.sleep(0.01)
    assert metric(proxy, "seawall_connections_total") >= 2


async def test_idle_connections_end_on_both_sides(stand: Stand) -> None:
    """Without calls a client's connection and the endpoint's are closed; the next call finds new ones."""
    proxy, _ = start(stand, {"idle_timeout": "1s"}, {"idle_timeout": "1s"})
    async with plain_channel(proxy.address) as client:
        assert await unary_unary(client, "/a.S/Unary")(b"x") == b"x"

        def gone() -> bool:
            (endpoint,) = proxy.status()["clusters"]["up"]["endpoints"]
            return endpoint["state"] == "idle" and metric(proxy, "seawall_connections") == 0

        await asyncio.to_thread(wait_until, gone, "both connections are closed")
        assert await unary_unary(client, "/a.S/Unary")(b"x", timeout=PATIENCE_S) == b"x"


async def test_old_connections_to_endpoints_are_replaced(stand: Stand) -> None:
    """Past max_age a connection to an endpoint gives its work to another one, and no call fails."""
    proxy, _ = start(stand, {}, {"max_age": "1s"})
    async with plain_channel(proxy.address) as client:
        chat = stream_stream(client, "/a.S/Chat")()
        await chat.write(b"first")
        assert await chat.read() == b"first"
        until = time.monotonic() + 3.5
        seen = 0
        while time.monotonic() < until or not seen:
            assert await unary_unary(client, "/a.S/Unary")(b"x", timeout=PATIENCE_S) == b"x"
            (endpoint,) = (await asyncio.to_thread(proxy.status))["clusters"]["up"]["endpoints"]
            seen = max(seen, endpoint["connections"])
            await asyncio.sleep(0.02)
        await chat.write(b"last")
        assert await chat.read() == b"last"
        chat.cancel()
    assert seen >= 1
