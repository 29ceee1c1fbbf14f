"""Endpoints that are found by name, with real servers and a name service that a file stands for."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import grpc
import pytest

from tests.kit.processes import PATIENCE_S, wait_until
from tests.kit.rpc import trailing, unary_unary
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration


def document(target: str = "dns:///shop:1", **cluster: Any) -> dict[str, Any]:
    """One cluster that is looked up every second."""
    dns = {"interval": "1s", "min_interval": "100ms"}
    return {
        "clusters": [{"name": "up", "target": target, "dns": dns, **cluster}],
        "routes": [{"name": "all", "match": {}, "cluster": "up"}],
    }


def in_flight(proxy: Proxy) -> int:
    """Return how many calls are at the servers of the cluster."""
    return int(proxy.status()["clusters"]["up"]["in_flight"])


def addresses(proxy: Proxy) -> list[str]:
    """Return the endpoints of the cluster."""
    return [endpoint["address"] for endpoint in proxy.status()["clusters"]["up"]["endpoints"]]


async def test_members_follow_the_name(stand: Stand, names: Any, served_by: Any) -> None:
    """Whoever the name stands for gets the calls; a call in flight to one that is gone ends well."""
    found = {name: stand.upstream(name)[1] for name in "abc"}
    names.set({"shop": [found["a"], found["b"]]})
    proxy = names.proxy(stand, stand.policy(document()))
    # The policy was put in force with its members: the first call finds them.
    assert len(await served_by(proxy, 1)) == 1
    proxy.wait_for_endpoints("up", 2)
    assert await served_by(proxy, 10) == {"a": 5, "b": 5}
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        slow = [
            unary_unary(channel, "/any.Service/Unary")(b"", timeout=PATIENCE_S, metadata=(("sleep", "5"),))
            for _ in range(2)
        ]
        await asyncio.to_thread(wait_until, lambda: in_flight(proxy) == 2, "both are at their servers")
        names.set({"shop": [found["b"], found["c"]]})
        wait_until(lambda: addresses(proxy) == sorted([found["b"], found["c"]]), "the name was looked up")
        proxy.wait_for_endpoints("up", 2)
        assert await served_by(proxy, 10) == {"b": 5, "c": 5}
        await asyncio.gather(*slow)
        assert {str((await trailing(call))["served-by"]) for call in slow} == {"a", "b"}


async def test_a_name_that_fails_keeps_its_members(stand: Stand, names: Any, served_by: Any) -> None:
    """No answer and an empty one change nothing, are counted, shown, and told once."""
    found = stand.upstream("a")[1]
    names.set({"shop": [found]})
    proxy = names.proxy(stand, stand.policy(document()))
    assert await served_by(proxy, 3) == {"a": 3}

    def failures() -> int:
        return int(proxy.status()["clusters"]["up"]["discovery"]["failures"])

    names.set({})
    wait_until(lambda: failures() >= 2, "lookups have failed")
    names.set({"shop": []})
    before = failures()
    wait_until(lambda: failures() > before, "an empty answer is a failure")
    assert await served_by(proxy, 3) == {"a": 3}
    assert "no addresses" in proxy.status()["clusters"]["up"]["discovery"]["last_error"]
    assert proxy.child.log().count("looking up shop failed") == 1
    other = stand.upstream("b")[1]
    names.set({"shop": [other]})
    wait_until(lambda: addresses(proxy) == [other], "the name is found again")
    assert await served_by(proxy, 3) == {"b": 3}


async def test_a_lost_connection_has_the_name_looked_up(stand: Stand, names: Any, served_by: Any) -> None:
    """A server that dies and has a new address is found long before the interval."""
    child, found = stand.upstream("a")
    names.set({"shop": [found]})
    config = document()
    config["clusters"][0]["dns"] = {"interval": "1h", "min_interval": "100ms"}
    proxy = names.proxy(stand, stand.policy(config))
    assert await served_by(proxy, 3) == {"a": 3}
    other = stand.upstream("b")[1]
    names.set({"shop": [other]})
    child.kill()
    wait_until(lambda: addresses(proxy) == [other], "the name was looked up at once")
    assert await served_by(proxy, 3) == {"b": 3}


async def test_localhost_is_found_by_the_system(stand: Stand, served_by: Any) -> None:
    """The operating system's resolver is what looks names up."""
    found = stand.upstream("a")[1]
    port = found.rpartition(":")[2]
    proxy = stand.proxy(stand.policy(document(f"dns:///localhost:{port}")))
    wait_until(lambda: found in addresses(proxy), "localhost is 127.0.0.1")
    assert await served_by(proxy, 4) == {"a": 4}


async def test_counters_and_limits_outlive_a_reload(stand: Stand, names: Any) -> None:
    """A reload that changes the cluster goes on counting what is in flight."""
    found = stand.upstream("a")[1]
    config: dict[str, Any] = {
        "clusters": [{"name": "up", "endpoints": [found], "max_in_flight": 2}],
        "routes": [{"name": "all", "match": {}, "cluster": "up"}],
    }
    path = stand.policy(config)
    proxy = stand.proxy(path)
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        unary = unary_unary(channel, "/any.Service/Unary")
        slow = [unary(b"", metadata=(("sleep", "600"),)) for _ in range(2)]
        await asyncio.to_thread(wait_until, lambda: in_flight(proxy) == 2, "both are at their server")
        before = proxy.status()["policy"]["hash"]
        config["clusters"][0]["authority"] = "changed"
        stand.policy(config)
        proxy.child.process.send_signal(signal.SIGHUP)
        wait_until(lambda: proxy.status()["policy"]["hash"] != before, "the change is in force")
        assert in_flight(proxy) == 2
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await unary(b"", timeout=PATIENCE_S)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        for one in slow:
            one.cancel()
        await asyncio.to_thread(wait_until, lambda: in_flight(proxy) == 0, "nothing is in flight")
        assert await unary(b"x", timeout=PATIENCE_S) == b"x"
