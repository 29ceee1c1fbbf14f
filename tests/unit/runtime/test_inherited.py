"""Which sockets a process takes over from the one before it, or from the service manager."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from seawall_proxy.runtime import inherited
from seawall_proxy.runtime.inherited import HANDOVER, Inherited
from seawall_proxy.runtime.places import StartFailed, shown
from seawall_proxy.runtime.sockets import Place, bind

LOCAL = "127.0.0.1:0"


def handed(places: list[Place], admin: list[list[object]] | None = None, **more: object) -> dict[str, str]:
    """Return the environment by which copies of these places are handed on."""
    ours, theirs = socket.socketpair()
    ours.close()
    said = {
        "places": [
            [place.wanted, [[sock.dup().detach() for sock in slot] for slot in place.slots]]
            for place in places
        ],
        "admin": admin or [],
        "channel": [theirs.detach()],
        **more,
    }
    return {HANDOVER: json.dumps(said), "OTHER": "stays"}


def activated(
    monkeypatch: pytest.MonkeyPatch, socks: list[socket.socket], names: str, count: int | None = None
) -> dict[str, str]:
    """Return the environment by which a service manager passes sockets, from whichever descriptor is free."""
    base = 900
    for index, sock in enumerate(socks):
        os.dup2(sock.fileno(), base + index)
    monkeypatch.setattr(inherited, "_FIRST", base)
    return {
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": str(len(socks) if count is None else count),
        "LISTEN_FDNAMES": names,
    }


def listening(address: str = "127.0.0.1") -> socket.socket:
    """Return a socket that listens on a free port."""
    sock = socket.socket()
    sock.bind((address, 0))
    sock.listen()
    return sock


def test_places_are_found_by_the_address_that_was_asked_for() -> None:
    """Each is given out once; what nobody asks for is closed and named; no child hears of it."""
    first, second = bind(LOCAL, 2), bind("localhost:0", 1)
    environ = handed([first, second])
    taken = Inherited.take(environ)
    assert environ == {"OTHER": "stays"}
    place = taken.place("any", LOCAL)
    assert place is not None
    assert place.address == first.address
    assert [len(slot) for slot in place.slots] == [1, 1]
    assert not any(sock.get_inheritable() for slot in place.slots for sock in slot)
    assert taken.place("any", LOCAL) is None
    assert taken.place("any", "127.0.0.1:1") is None
    assert second.address in taken.close_rest()
    assert taken.close_rest() == []
    assert taken.channel is not None
    taken.channel.close()
    for each in (first, second, place):
        each.close()


def test_the_admin_socket_stays_where_it_was() -> None:
    """It is given for the same address only."""
    sock = listening()
    taken = Inherited.take(handed([], [["127.0.0.1:9", sock.dup().detach()]]))
    assert taken.admin("127.0.0.1:10") is None
    admin = taken.admin("127.0.0.1:9")
    assert admin is not None
    assert admin.getsockname() == sock.getsockname()
    assert taken.admin("127.0.0.1:9") is None
    assert taken.channel is not None
    for each in (sock, admin, taken.channel):
        each.close()


@pytest.mark.parametrize(
    "said",
    [
        "{",
        "[]",
        "1",
        "null",
        "{}",
        '{"places": [["a"]], "admin": [], "channel": []}',
        '{"places": [["a", [["x"]]]], "admin": [], "channel": []}',
        '{"places": [["a", [[-1]]]], "admin": [], "channel": []}',
        '{"places": [["a", [[99999999999999999999]]]], "admin": [], "channel": []}',
        '{"places": [], "admin": [], "channel": []}',
        '{"places": [], "admin": [], "channel": [1, 2]}',
    ],
)
def test_a_promise_that_cannot_be_kept_names_the_variable_and_the_remedy(said: str) -> None:
    """The start fails in words, whatever the variable holds."""
    with pytest.raises(
        StartFailed, match=r"that SEAWALL_HANDOVER promises .*start the proxy without"
    ) as found:
        Inherited.take({HANDOVER: said})
    assert str(found.value)


def test_sockets_of_the_service_manager_go_by_name_then_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that fits decides; several of one name are slots; one without a name goes by its address."""
    socks = [listening() for _ in range(4)]
    addresses = [shown(sock.getsockname()) for sock in socks]
    environ = activated(monkeypatch, socks, "web:web:other")
    taken = Inherited.take(environ)
    assert environ == {}
    web = taken.place("web", "0.0.0.0:80")
    assert web is not None
    assert [len(slot) for slot in web.slots] == [1, 1]
    assert web.borrowed
    by_address = taken.place("main", addresses[3])
    assert by_address is not None
    assert by_address.address == addresses[3]
    assert taken.place("none", "127.0.0.1:1") is None
    assert taken.close_rest() == [addresses[2]]
    for sock in socks:
        sock.close()
    web.close()
    by_address.close()


def test_sockets_for_another_process_are_left_alone() -> None:
    """LISTEN_PID is somebody else's: the variables go, the descriptors stay untouched."""
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "a:b:c"}
    taken = Inherited.take(environ)
    assert environ == {}
    assert taken.place("a", LOCAL) is None


@pytest.mark.parametrize("count", ["", "x", "-1", "100000"])
def test_a_count_that_is_none_is_said(count: str) -> None:
    """The message names the variable."""
    with pytest.raises(StartFailed, match="LISTEN_FDS"):
        Inherited.take({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count})


def test_a_datagram_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP/2 needs streams."""
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    environ = activated(monkeypatch, [sock], "main")
    sock.close()
    with pytest.raises(StartFailed, match="no stream socket"):
        Inherited.take(environ)


def test_the_file_of_a_borrowed_unix_socket_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service manager goes on listening there when the proxy stops, also after a handover; the file of a
    socket of our own goes with it.
    """
    path = tmp_path / "s"
    wanted = f"unix://{path}"
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    place = Inherited.take(activated(monkeypatch, [sock], "main")).place("main", wanted)
    assert place is not None
    environ = handed([place], borrowed=[wanted])
    place.close()
    assert path.exists()
    taken = Inherited.take(environ)
    again = taken.place("main", wanted)
    assert again is not None
    again.close()
    assert path.exists()
    sock.close()
    assert taken.channel is not None
    taken.channel.close()
    path.unlink()
    own = bind(wanted, 1)
    own.close()
    assert not path.exists()
