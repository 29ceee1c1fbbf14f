"""What this process was handed at its start: listening sockets of the process before it, or of systemd.

From the process before (handover.py): the environment variable SEAWALL_HANDOVER holds JSON with the numbers
of the descriptors: those of each place to listen on by the address that it was asked for, that of the admin
HTTP, and the end of a socketpair to talk to it.

From systemd (sd_listen_fds(3)): descriptors from 3 on, LISTEN_FDS of them, if LISTEN_PID is this process.
LISTEN_FDNAMES, by FileDescriptorName= of the socket unit, names the listener that each belongs to; without a
name that fits, the address decides. A listener may have several sockets of its own (ReusePort=); workers
share what there is. The variables are taken out of the environment, so that no child takes them for its own.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import MutableMapping
from typing import Final

from seawall_proxy.runtime.places import StartFailed, shown
from seawall_proxy.runtime.sockets import Place, Slot

HANDOVER: Final = "SEAWALL_HANDOVER"
_FIRST: Final = 3
_MAX: Final = 1024


class Inherited:
    """Sockets by what they are for. Whatever is not asked for is closed with `close_rest`."""

    def __init__(self) -> None:
        self.channel: socket.socket | None = None
        """To the process before this one, which waits to be told that we are ready."""
        self._places: list[tuple[str, list[Slot]]] = []
        self._borrowed: set[str] = set()
        """Addresses whose sockets the process before had from the service manager."""
        self._admin: tuple[str, socket.socket] | None = None
        self._activated: list[tuple[str, socket.socket]] = []

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Inherited:
        """Read and clear the environment; raise StartFailed for one that cannot be followed."""
        made = cls()
        said = environ.pop(HANDOVER, "")
        activated = {name: environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
        try:
            if said:
                made._read_handover(json.loads(said))
            elif activated["LISTEN_PID"] == str(os.getpid()):
                made._read_activation(activated["LISTEN_FDS"], activated["LISTEN_FDNAMES"])
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
            what = HANDOVER if said else "LISTEN_FDS"
            raise StartFailed(
                f"the listening sockets that {what} promises cannot be used: {error}; "
                "start the proxy without the variable to bind its own"
            ) from error
        return made

    def _read_handover(self, said: dict[str, list[object]]) -> None:
        for place in said["places"]:
            wanted, slots = place  # type: ignore[misc]
            self._places.append((wanted, [[_adopt(fd) for fd in slot] for slot in slots]))  # type: ignore[has-type]
        self._borrowed = {str(wanted) for wanted in said.get("borrowed", [])}
        for wanted, fd in said["admin"]:  # type: ignore[misc]
            self._admin = (wanted, _adopt(fd))  # type: ignore[has-type]
        (channel,) = said["channel"]
        self.channel = _adopt(channel)

    def _read_activation(self, count: str, names: str) -> None:
        number = int(count)
        if not 0 <= number <= _MAX:
            raise ValueError(f"{number} descriptors")
        called = names.split(":") if names else []
        for index in range(number):
            sock = _adopt(_FIRST + index)
            if sock.type != socket.SOCK_STREAM:
                sock.close()
                raise ValueError(f"descriptor {_FIRST + index} is no stream socket")
            self._activated.append((called[index] if index < len(called) else "", sock))

    def place(self, name: str, wanted: str) -> Place | None:
        """Return the sockets of the listener of that name and address, or None when there are none."""
        for index, (asked, slots) in enumerate(self._places):
            if asked == wanted and slots:
                del self._places[index]
                return Place(wanted, slots, borrowed=wanted in self._borrowed)
        mine = [sock for called, sock in self._activated if called == name]
        mine = mine or [sock for _, sock in self._activated if shown(sock.getsockname()) == wanted]
        self._activated = [(called, sock) for called, sock in self._activated if sock not in mine]
        return Place(wanted, [[sock] for sock in mine], borrowed=True) if mine else None

    def admin(self, wanted: str) -> socket.socket | None:
        """Return the socket of the admin HTTP, if it is to stay where it was."""
        if self._admin is None or self._admin[0] != wanted:
            return None
        _, sock = self._admin
        self._admin = None
        return sock

    def close_rest(self) -> list[str]:
        """Close what nobody has asked for; return where that listened."""
        rest = [sock for _, slots in self._places for slot in slots for sock in slot]
        rest += [sock for _, sock in self._activated]
        if self._admin is not None:
            rest.append(self._admin[1])
        addresses = [shown(sock.getsockname()) for sock in rest]
        for sock in rest:
            sock.close()
        self._places.clear()
        self._activated.clear()
        self._admin = None
        return addresses


def _adopt(number: object) -> socket.socket:
    if not isinstance(number, int):
        raise TypeError(f"{number!r} is no descriptor")
    os.set_inheritable(number, False)
    sock = socket.socket(fileno=number)
    sock.setblocking(False)
    return sock
