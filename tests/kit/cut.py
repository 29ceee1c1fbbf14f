"""A wire to PostgreSQL that can be cut at a COMMIT: before the server sees it, or before the client hears of
it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

Cut = Literal["", "before", "after"]


class Wire:
    """Forwards connections to a port of the loopback interface."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut: Cut = ""
        """Where the next COMMIT is cut; it is cut once."""
        self.refuse = False
        """Close new connections at once."""
        self.cuts = 0

    async def start(self) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._open |= {writer, there_writer}
        for work in (
            self._up(reader, there_writer, writer),
            self._down(there_reader, writer),
        ):
            task = asyncio.get_running_loop().create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _up(
        self,
        reader: asyncio.StreamReader,
        there: asyncio.StreamWriter,
        here: asyncio.StreamWriter,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.cut and b"COMMIT\0" in data:
                    how, self.cut = self.cut, ""
                    self.cuts += 1
                    here.transport.abort()
                    if how == "after":
                        there.write(data)
                        await there.drain()
                        # The server answers nobody: it commits, finds its client gone, and ends.
                        await asyncio.sleep(0.2)
                    there.transport.abort()
                    return
                there.write(data)
                await there.drain()
        there.close()

    async def _down(self, there: asyncio.StreamReader, here: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await there.read(65536):
                here.write(data)
                await here.drain()
        here.close()

    def drop(self) -> None:
        """Cut what is open."""
        for writer in list(self._open):
            writer.transport.abort()

    async def aclose(self) -> None:
        """Cut everything."""
        for writer in self._open:
            writer.transport.abort()
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
