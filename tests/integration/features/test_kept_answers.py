"""Last good answers and journals with a real client, a real server and a real process between them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest

from tests.kit.processes import PATIENCE_S, http_get
from tests.kit.rpc import trailing, unary_unary
from tests.kit.stand import Stand

pytestmark = pytest.mark.integration


async def test_the_last_good_answer_outlives_the_server(stand: Stand, tmp_path: Path) -> None:
    """While it fails, and when it is gone; the route says that it is degraded, and recovers."""
    server, address = stand.upstream()
    document = {
        "clusters": [{"name": "up", "endpoints": [address]}],
        "policies": {
            "p": {"timeout": "2s", "fallback": [{"when": "any", "last_good": "1m"}], "recovered_after": 2}
        },
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
    }
    proxy = stand.proxy(stand.policy(document))
    switch = tmp_path / "fail"
    metadata = (("fail-file", str(switch)),)
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        unary = unary_unary(channel, "/any.Service/Unary")
        assert await unary(b"ping", metadata=metadata, timeout=PATIENCE_S) == b"ping"
        switch.touch()
        call = unary(b"ping", metadata=metadata, timeout=PATIENCE_S)
        assert await call == b"ping"
        found = await trailing(call)
        assert found["seawall-outcome"] == "fallback"
        assert found["seawall-degraded"].startswith("stale;age=")
        with pytest.raises(grpc.aio.AioRpcError) as other:
            await unary(b"pong", metadata=metadata, timeout=PATIENCE_S)
        assert other.value.code() is grpc.StatusCode.UNAVAILABLE
        degraded = proxy.route("all")["degraded"]
        assert (degraded["active"], degraded["kind"], degraded["calls"]) == (True, "last_good", 1)
        assert 'seawall_degraded{route="all"} 1' in http_get(proxy.admin, "/metrics")[1]
        switch.unlink()
        for _ in range(2):
            await unary(b"ping", metadata=metadata, timeout=PATIENCE_S)
        assert not proxy.route("all")["degraded"]["active"]
        server.kill()
        assert await unary(b"ping", metadata=metadata, timeout=PATIENCE_S) == b"ping"


async def test_a_repeated_key_reaches_the_server_once(stand: Stand) -> None:
    """At the same time and later; another request under the key is refused."""
    _, address = stand.upstream()
    document = {
        "clusters": [{"name": "up", "endpoints": [address]}],
        "policies": {"p": {"timeout": "5s", "idempotency": {"journal": {"ttl": "1m"}}}},
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
    }
    proxy = stand.proxy(stand.policy(document))
    metadata = (("idempotency-key", "order-1"), ("sleep", "0.2"))
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        unary = unary_unary(channel, "/any.Service/Unary")
        calls = [unary(b"ping", metadata=metadata, timeout=PATIENCE_S) for _ in range(5)]
        assert await asyncio.gather(*calls) == [b"ping"] * 5
        replayed = [(await trailing(call)).get("seawall-replayed") for call in calls]
        assert replayed.count("true") == 4
        again = unary(b"ping", metadata=metadata, timeout=PATIENCE_S)
        assert await again == b"ping"
        found = await trailing(again)
        assert (found["seawall-replayed"], found["served-by"]) == ("true", "a")
        with pytest.raises(grpc.aio.AioRpcError) as other:
            await unary(b"pong", metadata=metadata, timeout=PATIENCE_S)
        assert other.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert (
            'seawall_endpoint_attempts_total{cluster="up",endpoint="' + address + '"} 1'
            in http_get(proxy.admin, "/metrics")[1]
        )
        journal = proxy.route("all")["journal"]
        assert (journal["entries"], journal["at_work"], journal["replayed"], journal["reused"]) == (
            1,
            0,
            5,
            1,
        )
