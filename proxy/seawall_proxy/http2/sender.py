"""The sending half of a connection: its output, its send windows and the queue of streams that wait for them.

Frames are appended to `out` as small pieces and joined once per batch. DATA waits for the stream's window,
the connection's window and the transport (`paused`); everything else is written at once. Streams that could
send but for the connection's window or the transport stand in `ready` and are served in turn, one frame each,
so that none starves. Streams whose own window is closed are not in `ready`: their next WINDOW_UPDATE puts
them there.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from seawall_proxy.http2.errors import NO_ERROR
from seawall_proxy.http2.frames import (
    CONTINUATION,
    DATA,
    DEFAULT_WINDOW_BYTES,
    FLAG_END_HEADERS,
    FLAG_END_STREAM,
    HEADERS,
    MIN_MAX_FRAME_BYTES,
    frame_prefix,
)
from seawall_proxy.http2.headers import FIELD_OVERHEAD, Field, HeaderBlock
from seawall_proxy.http2.hpack.encoder import Encoder

if TYPE_CHECKING:
    from seawall_proxy.http2.connection import Connection
    from seawall_proxy.http2.stream import Stream


UNLIMITED: Final = -1
"""The peer has not said how large a header list may be."""


class Sender:
    """Write frames for one connection."""

    def __init__(self, connection: Connection, dirty: list[Connection]) -> None:
        self._connection: Connection = connection
        self._dirty: list[Connection] = dirty
        self.encoder: Encoder = Encoder()
        self.out: list[bytes] = []
        self.send_window: int = DEFAULT_WINDOW_BYTES
        self.max_frame_bytes: int = MIN_MAX_FRAME_BYTES
        self.max_list_bytes: int = UNLIMITED
        """The peer's SETTINGS_MAX_HEADER_LIST_SIZE; advisory, so whoever sends asks `fits` first."""
        self.paused: bool = False
        self.stalled_frames: int = 0
        """Frames written while the transport was paused: a peer that makes us write and does not read."""
        self.ready: dict[int, Stream] = {}
        self.frames_out: int = 0
        self.data_frames: int = 0

    def fits(self, block: HeaderBlock, extra: tuple[Field, ...]) -> bool:
        """Whether the peer takes a header list of this size (SETTINGS_MAX_HEADER_LIST_SIZE)."""
        limit = self.max_list_bytes
        if limit == UNLIMITED:
            return True
        size = block.size
        for name, value in extra:
            size += len(name) + len(value) + FIELD_OVERHEAD
        return size <= limit

    def mark_dirty(self) -> None:
        """Tell the runtime that this connection has output; called before the first piece is appended."""
        self._dirty.append(self._connection)

    def write(self, frame: bytes) -> None:
        """Append one complete frame that is not DATA."""
        if not self.out:
            self._dirty.append(self._connection)
        self.out.append(frame)
        self.frames_out += 1
        if self.paused:
            self.stalled_frames += 1

    def held_bytes(self) -> int:
        """Return the bytes of output that nobody has taken yet."""
        total = 0
        for piece in self.out:
            total += len(piece)
        return total

    def take(self) -> bytes:
        """Return and clear the output."""
        out = self.out
        if not out:
            return b""
        data = b"".join(out)
        out.clear()
        return data

    def write_headers(
        self, stream_id: bytes, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        """Write HEADERS, followed by CONTINUATION frames when the block is larger than the peer's frames."""
        encoded = self.encoder.encode(block, extra)
        length = len(encoded)
        out = self.out
        if not out:
            self._dirty.append(self._connection)
        if self.paused:
            self.stalled_frames += 1
        if length <= self.max_frame_bytes:
            flags = FLAG_END_HEADERS | FLAG_END_STREAM if end_stream else FLAG_END_HEADERS
            out.append(frame_prefix(length, HEADERS, flags))
            out.append(stream_id)
            out.append(encoded)
            self.frames_out += 1
            return
        kind = HEADERS
        flags = FLAG_END_STREAM if end_stream else 0
        pos = 0
        while pos < length:
            piece = encoded[pos : pos + self.max_frame_bytes]
            pos += len(piece)
            if pos >= length:
                flags |= FLAG_END_HEADERS
            out.append(frame_prefix(len(piece), kind, flags))
            out.append(stream_id)
            out.append(piece)
            self.frames_out += 1
            kind = CONTINUATION
            flags = 0

    def enqueue(self, stream: Stream, data: bytes, end_stream: bool) -> int:
        """Queue payload behind what the stream has; send what the windows allow and return its size."""
        queue = stream.queue
        if queue is None:
            queue = deque()
            stream.queue = queue
        blocked = stream.queued_bytes > 0
        queue.append(data)
        stream.queued_bytes += len(data)
        stream.end_queued = end_stream
        if blocked:
            return 0
        sent = 0
        while stream.queued_bytes and stream.send_window > 0 and self.send_window > 0 and not self.paused:
            sent += self._send_queued(stream)
        self._await_window(stream)
        self._finish_if_closed(stream)
        return sent

    def stream_window_opened(self, stream: Stream) -> None:
        """Serve a stream whose send window grew."""
        if stream.queued_bytes and stream.send_window > 0:
            self.ready[stream.id] = stream
            self.pump()

    def pump(self) -> None:
        """Send queued data of the waiting streams, in turn, while connection and transport take it."""
        ready = self.ready
        while ready and self.send_window > 0 and not self.paused:
            stream = ready.pop(next(iter(ready)))
            if stream.done or not stream.queued_bytes or stream.send_window <= 0:
                continue
            handler = stream.handler
            sent = self._send_queued(stream)
            self._await_window(stream)
            handler.on_sent(stream, sent)
            self._finish_if_closed(stream)

    def _await_window(self, stream: Stream) -> None:
        if stream.queued_bytes and stream.send_window > 0:
            self.ready[stream.id] = stream

    def _finish_if_closed(self, stream: Stream) -> None:
        if stream.done or not stream.local_closed:
            return
        if stream.remote_closed:
            self._connection.finish_stream(stream)
        elif stream.request_unwanted:
            self._connection.reset_stream(stream, NO_ERROR)

    def _send_queued(self, stream: Stream) -> int:
        """Write one DATA frame from the queue, and the end of the stream if this was the last of it."""
        queue = stream.queue
        assert queue is not None
        head = queue[0]
        start = stream.queue_offset
        length = min(len(head) - start, stream.send_window, self.send_window, self.max_frame_bytes)
        stop = start + length
        if stop == len(head):
            queue.popleft()
            stream.queue_offset = 0
        else:
            stream.queue_offset = stop
        if start > 0 or stop < len(head):
            head = head[start:stop]
        stream.queued_bytes -= length
        stream.send_window -= length
        self.send_window -= length
        last = stream.queued_bytes == 0 and stream.end_queued
        trailers = stream.queued_trailers
        flags = FLAG_END_STREAM if last and trailers is None else 0
        out = self.out
        if not out:
            self._dirty.append(self._connection)
        out.append(frame_prefix(length, DATA, flags))
        out.append(stream.id_octets)
        out.append(head)
        self.frames_out += 1
        self.data_frames += 1
        if last:
            stream.local_closed = True
            if trailers is not None:
                self.write_headers(stream.id_octets, trailers, stream.queued_extra, True)
        return length
