"""An in-memory network: wires between two HTTP/2 connections, and a dialer that connects the proxy to
scripted hosts.

A wire keeps the bytes of each direction until somebody moves them: a playbook moves everything at once, a
simulation any number of bytes at any moment. Like a socket it takes only so much before the proxy is told
to pause, it delivers the end of a transport behind its last bytes, and it can be cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from seawall_proxy.http2.connection import Connection
from seawall_proxy.upstream.link import Dialer, Link

WRITE_HIGH_BYTES: Final = 1 << 20
WRITE_LOW_BYTES: Final = 256 << 10


class Wire:
    """A transport with the proxy at its near end."""

    def __init__(self, name: str, near: Connection, far: Connection) -> None:
        self.name: str = name
        self.near: Connection = near
        self.far: Connection = far
        near.owner = self
        far.owner = self
        self.to_near: bytearray = bytearray()
        self.to_far: bytearray = bytearray()
        self.cut: bool = False
        self.far_reads: bool = True
        """False: the peer does not read, its socket fills up."""
        self.high_bytes: int = WRITE_HIGH_BYTES
        self.most_bytes: int = 0
        """Most bytes that ever waited for the peer."""

    def collect(self) -> None:
        """Take what both ends want to write."""
        if self.cut:
            self.near.take_output()
            self.far.take_output()
            self.to_far.clear()
            self.to_near.clear()
            return
        self.to_far += self.near.take_output()
        self.to_near += self.far.take_output()
        waiting = len(self.to_far)
        self.most_bytes = max(self.most_bytes, waiting)
        if waiting > self.high_bytes and not self.near.sender.paused:
            self.near.set_write_paused(True)

    def sever(self) -> None:
        """Lose the transport with all that is under way in it; both ends will learn that it is gone."""
        self.cut = True
        self.to_far.clear()
        self.to_near.clear()

    def deliver_near(self, now: float, most: int = -1) -> bool:
        """Give the proxy up to `most` bytes (-1: all), or the end; tell whether there was anything."""
        return _deliver(self.to_near, self.near, self.far.closed or self.cut, now, most)

    def deliver_far(self, now: float, most: int = -1) -> bool:
        """Give the peer up to `most` bytes, or the end; tell whether there was anything."""
        if not self.far_reads and not self.cut:
            return False
        moved = _deliver(self.to_far, self.far, self.near.closed or self.cut, now, most)
        near = self.near
        if near.sender.paused and len(self.to_far) <= min(WRITE_LOW_BYTES, self.high_bytes):
            near.set_write_paused(False)
        return moved

    @property
    def finished(self) -> bool:
        """Both ends are closed and nothing is under way."""
        return self.near.closed and self.far.closed and not self.to_near and not self.to_far


def _deliver(buffer: bytearray, to: Connection, ended: bool, now: float, most: int) -> bool:
    if buffer:
        size = len(buffer) if most < 0 else min(most, len(buffer))
        data = bytes(buffer[:size])
        del buffer[:size]
        to.receive(data, now)
        return True
    if ended and not to.closed:
        to.eof(now)
        return True
    return False


class Host(Protocol):
    """Whoever answers at an address."""

    def dialled(self, link: Link, timeout_s: float) -> None:
        """Learn of a dial; answer it now or later through the link, with `FakeDialer.connect` or
        `link.failed`.
        """


class FakeDialer(Dialer):
    """Hands dials to scripted hosts."""

    def __init__(self, make: Callable[[Link], Connection], host: Callable[[str], Host]) -> None:
        self._make = make
        self._host = host

    def make_connection(self, link: Link) -> Connection:
        return self._make(link)

    def dial(self, link: Link, address: str, timeout_s: float) -> None:
        self._host(address).dialled(link, timeout_s)

    def hang_up(self, link: Link) -> None:
        connection = link.connection
        if connection is not None and not connection.closed:
            connection.terminate(0, "given up")
