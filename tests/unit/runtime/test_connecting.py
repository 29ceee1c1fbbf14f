"""Addresses of a name: in which order they are tried, and which one wins; and who a peer is."""

from __future__ import annotations

import asyncio
import socket

import pytest

from seawall_proxy.runtime.connecting import MAX_ADDRESSES, Info, LookUp, interleave, open_socket
from seawall_proxy.runtime.peer import identity, is_trusted, networks, shown_address, split_address

V4, V6 = socket.AF_INET, socket.AF_INET6


def info(family: socket.AddressFamily, number: int, port: int = 1) -> Info:
    """Return an address as the resolver gives it."""
    if family == V4:
        return (family, socket.SOCK_STREAM, 6, "", (f"127.0.0.{number}", port))
    return (family, socket.SOCK_STREAM, 6, "", (f"::{number}", port, 0, 0))


@pytest.mark.parametrize(
    ("families", "order"),
    [
        ([V6, V6, V6, V4, V4], [0, 3, 1, 4, 2]),
        ([V4, V4, V6], [0, 2, 1]),
        ([V4], [0]),
        ([], []),
    ],
)
def test_families_take_turns(families: list[socket.AddressFamily], order: list[int]) -> None:
    """The first family is the resolver's choice; then they alternate."""
    infos = [info(family, number) for number, family in enumerate(families)]
    assert interleave(infos) == [infos[number] for number in order]


def test_the_number_of_tries_is_bounded() -> None:
    """A name with very many addresses does not start as many connections."""
    assert len(interleave([info(V4, number) for number in range(200)])) == MAX_ADDRESSES


def answering(infos: list[Info]) -> LookUp:
    """Return a look-up that is answered with these addresses."""

    async def look_up(_host: str, _port: int) -> list[Info]:
        return infos

    return look_up


async def test_an_address_that_does_not_answer_is_overtaken() -> None:
    """A dead address costs a quarter of a second, not the whole time for connecting."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = []
    for _ in range(8):  # fill the queue, so that further connections hang
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(full.getsockname())
        waiting.append(sock)
    with socket.create_server(("127.0.0.2", 0)) as good:
        infos = [info(V4, 1, full.getsockname()[1]), info(V4, 2, good.getsockname()[1])]
        async with asyncio.timeout(60):
            with await open_socket(asyncio.get_running_loop(), "shop", 1, answering(infos)) as sock:
                assert sock.getpeername() == good.getsockname()
    for sock in [*waiting, full]:
        sock.close()


async def test_all_addresses_fail() -> None:
    """Refused addresses are passed over at once; the first one's error is what is said."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    loop = asyncio.get_running_loop()
    with pytest.raises(ConnectionRefusedError):
        await open_socket(loop, "shop", port, answering([info(V4, 1, port), info(V4, 1, port)]))
    with pytest.raises(OSError, match="has no address"):
        await open_socket(loop, "shop", 1, answering([]))


@pytest.mark.parametrize(
    ("certificate", "name"),
    [
        (None, ""),
        ({}, ""),
        ({"subject": ((("commonName", "a"),),)}, "a"),
        ({"subject": ((("countryName", "x"),), (("commonName", "a"),))}, "a"),
        ({"subjectAltName": (("DNS", "d"), ("URI", "spiffe://x/y")), "subject": ((("commonName", "a"),),)},
         "spiffe://x/y"),
        ({"subjectAltName": (("IP Address", "::1"), ("email", "e@x"), ("DNS", "d"))}, "d"),
        ({"subjectAltName": (("IP Address", "::1"),), "subject": ((("commonName", "a\nb\x1b"),),)}, "a?b?"),
        ({"subject": ((("commonName", "x" * 1000),),)}, "x" * 256),
    ],
)  # fmt: skip
def test_identity(certificate: dict[str, object] | None, name: str) -> None:
    """URI before DNS name before e-mail address before common name, printable and bounded."""
    assert identity(certificate) == name


def test_addresses_are_shown_and_split() -> None:
    """IPv6 hosts stand in brackets; a Unix socket's peer has no address."""
    assert shown_address(("1.2.3.4", 5)) == "1.2.3.4:5"
    assert shown_address(("::1", 5, 0, 0)) == "[::1]:5"
    assert shown_address("") == "unix:"
    assert split_address("[::1]:5") == ("::1", 5)
    assert split_address("unix:/x") is None


def test_trust() -> None:
    """Networks decide, IPv4 in IPv6 clothes included; none means everyone."""
    trusted = networks(["10.0.0.0/8", "2001:db8::/32"])
    with socket.socket() as sock:
        for host, expected in (
            ("10.1.2.3", True),
            ("::ffff:10.1.2.3", True),
            ("2001:db8::1", True),
            ("11.0.0.1", False),
            ("::1", False),
            ("fe80::1%eth0", False),
        ):
            assert is_trusted(sock, (host, 1), trusted) is expected
            assert is_trusted(sock, (host, 1), ())
        assert not is_trusted(sock, "", trusted)
    with socket.socket(socket.AF_UNIX) as local:
        assert is_trusted(local, "", trusted)
