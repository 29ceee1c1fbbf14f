"""One end of the conversation between two processes of a proxy.

Sending never waits: frames are few, and a peer that has not read 64 MiB of them is given up. Receiving ends
with None when the peer is gone, which is also how each side learns that the other has died.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Final

from seawall_proxy.runtime.frames import (
    MAX_FRAME_BYTES,
    START_BYTES,
    Frame,
    FrameError,
    decode,
    encode,
    read_start,
)

log = logging.getLogger("seawall.proxy")

_READ_AHEAD: Final = 1 << 20


class Channel:
    """A connected socket, spoken on in frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader: asyncio.StreamReader = reader
        self._writer: asyncio.StreamWriter = writer

    @classmethod
    async def open(cls, sock: socket.socket) -> Channel:
        """Speak on one end of a socketpair, which is closed with the channel."""
        sock.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=sock, limit=_READ_AHEAD))

    def send(self, frame: Frame) -> None:
        """Send; what is sent to a peer that is gone is lost."""
        if self._writer.is_closing():
            return
        self._writer.write(encode(frame))
        if self._writer.transport.get_write_buffer_size() > MAX_FRAME_BYTES:
            log.error("a process of this proxy does not read what it is told, and is given up")
            self._writer.transport.abort()

    async def flush(self) -> None:
        """Wait until the peer has taken what was sent, or is gone."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    async def receive(self) -> Frame | None:
        """Return the next frame, or None when there will be none."""
        try:
            kind, head_bytes, body_bytes = read_start(await self._reader.readexactly(START_BYTES))
            return decode(kind, await self._reader.readexactly(head_bytes + body_bytes), head_bytes)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except FrameError as error:
            log.error("a process of this proxy said something that cannot be understood: %s", error)  # noqa: TRY400
            return None

    def close(self) -> None:
        """End the conversation."""
        self._writer.close()
