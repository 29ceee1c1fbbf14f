"""Active health checks against real servers."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.processes import http_get, wait_until
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration

INTERVAL_S = 0.3


def document(*addresses: str, **cluster: Any) -> dict[str, Any]:
    """One cluster that is checked often."""
    check = {"interval": "300ms", "timeout": "1m", **cluster.pop("health_check", {})}
    return {
        "clusters": [{"name": "up", "endpoints": list(addresses), "health_check": check, **cluster}],
        "routes": [{"name": "all", "match": {}, "cluster": "up"}],
    }


def healths(proxy: Proxy) -> list[str]:
    """Return what /status says of the endpoints' health."""
    return [endpoint["health"] for endpoint in proxy.status()["clusters"]["up"]["endpoints"]]


@pytest.mark.parametrize("watch", [True, False])
async def test_a_server_that_is_not_serving_gets_no_calls(
    stand: Stand, checked: Callable[..., Any], served_by: Any, watch: bool
) -> None:
    """NOT_SERVING is known within an interval, at once with Watch: of several times the quickest, since the
    machine may be busy. SERVING brings the calls back.
    """
    one, two = checked("one"), checked("two")
    config = document(one.address, two.address, health_check={"watch": watch})
    proxy = stand.proxy(stand.policy(config))
    wait_until(lambda: healths(proxy) == ["healthy", "healthy"], "both are healthy")
    assert await served_by(proxy, 20) == {"one": 10, "two": 10}
    took: list[float] = []
    while not took or (min(took) >= 1.1 * INTERVAL_S + 0.3 and len(took) < 10):
        one.say("SERVING")
        wait_until(lambda: healths(proxy) == ["healthy", "healthy"], "both are healthy")
        began = time.monotonic()
        one.say("NOT_SERVING")
        wait_until(lambda: healths(proxy) == ["unhealthy", "healthy"], "one is unhealthy")
        took.append(time.monotonic() - began)
    # The server looks at its switch every 20 ms.
    assert min(took) < 1.1 * INTERVAL_S + 0.3, took
    assert await served_by(proxy, 20) == {"two": 20}
    code, page = http_get(proxy.admin, "/metrics")
    assert code == 200
    assert f'seawall_endpoint_health{{cluster="up",endpoint="{one.address}",health="unhealthy"}} 1' in page
    assert "is unhealthy: NOT_SERVING" in proxy.child.log()
    wait_until(lambda: "endpoint_unhealthy" in http_get(proxy.admin, "/events")[1], "the event is there")
    one.say("SERVING")
    wait_until(lambda: healths(proxy) == ["healthy", "healthy"], "both are healthy again")
    assert set(await served_by(proxy, 20)) == {"one", "two"}


async def test_an_endpoint_that_recovers_starts_slowly(
    stand: Stand, checked: Callable[..., Any], served_by: Any
) -> None:
    """After recovery an endpoint gets a small share first."""
    one, two = checked("one"), checked("two")
    config = document(one.address, two.address, slow_start={"window": "10m", "min_weight": "5%"})
    one.say("NOT_SERVING")
    proxy = stand.proxy(stand.policy(config))
    wait_until(lambda: healths(proxy) == ["unhealthy", "healthy"], "one is unhealthy")
    await asyncio.sleep(1.0)
    one.say("SERVING")
    wait_until(lambda: healths(proxy) == ["healthy", "healthy"], "one is healthy")
    endpoints = proxy.status()["clusters"]["up"]["endpoints"]
    assert endpoints[0]["warm"] < 0.1
    served = await served_by(proxy, 60)
    # Both warm up, one of them a second behind; the shares are equal to within what that is.
    assert served.get("one", 0) <= 30


async def test_a_server_without_the_service_counts_as_healthy(stand: Stand, served_by: Any) -> None:
    """UNIMPLEMENTED is no failure (gRFC A17), and is told once."""
    addresses = [stand.upstream(name)[1] for name in "ab"]
    proxy = stand.proxy(stand.policy(document(*addresses)))
    wait_until(lambda: healths(proxy) == ["healthy", "healthy"], "both count as healthy")
    assert set(await served_by(proxy, 10)) == {"a", "b"}
    await asyncio.sleep(2 * INTERVAL_S)
    assert proxy.child.log().count("has no grpc.health.v1") == 1


async def test_a_server_that_is_killed_and_comes_back(
    stand: Stand, checked: Callable[..., Any], served_by: Any
) -> None:
    """A killed server gets no calls, and is found again within about an interval of its return: of several
    times at the quickest, since the machine may be busy.
    """
    one, two = checked("one"), checked("two")
    proxy = stand.proxy(stand.policy(document(one.address, two.address)))
    wait_until(lambda: healths(proxy) == ["healthy", "healthy"], "both are healthy")
    took: list[float] = []
    while not took or (min(took) >= 1.1 * INTERVAL_S + 0.4 and len(took) < 10):
        one.child.kill()
        wait_until(
            lambda: proxy.status()["clusters"]["up"]["endpoints"][0]["state"] != "ready", "one is lost"
        )
        assert await served_by(proxy, 20) == {"two": 20}
        await asyncio.sleep(2.0)
        one = checked("one", int(one.address.rpartition(":")[2]))
        began = time.monotonic()
        proxy.wait_for_endpoints("up", 2)
        took.append(time.monotonic() - began)
    assert min(took) < 1.1 * INTERVAL_S + 0.4, took
    assert set(await served_by(proxy, 20)) == {"one", "two"}


async def test_a_hung_server_and_kind_tcp(stand: Stand, checked: Callable[..., Any], served_by: Any) -> None:
    """A server that is stopped answers no Check and becomes unhealthy, while its port still accepts: kind tcp
    sees nothing.
    """
    one, two = checked("one"), checked("two")
    # Many times what the other one takes to answer, however busy the machine.
    proxy = stand.proxy(stand.policy(document(one.address, two.address, health_check={"timeout": "5s"})))
    ports = stand.proxy(
        stand.policy(document(one.address, two.address, health_check={"kind": "tcp"}), "tcp.yaml"), data="tcp"
    )
    wait_until(lambda: healths(proxy) == ["healthy", "healthy"], "both are healthy")
    wait_until(lambda: healths(ports) == ["healthy", "healthy"], "both ports accept")
    one.child.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: healths(proxy) == ["unhealthy", "healthy"], "one is unhealthy")
        assert await served_by(proxy, 10) == {"two": 10}
        assert healths(ports) == ["healthy", "healthy"]
    finally:
        one.child.process.send_signal(signal.SIGCONT)
    wait_until(lambda: healths(proxy) == ["healthy", "healthy"], "one is healthy again")
    two.child.kill()
    wait_until(lambda: healths(ports) == ["healthy", "unhealthy"], "nobody accepts at two")
