"""The PROXY protocol in front of HTTP/2 and of TLS."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.transport.kit import (
    addresses,
    client_context,
    connect,
    document,
    failed,
    read_to_end,
    speaks_http2,
)
from tests.kit.certificates import Authority
from tests.kit.processes import wait_until
from tests.kit.stand import Proxy, Stand

pytestmark = pytest.mark.integration

V1 = b"PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n"
V2 = (
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"
    + socket.inet_aton("192.0.2.1")
    + socket.inet_aton("10.0.0.1")
    + b"\xdc\x04\x01\xbb"
)
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"


@dataclass
class Balanced:
    """A proxy behind a load balancer, so to speak."""

    proxy: Proxy
    authority: Authority
    plain: str
    tls: str
    guarded: str
    impatient: str


@pytest.fixture(scope="module")
def balanced(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    """Give a proxy with listeners that require the header."""
    stand = Stand(tmp_path_factory.mktemp("balanced"))
    server = authority.issue("server", "localhost")
    listeners: list[dict[str, Any]] = [
        {
            "name": "plain",
            "address": "127.0.0.1:0",
            "proxy_protocol": {"trusted": ["127.0.0.0/8"]},
        },
        {"name": "tls", "address": "127.0.0.1:0", "proxy_protocol": True, "tls": server.settings()},
        {"name": "guarded", "address": "127.0.0.1:0", "proxy_protocol": {"trusted": ["10.0.0.0/8", "::1"]}},
        {
            "name": "impatient",
            "address": "127.0.0.1:0",
            "proxy_protocol": {"trusted": ["127.0.0.0/8"], "timeout": "1s"},
        },
    ]
    try:
        proxy = stand.proxy(stand.policy(document(stand.upstream()[1], listeners)))
        yield Balanced(proxy, authority, *addresses(proxy))
    finally:
        stand.close()


@pytest.mark.parametrize("header", [V1, V2, LOCAL, b"PROXY UNKNOWN\r\n"])
def test_http2_behind_a_header(balanced: Balanced, header: bytes) -> None:
    """A header, then HTTP/2 as always."""
    with closing(connect(balanced.plain)) as sock:
        sock.sendall(header)
        assert speaks_http2(sock)


@pytest.mark.parametrize("header", [V1, V2])
def test_a_header_in_pieces(balanced: Balanced, header: bytes) -> None:
    """It may arrive octet by octet."""
    with closing(connect(balanced.plain)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in header:
            sock.sendall(bytes([octet]))
            time.sleep(0.001)
        assert speaks_http2(sock)


@pytest.mark.parametrize("header", [V1, V2])
def test_tls_behind_a_header(balanced: Balanced, header: bytes) -> None:
    """The header stands before the TLS handshake, and may share a packet with it."""
    context = client_context(balanced.authority, "h2")
    with closing(connect(balanced.tls)) as raw:
        raw.sendall(header)
        with context.wrap_socket(raw) as sock:
            assert speaks_http2(sock)


def test_header_and_preface_in_one_packet(balanced: Balanced) -> None:
    """What follows the header in the same packet is not lost."""
    with closing(connect(balanced.plain)) as sock:
        sock.sendall(V2 + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        seen = b""
        while b"\x00\x00\x00\x04\x01\x00\x00\x00\x00" not in seen:  # the acknowledgement of our SETTINGS
            more = sock.recv(4096)
            assert more
            seen += more


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "no PROXY protocol header"),
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 05632 443\r\n", "version 1 line has a bad port"),
        (V2[:12] + b"\x31" + V2[13:], "version 2 header has an unknown version or command"),
        (V2[:20], "PROXY protocol header timeout"),
        (b"", "PROXY protocol header timeout"),
    ],
)
def test_what_is_no_header_is_refused(balanced: Balanced, first: bytes, reason: str) -> None:
    """The connection ends without an answer, soon or after the time limit, and is counted."""
    before = failed(balanced.proxy, reason)
    with closing(connect(balanced.impatient if "timeout" in reason else balanced.plain)) as sock:
        if first:
            sock.sendall(first)
        assert read_to_end(sock) == b""
    wait_until(lambda: failed(balanced.proxy, reason) == before + 1, "it is counted")


def test_strangers_are_refused(balanced: Balanced) -> None:
    """An address that is not trusted may not even send a header."""
    reason = "PROXY protocol from an address that is not trusted"
    before = failed(balanced.proxy, reason)
    with closing(connect(balanced.guarded)) as sock:
        assert read_to_end(sock) == b""
    wait_until(lambda: failed(balanced.proxy, reason) == before + 1, "it is counted")
