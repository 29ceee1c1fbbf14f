"""One HTTP/1.1 connection, with limits on the time that a peer may take.

uvicorn bounds the size of a head and the idle time between requests. It waits for ever for a head or a body
that has begun, and for a reader that takes nothing, so a handful of peers that send a byte a minute would
hold every place there is.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_LIMIT_S: Final = 10.0
"""From the first byte of a request (or the connection) to the end of its head."""
BODY_LIMIT_S: Final = 60.0
"""For a body, whatever its size: the largest one at 270 KiB/s."""
STALL_LIMIT_S: Final = 60.0
"""For a reader that takes nothing of what it asked for."""
GOODBYE_S: Final = 0.5
"""For a peer to say good-bye too when the server ends. In TLS that is waited for, and a client that has left
a connection in its pool reads nothing from it.
"""
_LIMITS_S: Final = {"head": HEAD_LIMIT_S, "body": BODY_LIMIT_S}


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol; closes the connection of a peer that takes too long."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._phase = ""
        self._limit: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes in."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._lift()
        self.resume_writing()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Finish what runs, and end."""
        super().shutdown()
        if self.transport.is_closing():
            self._lift()
            self._limit = self.loop.call_later(GOODBYE_S, self._leave)

    def _leave(self) -> None:
        if self.transport.get_write_buffer_size():
            # It still reads its answer.
            self._limit = self.loop.call_later(GOODBYE_S, self._leave)
        else:
            self.transport.abort()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over; pings tell of a peer that is silent from here on."""
        self._lift()
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        """Wait for a reader."""
        super().pause_writing()
        if self._stall is None:
            self._stall = self.loop.call_later(STALL_LIMIT_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        super().resume_writing()

    def _watch(self) -> None:
        state = self.conn.their_state
        phase = "head" if state is h11.IDLE else "body" if state is h11.SEND_BODY else ""
        if phase == self._phase:
            return
        self._lift()
        self._phase = phase
        if phase and not self.transport.is_closing():
            self._limit = self.loop.call_later(_LIMITS_S[phase], self.transport.abort)

    def _lift(self) -> None:
        self._phase = ""
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
