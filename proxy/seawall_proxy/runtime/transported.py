"""What a client's and an endpoint's connection have in common: a transport under an HTTP/2 connection.

Input comes in batches, each bounded in frames; output leaves when the worker says so; and a mistake of ours
in one connection ends that connection alone.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Final

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.errors import INTERNAL_ERROR

if TYPE_CHECKING:
    from seawall_proxy.runtime.worker import Worker

log = logging.getLogger("seawall.proxy")

_WRITE_HIGH_BYTES: Final = 1 << 20
_WRITE_LOW_BYTES: Final = 256 << 10
_DELAYED_CLOSE_S: Final = 1.0
_KEEPALIVE_S: Final = 60
_KEEPALIVE_PROBES: Final = 4
_KEEPALIVE_INTERVAL_S: Final = 15


class Transported(asyncio.Protocol):
    """A transport and the HTTP/2 connection on it."""

    connection: Connection
    worker: Worker
    transport: asyncio.Transport | None
    behind: bool = False
    """Frames that were read wait for the next turn of the loop."""

    def write(self, data: bytes) -> None:
        """Send output, and close once the connection is finished."""
        transport = self.transport
        if transport is None:
            return
        if data:
            transport.write(data)
        if self.connection.closed:
            self.transport = None
            transport.close()
            # A peer that does not read would keep the transport for ever.
            self.worker.loop.call_later(_DELAYED_CLOSE_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        worker = self.worker
        now = worker.tell_time()
        try:
            self.connection.receive(data, now)
        except Exception:
            log.exception("a connection has met a mistake of the proxy's and is closed")
            self._give_up()
        worker.after_batch()
        if self.connection.has_more and self.transport is not None and not self.behind:
            # A peer that sends thousands of small frames waits for its next turn; the others have theirs.
            self.behind = True
            self.transport.pause_reading()
            worker.loop.call_soon(self._take_more)
        elif self.connection.closed and self.transport is not None:
            # It ended without a last word.
            self.write(b"")

    def _take_more(self) -> None:
        self.behind = False
        self.data_received(b"")
        if self.transport is not None and not self.behind:
            self.transport.resume_reading()

    def _give_up(self) -> None:
        try:
            self.connection.terminate(INTERNAL_ERROR, "internal error")
        except Exception:
            log.exception("closing it has met another one")

    def pause_writing(self) -> None:
        self.connection.set_write_paused(True)

    def resume_writing(self) -> None:
        self.worker.tell_time()
        self.connection.set_write_paused(False)
        self.worker.after_batch()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        worker = self.worker
        now = worker.tell_time()
        try:
            self.connection.eof(now)
        except Exception:
            log.exception("the end of a connection has met a mistake of the proxy's")
        worker.after_batch()


def prepare_socket(transport: asyncio.Transport) -> None:
    """Send small writes at once, and ask to be told early when the peer does not read."""
    raw = transport.get_extra_info("socket")
    if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A peer that lost its power says nothing; a stream without a deadline would wait for it for ever.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_S)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_S)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
    transport.set_write_buffer_limits(_WRITE_HIGH_BYTES, _WRITE_LOW_BYTES)
