"""What tests of transports share: upstreams under TLS, clients of every kind, the scrape page."""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc

from tests.kit.certificates import Authority, Pair
from tests.kit.processes import PATIENCE_S, http_get
from tests.kit.stand import Proxy, Stand

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
GOAWAY = 7


def secure_upstream(stand: Stand, *arguments: str, name: str = "s") -> str:
    """Start an upstream under TLS (certificate, key, perhaps the clients' authority); return its address."""
    child = stand._start(
        f"upstream-{name}", ["-m", "tests.kit.secure_upstream", "127.0.0.1:0", name, *arguments]
    )
    assert child.process.stdout is not None
    line = child.process.stdout.readline().strip()
    assert line, child.log()
    return f"127.0.0.1:{int(line)}"


def channel(address: str, authority: Authority, pair: Pair | None = None, name: str = "") -> grpc.aio.Channel:
    """Open a channel under TLS; `pair` is the client's certificate, `name` the server's."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=authority.path.read_bytes(),
        private_key=None if pair is None else pair.key.read_bytes(),
        certificate_chain=None if pair is None else pair.cert.read_bytes(),
    )
    options: list[tuple[str, Any]] = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    if name:
        options.append(("grpc.ssl_target_name_override", name))
    return grpc.aio.secure_channel(address, credentials, options=options)


def plain_channel(address: str) -> grpc.aio.Channel:
    """Open a channel without TLS and without the library's own retries."""
    return grpc.aio.insecure_channel(
        address.replace("unix://", "unix:"),
        options=[("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)],
    )


def client_context(authority: Authority | None, *alpn: str, pair: Pair | None = None) -> ssl.SSLContext:
    """Return a context of Python's; without an authority nothing is verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if authority is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(authority.path)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if pair is not None:
        context.load_cert_chain(pair.cert, pair.key)
    return context


def connect(address: str) -> socket.socket:
    """Open a plain connection, TCP or Unix, with a time limit on each step."""
    if address.startswith("unix://"):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE_S)
        try:
            sock.connect(address.removeprefix("unix://"))
        except OSError:
            sock.close()
            raise
        return sock
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_S)


def handshake(address: str, context: ssl.SSLContext, name: str | None = None) -> ssl.SSLSocket:
    """Open a TLS connection."""
    return context.wrap_socket(connect(address), server_hostname=name)


def read_to_end(sock: socket.socket) -> bytes:
    """Return everything until the peer closes; fail when it does not in time."""
    data = b""
    while True:
        try:
            more = sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return data
        if not more:
            return data
        data += more


def speaks_http2(sock: socket.socket) -> bool:
    """Tell whether a connection answers the preface with SETTINGS."""
    sock.sendall(PREFACE + SETTINGS)
    head = b""
    while len(head) < 9:
        try:
            more = sock.recv(9 - len(head))
        except (ConnectionError, ssl.SSLError):
            return False
        if not more:
            return False
        head += more
    return head[3] == 4


def metric(proxy: Proxy, name: str, **labels: str) -> float:
    """Return the value of a sample of the scrape page, 0.0 when there is none; labels select."""
    _, text = http_get(proxy.admin, "/metrics")
    total = 0.0
    for line in text.splitlines():
        match = re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line)
        if match and all(f'{key}="{value}"' in (match[1] or "") for key, value in labels.items()):
            total += float(match[2])
    return total


def failed(proxy: Proxy, reason: str) -> float:
    """Return how many connections ended before HTTP/2 for a reason."""
    return metric(proxy, "seawall_connections_failed_total", reason=reason)


def document(endpoint: str, listeners: list[dict[str, Any]], **cluster: Any) -> dict[str, Any]:
    """Return a policy with one cluster behind some listeners, without retries and breakers."""
    return {
        "listeners": listeners,
        "clusters": [{"name": "up", "endpoints": [endpoint], **cluster}],
        "policies": {"p": {"timeout": "90s", "breaker": {"mode": "off"}}},
        "routes": [{"name": "all", "cluster": "up", "policy": "p"}],
    }


def addresses(proxy: Proxy) -> list[str]:
    """Return where a proxy listens, in the order of its listeners."""
    return list(proxy.child.ready["listen"])


def refuses(address: str) -> bool:
    """Tell whether nobody accepts there."""
    try:
        with closing(connect(address)):
            return False
    except OSError:
        return True


def socket_path(folder: Path, name: str) -> Path:
    """Return a path that is short enough for a socket."""
    path = folder / name
    assert len(str(path)) < 100
    return path
