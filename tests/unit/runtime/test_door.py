"""The door of one event loop: pausing, and coming back when that does not succeed at once."""

from __future__ import annotations

import socket

import pytest

from seawall_proxy.runtime.door import Door
from seawall_proxy.runtime.listening import Serving


class Hatch(Serving):
    """What serves one socket."""

    def __init__(self, open_now: list[Hatch], sock: socket.socket) -> None:
        self.sock = sock
        self._open = open_now
        open_now.append(self)

    def close(self) -> None:
        """Close."""
        self.sock.close()
        self._open.remove(self)


class House:
    """A door with a slot of two sockets; `failures` says how often the second one cannot be served."""

    def __init__(self) -> None:
        self.open: list[Hatch] = []
        self.failures = 0
        self.door = Door(self._serve)
        self.sockets = [socket.socket(), socket.socket()]

    async def _serve(self, place: int, sock: socket.socket) -> Serving:
        if self.open and self.failures:
            self.failures -= 1
            sock.close()
            raise OSError(24, "Too many open files")
        return Hatch(self.open, sock)

    def close(self) -> None:
        """Close everything."""
        self.door.close()
        for sock in self.sockets:
            sock.close()


async def test_a_door_that_cannot_be_opened_stays_paused() -> None:
    """So that the next look tries again; nothing is served by halves meanwhile."""
    house = House()
    await house.door.set_sockets({(0, 0): house.sockets})
    assert len(house.open) == 2
    house.door.pause()
    assert house.open == []
    house.failures = 1
    with pytest.raises(OSError, match="Too many"):
        await house.door.resume()
    assert house.door.paused
    assert house.open == []
    await house.door.resume()
    assert not house.door.paused
    assert len(house.open) == 2
    house.close()
    assert house.open == []


async def test_sockets_that_cannot_be_served_leave_none_behind() -> None:
    """A slot is served whole or not at all, and can be tried again."""
    house = House()
    house.failures = 1
    with pytest.raises(OSError, match="Too many"):
        await house.door.set_sockets({(0, 0): house.sockets})
    assert house.open == []
    await house.door.set_sockets({(0, 0): house.sockets})
    assert len(house.open) == 2
    house.close()


async def test_a_closed_door_does_not_open_again() -> None:
    """Neither a late assignment nor the end of a pause does that."""
    house = House()
    house.door.close()
    await house.door.set_sockets({(0, 0): house.sockets})
    await house.door.resume()
    assert house.open == []
    house.close()
