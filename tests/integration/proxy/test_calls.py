"""Real grpcio clients and servers through a real proxy: everything passes, exactly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.kit.processes import PATIENCE_S, wait_until
from tests.kit.rpc import stream_stream, stream_unary, trailing, trailing_of, unary_stream, unary_unary
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration

PLAIN: dict[str, Any] = {"routes": [{"name": "all", "match": {}, "cluster": "up"}]}


def simple(stand: Stand, address: str, **policy: Any) -> Proxy:
    """Start a proxy with one route to one upstream."""
    document: dict[str, Any] = {
        "clusters": [{"name": "up", "endpoints": [address]}],
        "policies": {"p": policy or {"timeout": "20s"}},
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
    }
    return stand.proxy(stand.policy(document))


async def test_all_four_call_types_pass_with_metadata_and_trailers(stand: Stand) -> None:
    """Unary, client streaming, server streaming and bidirectional calls pass through with metadata in both
    directions.
    """
    _, address = stand.upstream()
    proxy = simple(stand, address)
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        call = unary_unary(channel, "/any.Service/Unary")(
            b"hello", timeout=PATIENCE_S, metadata=(("x-one", "1"), ("x-raw-bin", b"\x00\xff"))
        )
        assert await call == b"hello"
        found = await trailing(call)
        assert found["served-by"] == "a"
        assert found["seen-x-one"] == "1"
        assert found["seen-x-raw-bin"] == b"\x00\xff"
        assert "seawall-outcome" not in found

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(50):
                yield b"z" * 20_000

        assert await stream_unary(channel, "/any.Service/Count")(pieces(), timeout=PATIENCE_S) == b"1000000"
        replies = [
            len(reply)
            async for reply in unary_stream(channel, "/any.Service/Repeat")(b"abc", timeout=PATIENCE_S)
        ]
        assert replies == [3] * 5
        chat = stream_stream(channel, "/any.Service/Chat")(timeout=PATIENCE_S)
        for number in range(3):
            await chat.write(b"m%d" % number)
            assert await chat.read() == b"m%d" % number
        await chat.done_writing()
        assert await chat.read() == grpc.aio.EOF
        assert await chat.code() == grpc.StatusCode.OK


async def test_large_messages_pass_both_ways(stand: Stand) -> None:
    """A message far larger than every window passes through and comes back whole."""
    _, address = stand.upstream()
    proxy = simple(stand, address)
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(proxy.address, options=options) as channel:
        body = bytes(range(256)) * 40_000
        assert await unary_unary(channel, "/any.Service/Unary")(body, timeout=20) == body


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
async def test_every_status_passes_untouched(shared_proxy: Proxy, code: grpc.StatusCode) -> None:
    """A server's status and message reach the client as they are, with nothing added."""
    async with grpc.aio.insecure_channel(shared_proxy.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary_unary(channel, "/any.Service/Unary")(
                b"", timeout=PATIENCE_S, metadata=(("fail", str(code.value[0])),)
            )
        assert caught.value.code() is code
        assert caught.value.details() == "asked to fail: \u00fcber"
        assert "seawall-outcome" not in trailing_of(caught.value)


async def test_status_in_the_trailers_of_a_stream_passes(shared_proxy: Proxy) -> None:
    """A stream that delivers messages and then fails delivers both."""
    async with grpc.aio.insecure_channel(shared_proxy.address) as channel:
        call = unary_stream(channel, "/any.Service/Repeat")(
            b"x", timeout=PATIENCE_S, metadata=(("late-fail", "14"),)
        )
        got = [await call.read() for _ in range(5)]
        assert got == [b"x"] * 5
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_unknown_method_is_the_servers_answer(shared_proxy: Proxy) -> None:
    """A method that the server does not have is refused by the server, not by the proxy."""
    async with grpc.aio.insecure_channel(shared_proxy.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary_unary(channel, "/any.Service/Nothing")(b"", timeout=PATIENCE_S)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "seawall-reason" not in trailing_of(caught.value)


async def test_no_route_says_so(stand: Stand) -> None:
    """A call that no route matches is refused with UNIMPLEMENTED and the reason NO_ROUTE."""
    _, address = stand.upstream()
    document = {
        "clusters": [{"name": "up", "endpoints": [address]}],
        "routes": [{"name": "one", "match": {"service": "known.Service"}, "cluster": "up"}],
    }
    proxy = stand.proxy(stand.policy(document))
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        assert await unary_unary(channel, "/known.Service/Unary")(b"k", timeout=PATIENCE_S) == b"k"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary_unary(channel, "/other.Service/Unary")(b"", timeout=PATIENCE_S)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert trailing_of(caught.value)["seawall-reason"] == "NO_ROUTE"


async def test_routes_by_service_method_and_metadata(stand: Stand) -> None:
    """The most specific route takes the call: metadata over method over service over everything."""
    addresses = {name: stand.upstream(name)[1] for name in ("gold", "method", "service", "rest")}
    document = {
        "clusters": [{"name": name, "endpoints": [address]} for name, address in addresses.items()],
        "routes": [
            {"name": "rest", "match": {}, "cluster": "rest"},
            {"name": "service", "match": {"service": "a.S"}, "cluster": "service"},
            {"name": "method", "match": {"service": "a.S", "method": "Unary"}, "cluster": "method"},
            {
                "name": "gold",
                "match": {
                    "service": "a.S",
                    "method": "Unary",
                    "metadata": [{"name": "x-tier", "value": "gold"}],
                },
                "cluster": "gold",
            },
        ],
    }
    proxy = stand.proxy(stand.policy(document))
    async with grpc.aio.insecure_channel(proxy.address) as channel:

        async def served(path: str, *metadata: tuple[str, str]) -> str:
            call = unary_unary(channel, path)(b"", timeout=PATIENCE_S, metadata=metadata)
            await call
            return str((await trailing(call))["served-by"])

        assert await served("/a.S/Unary", ("x-tier", "gold")) == "gold"
        assert await served("/a.S/Unary", ("x-tier", "lead")) == "method"
        assert await served("/b.S/Unary", ("x-tier", "gold")) == "rest"
        call = unary_stream(channel, "/a.S/Repeat")(b"", timeout=PATIENCE_S)
        assert len([reply async for reply in call]) == 5
        assert (await trailing(call))["served-by"] == "service"


async def test_deadlines_are_passed_on_and_kept(stand: Stand) -> None:
    """The server sees the remaining time of the shorter of both timeouts, and a late call ends with
    DEADLINE_EXCEEDED.
    """
    _, address = stand.upstream()
    proxy = simple(stand, address, timeout="3s")
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        unary = unary_unary(channel, "/any.Service/Unary")
        call = unary(b"", timeout=PATIENCE_S)
        await call
        assert 0 < int((await trailing(call))["left-ms"]) <= 3000
        began = asyncio.get_running_loop().time()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary(b"", metadata=(("sleep", "60"),))
        took = asyncio.get_running_loop().time() - began
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert 2.9 <= took <= 30.0


async def test_thousand_calls_at_once(shared_proxy: Proxy) -> None:
    """More concurrent calls than one connection may carry all succeed."""
    async with grpc.aio.insecure_channel(shared_proxy.address) as channel:
        unary = unary_unary(channel, "/any.Service/Unary")
        replies = await asyncio.gather(*(unary(b"%d" % number, timeout=120) for number in range(1000)))
        assert replies == [b"%d" % number for number in range(1000)]


async def test_early_answer_to_a_client_stream(shared_proxy: Proxy) -> None:
    """A server that answers before the request is complete ends the call with its answer, at once."""
    async with grpc.aio.insecure_channel(shared_proxy.address) as channel:

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield b"piece"
                await asyncio.sleep(0.01)

        assert await stream_unary(channel, "/any.Service/Early")(endless(), timeout=PATIENCE_S) == b"piece"


async def test_slow_reader_holds_the_sender_back(stand: Stand) -> None:
    """A sender that is faster than the reader is held back, and the proxy's memory does not grow with what is
    sent.
    """
    import psutil

    _, address = stand.upstream()
    proxy = simple(stand, address, timeout="60s")
    process = psutil.Process(proxy.child.process.pid)
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        call = stream_stream(channel, "/any.Service/Sink")(timeout=60)
        await call.write(b"x" * 100_000)
        before = process.memory_info().rss
        sent = 0
        try:
            async with asyncio.timeout(2.0):
                while sent < 200_000_000:
                    await call.write(b"x" * 1_000_000)
                    sent += 1_000_000
        except TimeoutError:
            pass
        grown = process.memory_info().rss - before
        call.cancel()
        assert sent < 200_000_000, "nothing held the sender back"
        assert grown < 30_000_000


async def test_cancel_ends_the_call_upstream(stand: Stand) -> None:
    """A cancelled call leaves nothing in flight in the proxy."""
    _, address = stand.upstream()
    proxy = simple(stand, address, timeout="30s")
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        call = unary_unary(channel, "/any.Service/Silent")(b"", timeout=600)

        def in_flight() -> tuple[int, int]:
            status = proxy.status()
            return status["calls_in_flight"], status["clusters"]["up"]["in_flight"]

        await asyncio.to_thread(wait_until, lambda: in_flight() == (1, 1), "it is under way")
        call.cancel()
        await asyncio.to_thread(wait_until, lambda: in_flight() == (0, 0), "nothing is in flight")
