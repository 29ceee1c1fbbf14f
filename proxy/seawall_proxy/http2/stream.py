"""One stream: the application's verbs and the few numbers kept for it (RFC 9113 section 5.1).

The state machine is the pair `remote_closed`, `local_closed`; a stream is in its connection's table until
both are true or it was reset, and then `done`. Idle and closed streams have no object: the connection knows
them by their ids. Sending on a direction that is already closed does nothing, since the application may not
have been told yet.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from seawall_proxy.http2.errors import NO_ERROR
from seawall_proxy.http2.frames import DATA, FLAG_END_STREAM, frame_prefix, window_update
from seawall_proxy.http2.handlers import NO_HANDLER, StreamHandler
from seawall_proxy.http2.headers import Field, HeaderBlock

if TYPE_CHECKING:
    from seawall_proxy.http2.connection import Connection
    from seawall_proxy.http2.sender import Sender

_EMPTY_END: Final = b"\x00\x00\x00\x00\x01"


class Stream:
    """Carry one request and its response; made by `Connection`, never by hand."""

    # Defaults that stand here instead of in __init__ cost nothing, interpreted, until they are changed.
    remote_closed: bool = False
    local_closed: bool = False
    request_unwanted: bool = False
    done: bool = False
    reached_upstream: bool = False
    """Set by the layer above once an upstream has acted on the call: resetting it is then no abuse."""
    queued_bytes: int = 0
    recv_credit: int = 0
    headers_seen: bool = False
    interim_responses: int = 0
    content_left: int = -1
    request: HeaderBlock | None = None
    queue: deque[bytes] | None = None
    queue_offset: int = 0
    end_queued: bool = False
    queued_trailers: HeaderBlock | None = None
    queued_extra: tuple[Field, ...] = ()

    def __init__(
        self,
        connection: Connection,
        sender: Sender,
        stream_id: int,
        send_window: int,
        recv_window: int,
        opened_at: float,
    ) -> None:
        self.id: int = stream_id
        self.id_octets: bytes = stream_id.to_bytes(4, "big")
        self.connection: Connection = connection
        self.handler: StreamHandler = NO_HANDLER
        self.opened_at: float = opened_at
        self.sender: Sender = sender
        self.send_window: int = send_window
        self.recv_window: int = recv_window

    def fits(self, block: HeaderBlock, extra: tuple[Field, ...]) -> bool:
        """Whether the peer takes a header list of this size (RFC 9113 section 10.5.1)."""
        return self.sender.fits(block, extra)

    def send_headers(self, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool) -> None:
        """Send response headers (server role); with `end_stream` the response is trailers-only."""
        if self.local_closed or self.end_queued:
            return
        self.sender.write_headers(self.id_octets, block, extra, end_stream)
        if end_stream:
            self._end_local()

    def send_data(self, data: bytes, end_stream: bool) -> int:
        """Send payload; return the bytes put into the output now. `on_sent` reports the rest.

        On a direction that is closed already the data is dropped and counted as sent, so nobody waits for it.
        """
        if self.local_closed or self.end_queued:
            return len(data)
        length = len(data)
        if length == 0:
            return self._send_empty(end_stream)
        sender = self.sender
        if (
            self.queued_bytes
            or length > self.send_window
            or length > sender.send_window
            or length > sender.max_frame_bytes
            or sender.paused
        ):
            return sender.enqueue(self, data, end_stream)
        out = sender.out
        if not out:
            sender.mark_dirty()
        out.append(frame_prefix(length, DATA, FLAG_END_STREAM if end_stream else 0))
        out.append(self.id_octets)
        out.append(data)
        self.send_window -= length
        sender.send_window -= length
        sender.frames_out += 1
        sender.data_frames += 1
        if end_stream:
            self._end_local()
        return length

    def send_trailers(self, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        """End our direction with trailers, behind whatever data is still queued."""
        if self.local_closed or self.end_queued:
            return
        if self.queued_bytes:
            self.end_queued = True
            self.queued_trailers = block
            self.queued_extra = extra
            return
        self.sender.write_headers(self.id_octets, block, extra, True)
        self._end_local()

    def reset(self, code: int) -> None:
        """Send RST_STREAM and drop queued data; the handler hears no more of this stream."""
        if not self.done:
            self.connection.reset_stream(self, code)

    def stop_request(self) -> None:
        """Want no more of the request (server role): once the response has gone the client is asked to stop.

        The ask is RST_STREAM with NO_ERROR (RFC 9113 section 8.1); the handler hears no more of this stream.
        """
        if self.remote_closed or self.done:
            return
        self.request_unwanted = True
        if self.local_closed:
            self.connection.reset_stream(self, NO_ERROR)

    def consume(self, n: int) -> None:
        """Give `n` bytes of this stream's receive credit back; the peer is told once half a window is due."""
        if self.remote_closed or self.done:
            return
        connection = self.connection
        window = connection.recv_stream_window
        held = window - self.recv_window - self.recv_credit
        self.recv_credit += min(held, n)
        if self.recv_credit > 0 and self.recv_credit * 2 >= window:
            self.sender.write(window_update(self.id_octets, self.recv_credit))
            self.recv_window += self.recv_credit
            self.recv_credit = 0

    def drop_queue(self) -> None:
        """Forget what was queued; the stream will not send any more."""
        self.queue = None
        self.queue_offset = 0
        self.queued_bytes = 0
        self.end_queued = False
        self.queued_trailers = None
        self.queued_extra = ()
        self.sender.ready.pop(self.id, None)

    def _send_empty(self, end_stream: bool) -> int:
        if end_stream:
            if self.queued_bytes:
                self.end_queued = True
            else:
                self.sender.write(_EMPTY_END + self.id_octets)
                self._end_local()
        return 0

    def _end_local(self) -> None:
        self.local_closed = True
        if self.remote_closed:
            self.connection.finish_stream(self)
        elif self.request_unwanted:
            self.connection.reset_stream(self, NO_ERROR)
