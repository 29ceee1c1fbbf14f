"""Certificates that change while calls run: taken up when they are right, and not when they are not."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Self

import pytest

from tests.integration.transport.kit import (
    addresses,
    channel,
    client_context,
    document,
    handshake,
    metric,
    plain_channel,
    secure_upstream,
)
from tests.kit.certificates import Authority, Pair
from tests.kit.processes import PATIENCE_S, wait_until
from tests.kit.rpc import unary_unary
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration


def serial(address: str, authority: Authority) -> str:
    """Return the serial number of the certificate that an address shows."""
    with closing(handshake(address, client_context(authority, "h2"))) as sock:
        certificate = sock.getpeercert()
        assert certificate is not None
        return str(certificate["serialNumber"])


class Load:
    """Calls without a break, each client on a connection that is either kept or new for each call."""

    def __init__(self, address: str, authority: Authority) -> None:
        self.address = address
        self.authority = authority
        self.done = 0
        self.failures: list[str] = []
        self._stop = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._kept()) for _ in range(2)]
        self._tasks += [asyncio.create_task(self._fresh()) for _ in range(2)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop = True
        await asyncio.gather(*self._tasks)

    async def _kept(self) -> None:
        async with channel(self.address, self.authority) as client:
            while not self._stop:
                await self._call(unary_unary(client, "/a.S/Unary"))

    async def _fresh(self) -> None:
        while not self._stop:
            async with channel(self.address, self.authority) as client:
                await self._call(unary_unary(client, "/a.S/Unary"))

    async def _call(self, method: object) -> None:
        try:
            assert callable(method)
            assert await method(b"x", timeout=PATIENCE_S) == b"x"
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            self.failures.append(repr(error))
        self.done += 1
        await asyncio.sleep(0.005)


def start(stand: Stand, authority: Authority) -> tuple[Proxy, Pair]:
    """Start a proxy with a TLS listener."""
    pair = authority.issue("current", "localhost", "127.0.0.1")
    listeners = [{"name": "main", "address": "127.0.0.1:0", "tls": pair.settings()}]
    return stand.proxy(stand.policy(document(stand.upstream()[1], listeners))), pair


def reloads(proxy: Proxy, result: str) -> float:
    """Return how many changes of certificates were taken, or refused."""
    return metric(proxy, "seawall_certificate_reloads_total", result=result)


async def wait_for_refusal(proxy: Proxy, before: float, why: str) -> None:
    """Wait until a change was refused for a reason. There may be one more refusal: a key and its certificate
    are put in place one after the other, and a busy machine may leave them for a while like that.
    """
    await asyncio.to_thread(proxy.child.wait_for_log, why)
    await asyncio.to_thread(wait_until, lambda: reloads(proxy, "refused") > before, f"refused: {why}")


async def wait_for_taking(proxy: Proxy, number: int) -> None:
    """Wait until so many changes were taken."""
    await asyncio.to_thread(wait_until, lambda: reloads(proxy, "taken") == number, f"{number} are taken")


async def test_reload_under_load(stand: Stand, authority: Authority) -> None:
    """New connections see the new certificate, old ones live on, and no call fails. A pair that does not fit
    or has expired is not taken up, until it is mended.
    """
    proxy, pair = start(stand, authority)
    address = addresses(proxy)[0]
    fresh = authority.issue("fresh", "localhost", "127.0.0.1", ends_in_days=60)
    expired = authority.issue("expired", "localhost", "127.0.0.1", ends_in_days=-0.5)
    first = await asyncio.to_thread(serial, address, authority)
    async with Load(address, authority) as load:
        pair.replace_by(fresh)
        await wait_for_taking(proxy, 1)
        second = await asyncio.to_thread(serial, address, authority)
        assert second != first

        before = await asyncio.to_thread(reloads, proxy, "refused")
        pair.replace_by(expired)
        await wait_for_refusal(proxy, before, "the certificate has expired")
        assert await asyncio.to_thread(serial, address, authority) == second

        before = await asyncio.to_thread(reloads, proxy, "refused")
        pair.cert.write_bytes(authority.issue("another", "localhost").cert.read_bytes())
        await wait_for_refusal(proxy, before, "is not the private key of")
        assert await asyncio.to_thread(serial, address, authority) == second

        before = await asyncio.to_thread(reloads, proxy, "refused")
        pair.key.unlink()
        await wait_for_refusal(proxy, before, "cannot be read")
        pair.replace_by(authority.issue("last", "localhost", "127.0.0.1"))
        await wait_for_taking(proxy, 2)
        assert await asyncio.to_thread(serial, address, authority) != second
        await asyncio.to_thread(wait_until, lambda: load.done > 100, "many calls were made")
    assert load.failures == []
    assert "PRIVATE" not in proxy.child.log()


async def test_expiry_is_on_the_scrape_page(stand: Stand, authority: Authority) -> None:
    """Each certificate in use has its expiry as a gauge, and one that has expired at the start is used, and
    said.
    """
    good = authority.issue("good", "localhost", ends_in_days=20)
    old = authority.issue("old", "old.example", ends_in_days=-1)
    own = authority.issue("own", common_name="proxy", ends_in_days=3)
    endpoint = stand.upstream()[1]
    listeners = [
        {
            "name": "main",
            "address": "127.0.0.1:0",
            "tls": {**good.settings(), "certificates": [old.settings()]},
        }
    ]
    tls = {"ca_file": str(authority.path), **own.settings()}
    proxy = stand.proxy(stand.policy(document(endpoint, listeners, tls=tls)))
    name = "seawall_certificate_expiry_timestamp_seconds"
    expiries = [
        metric(proxy, name, owner="listener main", file=str(old.cert)),
        metric(proxy, name, owner="cluster up", file=str(own.cert)),
        metric(proxy, name, owner="listener main", file=str(good.cert)),
    ]
    assert 0 < expiries[0] < expiries[1] < expiries[2]
    assert f"{old.cert}: the certificate has expired" in proxy.child.log()
    assert f"{own.cert} expires in" in proxy.child.log()


async def test_authorities_towards_endpoints_are_reloaded(stand: Stand, authority: Authority) -> None:
    """When the endpoints' authority is exchanged in its file, the next connection is accepted."""
    old = Authority(stand.folder, "old")
    server = authority.issue("endpoint", "127.0.0.1")
    endpoint = secure_upstream(stand, str(server.cert), str(server.key))
    tls = {"ca_file": "old.pem"}
    proxy = stand.proxy(stand.policy(document(endpoint, [{"name": "m", "address": "127.0.0.1:0"}], tls=tls)))
    old.path.write_bytes(authority.path.read_bytes())
    await asyncio.to_thread(proxy.wait_for_endpoints, "up", 1)
    async with plain_channel(proxy.address) as client:
        assert await unary_unary(client, "/a.S/Unary")(b"x") == b"x"
