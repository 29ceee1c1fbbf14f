"""What callers see when upstreams die, fail, hang or come back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, wrappers_pb2

from tests.kit.processes import PATIENCE_S, Child, free_port, wait_until
from tests.kit.rpc import trailing, unary_unary
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration


async def load(
    proxy: Proxy, seconds: float, middle: Any, least: int, metadata: tuple[tuple[str, str], ...] = ()
) -> dict[str, int]:
    """Call at a steady rate from several callers, until so many calls have succeeded too; run `middle` on the
    way; return outcomes by name.
    """
    outcomes: dict[str, int] = {}
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    done = False

    async def caller(channel: grpc.aio.Channel) -> None:
        unary = unary_unary(channel, "/any.Service/Unary")
        while not done and (loop.time() < until or outcomes.get("OK", 0) < least):
            try:
                await unary(b"ping", timeout=PATIENCE_S, metadata=metadata)
                name = "OK"
            except grpc.aio.AioRpcError as error:
                name = f"{error.code().name} {error.details()}"
            outcomes[name] = outcomes.get(name, 0) + 1
            await asyncio.sleep(0.002)

    async with grpc.aio.insecure_channel(proxy.address) as channel:
        callers = [asyncio.create_task(caller(channel)) for _ in range(10)]
        await asyncio.to_thread(middle)
        try:
            async with asyncio.timeout(5 * PATIENCE_S):
                await asyncio.gather(*callers)
        finally:
            done = True
    return outcomes


async def test_killing_one_of_two_endpoints_goes_unnoticed(stand: Stand) -> None:
    """With one of two endpoints killed and restarted under load, at least 99.9 % of the calls succeed."""
    first, first_address = stand.upstream("first")
    _, second_address = stand.upstream("second")
    document = {
        "clusters": [{"name": "up", "endpoints": [first_address, second_address], "balance": "round_robin"}],
        "policies": {
            "p": {
                "timeout": "60s",
                "retry": {"max_attempts": 3, "codes": ["UNAVAILABLE"], "only_idempotent": False},
            }
        },
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
    }
    proxy = stand.proxy(stand.policy(document))
    proxy.wait_for_endpoints("up", 2)

    def middle() -> None:
        import time

        time.sleep(1.0)
        first.kill()
        time.sleep(1.5)
        stand.upstream("again", int(first_address.rpartition(":")[2]))
        proxy.wait_for_endpoints("up", 2)

    outcomes = await load(proxy, 5.0, middle, 1001)
    total = sum(outcomes.values())
    assert total > 1000
    assert outcomes["OK"] / total >= 0.999, outcomes

    def at_rest() -> bool:
        status = proxy.status()
        return (status["calls_in_flight"], status["replay_bytes"]) == (0, 0)

    wait_until(at_rest, "nothing is left")


@pytest.mark.parametrize("balance", ["round_robin", "least_request"])
async def test_calls_are_spread_over_the_endpoints(stand: Stand, balance: str) -> None:
    """Both ways of balancing use every endpoint."""
    addresses = [stand.upstream(name)[1] for name in "abc"]
    document = {
        "clusters": [{"name": "up", "endpoints": addresses, "balance": balance}],
        "routes": [{"name": "all", "match": {}, "cluster": "up"}],
    }
    proxy = stand.proxy(stand.policy(document))
    proxy.wait_for_endpoints("up", 3)
    served: dict[str, int] = {}
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        for _ in range(90):
            call = unary_unary(channel, "/any.Service/Unary")(b"", timeout=PATIENCE_S)
            await call
            name = str((await trailing(call))["served-by"])
            served[name] = served.get(name, 0) + 1
    assert set(served) == {"a", "b", "c"}
    assert min(served.values()) >= (30 if balance == "round_robin" else 10)


async def test_breaker_opens_serves_the_fallback_and_closes(stand: Stand, tmp_path: Path) -> None:
    """A wholly failed route: the breaker opens, the fallback cluster serves, and after recovery the breaker
    closes.
    """
    _, address = stand.upstream("main")
    _, spare = stand.upstream("spare")
    broken = tmp_path / "broken"
    document = {
        "clusters": [{"name": "up", "endpoints": [address]}, {"name": "spare", "endpoints": [spare]}],
        "policies": {
            "p": {
                "timeout": "60s",
                "breaker": {
                    "window": {"kind": "count", "size": 20},
                    "min_calls": 10,
                    "failure_rate": "50%",
                    "open_for": "4s",
                    "half_open_calls": 2,
                    "success_threshold": 2,
                },
                "fallback": [{"when": ["BREAKER_OPEN", "UNAVAILABLE"], "cluster": "spare"}],
            }
        },
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
    }
    proxy = stand.proxy(stand.policy(document))
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        unary = unary_unary(channel, "/any.Service/Unary")

        assert await once_plain(unary) == ("main", "")
        broken.touch()
        for _ in range(10):
            # The metadata makes the spare fail as well, so these callers see the failure.
            call = unary(b"", timeout=PATIENCE_S, metadata=(("fail-file", str(broken)),))
            with pytest.raises(grpc.aio.AioRpcError):
                await call
        assert proxy.route("all")["breaker"]["state"] == "open"
        assert await once_plain(unary) == ("spare", "BREAKER_OPEN")
        broken.unlink()

        async with asyncio.timeout(PATIENCE_S):
            while proxy.route("all")["breaker"]["state"] != "closed":
                await once_plain(unary)
                await asyncio.sleep(0.1)
        assert await once_plain(unary) == ("main", "")


async def once_plain(unary: Any) -> tuple[str, str]:
    """Call without asking for a failure; return who served and the reason."""
    call = unary(b"", timeout=PATIENCE_S)
    await call
    found = await trailing(call)
    return str(found["served-by"]), str(found.get("seawall-reason", ""))


def echo_descriptors() -> bytes:
    """Return descriptors of demo.Echo/Say, which answers with google.protobuf.StringValue."""
    file = descriptor_pb2.FileDescriptorProto(
        name="demo.proto", package="demo", syntax="proto3", dependency=["google/protobuf/wrappers.proto"]
    )
    service = file.service.add(name="Echo")
    for name in ("Say", "Unary"):
        service.method.add(
            name=name, input_type=".google.protobuf.StringValue", output_type=".google.protobuf.StringValue"
        )
    files = descriptor_pb2.FileDescriptorSet(file=[file])
    wrappers_pb2.DESCRIPTOR.CopyToProto(files.file.add())
    return files.SerializeToString()


async def test_static_fallback_answers_with_a_real_message(stand: Stand, tmp_path: Path) -> None:
    """With the upstream away, a static fallback given as JSON arrives as a valid message, OK, and marked as a
    fallback.
    """
    (tmp_path / "demo.binpb").write_bytes(echo_descriptors())
    document = {
        "clusters": [{"name": "gone", "endpoints": [f"127.0.0.1:{free_port()}"]}],
        "policies": {"p": {"timeout": "2s", "fallback": [{"when": "any", "static": {"json": "sorry"}}]}},
        "routes": [
            {
                "name": "say",
                "match": {"service": "demo.Echo", "method": "Say"},
                "cluster": "gone",
                "policy": "p",
            }
        ],
        "descriptor_files": ["demo.binpb"],
    }
    proxy = stand.proxy(stand.policy(document))
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        call = unary_unary(channel, "/demo.Echo/Say")(b"", timeout=PATIENCE_S)
        assert wrappers_pb2.StringValue.FromString(await call).value == "sorry"
        found = await trailing(call)
        assert found["seawall-outcome"] == "fallback"
        assert found["seawall-reason"] in {"NO_HEALTHY_BACKEND", "UPSTREAM_CONNECT_FAILED"}


async def test_frozen_endpoint_costs_one_try(stand: Stand) -> None:
    """An endpoint that hangs is cut short by per_try_timeout and the call succeeds on the other one."""
    import os
    import signal

    frozen, frozen_address = stand.upstream("frozen")
    _, good_address = stand.upstream("good")
    document = {
        "clusters": [{"name": "up", "endpoints": [frozen_address, good_address]}],
        "policies": {
            "p": {
                "timeout": "30s",
                "per_try_timeout": "2s",
                "retry": {"max_attempts": 3, "codes": ["UNAVAILABLE"], "only_idempotent": False},
            }
        },
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
    }
    proxy = stand.proxy(stand.policy(document))
    proxy.wait_for_endpoints("up", 2)
    os.kill(frozen.process.pid, signal.SIGSTOP)
    try:
        async with grpc.aio.insecure_channel(proxy.address) as channel:
            outcomes = []
            for _ in range(6):
                call = unary_unary(channel, "/any.Service/Unary")(b"", timeout=PATIENCE_S)
                await call
                found = await trailing(call)
                outcomes.append((found["served-by"], found.get("seawall-outcome", "")))
    finally:
        os.kill(frozen.process.pid, signal.SIGCONT)
    assert {name for name, _ in outcomes} == {"good"}
    assert "retried" in {outcome for _, outcome in outcomes}


async def test_only_idempotent_calls_are_repeated_by_default(stand: Stand) -> None:
    """A retry policy leaves a call alone that a server may have executed, unless its route is idempotent."""
    _, address = stand.upstream()
    document = {
        "clusters": [{"name": "up", "endpoints": [address]}],
        "policies": {"p": {"timeout": "5s", "retry": {"max_attempts": 3}}},
        "routes": [
            {
                "name": "read",
                "match": {"service": "read.S"},
                "cluster": "up",
                "policy": "p",
                "idempotent": True,
            },
            {"name": "write", "match": {"service": "write.S"}, "cluster": "up", "policy": "p"},
        ],
    }
    proxy = stand.proxy(stand.policy(document))
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        for service, attempts in (("read", "2"), ("write", "0")):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await unary_unary(channel, f"/{service}.S/Unary")(
                    b"", timeout=PATIENCE_S, metadata=(("fail", "14"),)
                )
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            # An abort drops the server's trailing metadata in grpc.aio, so the proxy's counters tell.
            assert proxy.route(service)["retries"] == int(attempts)


async def test_upstream_that_comes_back_is_found(stand: Stand) -> None:
    """A proxy that was started before its upstream serves as soon as the upstream is there."""
    port = free_port()
    document = {
        "clusters": [{"name": "up", "endpoints": [f"127.0.0.1:{port}"]}],
        "routes": [{"name": "all", "match": {}, "cluster": "up"}],
    }
    proxy = stand.proxy(stand.policy(document))
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary_unary(channel, "/any.Service/Unary")(b"", timeout=PATIENCE_S)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        stand.upstream("late", port)
        proxy.wait_for_endpoints("up", 1)
        assert await unary_unary(channel, "/any.Service/Unary")(b"x", timeout=PATIENCE_S) == b"x"


async def test_kill_of_the_proxy_under_load_and_restart(stand: Stand) -> None:
    """After kill -9 a restarted proxy serves on the same port, with nothing in its way."""
    _, address = stand.upstream()
    port = free_port()
    document = {
        "listeners": [{"name": "main", "address": f"127.0.0.1:{port}"}],
        "clusters": [{"name": "up", "endpoints": [address]}],
        "routes": [{"name": "all", "match": {}, "cluster": "up"}],
    }
    config = stand.policy(document)
    proxy = stand.proxy(config)
    again: list[Proxy] = []

    def middle() -> None:
        import time

        time.sleep(0.5)
        child: Child = proxy.child
        child.kill()
        again.append(stand.proxy(config))

    outcomes = await load(proxy, 4.0, middle, 101)
    assert outcomes["OK"] > 100
    assert all(name.startswith(("OK", "UNAVAILABLE", "DEADLINE_EXCEEDED")) for name in outcomes), outcomes
    wait_until(lambda: again[0].status()["calls_in_flight"] == 0, "no call is left in flight")
