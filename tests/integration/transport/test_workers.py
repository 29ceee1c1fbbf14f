"""Transports with several worker processes: each has its contexts, all of them share the sockets."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

import pytest

from tests.integration.transport.kit import (
    addresses,
    channel,
    client_context,
    connect,
    document,
    handshake,
    metric,
    plain_channel,
    secure_upstream,
    socket_path,
    speaks_http2,
)
from tests.kit.certificates import Authority
from tests.kit.processes import PATIENCE_S, wait_until
from tests.kit.rpc import unary_unary
from tests.kit.stand import Stand

pytestmark = pytest.mark.integration


async def test_two_workers(stand: Stand, authority: Authority) -> None:
    """TLS, a Unix socket and a PROXY header work in every worker, and a renewal reaches all of them."""
    server = authority.issue("server", "localhost", "127.0.0.1")
    upstream = authority.issue("upstream", "127.0.0.1")
    own = authority.issue("proxy", common_name="proxy")
    endpoint = secure_upstream(stand, str(upstream.cert), str(upstream.key), str(authority.path))
    unix = socket_path(stand.folder, "calls.sock")
    listeners: list[dict[str, Any]] = [
        {"name": "tls", "address": "127.0.0.1:0", "tls": server.settings()},
        {"name": "unix", "address": f"unix://{unix}"},
        {"name": "balanced", "address": "127.0.0.1:0", "proxy_protocol": True},
    ]
    policy = document(endpoint, listeners, tls={"ca_file": str(authority.path), **own.settings()})
    proxy = stand.proxy(stand.policy({**policy, "workers": "2"}), "--drain-grace", "0.2")
    tls, local, balanced = addresses(proxy)
    for _ in range(8):
        async with channel(tls, authority) as client:
            assert await unary_unary(client, "/a.S/Unary")(b"x", timeout=PATIENCE_S) == b"x"
        async with plain_channel(local) as client:
            assert await unary_unary(client, "/a.S/Unary")(b"x", timeout=PATIENCE_S) == b"x"
        with closing(connect(balanced)) as sock:
            sock.sendall(b"PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n")
            assert await asyncio.to_thread(speaks_http2, sock)

    def serials() -> set[str]:
        found = set()
        for _ in range(12):
            with closing(handshake(tls, client_context(authority, "h2"))) as sock:
                found.add(str((sock.getpeercert() or {})["serialNumber"]))
        return found

    before = await asyncio.to_thread(serials)
    assert len(before) == 1
    server.replace_by(authority.issue("fresh", "localhost", "127.0.0.1"))

    def renewed() -> bool:
        now = serials()
        return len(now) == 1 and now != before

    await asyncio.to_thread(wait_until, renewed, "every worker shows the new certificate")
    assert metric(proxy, "seawall_certificate_reloads_total", result="taken") == 1
    assert await asyncio.to_thread(proxy.child.terminate) == 0
    assert not unix.exists()
