"""The socket, and the server behind it."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import uvicorn

from seawall_control.api.http.app import application
from seawall_control.api.http.connection import BoundedProtocol
from seawall_control.api.http.parts import HttpParts

_NO_NEWS: Final = ("returned without completing response", "returned without completing handshake")


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out what uvicorn says of an answer that we have cut off, of which is said why where it was, and
    of a WebSocket that was refused with its reason: whoever asks wrongly must not fill the log with errors.
    """
    said = record.getMessage()
    return not any(words in said for words in _NO_NEWS)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the process has one owner."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def bind(address: str) -> socket.socket:
    """Return a listening socket for `host:port`. Raise OSError."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: asyncio looks at it before it switches Nagle's algorithm off, with which each
    # answer on a kept connection waits 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, int(port)))
        sock.set_inheritable(False)
    except BaseException:
        sock.close()
        raise
    return sock


LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class HttpServer:
    """The HTTP side of the control plane."""

    def __init__(
        self,
        parts: HttpParts,
        sock: socket.socket,
        *,
        origins: frozenset[str] = frozenset(),
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Serve HTTPS with a `context`, else HTTP."""
        self._sock = sock
        host, self._port = sock.getsockname()[:2]
        self._host = f"[{host}]" if ":" in host else host
        hosts = LOOPBACK if self._host in LOOPBACK or host.startswith("127.") else frozenset()
        config = uvicorn.Config(
            application(parts, hosts, origins),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=64 * 1024,
            ws_ping_interval=20.0,
            ws_ping_timeout=20.0,
            # A compressor for each reader is more memory than what it saves.
            ws_per_message_deflate=False,
            http=BoundedProtocol,
            loop="none",
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
            limit_concurrency=512,
            h11_max_incomplete_event_size=64 * 1024,
        )
        config.load()
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        config.ssl = context
        self._server = _Server(config)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{self._host}:{self._port}"

    async def run(self) -> None:
        """Serve until `stop`."""
        try:
            await self._server.serve(sockets=[self._sock])
        finally:
            # uvicorn closes what it serves, unless it fails.
            self._sock.close()

    def stop(self) -> None:
        """Finish what runs and end."""
        self._server.should_exit = True
