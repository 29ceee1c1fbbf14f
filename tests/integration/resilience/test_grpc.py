"""Policies around stubs of grpc and grpc.aio, against a real server that fails as it is told."""

from __future__ import annotations

import time
from typing import Any

import grpc
import pytest

from seawall.resilience import Backoff, BreakerOpen, CircuitBreaker, Policy, bulkhead, fallback, policy, retry
from seawall.resilience.breaker import classic
from seawall.resilience.grpc_client import PolicyRpcError, aio_policy_interceptors, policy_interceptor
from tests.kit.processes import wait_until
from tests.kit.stand import Stand

pytestmark = pytest.mark.integration

UNARY = "/t.v1.T/Unary"
REPEAT = "/t.v1.T/Repeat"
COUNT = "/t.v1.T/Count"
CHAT = "/t.v1.T/Chat"


def make(**parts: Any) -> Policy:
    """Return a policy that retries at once, with a breaker of three."""
    defaults: dict[str, Any] = {
        "timeout": 60,
        "retry": retry(on="UNAVAILABLE", attempts=3, backoff=Backoff.constant(0), budget=None),
        "breaker": CircuitBreaker("stub", classic(threshold=4)),
    }
    return Policy(**{**defaults, **parts})


def test_calls_with_one_response(stand: Stand) -> None:
    """Retried while the server fails, told the time that is left, refused with a status once it is open."""
    _, address = stand.upstream()
    fail = [("fail", "14")]
    chosen = make(fallback=fallback(value=b"not asked"))
    with grpc.insecure_channel(address, options=[("grpc.enable_retries", 0)]) as plain:
        channel: Any = grpc.intercept_channel(plain, policy_interceptor(chosen))
        unary = channel.unary_unary(UNARY)
        answer, call = unary.with_call(b"hello")
        assert answer == b"hello"
        assert 0 < int(dict(call.trailing_metadata())["left-ms"]) <= 60_000
        with pytest.raises(grpc.RpcError) as caught:
            unary(b"x", metadata=fail)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "gave up after 3 attempts" in caught.value.__notes__[0]
        with pytest.raises(PolicyRpcError) as refused:
            unary(b"x", metadata=fail)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert isinstance(refused.value.__cause__, BreakerOpen)
        trailers = dict(refused.value.trailing_metadata())
        assert trailers["seawall-reason"] == "BREAKER_OPEN"
        assert int(trailers["grpc-retry-pushback-ms"]) > 50_000
        with pytest.raises(PolicyRpcError):
            unary.future(b"x").result()


def test_streams_are_counted_at_their_end(stand: Stand) -> None:
    """Of every kind: the breaker learns the status of the trailers, a cancelled stream says nothing."""
    _, address = stand.upstream()
    room = bulkhead(2)
    chosen = make(bulkhead=room, breaker=CircuitBreaker("s", classic(threshold=2)))
    breaker = chosen.breaker
    assert breaker is not None
    with grpc.insecure_channel(address) as plain:
        channel: Any = grpc.intercept_channel(plain, policy_interceptor({"/t.v1.T/": chosen}))
        assert len(list(channel.unary_stream(REPEAT)(b"x"))) == 5
        assert channel.stream_unary(COUNT)(iter([b"a", b"bc"])) == b"3"
        assert list(channel.stream_stream(CHAT)(iter([b"a", b"b"]))) == [b"a", b"b"]
        wait_until(lambda: room.stats.in_flight == 0, "places come back")
        stream = channel.unary_stream(REPEAT)(b"x", metadata=[("sleep", "30")])
        stream.cancel()
        wait_until(lambda: breaker.snapshot().in_flight == 0, "the permit comes back")
        assert breaker.state.name == "CLOSED"
        for _ in range(2):
            with pytest.raises(grpc.RpcError):
                list(channel.unary_stream(REPEAT)(b"x", metadata=[("fail", "14")]))
        wait_until(lambda: breaker.state.name == "OPEN", "the breaker opens")
        with pytest.raises(PolicyRpcError):
            list(channel.unary_stream(REPEAT)(b"x"))
        assert room.stats.in_flight == 0


def test_the_deadline_of_a_policy(stand: Stand) -> None:
    """Bounds a plain call and a stream; a shorter one of the caller's own stays."""
    _, address = stand.upstream()
    chosen = Policy(timeout=0.3)
    with grpc.insecure_channel(address) as plain:
        channel: Any = grpc.intercept_channel(plain, policy_interceptor(chosen))
        for method in (
            channel.unary_unary(UNARY),
            lambda *args, **more: list(channel.unary_stream(REPEAT)(*args, **more)),
        ):
            began = time.monotonic()
            with pytest.raises(grpc.RpcError) as caught:
                method(b"x", metadata=[("sleep", "20")])
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert time.monotonic() - began < 19
        with pytest.raises(grpc.RpcError):
            channel.unary_unary(UNARY)(b"x", timeout=0.05, metadata=[("sleep", "20")])


async def test_asynchronous_stubs(stand: Stand) -> None:
    """The same with grpc.aio."""
    _, address = stand.upstream()
    chosen = make()
    options = [("grpc.enable_retries", 0)]
    async with grpc.aio.insecure_channel(
        address, options=options, interceptors=aio_policy_interceptors(chosen)
    ) as channel:
        unary: Any = channel.unary_unary(UNARY)
        call = unary(b"hello")
        assert await call == b"hello"
        assert 0 < int(dict(await call.trailing_metadata())["left-ms"]) <= 60_000
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary(b"x", metadata=(("fail", "14"),))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await unary(b"x", metadata=(("fail", "14"),))
        assert isinstance(refused.value.__cause__, BreakerOpen)
        assert dict(refused.value.trailing_metadata())["seawall-reason"] == "BREAKER_OPEN"


async def test_asynchronous_streams(stand: Stand) -> None:
    """Counted at their end; a deadline ends them."""
    _, address = stand.upstream()
    room = bulkhead(2)
    chosen = make(bulkhead=room, breaker=CircuitBreaker("s", classic(threshold=2)))
    breaker = chosen.breaker
    assert breaker is not None
    async with grpc.aio.insecure_channel(address, interceptors=aio_policy_interceptors(chosen)) as channel:
        repeat: Any = channel.unary_stream(REPEAT)
        assert len([one async for one in repeat(b"x")]) == 5
        chat: Any = channel.stream_stream(CHAT)
        call = chat()
        await call.write(b"a")
        await call.done_writing()
        assert [one async for one in call] == [b"a"]
        count: Any = channel.stream_unary(COUNT)
        assert await count(iter([b"a", b"bc"])) == b"3"
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError):
                async for _one in repeat(b"x", metadata=(("fail", "14"),)):
                    pass
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for _one in repeat(b"x"):
                pass
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert breaker.state.name == "OPEN"
        assert (room.stats.in_flight, breaker.snapshot().in_flight) == (0, 0)


def test_a_policy_by_name(stand: Stand) -> None:
    """`builtin/read` around a stub, and none for a service that is not named."""
    _, address = stand.upstream()
    with grpc.insecure_channel(address, options=[("grpc.enable_retries", 0)]) as plain:
        channel: Any = grpc.intercept_channel(
            plain, policy_interceptor({"/t.v1.T/Unary": policy("builtin/read", idempotent=True)})
        )
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(UNARY)(b"x", metadata=[("fail", "14")])
        assert "gave up after 3 attempts" in caught.value.__notes__[0]
        with pytest.raises(grpc.RpcError) as left_alone:
            channel.unary_unary("/t.v1.Other/Unary")(b"x", metadata=[("fail", "14")])
        assert not hasattr(left_alone.value, "__notes__")
