"""Breakers outlive the process: killed, stopped, handed over, or one worker of several."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from time import monotonic
from typing import Any

import grpc
import psutil
import pytest

from seawall.client import AsyncSeawall
from seawall.v1 import stats_pb2
from seawall_proxy.runtime.breaker_file import MAGIC
from tests.kit.processes import PATIENCE_S, wait_until
from tests.kit.rpc import unary_unary
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration

# Open for many times what a few starts of a proxy take on a busy machine.
BREAKER = {"consecutive": 2, "open_for": "600s", "failure_codes": ["UNAVAILABLE"]}


def document(address: str, workers: int = 1, **breaker: Any) -> dict[str, Any]:
    """Return a document with one route that opens after two failures."""
    return {
        "workers": workers,
        "clusters": [{"name": "up", "endpoints": [address]}],
        "policies": {"p": {"timeout": "10s", "breaker": {**BREAKER, **breaker}}},
        "routes": [{"name": "all", "match": {}, "cluster": "up", "policy": "p"}],
    }


async def fail(proxy: Proxy, times: int = 1, method: str = "Unary") -> list[dict[str, str]]:
    """Make calls that fail; return their trailers."""
    answers: list[dict[str, str]] = []
    async with grpc.aio.insecure_channel(proxy.address) as channel:
        for _ in range(times):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await unary_unary(channel, f"/any.Service/{method}")(
                    b"x", timeout=PATIENCE_S, metadata=(("fail", "14"),)
                )
            answers.append({key: str(value) for key, value in caught.value.trailing_metadata() or ()})
    return answers


def kept(stand: Stand, proxy: Proxy) -> list[dict[str, Any]]:
    """Return the images on disk."""
    (path,) = (stand.folder / "data" / "proxies").glob("*/breakers.json")
    return list(json.loads(path.read_bytes()[len(MAGIC) + 65 :]))


def wait_until_kept(stand: Stand, proxy: Proxy) -> None:
    """Wait until the disk knows that the breaker is open."""

    def there() -> bool:
        try:
            return [image["state"] for image in kept(stand, proxy)] != []
        except ValueError:
            return False

    wait_until(there, "the breaker is on disk")


async def test_a_killed_proxy_comes_back_with_its_breaker_open(stand: Stand) -> None:
    """After kill -9 a breaker is open for what is left, and says so to callers (resilience4j #2146, #419)."""
    _, address = stand.upstream()
    config = stand.policy(document(address))
    proxy = stand.proxy(config)
    await fail(proxy, 2)
    await asyncio.to_thread(wait_until_kept, stand, proxy)
    proxy.child.kill()
    await asyncio.sleep(0.5)
    again = stand.proxy(config)
    assert again.route("all")["breaker"]["state"] == "open"
    (answer,) = await fail(again)
    assert answer["seawall-reason"] == "BREAKER_OPEN"
    assert 5_000 < int(answer["grpc-retry-pushback-ms"]) < 599_500, "what is left, not all of it again"
    # Kept once more by the second process, for the third.
    await asyncio.to_thread(again.child.terminate)
    third = stand.proxy(config)
    assert third.route("all")["breaker"]["state"] == "open"


async def test_breakers_of_methods_come_back_under_their_keys(stand: Stand) -> None:
    """A method's breaker is found again, although nobody has called the method since."""
    _, address = stand.upstream()
    config = stand.policy(document(address, per="method"))
    proxy = stand.proxy(config)
    await fail(proxy, 3)
    await asyncio.to_thread(wait_until_kept, stand, proxy)
    proxy.child.kill()
    again = stand.proxy(config)
    assert {line["name"]: line["state"] for line in again.route("all")["breakers"]} == {
        image["key"]: "open" for image in kept(stand, again)
    }
    assert (await fail(again))[0]["seawall-reason"] == "BREAKER_OPEN"


@pytest.mark.parametrize("damage", ["cut", "text", "flip"])
async def test_a_damaged_file_is_ignored_and_reported(stand: Stand, damage: str) -> None:
    """Whatever is in the file, the proxy starts, says so, and its breakers are closed."""
    _, address = stand.upstream()
    config = stand.policy(document(address))
    proxy = stand.proxy(config)
    await fail(proxy, 2)
    await asyncio.to_thread(wait_until_kept, stand, proxy)
    proxy.child.kill()
    (path,) = (stand.folder / "data" / "proxies").glob("*/breakers.json")
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-7], "text": b"[]", "flip": whole[:-3] + b"x" + whole[-2:]}[damage])
    again = stand.proxy(config)
    assert again.route("all")["breaker"]["state"] == "closed"
    assert "every breaker starts closed" in again.child.log()


async def test_what_an_operator_holds_survives_and_ends_by_itself(stand: Stand) -> None:
    """A trip has an actor, a reason and an end that a restart does not change; then the breaker probes."""
    _, address = stand.upstream()
    control = stand.control()
    config = stand.policy(document(address))
    arguments = ("--control", control.grpc, "--node", "one")
    proxy = stand.proxy(config, *arguments)
    async with AsyncSeawall(control.grpc) as seawall:

        async def breaker() -> stats_pb2.BreakerStatus:
            for _ in range(1200):
                found = await seawall.operations.breakers()
                if found:
                    return found[0]
                await asyncio.sleep(0.05)
            raise AssertionError("no breaker is reported")

        await breaker()
        results = await seawall.operations.trip_breaker("all", duration=600, reason="drill", actor="ada")
        tripped = monotonic()
        assert [result.ok for result in results] == [True]
        before = await breaker()
        assert before.state == stats_pb2.BREAKER_STATE_FORCED_OPEN
        assert (before.hold.actor, before.hold.reason) == ("ada", "drill")
        assert [(getattr(c, "from"), c.to, c.trigger) for c in before.history] == [
            (stats_pb2.BREAKER_STATE_CLOSED, stats_pb2.BREAKER_STATE_FORCED_OPEN, "manual: ada: drill")
        ]
        await asyncio.to_thread(wait_until_kept, stand, proxy)
        proxy.child.kill()
        again = stand.proxy(config, *arguments)
        over_s = monotonic() - tripped
        (answer,) = await fail(again)
        assert answer["seawall-reason"] == "BREAKER_OPEN"
        # The wall clock says what is over, and may have been set a little meanwhile.
        assert 0 < int(answer["grpc-retry-pushback-ms"]) < 1000 * (600 - over_s + 0.5)
        results = await seawall.operations.trip_breaker("all", duration=1, reason="drill", actor="ada")
        assert [result.ok for result in results] == [True]
        await asyncio.to_thread(again.wait_for_breaker, "all", "half_open")
        results = await seawall.operations.hold_breaker("all", "disabled", duration=8, actor="ada")
        assert [result.ok for result in results] == [True]
        assert again.route("all")["breaker"]["state"] == "disabled"
        await fail(again, 3)
        await asyncio.to_thread(again.wait_for_breaker, "all", "closed")
        results = await seawall.operations.hold_breaker("all", "metrics_only", duration=600)
        await fail(again, 4)
        line = again.route("all")["breaker"]
        assert (line["state"], line["failures"], line["would_reject"]) == ("metrics_only", 4, 2)
        await seawall.operations.reset_breaker("all", reason="done")
        assert again.route("all")["breaker"]["state"] == "closed"


async def test_a_successor_takes_the_breakers_over(stand: Stand) -> None:
    """SIGUSR2: the next process has the same breakers open."""
    _, address = stand.upstream()
    proxy = stand.proxy(stand.policy(document(address)), "--drain-grace", "0.1")
    await fail(proxy, 2)
    proxy.child.process.send_signal(signal.SIGUSR2)
    successor = 0
    try:
        successor = await asyncio.to_thread(proxy.wait_for_generation, 2)
        await asyncio.to_thread(proxy.child.process.wait, 2 * PATIENCE_S)
        assert proxy.route("all")["breaker"]["state"] == "open"
        assert (await fail(proxy))[0]["seawall-reason"] == "BREAKER_OPEN"
    finally:
        if successor and psutil.pid_exists(successor):
            psutil.Process(successor).kill()


async def test_workers_share_what_is_kept(stand: Stand) -> None:
    """A worker that is started again, and all workers of a proxy that is, have the breaker open."""
    _, address = stand.upstream()
    config = stand.policy(document(address, workers=2))
    proxy = stand.proxy(config)
    await fail(proxy, 2)
    await asyncio.to_thread(wait_until_kept, stand, proxy)

    def all_open(of: Proxy) -> bool:
        metrics = of.route("all")["breaker"]["state"]
        return metrics == "open" and [w["state"] for w in of.status()["workers"]] == ["ready", "ready"]

    for number in range(2):
        os.kill(proxy.status()["workers"][number]["pid"], signal.SIGKILL)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(wait_until, lambda: all_open(proxy), "both are back, and open")
    assert {answer["seawall-reason"] for answer in await fail(proxy, 6)} == {"BREAKER_OPEN"}
    await asyncio.to_thread(proxy.child.terminate)
    again = stand.proxy(config)
    for _ in range(6):  # each channel may meet another worker
        assert (await fail(again))[0]["seawall-reason"] == "BREAKER_OPEN"
