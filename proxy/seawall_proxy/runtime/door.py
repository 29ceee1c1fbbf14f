"""Where one event loop accepts: which of the bound sockets it serves, and whether it does at the moment.

The sockets themselves stay open while the loop does not accept, so connections wait in the kernel's queue
instead of being refused: while the proxy is short of descriptors, and while a worker is replaced.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

from seawall_proxy.runtime.listening import Serving

log = logging.getLogger("seawall.proxy")

Serve = Callable[[int, socket.socket], Awaitable[Serving]]
"""Accept connections of the place with that number on a socket, which is closed with the server."""

Key = tuple[int, int]
"""Place and slot."""


class Door:
    """The sockets of one event loop."""

    def __init__(self, serve: Serve) -> None:
        self.paused: bool = False
        self._serve: Serve = serve
        self._sockets: dict[Key, list[socket.socket]] = {}
        self._servers: dict[Key, list[Serving]] = {}
        self._turn: asyncio.Lock = asyncio.Lock()
        self._closed: bool = False

    async def set_sockets(self, wanted: dict[Key, list[socket.socket]]) -> None:
        """Serve exactly these; the sockets stay the caller's. Raises OSError when one cannot be served."""
        async with self._turn:
            self._sockets = dict(wanted)
            await self._settle()

    def pause(self) -> None:
        """Stop accepting, at once; connections wait."""
        self.paused = True
        self._close_servers()

    async def resume(self) -> None:
        """Accept again."""
        async with self._turn:
            self.paused = False
            try:
                await self._settle()
            except BaseException:
                # Still paused, so that whoever resumes it sees that there is something left to do.
                self.pause()
                raise

    def close(self) -> None:
        """Stop accepting for good, at once."""
        self._closed = True
        self._close_servers()

    def _close_servers(self) -> None:
        for servers in self._servers.values():
            for server in servers:
                server.close()
        self._servers.clear()

    async def _settle(self) -> None:
        wanted = {} if self.paused or self._closed else self._sockets
        for key in [key for key in self._servers if key not in wanted]:
            for server in self._servers.pop(key):
                server.close()
        for key, sockets in wanted.items():
            if key not in self._servers:
                # A copy: closing the server must leave the socket, and with it the queue, to its owner.
                self._servers[key] = await self._serve_all(key[0], sockets)
        if self.paused or self._closed:
            # That was decided while a server was being made.
            self._close_servers()

    async def _serve_all(self, place: int, sockets: list[socket.socket]) -> list[Serving]:
        """Serve every socket of a slot, or none."""
        servers: list[Serving] = []
        try:
            for sock in sockets:
                servers.append(await self._serve(place, sock.dup()))  # noqa: PERF401 - what is made so far is kept
        except BaseException:
            for server in servers:
                server.close()
            raise
        return servers
