"""Whose a loopback connection is, read from the kernel's table."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seawall_control.api.local_user import LocalUsers, Sight, is_loopback, owners

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"


def row(local: str, remote: str, uid: int, inode: int = 7) -> str:
    """Return a line of the table."""
    return f"   0: {local} {remote} 01 00000000:00000000 00:00000000 00000000  {uid}  0 {inode} 1 0"


@contextmanager
def connected(family: int = socket.AF_INET, host: str = "127.0.0.1") -> Iterator[tuple[tuple[str, int], int]]:
    """Yield the client's address and the server's port of a real connection."""
    with socket.create_server((host, 0), family=family) as server, socket.socket(family) as client:
        client.connect(server.getsockname()[:2])
        accepted, peer = server.accept()
        with accepted:
            yield peer[:2], server.getsockname()[1]


async def test_a_connection_of_our_own_is_ours() -> None:
    """Over the real table of this machine."""
    users = LocalUsers()
    with connected() as ((host, port), server_port):
        assert await users.name_of(host, port, server_port)
        # Nobody is connected to this port from there.
        assert await users.name_of(host, port, server_port + 1) is None


async def test_ipv6_loopback_too() -> None:
    """The second table."""
    try:
        with connected(socket.AF_INET6, "::1") as ((host, port), server_port):
            assert await LocalUsers().name_of(host, port, server_port)
    except OSError:
        pytest.skip("no IPv6 here")


async def test_a_connection_that_was_closed_is_nobodys() -> None:
    """Its row reads user 0 and inode 0, and must not pass for root's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, peer = server.accept()
        with accepted:
            client.close()
            host, port = peer[:2]
            assert await LocalUsers().name_of(host, port, server.getsockname()[1]) is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("0100007F:1000", "0100007F:2382", 1000)], {1000}),
        ([row("0100007F:1000", "0100007F:2382", 0, inode=0)], {None}),
        ([row("0100007F:1000", "0100007F:2383", 1000)], set()),
        ([row("0100007F:1001", "0100007F:2382", 1000)], set()),
        ([row("0200007F:1000", "0100007F:2382", 1000)], set()),
        ([row("0000000000000000FFFF00000100007F:1000", "0000000000000000FFFF00000100007F:2382", 5)], {5}),
        (["", "nonsense", "a b c d e f g h i j k"], set()),
        (
            # Two sockets of two users with one local address, to two of ours.
            [row("0100007F:1000", "0100007F:2382", 1), row("0100007F:1000", "0200007F:2382", 2)],
            {1, 2},
        ),
    ],
)
def test_rows(rows: list[str], expected: set[int | None]) -> None:
    """Address and both ports have to fit; IPv4 in IPv6 is IPv4."""
    assert owners([HEAD, *rows], "127.0.0.1", 0x1000, 0x2382) == expected


async def test_another_user_is_refused_and_two_are_no_one(tmp_path: Path) -> None:
    """Only the user that runs this, and root."""
    table = tmp_path / "tcp"
    now = 0.0
    users = LocalUsers(tables=(table, tmp_path / "missing"), now=lambda: now)
    me = os.geteuid()

    async def ask(*rows: str) -> str | None:
        nonlocal now
        now += 10.0
        table.write_text("\n".join([HEAD, *rows]))
        return await users.name_of("127.0.0.1", 0x1000, 0x2382)

    assert await ask(row("0100007F:1000", "0100007F:2382", me))
    assert await ask(row("0100007F:1000", "0100007F:2382", 0))
    assert await ask(row("0100007F:1000", "0100007F:2382", 54321)) is None
    assert await ask(row("0100007F:1000", "0100007F:2382", 0, inode=0)) is None
    both = [row("0100007F:1000", "0100007F:2382", me), row("0100007F:1000", "0200007F:2382", 54321)]
    assert await ask(*both) is None
    assert await ask() is None


async def test_an_answer_counts_for_a_fifth_of_a_second(tmp_path: Path) -> None:
    """A port may be another user's a second after it was closed, and must not be taken for ours then."""
    table = tmp_path / "tcp"
    now = 0.0
    users = LocalUsers(tables=(table,), now=lambda: now)
    table.write_text(row("0100007F:1000", "0100007F:2382", os.geteuid()))
    assert await users.name_of("127.0.0.1", 0x1000, 0x2382)
    table.write_text(row("0100007F:1000", "0100007F:2382", 54321))
    now = 0.15
    assert await users.name_of("127.0.0.1", 0x1000, 0x2382)
    now = 0.25
    assert await users.name_of("127.0.0.1", 0x1000, 0x2382) is None


async def test_other_machines_are_never_local() -> None:
    """Whatever the table says."""
    assert await LocalUsers().name_of("10.0.0.1", 1, 2) is None
    assert await LocalUsers().name_of("", 0, 2) is None


async def test_where_nobody_can_tell_loopback_is_everybodys() -> None:
    """The start says so."""
    users = LocalUsers()
    users.sight = Sight.NONE
    assert await users.name_of("127.0.0.1", 1, 2) == "unknown"
    assert await users.name_of("10.0.0.1", 1, 2) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("localhost", False),
        ("", False),
        ("fe80::1%eth0", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    """By number; a name is no address of a peer."""
    assert is_loopback(host) is expected


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has the list")
async def test_a_list_that_is_hidden_lets_nobody_in(tmp_path: Path) -> None:
    """A sandbox must not make everybody on loopback an administrator."""
    users = LocalUsers(tables=(tmp_path / "tcp", tmp_path / "tcp6"))
    assert users.sight is Sight.HIDDEN
    with connected() as ((host, port), server_port):
        assert await users.name_of(host, port, server_port) is None
