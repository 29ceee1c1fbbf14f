"""The proxy's HTTP endpoints for operators and scrapers: a few read-only pages over HTTP/1.1.

The protocol is h11's; what is ours is the bounds: connections, header size, time to ask and time to stay.
Pages are functions that the composition root registers, run on the event loop, so they must be quick; one
that has to ask others is a coroutine, and the connection takes no other request until it has its answer. Only
GET and HEAD exist.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, cast

import h11

from seawall_proxy.runtime.places import shown

log = logging.getLogger("seawall.admin")

MAX_CONNECTIONS: Final = 64
MAX_HEADER_BYTES: Final = 16 << 10
IDLE_LIMIT_S: Final = 30.0
REQUEST_LIMIT_S: Final = 10.0
MAX_UNREAD_BYTES: Final = 8 << 20
"""Answers that a client asks for and does not read, beyond which it gets no more."""
MAX_TOKEN_BYTES: Final = 4096
MIN_TOKEN_BYTES: Final = 16
OPEN: Final = frozenset({"/health", "/ready"})
"""Pages that probes ask for, without a secret."""
HANDSHAKE_LIMIT_S: Final = 10.0
CLOSE_LIMIT_S: Final = 5.0
"""How long a client gets to read what was written before its connection is cut."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    body: bytes
    status: int = HTTPStatus.OK
    content_type: str = "application/json"


PageMaker = Callable[[], "Page | Awaitable[Page]"]


def json_page(value: object, status: int = HTTPStatus.OK) -> Page:
    """Return a page with a JSON value."""
    return Page(json.dumps(value, indent=2).encode() + b"\n", status)


_FAILED: Final = json_page(
    {"error": "the page has failed; the log says why"}, HTTPStatus.INTERNAL_SERVER_ERROR
)


def text_page(text: str, content_type: str = "text/plain; charset=utf-8") -> Page:
    """Return a page of text."""
    return Page(text.encode(), HTTPStatus.OK, content_type)


class AdminHttp:
    """Serves pages by path."""

    def __init__(
        self,
        pages: Mapping[str, PageMaker],
        token_file: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """With a `token_file`, pages but those of `OPEN` ask for the secret in it."""
        self.address: str = ""
        """Where it listens, once it does."""
        self._pages: Mapping[str, PageMaker] = pages
        self._token_file: Path | None = token_file
        self._tls: dict[str, Any] = {}
        if tls is not None:
            self._tls = {"ssl": tls, "ssl_handshake_timeout": HANDSHAKE_LIMIT_S}
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._all_gone: asyncio.Event = asyncio.Event()

    async def start(self, host: str, port: int) -> None:
        """Listen; raises OSError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        self._serve(await loop.create_server(lambda: _Connection(self), host, port, **self._tls))

    async def start_on(self, sock: socket.socket) -> None:
        """Listen on a socket that is bound already; it is closed with the server."""
        loop = asyncio.get_running_loop()
        if sock.family == socket.AF_UNIX:
            # The file is its owner's, who may have handed it on; newer event loops would remove it.
            keep: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
            self._serve(await loop.create_unix_server(lambda: _Connection(self), sock=sock, **keep))
        else:
            self._serve(await loop.create_server(lambda: _Connection(self), sock=sock, **self._tls))

    def _serve(self, server: asyncio.Server) -> None:
        self._server = server
        self.address = shown(server.sockets[0].getsockname())

    async def stop(self) -> None:
        """Stop accepting, let clients read what was written (at most 5 s each), close."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        if self._connections:
            # Each of them is cut after the limit, so this ends.
            self._all_gone.clear()
            await self._all_gone.wait()

    def admit(self, connection: _Connection) -> bool:
        """Tell whether one more connection may stay."""
        if len(self._connections) >= MAX_CONNECTIONS:
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: _Connection) -> None:
        """Learn that a connection is gone."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_gone.set()

    def answer(self, method: bytes, target: bytes, authorization: bytes = b"") -> Page | Awaitable[Page]:
        """Return the page for a request, or what it will come from; never raises."""
        if method not in (b"GET", b"HEAD"):
            return json_page({"error": "only GET and HEAD are served here"}, HTTPStatus.METHOD_NOT_ALLOWED)
        path = target.partition(b"?")[0].decode("ascii", "replace")
        if self._token_file is not None and path not in OPEN:
            refusal = refused(self._token_file, authorization)
            if refusal is not None:
                return refusal
        page = self._pages.get(path)
        if page is None:
            return json_page({"error": "no such page", "pages": sorted(self._pages)}, HTTPStatus.NOT_FOUND)
        try:
            made = page()
        except Exception:
            log.exception("the page %s has failed", path)
            return _FAILED
        return made if isinstance(made, Page) else _finish(made, path)


def refused(token_file: Path, authorization: bytes) -> Page | None:
    """Return the answer for a request that does not show the secret of a file; None when it does."""
    try:
        with token_file.open("rb") as file:
            secret = file.read(MAX_TOKEN_BYTES).strip()
    except OSError as error:
        log.error("the admin pages are closed: %s cannot be read: %s", token_file, error.strerror or error)  # noqa: TRY400
        secret = b""
    if len(secret) < MIN_TOKEN_BYTES:
        return json_page(
            {"error": "these pages are closed: the file of admin.token_file holds no secret; see the log"},
            HTTPStatus.SERVICE_UNAVAILABLE,
        )
    scheme, _, shown = authorization.partition(b" ")
    if scheme.lower() == b"bearer" and hmac.compare_digest(shown.strip(), secret):
        return None
    return json_page(
        {"error": "send `authorization: Bearer SECRET`, the secret in the file of admin.token_file"},
        HTTPStatus.UNAUTHORIZED,
    )


async def _finish(page: Awaitable[Page], path: str) -> Page:
    try:
        return await page
    except Exception:
        log.exception("the page %s has failed", path)
        return _FAILED


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, admin: AdminHttp) -> None:
        self._admin = admin
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        self._transport: asyncio.Transport | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._answering: asyncio.Future[None] | None = None
        """A page that is being made; what else has come waits."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: uvloop's transports are of their own kind.
        self._transport = cast("asyncio.Transport", transport)
        if not self._admin.admit(self):
            self._transport.abort()
            return
        self._stay(REQUEST_LIMIT_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._admin.forget(self)
        if self._limit is not None:
            self._limit.cancel()
        if self._answering is not None:
            self._answering.cancel()

    def close(self) -> None:
        """Close after what is written has gone, or when it does not go."""
        if self._transport is None:
            return
        self._transport.close()
        if self._limit is not None:
            self._limit.cancel()
        # A client that does not read would otherwise keep its place for ever.
        self._limit = asyncio.get_running_loop().call_later(CLOSE_LIMIT_S, self._transport.abort)

    def _stay(self, seconds: float) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._limit = asyncio.get_running_loop().call_later(seconds, self.close)

    def data_received(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            if self._answering is None:
                self._handle()
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint)

    def _handle(self) -> None:
        http = self._http
        while True:
            event = http.next_event()
            if isinstance(event, h11.Request):
                shown = [value for name, value in event.headers if name == b"authorization"]
                page = self._admin.answer(event.method, event.target, shown[0] if len(shown) == 1 else b"")
                if not isinstance(page, Page):
                    self._answering = asyncio.ensure_future(self._answer_later(page, event.method == b"HEAD"))
                    return
                self._send(page, head=event.method == b"HEAD")
                if self._unread_bytes() > MAX_UNREAD_BYTES:
                    self.close()
                    return
            elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                if http.our_state is not h11.IDLE and http.our_state is not h11.SEND_RESPONSE:
                    self.close()
                return
            elif event is h11.PAUSED:
                # The next request of the same connection is already here.
                if http.our_state is not h11.DONE:
                    self.close()
                    return
                http.start_next_cycle()
            elif isinstance(event, h11.EndOfMessage) and http.our_state is h11.DONE:
                http.start_next_cycle()
                self._stay(IDLE_LIMIT_S)

    async def _answer_later(self, making: Awaitable[Page], head: bool) -> None:
        page = await making
        self._answering = None
        if self._transport is None or self._transport.is_closing():
            return
        self._send(page, head=head)
        if self._unread_bytes() > MAX_UNREAD_BYTES:
            self.close()
            return
        try:
            self._handle()
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint)

    def _unread_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def _send(self, page: Page, *, head: bool = False) -> None:
        headers = [
            ("content-type", page.content_type),
            ("content-length", str(len(page.body))),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ]
        parts = [self._http.send(h11.Response(status_code=page.status, headers=headers))]
        if not head:
            parts.append(self._http.send(h11.Data(data=page.body)))
        parts.append(self._http.send(h11.EndOfMessage()))
        if self._transport is not None:
            self._transport.write(b"".join(part for part in parts if part))

    def _refuse(self, status: int) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._send(json_page({"error": "not a valid HTTP/1.1 request"}, status))
        self.close()
