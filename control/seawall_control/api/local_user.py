"""Which user of this machine is at the other end of a loopback connection.

Linux lists TCP sockets with the user that made them (/proc/net/tcp and tcp6). A connection of the loopback
interface has both ends there; the peer's row is the one whose local address is the peer's. A row without an
inode belongs to nobody any more, and its user reads 0: it counts as unknown, not as root. Where Linux hides
the list (a service with ProcSubset=pid, some sandboxes) nobody is taken for the local user. Other systems
have no such list; there everybody on loopback is, and the start says so.

The user is the one that made the socket: a program that hands strangers' connections on (a tunnel, a reverse
proxy on the same machine) speaks for the user that runs it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import pwd
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Final, TypeAlias

TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
REMEMBERED_S: Final = 0.2
"""How long an answer counts, so that a busy connection costs a few looks a second. It is short since a port
may be somebody else's as soon as its connection is reset, and on loopback a second after it was closed
(tcp_tw_reuse).
"""
MAX_REMEMBERED: Final = 4096

Key: TypeAlias = tuple[str, int, int]
"""Host and port of the peer, and our port."""


class Sight(Enum):
    """What this system tells about the users of connections."""

    TELLS = "tells"
    HIDDEN = "hidden"
    """It would, but not to this process."""
    NONE = "none"


def _sight(tables: tuple[Path, ...]) -> Sight:
    if sys.platform != "linux":
        return Sight.NONE
    return Sight.TELLS if any(os.access(table, os.R_OK) for table in tables) else Sight.HIDDEN


def _decoded(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """Return address and port of `0100007F:1F90`: words of the machine's byte order, the port big-endian."""
    words, port = text.split(":")
    raw = b"".join(int(words[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(words), 8))
    address = ipaddress.ip_address(raw)
    return _plain(address), int(port, 16)


def _plain(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an IPv4 address that was written as an IPv6 one."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_loopback(host: str) -> bool:
    """Tell whether an address is of this machine's loopback interface."""
    try:
        return _plain(ipaddress.ip_address(host.partition("%")[0])).is_loopback
    except ValueError:
        return False


def owners(lines: Iterable[str], host: str, port: int, server_port: int) -> set[int | None]:
    """Return the users of the sockets at `host:port` that are connected to `server_port`; None stands for a
    socket that belongs to nobody any more.
    """
    address = _plain(ipaddress.ip_address(host.partition("%")[0]))
    found: set[int | None] = set()
    for line in lines:
        fields = line.split()
        if len(fields) < 10 or ":" not in fields[1]:
            continue
        if (
            int(fields[1].rpartition(":")[2], 16) != port
            or int(fields[2].rpartition(":")[2], 16) != server_port
        ):
            continue
        if _decoded(fields[1])[0] == address:
            found.add(int(fields[7]) if fields[9] != "0" else None)
    return found


class LocalUsers:
    """Tells whether a connection comes from the user that runs this process, or from root."""

    def __init__(self, *, tables: tuple[Path, ...] = TABLES, now: Callable[[], float] = monotonic) -> None:
        self._tables = tables
        self._now = now
        self._allowed = frozenset({os.geteuid(), 0})
        self._remembered: OrderedDict[Key, tuple[float, int | None]] = OrderedDict()
        self._waiting: dict[Key, asyncio.Future[int | None]] = {}
        self._looking: asyncio.Task[None] | None = None
        self.sight: Sight = _sight(tables)

    async def name_of(self, host: str, port: int, server_port: int) -> str | None:
        """Return the name of the user behind a loopback connection when it may do everything; None when it
        may not, or nobody can tell.
        """
        if not is_loopback(host):
            return None
        if self.sight is Sight.NONE:
            return "unknown"
        uid = await self._uid(host, port, server_port)
        return None if uid is None else _user_name(uid)

    async def _uid(self, host: str, port: int, server_port: int) -> int | None:
        key = (host, port, server_port)
        now = self._now()
        held = self._remembered.get(key)
        if held is not None and now - held[0] < REMEMBERED_S:
            return held[1]
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._looking is None:
                self._looking = asyncio.get_running_loop().create_task(
                    self._answer_all(), name="seawall-local-users"
                )
        # Whoever gives up must not take the answer from the others.
        uid = await asyncio.shield(waiting)
        self._remembered[key] = (now, uid)
        self._remembered.move_to_end(key)
        while len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return uid

    async def _answer_all(self) -> None:
        """Answer everybody who asks. The system takes milliseconds to list its sockets, so that one look
        answers all who have asked before it began: a thousand proxies on this machine come back at once.
        """
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                try:
                    found = await asyncio.to_thread(self._look, list(asked))
                except BaseException as error:
                    for future in asked.values():
                        if not future.done():
                            future.set_exception(
                                error if isinstance(error, Exception) else OSError("stopped")
                            )
                            future.exception()
                    raise
                for key, future in asked.items():
                    if not future.done():
                        future.set_result(found[key])
        finally:
            self._looking = None

    def _look(self, keys: Sequence[Key]) -> dict[Key, int | None]:
        ports = {port for _, port, _ in keys}
        by_port: dict[int, list[str]] = {}
        for table in self._tables:
            try:
                with table.open(encoding="ascii", errors="replace") as lines:
                    for line in lines:
                        # Most lines are about others: those are not taken apart.
                        local = line.split(maxsplit=2)[1:2]
                        port = _port(local[0]) if local else -1
                        if port in ports:
                            by_port.setdefault(port, []).append(line)
            except OSError:
                # No IPv6 on this machine, for example.
                continue
        found: dict[Key, int | None] = {}
        for key in keys:
            users = owners(by_port.get(key[1], ()), *key)
            # Two sockets may have the same local address when they go to different ones of ours: then all
            # must be the user's.
            found[key] = next(iter(users)) if users and users <= self._allowed else None
        return found


def _port(text: str) -> int:
    """Return the port of `0100007F:1F90`; -1 of what is no address, such as a heading."""
    try:
        return int(text.rpartition(":")[2], 16) if ":" in text else -1
    except ValueError:
        return -1


@cache
def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
