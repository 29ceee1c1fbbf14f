"""Unix sockets on both sides, and what becomes of their files."""

from __future__ import annotations

import socket
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.integration.transport.kit import (
    addresses,
    channel,
    connect,
    document,
    plain_channel,
    read_to_end,
    refuses,
    socket_path,
    speaks_http2,
)
from tests.kit.certificates import Authority
from tests.kit.processes import PATIENCE_S
from tests.kit.rpc import trailing, unary_unary
from tests.kit.stand import Stand

pytestmark = pytest.mark.integration


def unix_upstream(stand: Stand, path: Path, *files: str) -> str:
    """Start an upstream on a Unix socket; return its address."""
    child = stand._start(
        "upstream-unix", ["-m", "tests.kit.secure_upstream", f"unix://{path}", "unix", *files]
    )
    assert child.process.stdout is not None
    assert child.process.stdout.readline().strip(), child.log()
    return f"unix://{path}"


async def test_both_sides(stand: Stand, authority: Authority) -> None:
    """Calls come in on Unix sockets and on TCP of one proxy, in the clear and under TLS, and go out to a Unix
    socket; the files are gone when the proxy is.
    """
    endpoint = unix_upstream(stand, socket_path(stand.folder, "up.sock"))
    server = authority.issue("server", "localhost")
    plain = socket_path(stand.folder, "plain.sock")
    secure = socket_path(stand.folder, "secure.sock")
    listeners: list[dict[str, Any]] = [
        {"name": "plain", "address": f"unix://{plain}", "socket_mode": "0600"},
        {"name": "secure", "address": f"unix://{secure}", "tls": server.settings()},
        {"name": "tcp", "address": "127.0.0.1:0"},
    ]
    proxy = stand.proxy(stand.policy(document(endpoint, listeners)), "--drain-grace", "0.2")
    assert addresses(proxy)[:2] == [f"unix://{plain}", f"unix://{secure}"]
    assert stat.S_IMODE(plain.stat().st_mode) == 0o600
    assert stat.S_IMODE(secure.stat().st_mode) == 0o660
    for address in (addresses(proxy)[0], addresses(proxy)[2]):
        async with plain_channel(address) as client:
            call = unary_unary(client, "/a.S/Unary")(b"x")
            assert await call == b"x"
            assert (await trailing(call))["served-by"] == "unix"
    async with channel(f"unix:{secure}", authority, name="localhost") as client:
        assert await unary_unary(client, "/a.S/Unary")(b"x") == b"x"
    assert proxy.child.terminate() == 0
    assert not plain.exists()
    assert not secure.exists()


async def test_tls_to_a_unix_socket(stand: Stand, authority: Authority) -> None:
    """Behind a Unix socket the certificate is for `localhost` unless the policy says otherwise."""
    server = authority.issue("local", "localhost")
    path = socket_path(stand.folder, "up.sock")
    endpoint = unix_upstream(stand, path, str(server.cert), str(server.key))
    tls = {"ca_file": str(authority.path)}
    proxy = stand.proxy(stand.policy(document(endpoint, [{"name": "m", "address": "127.0.0.1:0"}], tls=tls)))
    async with plain_channel(proxy.address) as client:
        assert await unary_unary(client, "/a.S/Unary")(b"x", timeout=PATIENCE_S, wait_for_ready=True) == b"x"


def test_the_admin_pages(stand: Stand) -> None:
    """They can be behind a Unix socket too, for the owner of the process only."""
    path = socket_path(stand.folder, "admin.sock")
    policy = {
        **document("127.0.0.1:1", [{"name": "m", "address": "127.0.0.1:0"}]),
        "admin": f"unix://{path}",
    }
    proxy = stand.proxy(stand.policy(policy), "--drain-grace", "0.2")
    assert proxy.admin == f"unix://{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(connect(proxy.admin)) as sock:
        sock.sendall(b"GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert read_to_end(sock).startswith(b"HTTP/1.1 200")
    assert proxy.child.terminate() == 0
    assert not path.exists()


def test_a_file_that_nobody_listens_on_is_replaced(stand: Stand) -> None:
    """What a killed proxy left behind does not keep the next one from starting."""
    path = socket_path(stand.folder, "x.sock")
    config = stand.policy(document("127.0.0.1:1", [{"name": "m", "address": f"unix://{path}"}]))
    first = stand.proxy(config)
    first.child.kill()
    assert path.exists()
    assert refuses(f"unix://{path}")
    second = stand.proxy(config)
    with closing(connect(addresses(second)[0])) as sock:
        assert speaks_http2(sock)


@pytest.mark.parametrize("occupant", ["socket", "file"])
def test_what_is_in_use_is_left_alone(stand: Stand, occupant: str) -> None:
    """Where somebody listens, or something else is, the start fails and says so, and nothing is removed."""
    path = socket_path(stand.folder, "x.sock")
    holder = socket.socket(socket.AF_UNIX)
    try:
        if occupant == "socket":
            holder.bind(str(path))
            holder.listen()
        else:
            path.write_text("precious")
        config = stand.policy(document("127.0.0.1:1", [{"name": "m", "address": f"unix://{path}"}]))
        child = stand._start(
            "proxy", ["-m", "seawall_proxy", "--config", str(config), "--data-dir", str(stand.folder / "d")]
        )
        assert child.process.wait(PATIENCE_S) == 1
        assert f"cannot listen on unix://{path}: " in child.log()
        assert ("another process listens" if occupant == "socket" else "no socket") in child.log()
        assert path.exists()
    finally:
        holder.close()
