"""An authority for each module, and a proxy that speaks TLS on several listeners."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.transport.kit import addresses, document, secure_upstream
from tests.kit.certificates import Authority, Pair
from tests.kit.stand import Proxy, Stand


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give an authority with a folder of its own."""
    return Authority(tmp_path_factory.mktemp("ca"))


@dataclass
class SecureProxy:
    """A proxy with a plaintext, a TLS, an mTLS and an SNI listener, and one that is impatient, in front of an
    upstream with mTLS.
    """

    proxy: Proxy
    authority: Authority
    client: Pair
    plain: str
    tls: str
    mtls: str
    sni: str
    impatient: str


@pytest.fixture(scope="module")
def secure(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureProxy]:
    """Give the proxy that the tests of a module share."""
    folder: Path = tmp_path_factory.mktemp("secure")
    stand = Stand(folder)
    server = authority.issue("server", "localhost", "127.0.0.1")
    client = authority.issue("client", common_name="client-7", uri="spiffe://test/client-7")
    proxy_pair = authority.issue("proxy", common_name="the-proxy")
    shop = authority.issue("shop", "shop.example", "*.shops.example")
    bank = authority.issue("bank", "unused.example")
    try:
        upstream_pair = authority.issue("upstream", "upstream.example")
        endpoint = secure_upstream(
            stand, str(upstream_pair.cert), str(upstream_pair.key), str(authority.path)
        )
        listeners: list[dict[str, Any]] = [
            {"name": "plain", "address": "127.0.0.1:0"},
            {"name": "tls", "address": "127.0.0.1:0", "tls": server.settings()},
            {
                "name": "mtls",
                "address": "127.0.0.1:0",
                "tls": {**server.settings(), "client_ca_file": str(authority.path)},
            },
            {
                "name": "sni",
                "address": "127.0.0.1:0",
                "tls": {
                    **server.settings(),
                    "certificates": [
                        shop.settings(),
                        {**bank.settings(), "server_names": ["bank.example"]},
                    ],
                },
            },
            {
                "name": "impatient",
                "address": "127.0.0.1:0",
                "tls": {**server.settings(), "handshake_timeout": "1s"},
            },
        ]
        tls = {"ca_file": str(authority.path), "server_name": "upstream.example", **proxy_pair.settings()}
        proxy = stand.proxy(stand.policy(document(endpoint, listeners, tls=tls)))
        proxy.wait_for_endpoints("up", 1)
        yield SecureProxy(proxy, authority, client, *addresses(proxy))
    finally:
        stand.close()
