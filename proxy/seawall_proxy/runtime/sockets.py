"""Listening sockets: bound once by the process that lives longest, and handed on.

A *place* is one address to listen on with its *slots*. With one worker a place has one slot. With N workers
it has N, each a socket of its own with SO_REUSEPORT, so that the kernel spreads connections; the parent keeps
every one of them open, so that the connections that wait in a dead worker's queue wait for the worker that
takes over its slot. A slot holds several sockets where a host name has several addresses. A place that was
inherited (from the process before, or from systemd) keeps the slots that it came with; workers then share
them.

SO_REUSEPORT lets a second proxy bind the same port without an error. So the port is tried without it first.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final

from seawall_policy.transport import SOCKET_MODE, unix_path
from seawall_proxy.runtime.places import StartFailed, place_to_listen, shown
from seawall_proxy.runtime.unix_sockets import bind_unix, file_identity, unlink_unix

_ADMIN_SOCKET_MODE: Final = 0o600

Slot = list[socket.socket]
_Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
_Info = tuple[socket.AddressFamily, socket.SocketKind, int, str, _Address]

_HINT: Final = "choose another with --listen or `listeners:`"


class Place:
    """One address to listen on."""

    def __init__(self, wanted: str, slots: list[Slot], *, borrowed: bool = False) -> None:
        self.wanted: str = wanted
        """The address as it was asked for; port 0 and host names stand as they are."""
        self.slots: list[Slot] = slots
        self.borrowed: bool = borrowed
        """The service manager's, which goes on listening when we end: a Unix socket's file is not ours."""
        path = unix_path(wanted)
        self._file: tuple[int, int] = file_identity(path) if path else (0, 0)
        self.address: str = shown(slots[0][0].getsockname())
        """Where it listens."""

    def close(self, *, handed_on: bool = False) -> None:
        """Let go of the sockets; other processes keep theirs. The file of a Unix socket goes with it unless
        the socket was handed on or is borrowed.
        """
        for slot in self.slots:
            for sock in slot:
                sock.close()
        path = unix_path(self.wanted)
        if path and not handed_on and not self.borrowed:
            unlink_unix(path, self._file)


def bind(wanted: str, slots: int, socket_mode: int = SOCKET_MODE) -> Place:
    """Bind an address for `slots` workers; raise StartFailed when it cannot be had. A Unix socket has one
    slot, for SO_REUSEPORT is not for it; `socket_mode` are its permission bits.
    """
    path = unix_path(wanted)
    if path:
        try:
            return Place(wanted, [[bind_unix(path, socket_mode)]])
        except OSError as error:
            raise StartFailed(f"cannot listen on {wanted}: {error.strerror or error}; {_HINT}") from error
    host, port = place_to_listen(wanted)
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        if slots > 1 and port != 0:
            _probe(infos)
        return Place(wanted, _bind_slots(infos, slots))
    except OSError as error:
        raise StartFailed(f"cannot listen on {wanted}: {error.strerror or error}; {_HINT}") from error


def _bind_slots(infos: Sequence[_Info], slots: int) -> list[Slot]:
    made: list[Slot] = []
    port = 0
    try:
        for _ in range(slots):
            slot: Slot = []
            made.append(slot)
            for info in infos:
                sock = _bound(info, shared=slots > 1, port=port)
                slot.append(sock)
                port = port or sock.getsockname()[1]
    except OSError:
        for slot in made:
            for sock in slot:
                sock.close()
        raise
    return made


def _probe(infos: Sequence[_Info]) -> None:
    for info in infos:
        _bound(info, shared=False, port=0).close()


def _bound(info: _Info, *, shared: bool, port: int) -> socket.socket:
    family, kind, proto, _, address = info
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((address[0], port or address[1], *address[2:]))
    except OSError:
        sock.close()
        raise
    return sock


def assign(slots: int, workers: Sequence[int]) -> dict[int, list[int]]:
    """Return which slots each of the living `workers` accepts from: its own, those of dead ones shared out,
    and where there are fewer slots than workers some slots twice. Every slot is served, every worker serves.
    """
    result: dict[int, list[int]] = {worker: [] for worker in workers}
    if not workers or slots < 1:
        return result
    orphans = []
    for slot in range(slots):
        if slot in result:
            result[slot].append(slot)
        else:
            orphans.append(slot)
    for turn, slot in enumerate(orphans):
        result[workers[turn % len(workers)]].append(slot)
    for worker, served in result.items():
        if not served:
            served.append(worker % slots)
    return result


def bind_one(address: str) -> socket.socket:
    """Return a socket bound for the admin HTTP; raise OSError, or StartFailed for what is no address."""
    path = unix_path(address)
    if path:
        return bind_unix(path, _ADMIN_SOCKET_MODE)
    host, port = place_to_listen(address)
    (family, kind, proto, _, name), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(name)
    except OSError:
        sock.close()
        raise
    return sock
