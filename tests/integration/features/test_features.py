"""Header changes, mirrors, the access log, statistics by method, and the proxy's own services, with real
processes and real gRPC.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from examples.shop import shop_pb2
from seawall_proxy.runtime import served_reflection
from tests.kit.processes import PATIENCE_S, http_get, wait_until
from tests.kit.rpc import stream_unary, trailing, unary_unary
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration

UNARY = "/any.Service/Unary"


def start(stand: Stand, address: str, *others: str, route: dict[str, Any] | None = None, **top: Any) -> Proxy:
    """Start a proxy with a route for everything to one upstream; `others` are clusters b, c, ..."""
    clusters = [{"name": "up", "endpoints": [address]}]
    clusters += [{"name": name, "endpoints": [other]} for name, other in zip("bcd", others, strict=False)]
    document = {
        "clusters": clusters,
        "routes": [{"name": "all", "match": {}, "cluster": "up", **(route or {})}],
        **top,
    }
    return stand.proxy(stand.policy(document))


def metric(proxy: Proxy, name: str, *labels: str) -> float:
    """Return the sum of a metric's series that have these labels."""
    _, page = http_get(proxy.admin, "/metrics")
    found = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", page, re.MULTILINE)
    return sum(float(value) for shown, value in found if all(label in shown for label in labels))


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of an access log."""
    return [json.loads(text) for text in path.read_text("ascii").splitlines()] if path.exists() else []


async def test_metadata_is_changed_both_ways(stand: Stand) -> None:
    """What the server sees and what the client gets is what the route says, binary values included."""
    _, address = stand.upstream()
    headers = {
        "request": {"set": {"x-tier": "gold"}, "add": {"x-raw-bin": "AP8="}, "remove": ["x-debug"]},
        "response": {"set": {"x-served": "seawall"}},
    }
    proxy = start(stand, address, route={"headers": headers})
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        for _ in range(2):
            call = unary_unary(channel, UNARY)(
                b"hello", timeout=PATIENCE_S, metadata=(("x-tier", "tin"), ("x-debug", "1"), ("x-kept", "k"))
            )
            assert await call == b"hello"
            seen = await trailing(call)
            assert (seen["seen-x-tier"], seen["seen-x-kept"]) == ("gold", "k")
            assert seen["seen-x-raw-bin"] == b"\x00\xff"
            assert "seen-x-debug" not in seen
            assert dict(await call.initial_metadata())["x-served"] == "seawall"


async def test_a_mirror_gets_copies_and_harms_nobody(stand: Stand) -> None:
    """Copies arrive, slow and dead mirrors are counted, and callers never notice."""
    _, address = stand.upstream("a")
    mirror, shadow = stand.upstream("b")
    proxy = start(stand, address, shadow, route={"mirror": ["b"]})
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        for _ in range(5):
            call = unary_unary(channel, UNARY)(b"hello", timeout=PATIENCE_S)
            assert await call == b"hello"
            assert (await trailing(call))["served-by"] == "a"

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"z" * 20_000

        assert await stream_unary(channel, "/any.Service/Count")(pieces(), timeout=PATIENCE_S) == b"400000"
        ok = ('cluster="b"', 'rpc_status_code="OK"')
        wait_until(lambda: metric(proxy, "seawall_mirror_calls_total", *ok) == 6, "all copies are answered")
        mirror.kill()
        for _ in range(5):
            assert await unary_unary(channel, UNARY)(b"hello", timeout=PATIENCE_S) == b"hello"

    def told() -> float:
        sent = metric(proxy, "seawall_mirror_calls_total")
        return sent + metric(proxy, "seawall_mirror_dropped_total")

    wait_until(lambda: told() == 11, "every copy is accounted for")
    assert metric(proxy, "seawall_mirror_inflight") == 0


async def test_a_line_for_each_call(stand: Stand, tmp_path: Path) -> None:
    """Lines say what happened, go on in a new file after a rotation, and are complete after the end."""
    _, address = stand.upstream()
    path = tmp_path / "access.log"
    proxy = start(stand, address, access_log={"path": str(path)})
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        assert await unary_unary(channel, UNARY)(b"hello", timeout=PATIENCE_S) == b"hello"
        with pytest.raises(grpc.aio.AioRpcError):
            await unary_unary(channel, UNARY)(b"hello", timeout=PATIENCE_S, metadata=(("fail", "5"),))
        wait_until(lambda: len(lines(path)) == 2, "both calls have a line")
        path.rename(tmp_path / "access.log.1")
        for _ in range(20):
            assert await unary_unary(channel, UNARY)(b"hello", timeout=PATIENCE_S) == b"hello"
    assert proxy.child.terminate() == 0
    first, second = lines(tmp_path / "access.log.1")
    assert (first["route"], first["method"], first["status"]) == ("all", "any.Service/Unary", "OK")
    assert (first["request_bytes"], first["request_messages"], first["attempts"]) == (10, 1, 1)
    assert (first["response_bytes"], first["endpoint"], first["peer"]) == (10, address, "127.0.0.1")
    assert 0 < first["first_message_ms"] <= first["duration_ms"] < first["deadline_ms"] <= 1000 * PATIENCE_S
    assert first["user_agent"].startswith("grpc-python")
    assert (second["status"], second["outcome"], second["message"]) == (
        "NOT_FOUND",
        "failed",
        "asked to fail: über",
    )
    assert len(lines(path)) == 20


async def test_workers_log_and_count_together(stand: Stand, tmp_path: Path) -> None:
    """Two worker processes write whole lines into one file, and their methods are added up."""
    _, address = stand.upstream()
    proxy = start(
        stand, address, access_log={"path": "access.log", "fields": ["method", "status"]}, workers="2"
    )
    for _ in range(12):
        async with grpc.aio.insecure_channel(proxy.address) as channel:
            for _ in range(5):
                assert await unary_unary(channel, UNARY)(b"hello", timeout=PATIENCE_S) == b"hello"
    wait_until(
        lambda: metric(proxy, "seawall_method_calls_total", 'rpc_method="any.Service/Unary"') == 60,
        "all calls are counted",
    )
    assert proxy.child.terminate() == 0
    assert lines(tmp_path / "access.log") == [{"method": "any.Service/Unary", "status": "OK"}] * 60


async def test_statistics_by_method(stand: Stand) -> None:
    """A method that a server answers has series of its own; made-up paths share one (T31)."""
    _, address = stand.upstream()
    proxy = start(stand, address)
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        assert await unary_unary(channel, UNARY)(b"hello", timeout=PATIENCE_S) == b"hello"

        async def made_up(number: int) -> None:
            with pytest.raises(grpc.aio.AioRpcError):
                await unary_unary(channel, f"/x{number}.Y/Z{number}")(b"", timeout=PATIENCE_S)

        for start_at in range(0, 600, 50):
            await asyncio.gather(*(made_up(start_at + number) for number in range(50)))
    name = "seawall_method_calls_total"
    assert metric(proxy, name, 'rpc_method="any.Service/Unary"', 'rpc_status_code="OK"') == 1
    assert metric(proxy, name, 'rpc_method="_OTHER"') == 600
    _, page = http_get(proxy.admin, "/metrics")
    assert set(re.findall(r'rpc_method="([^"]*)"', page)) == {"any.Service/Unary", "_OTHER"}
    assert metric(proxy, "rpc_server_call_duration_seconds_count") == 601


async def test_health_of_the_proxied_services(stand: Stand) -> None:
    """Services are SERVING while their upstream is there, and nothing is once the proxy drains."""
    upstream, address = stand.upstream()
    document = {
        "clusters": [{"name": "up", "endpoints": [address]}],
        "routes": [{"name": "shop", "match": {"service": "any.Service"}, "cluster": "up"}],
        "serve": {"health": True},
    }
    proxy = stand.proxy(stand.policy(document))
    states = health_pb2.HealthCheckResponse
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        async def check(service: str) -> int:
            reply = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)
            return int(reply.status)

        assert await check("") == states.SERVING
        assert await check("any.Service") == states.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await check("no.Such")
        assert failed.value.code() == grpc.StatusCode.NOT_FOUND
        listed = await stub.List(health_pb2.HealthListRequest(), timeout=PATIENCE_S)
        assert set(listed.statuses) == {"", "any.Service", "grpc.health.v1.Health"}
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="any.Service"), timeout=600)
        unknown = stub.Watch(health_pb2.HealthCheckRequest(service="no.Such"), timeout=600)
        assert (await watch.read()).status == states.SERVING
        assert (await unknown.read()).status == states.SERVICE_UNKNOWN
        upstream.kill()
        assert (await watch.read()).status == states.NOT_SERVING
        assert await check("any.Service") == states.NOT_SERVING
        assert await check("") == states.SERVING
        stand.upstream("a", int(address.rpartition(":")[2]))
        assert (await watch.read()).status == states.SERVING
        proxy.child.process.terminate()
        assert (await watch.read()).status == states.NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await watch.read()
        assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    assert proxy.child.process.wait(PATIENCE_S) == 0


@asynccontextmanager
async def reflecting(*services: str) -> AsyncIterator[str]:
    """Run a server that knows these services by reflection."""
    server = grpc.aio.server()
    reflection.enable_server_reflection(services, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def test_reflection_of_all_upstreams(stand: Stand) -> None:
    """One list of what every upstream has, as v1 and v1alpha; a cluster that is away is named."""
    names = [service.full_name for service in shop_pb2.DESCRIPTOR.services_by_name.values()]
    async with reflecting(names[0]) as one, reflecting("grpc.health.v1.Health", *names[1:]) as two:
        document = {
            "clusters": [
                {"name": "one", "endpoints": [one]},
                {"name": "two", "endpoints": [two]},
                {"name": "gone", "endpoints": ["127.0.0.1:1"]},
            ],
            "routes": [
                {"name": "r1", "match": {"service": names[0]}, "cluster": "one"},
                {"name": "r2", "match": {}, "backends": [{"cluster": "two"}, {"cluster": "gone"}]},
            ],
            "serve": {"health": True, "reflection": True},
        }
        proxy = stand.proxy(stand.policy(document))

        def look() -> None:
            with grpc.insecure_channel(proxy.address) as channel:
                database = ProtoReflectionDescriptorDatabase(channel)
                own = {"grpc.health.v1.Health", *served_reflection.SERVICES}
                wait_until(lambda: set(database.get_services()) == {*names, *own}, "all are listed")
                pool = DescriptorPool(database)
                for name in names:
                    assert pool.FindServiceByName(name).methods

        await asyncio.to_thread(look)
        async with grpc.aio.insecure_channel(proxy.address) as channel:
            method = channel.stream_stream(
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
            )
            call = method(timeout=PATIENCE_S)
            for symbol, code, message in ((names[0], 0, ""), ("no.Such", 5, "gone")):
                await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol))
                reply = await call.read()
                assert isinstance(reply, reflection_pb2.ServerReflectionResponse)
                assert reply.error_response.error_code == code
                assert message in reply.error_response.error_message
            await call.done_writing()
            assert await call.code() == grpc.StatusCode.OK
        proxy.child.wait_for_log("cluster gone did not answer")


async def test_without_serve_the_calls_go_to_the_upstream(stand: Stand) -> None:
    """Health and reflection are the upstream's unless the proxy is told to answer."""
    async with reflecting("grpc.health.v1.Health") as address:
        proxy = start(stand, address)
        async with grpc.aio.insecure_channel(proxy.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S)
            assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED
            assert "seawall-reason" not in dict(failed.value.trailing_metadata() or ())


async def test_an_access_log_that_cannot_be_written(stand: Stand, tmp_path: Path) -> None:
    """The proxy does not start, and says what to change."""
    path = stand.policy(
        {
            "clusters": [{"name": "up", "endpoints": ["127.0.0.1:1"]}],
            "routes": [{"name": "all", "match": {}, "cluster": "up"}],
            "access_log": {"path": str(tmp_path / "none" / "a.log")},
        }
    )
    with pytest.raises(AssertionError, match="cannot write the access log"):
        stand.proxy(path)
