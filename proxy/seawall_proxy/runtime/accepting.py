"""Accepting connections that say something before HTTP/2: a PROXY protocol header, a TLS handshake.

Each such connection has a task until its first HTTP/2 byte can come. Both prologues have a time limit, and at
most a thousand connections of a listener may be in one at once; the next ones are closed, and counted. The
header is peeked at and taken out byte by byte, so that what follows it, perhaps in the same packet, is still
there for TLS.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from time import monotonic
from typing import TYPE_CHECKING, Final

from seawall_proxy.runtime.peer import is_trusted
from seawall_proxy.runtime.proxy_protocol import MAX_HEADER_BYTES, BadHeader, Header, parse

if TYPE_CHECKING:
    from seawall_proxy.runtime.listening import Listener

log = logging.getLogger("seawall.proxy")

MAX_PENDING: Final = 1_000
"""Connections of one listener that are in their handshake or header at once."""
_ACCEPTS_PER_TURN: Final = 64
_PAUSE_S: Final = 1.0
_CLOCK_STEP_S: Final = 0.05
"""The loop's timers ring early by a fraction of this."""
_SHUTDOWN_S: Final = 1.0
"""How long a client may take to answer the end of its TLS session."""

_REASONS: Final[dict[str, str]] = {
    "HTTP_REQUEST": "no TLS",
    "WRONG_VERSION_NUMBER": "no TLS",
    "UNKNOWN_PROTOCOL": "no TLS",
    "BAD_RECORD_TYPE": "no TLS",
    "PACKET_LENGTH_TOO_LONG": "no TLS",
    "RECORD_LAYER_FAILURE": "no TLS",
    "UNSUPPORTED_PROTOCOL": "TLS version",
    "VERSION_TOO_LOW": "TLS version",
    "NO_SHARED_CIPHER": "cipher",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "cipher",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no client certificate",
    "CERTIFICATE_VERIFY_FAILED": "client certificate",
}


class Accepting:
    """One listening socket's connections until they are handed on."""

    def __init__(self, listener: Listener, sock: socket.socket) -> None:
        self._listener: Listener = listener
        self._loop: asyncio.AbstractEventLoop = listener.worker.loop
        self._sock: socket.socket = sock
        self._tasks: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._closed: bool = False
        sock.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Stop accepting and close the socket. A handshake that is under way may end, within its time limit:
        then the connection is one like the others.
        """
        if self._closed:
            return
        self._closed = True
        if self._pause is None:
            self._loop.remove_reader(self._sock)
        else:
            self._pause.cancel()
        self._sock.close()

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                sock, name = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Short of descriptors or memory, mostly: accepting again at once would only fail again.
                log.warning("cannot accept connections for a moment: %s", error.strerror or error)
                self._loop.remove_reader(self._sock)
                self._pause = self._loop.call_later(_PAUSE_S, self._resume)
                return
            sock.setblocking(False)
            listener = self._listener
            if listener.pending >= MAX_PENDING or listener.full:
                listener.worker.counters.connections_refused += 1
                sock.close()
                continue
            listener.pending += 1
            task = self._loop.create_task(self._admit(sock, name))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._listener.pending -= 1
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("accepting a connection has failed", exc_info=task.exception())

    async def _admit(self, sock: socket.socket, name: object) -> None:
        """Hand one connection on, or close it and count why."""
        listener = self._listener
        try:
            await self._hand_on(sock, await self._read_header(sock, name))
        except BadHeader as refusal:
            listener.refused(str(refusal))
            sock.close()
        except OSError:
            # The client has gone before it had said anything.
            listener.refused("hung up")
            sock.close()
        except asyncio.CancelledError:
            sock.close()
            raise

    async def _hand_on(self, sock: socket.socket, claimed: str) -> None:
        listener = self._listener
        tls = listener.tls
        if tls is None:
            await self._loop.connect_accepted_socket(lambda: listener.protocol(claimed), sock)
            return
        limit_s = listener.handshake_timeout_s
        began = monotonic()
        try:
            await self._loop.connect_accepted_socket(
                lambda: listener.protocol(claimed),
                sock,
                ssl=tls.context,
                ssl_handshake_timeout=limit_s,
                ssl_shutdown_timeout=_SHUTDOWN_S,
            )
        except ssl.SSLError as error:
            listener.refused(handshake_reason(error))
        except OSError:
            late = monotonic() - began >= limit_s - _CLOCK_STEP_S
            listener.refused("handshake timeout" if late else "hung up")

    async def _read_header(self, sock: socket.socket, name: object) -> str:
        """Return the client's address by the PROXY protocol; empty where it is not to come or names none."""
        listener = self._listener
        spec = listener.spec.proxy_header
        if spec is None:
            return ""
        if not is_trusted(sock, name, listener.trusted):
            raise BadHeader("PROXY protocol from an address that is not trusted")
        try:
            async with asyncio.timeout(spec.timeout_s):
                return (await self._take_header(sock)).source
        except TimeoutError:
            raise BadHeader("PROXY protocol header timeout") from None

    async def _take_header(self, sock: socket.socket) -> Header:
        taken = b""
        while True:
            await self._readable(sock)
            try:
                seen = sock.recv(MAX_HEADER_BYTES + 16 - len(taken), socket.MSG_PEEK)
            except (BlockingIOError, InterruptedError):
                continue
            if not seen:
                raise BadHeader("hung up")
            header = parse(taken + seen)
            # While the header is not complete, all of what is there belongs to it.
            mine = len(seen) if header is None else header.length - len(taken)
            taken += sock.recv(mine)
            if header is not None:
                return header

    async def _readable(self, sock: socket.socket) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(sock, _wake, future)
        try:
            await future
        finally:
            self._loop.remove_reader(sock)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def handshake_reason(error: ssl.SSLError) -> str:
    """Return one of a few words for why a handshake has failed, for a metric's label."""
    reason = error.reason or ""
    known = _REASONS.get(reason)
    if known is not None:
        return known
    if "_ALERT_" in reason:
        return "client gave up"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "hung up"
    return "TLS error"
