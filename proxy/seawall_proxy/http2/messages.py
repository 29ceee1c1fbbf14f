"""Frames that carry messages: DATA, HEADERS and CONTINUATION (RFC 9113 sections 6.1, 6.2, 6.10 and 8.1).

Connection-level receive credit goes back as bytes arrive, so a slow reader of one stream never stalls the
others; only stream-level credit waits for `Stream.consume`. Frames of streams that are over are swallowed
where they may still have been under way, their credit and their effect on the HPACK table included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seawall_proxy.http2.deadlines import NEVER, Deadlines
from seawall_proxy.http2.errors import (
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    INTERNAL_ERROR,
    PROTOCOL_ERROR,
    STREAM_CLOSED,
    ConnectionFault,
)
from seawall_proxy.http2.frames import (
    DEFAULT_WINDOW_BYTES,
    FLAG_END_HEADERS,
    FLAG_END_STREAM,
    FLAG_PADDED,
    FLAG_PRIORITY,
    MAX_STREAM_ID,
    read_u32,
    window_update,
)
from seawall_proxy.http2.guard import Guard
from seawall_proxy.http2.handlers import NO_HANDLER
from seawall_proxy.http2.headers import BlockCache, HeaderBlock
from seawall_proxy.http2.hpack.decoder import Decoded, Decoder
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.sender import Sender
from seawall_proxy.http2.stream import Stream
from seawall_proxy.http2.table import LAST_OPENED_ID, StreamTable
from seawall_proxy.http2.validate import REQUEST, RESPONSE, TRAILERS, check

if TYPE_CHECKING:
    from seawall_proxy.http2.connection import Connection

_CONNECTION_ID: Final = b"\x00\x00\x00\x00"


class MessageFrames:
    """Take the message frames of one connection."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits,
        cache: BlockCache,
        table: StreamTable,
        sender: Sender,
        guard: Guard,
        deadlines: Deadlines,
    ) -> None:
        self._connection: Connection = connection
        self._limits: Limits = limits
        self._table: StreamTable = table
        self._streams: dict[int, Stream] = table.streams
        self._sender: Sender = sender
        self._guard: Guard = guard
        self._deadlines: Deadlines = deadlines
        self.decoder: Decoder = Decoder(
            cache, header_list_bytes=limits.header_list_bytes, header_count=limits.header_count
        )
        self.recv_window: int = DEFAULT_WINDOW_BYTES
        self.recv_credit: int = 0
        self._recv_target: int = limits.connection_window()
        self._parts: list[bytes] = []
        self._parts_bytes: int = 0
        self._parts_end_stream: bool = False
        self._parts_self_dependent: bool = False

    def open_window(self) -> None:
        """Raise the connection's receive window to the one of the limits."""
        if self._recv_target > self.recv_window:
            self._sender.write(window_update(_CONNECTION_ID, self._recv_target - self.recv_window))
            self.recv_window = self._recv_target

    def discard(self) -> None:
        """Forget a header block that is still open."""
        self._parts.clear()

    def held_bytes(self) -> int:
        """Return the bytes of a header block that is still open."""
        return self._parts_bytes if self._parts else 0

    # ---- DATA ----

    def data_frame(self, buf: bytes, pos: int, length: int, flags: int, stream_id: int) -> None:
        """Take DATA: account for both windows, then hand the payload on."""
        self.recv_window -= length
        if self.recv_window < 0:
            raise ConnectionFault(FLOW_CONTROL_ERROR, "peer overran the connection's window")
        self.recv_credit += length
        if self.recv_credit * 2 >= self._recv_target:
            self._sender.write(window_update(_CONNECTION_ID, self.recv_credit))
            self.recv_window += self.recv_credit
            self.recv_credit = 0
        stream = self._streams.get(stream_id)
        if stream is None or stream.remote_closed or not stream.headers_seen:
            if flags & FLAG_PADDED:
                _padding(buf, pos, length)
            self._stray_data(stream, stream_id)
            return
        stream.recv_window -= length
        if stream.recv_window < 0:
            self._connection.stream_error(stream, FLOW_CONTROL_ERROR)
            return
        if flags & FLAG_PADDED:
            padding = _padding(buf, pos, length)
            pos += 1
            length -= padding
            stream.consume(padding)
        end_stream = flags & FLAG_END_STREAM != 0
        if length:
            self._guard.data_frames_in += 1
        elif not end_stream:
            self._guard.empty_data(self._connection.now)
            return
        if stream.content_left >= 0:
            stream.content_left -= length
            if stream.content_left < 0 or (end_stream and stream.content_left > 0):
                self._connection.stream_error(stream, PROTOCOL_ERROR)
                return
        handler = stream.handler
        if not end_stream:
            handler.on_data(stream, buf[pos : pos + length], False)
            return
        ended = self._connection.close_remote(stream)
        handler.on_data(stream, buf[pos : pos + length], True)
        if ended:
            self._connection.report_capacity()

    def _stray_data(self, stream: Stream | None, stream_id: int) -> None:
        """Answer DATA on a stream that cannot take it; the connection's credit is already accounted for."""
        connection = self._connection
        if stream is not None:
            connection.stream_error(stream, STREAM_CLOSED if stream.remote_closed else PROTOCOL_ERROR)
        elif self._table.is_idle(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "DATA on an idle stream")
        elif self._table.is_ignored(stream_id) or self._table.was_reset(stream_id):
            return
        elif connection.is_client and not self._table.was_ended_by_peer(stream_id):
            self._guard.late_frame(connection.now)
        else:
            connection.reset_unknown(stream_id, STREAM_CLOSED)

    # ---- HEADERS and CONTINUATION ----

    def headers_frame(self, buf: bytes, pos: int, length: int, flags: int, stream_id: int) -> None:
        """Take HEADERS; a block that is not complete waits for its CONTINUATION frames."""
        if stream_id == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "HEADERS on stream 0")
        stop = pos + length
        self_dependent = False
        if flags & FLAG_PADDED:
            stop -= _padding(buf, pos, length) - 1
            pos += 1
        if flags & FLAG_PRIORITY:
            if stop - pos < 5:
                raise ConnectionFault(FRAME_SIZE_ERROR, "HEADERS is too short for its priority")
            self_dependent = read_u32(buf, pos) & MAX_STREAM_ID == stream_id
            pos += 5
        end_stream = flags & FLAG_END_STREAM != 0
        fragment = buf[pos:stop]
        if flags & FLAG_END_HEADERS:
            self._block_complete(fragment, stream_id, end_stream, self_dependent)
            return
        self._parts.append(fragment)
        self._parts_bytes = len(fragment)
        self._parts_end_stream = end_stream
        self._parts_self_dependent = self_dependent
        connection = self._connection
        self._deadlines.header_block = connection.now + self._limits.header_block_timeout_s
        connection.reader.expect_continuation(stream_id)

    def continuation_frame(self, buf: bytes, pos: int, length: int, flags: int, stream_id: int) -> None:
        """Take the next part of an open header block; the reader has made sure that it is the block's."""
        parts = self._parts
        if not parts:
            raise ConnectionFault(PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        parts.append(buf[pos : pos + length])
        self._parts_bytes += length
        if len(parts) - 1 > self._limits.continuation_frames:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too many CONTINUATION frames", "continuation_frames")
        if self._parts_bytes > self._limits.header_block_bytes:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "header block is too large", "header_block")
        if self._connection.now >= self._deadlines.header_block:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "header block took too long", "header_block_timeout")
        if flags & FLAG_END_HEADERS:
            block = b"".join(parts)
            parts.clear()
            self._deadlines.header_block = NEVER
            self._connection.reader.expect_continuation(0)
            self._block_complete(block, stream_id, self._parts_end_stream, self._parts_self_dependent)

    def _block_complete(self, block: bytes, stream_id: int, end_stream: bool, self_dependent: bool) -> None:
        decoded = self.decoder.decode(block)
        stream = self._streams.get(stream_id)
        connection = self._connection
        if stream is None:
            if connection.is_client:
                self._stray_response(stream_id)
            else:
                self._request(decoded, stream_id, end_stream, self_dependent)
        elif stream.remote_closed:
            connection.stream_error(stream, STREAM_CLOSED)
        elif self_dependent:
            connection.stream_error(stream, PROTOCOL_ERROR)
        elif decoded.too_large:
            self._guard.trip("header_list")
            connection.stream_error(stream, ENHANCE_YOUR_CALM)
        elif stream.headers_seen:
            self._trailers(stream, decoded, end_stream)
        else:
            self._response(stream, decoded, end_stream)

    # ---- requests (server role) ----

    def _request(self, decoded: Decoded, stream_id: int, end_stream: bool, self_dependent: bool) -> None:
        table = self._table
        if stream_id <= table.highest_id or stream_id & 1 == 0:
            self._stray_request(stream_id)
            return
        ignored = table.is_ignored(stream_id)
        table.use_id(stream_id)
        if ignored:
            return
        self._guard.streams += 1
        connection = self._connection
        if stream_id >= LAST_OPENED_ID:
            connection.ids_run_out()
        if len(self._streams) >= connection.stream_cap:
            connection.refuse(stream_id)
            return
        if decoded.too_large:
            self._guard.trip("header_list")
            connection.reset_unknown(stream_id, ENHANCE_YOUR_CALM)
            return
        if self_dependent or check(decoded, REQUEST) or (end_stream and decoded.content_length > 0):
            connection.reset_unknown(stream_id, PROTOCOL_ERROR)
            return
        stream = connection.add_stream(stream_id)
        stream.headers_seen = True
        stream.content_left = decoded.content_length
        stream.remote_closed = end_stream
        connection.handler.on_request(stream, decoded.block, decoded.extra, end_stream)
        if stream.handler is NO_HANDLER and not stream.done:
            stream.reset(INTERNAL_ERROR)

    def _stray_request(self, stream_id: int) -> None:
        if stream_id & 1 == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "client used an even stream id")
        if self._table.was_reset(stream_id):
            self._guard.late_frame(self._connection.now)
            return
        if self._table.was_skipped(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "stream id is lower than one already used")
        raise ConnectionFault(STREAM_CLOSED, "HEADERS on a closed stream")

    # ---- responses (client role) and trailers ----

    def _stray_response(self, stream_id: int) -> None:
        if self._table.is_idle(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "HEADERS on an idle stream")
        if self._table.was_ended_by_peer(stream_id):
            # RFC 7540 asked for a connection error; the calls of others go on as RFC 9113 allows.
            self._connection.reset_unknown(stream_id, STREAM_CLOSED)
        else:
            self._guard.late_frame(self._connection.now)

    def _response(self, stream: Stream, decoded: Decoded, end_stream: bool) -> None:
        connection = self._connection
        if check(decoded, RESPONSE):
            connection.stream_error(stream, PROTOCOL_ERROR)
            return
        block = decoded.block
        if block.status < 200:
            self._interim_response(stream, end_stream)
            return
        stream.headers_seen = True
        if decoded.content_length >= 0 and not _has_no_content(stream, block):
            stream.content_left = decoded.content_length
            if end_stream and decoded.content_length > 0:
                connection.stream_error(stream, PROTOCOL_ERROR)
                return
        handler = stream.handler
        ended = end_stream and connection.close_remote(stream)
        handler.on_headers(stream, block, decoded.extra, end_stream)
        if ended:
            connection.report_capacity()

    def _interim_response(self, stream: Stream, end_stream: bool) -> None:
        stream.interim_responses += 1
        if end_stream:
            self._connection.stream_error(stream, PROTOCOL_ERROR)
        elif stream.interim_responses > self._limits.interim_responses:
            self._guard.trip("interim_responses")
            self._connection.stream_error(stream, ENHANCE_YOUR_CALM)

    def _trailers(self, stream: Stream, decoded: Decoded, end_stream: bool) -> None:
        connection = self._connection
        if not end_stream or check(decoded, TRAILERS) or stream.content_left > 0:
            connection.stream_error(stream, PROTOCOL_ERROR)
            return
        handler = stream.handler
        ended = connection.close_remote(stream)
        handler.on_trailers(stream, decoded.block, decoded.extra)
        if ended:
            connection.report_capacity()


def _padding(buf: bytes, pos: int, length: int) -> int:
    """Return the octets a PADDED frame spends on padding, its length octet included."""
    if length == 0:
        raise ConnectionFault(FRAME_SIZE_ERROR, "PADDED frame without a pad length")
    padding = buf[pos] + 1
    if padding > length:
        raise ConnectionFault(PROTOCOL_ERROR, "padding is longer than its frame")
    return padding


def _has_no_content(stream: Stream, block: HeaderBlock) -> bool:
    """Whether a content-length speaks of a body that is not sent (RFC 9110 section 8.6)."""
    if block.status == 304:
        return True
    request = stream.request
    if request is None:
        return False
    for name, value in request.fields:
        if name == b":method":
            return value == b"HEAD"
    return False
