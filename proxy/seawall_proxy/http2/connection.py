"""One HTTP/2 connection, either role, without I/O.

Theory of operation. `receive` feeds the reader, the reader calls one method here per frame, and each method either
updates a stream and calls its handler, or answers a broken rule. Which rule costs what (RFC 9113 sections 5.1 and 5.4):

- a stream error resets that stream and is charged to the guard; the connection goes on;
- a `ConnectionFault` raised anywhere below `receive` becomes GOAWAY, `on_reset` for each open stream, and
  `on_terminated`. Nothing a peer sends makes `receive` raise.

Streams without an object are told apart by their id: above `_highest_id` (or `_next_id` for our own) they are idle, and
any frame but HEADERS and PRIORITY on them is a connection error; below they are closed, and frames that may still have
been under way when the stream ended are tolerated, their flow-control credit and HPACK effects included.

Connection-level receive credit goes back as bytes arrive, so a slow reader of one stream never stalls the others; only
stream-level credit waits for `Stream.consume`.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.errors import (
    CONNECTION_LOST,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    INTERNAL_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    SETTINGS_TIMEOUT,
    STREAM_CLOSED,
    ConnectionFault,
)
from seawall_proxy.http2.frames import (
    DEFAULT_WINDOW_BYTES,
    FLAG_ACK,
    FLAG_END_HEADERS,
    FLAG_END_STREAM,
    FLAG_PADDED,
    FLAG_PRIORITY,
    GOAWAY,
    MAX_WINDOW_BYTES,
    MIN_MAX_FRAME_BYTES,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    SETTING_ENABLE_PUSH,
    SETTING_INITIAL_WINDOW_SIZE,
    SETTING_MAX_CONCURRENT_STREAMS,
    SETTING_MAX_FRAME_SIZE,
    SETTING_MAX_HEADER_LIST_SIZE,
    SETTINGS,
    SETTINGS_ACK,
    goaway,
    ping,
    read_u32,
    rst_stream,
    settings,
    window_update,
)
from seawall_proxy.http2.guard import Guard
from seawall_proxy.http2.handlers import NO_HANDLER, ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.hpack.decoder import Decoded, Decoder
from seawall_proxy.http2.ledger import ClosedIds
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.peer import PeerSettings
from seawall_proxy.http2.reader import FrameReader, FrameSink
from seawall_proxy.http2.sender import Sender
from seawall_proxy.http2.stream import Stream
from seawall_proxy.http2.validate import REQUEST, RESPONSE, TRAILERS, check

LAST_OPENED_ID: Final = 2**30
"""A client opens no stream above this id: the pool dials a new connection long before ids run out."""

MAX_SEND_FRAME_BYTES: Final = 65536
_NEVER: Final = float("inf")
_CONNECTION_ID: Final = b"\x00\x00\x00\x00"


class Connection(FrameSink):
    """Speak HTTP/2 with one peer; see the interface of each method."""

    def __init__(
        self,
        *,
        is_client: bool,
        limits: Limits,
        handler: ConnectionHandler,
        cache: BlockCache,
        dirty: list[Connection],
    ) -> None:
        super().__init__()
        self.owner: object | None = None
        self.is_client: bool = is_client
        self.limits: Limits = limits
        self.handler: ConnectionHandler = handler
        self.guard: Guard = Guard(limits)
        self.peer: PeerSettings = PeerSettings(is_client=is_client, assumed_streams=limits.assumed_peer_streams)
        self.sender: Sender = Sender(self, dirty)
        self.streams: dict[int, Stream] = {}
        self.recv_stream_window: int = DEFAULT_WINDOW_BYTES
        self.bytes_in: int = 0
        self.bytes_out: int = 0
        self.data_frames_in: int = 0
        self.resets_received: int = 0
        self.resets_sent: int = 0
        self.streams_opened: int = 0
        self.last_pong_rtt: float = 0.0
        self.ping_outstanding_since: float = 0.0
        self.goaway_received: bool = False
        self._decoder: Decoder = Decoder(
            cache, header_list_bytes=limits.header_list_bytes, header_count=limits.header_count
        )
        self._reader: FrameReader = FrameReader(
            self,
            max_frame_bytes=max(limits.max_frame_bytes, MIN_MAX_FRAME_BYTES),
            expect_preface=not is_client,
        )
        self._now: float = 0.0
        self._started: bool = False
        self._closed_ids: ClosedIds = ClosedIds(limits.remembered_resets)
        self._highest_id: int = 0
        self._next_id: int = 1
        self._goaway_sent_id: int = -1
        self._peer_last_id: int = MAX_WINDOW_BYTES
        self._recv_window: int = DEFAULT_WINDOW_BYTES
        self._recv_target: int = limits.connection_window()
        self._recv_credit: int = 0
        self._pings: int = 0
        self._settings_acked: bool = False
        self._preface_deadline: float = _NEVER
        self._settings_deadline: float = _NEVER
        self._block_deadline: float = _NEVER
        self._block_parts: list[bytes] = []
        self._block_bytes: int = 0
        self._block_end_stream: bool = False
        self._block_self_dependent: bool = False

    # ---- lifecycle ----------------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Queue the preface (client role), SETTINGS and the connection's window; arm the first deadlines."""
        self._now = now
        self._started = True
        limits = self.limits
        entries: list[tuple[int, int]] = []
        if self.is_client:
            entries.append((SETTING_ENABLE_PUSH, 0))
        else:
            entries.append((SETTING_MAX_CONCURRENT_STREAMS, limits.max_concurrent_streams))
        entries.append((SETTING_INITIAL_WINDOW_SIZE, limits.stream_window(self.is_client)))
        if limits.max_frame_bytes > MIN_MAX_FRAME_BYTES:
            entries.append((SETTING_MAX_FRAME_SIZE, limits.max_frame_bytes))
        entries.append((SETTING_MAX_HEADER_LIST_SIZE, limits.header_list_bytes))
        opening = settings(entries)
        self.sender.write(PREFACE + opening if self.is_client else opening)
        if self._recv_target > self._recv_window:
            self.sender.write(window_update(_CONNECTION_ID, self._recv_target - self._recv_window))
            self._recv_window = self._recv_target
        self._preface_deadline = now + limits.preface_timeout_s
        self._settings_deadline = now + limits.settings_ack_timeout_s

    def receive(self, data: bytes, now: float) -> None:
        """Process bytes from the peer; never raises because of what they are."""
        if self.closed:
            return
        self._now = now
        self.bytes_in += len(data)
        try:
            self._reader.feed(data)
            if self.sender.stalled_frames > self.limits.queued_frames:
                raise ConnectionFault(ENHANCE_YOUR_CALM, "peer does not read what it asks for")
        except ConnectionFault as fault:
            self.terminate(fault.code, fault.reason)

    def eof(self, now: float) -> None:
        """Learn that the transport is closed: every open stream gets `on_reset`, then `on_terminated` is called."""
        self._now = now
        self._shut(CONNECTION_LOST, "transport closed")

    def terminate(self, code: int, reason: str) -> None:
        """Send GOAWAY with this code and end every stream; `on_terminated` is the last callback."""
        if self.closed:
            return
        self.goaway(code, -1, reason.encode("utf-8", "replace")[:128])
        self._shut(code, reason)

    def goaway(self, code: int, last_stream_id: int = -1, debug: bytes = b"") -> None:
        """Send GOAWAY; -1 stands for the highest stream id seen, and streams above the id sent are then ignored."""
        if self.closed:
            return
        last_id = last_stream_id if last_stream_id >= 0 else self._highest_id
        if self._goaway_sent_id < 0 or last_id < self._goaway_sent_id:
            self._goaway_sent_id = last_id
        self.sender.write(goaway(self._goaway_sent_id, code, debug))

    def _shut(self, code: int, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        self._preface_deadline = self._settings_deadline = self._block_deadline = _NEVER
        self._block_parts.clear()
        open_streams = list(self.streams.values())
        self.streams.clear()
        self.sender.ready.clear()
        for stream in open_streams:
            stream.local_closed = True
            stream.remote_closed = True
            stream.drop_queue()
        for stream in open_streams:
            if not stream.done:
                self._end_with_reset(stream, CONNECTION_LOST, False)
        self.handler.on_terminated(code, reason)

    # ---- output -------------------------------------------------------------------------------------------------

    def take_output(self) -> bytes:
        """Return everything to be written since the last call, and forget it."""
        data = self.sender.take()
        self.bytes_out += len(data)
        if not self.sender.paused:
            self.guard.replies_queued = 0
        return data

    def set_write_paused(self, paused: bool) -> None:
        """Follow the transport: while paused no DATA is put into the output."""
        sender = self.sender
        sender.paused = paused
        if not paused:
            sender.stalled_frames = 0
            self.guard.replies_queued = 0
            if not self.closed:
                sender.pump()

    @property
    def frames_in(self) -> int:
        """Frames received."""
        return self._reader.frames

    @property
    def frames_out(self) -> int:
        """Frames put into the output."""
        return self.sender.frames_out

    @property
    def glitches(self) -> int:
        """Odd frames received."""
        return self.guard.glitches

    @property
    def block_cache_hits(self) -> int:
        """Header blocks found in the decoder's memo."""
        return self._decoder.hits

    @property
    def block_cache_misses(self) -> int:
        """Header blocks that were decoded."""
        return self._decoder.misses

    # ---- streams ------------------------------------------------------------------------------------------------

    @property
    def active_streams(self) -> int:
        """Streams that are open or half closed."""
        return len(self.streams)

    @property
    def can_open(self) -> bool:
        """Whether `open_stream` may be called (client role)."""
        return (
            self._started
            and not self.closed
            and not self.goaway_received
            and self._goaway_sent_id < 0
            and self._next_id <= LAST_OPENED_ID
            and len(self.streams) < self.peer.max_concurrent_streams
        )

    def open_stream(
        self, handler: StreamHandler, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> Stream:
        """Send a request (client role); the caller has asked `can_open`."""
        stream_id = self._next_id
        self._next_id = stream_id + 2
        stream = Stream(
            self, self.sender, stream_id, self.peer.initial_window_bytes, self.recv_stream_window, self._now
        )
        stream.handler = handler
        stream.request = block
        self.streams[stream_id] = stream
        self.streams_opened += 1
        self.guard.streams += 1
        self.sender.write_headers(stream.id_octets, block, extra, end_stream)
        if end_stream:
            stream.local_closed = True
        return stream

    def reset_stream(self, stream: Stream, code: int) -> None:
        """Reset a stream for the application; see `Stream.reset`."""
        was_open = not self.closed
        if was_open:
            self._write_reset(stream.id, stream.id_octets, code)
        self._forget(stream)
        if was_open and self.is_client:
            self.handler.on_capacity()

    def finish_stream(self, stream: Stream) -> None:
        """Forget a stream both of whose directions have ended."""
        self._forget(stream)
        if self.is_client and not self.closed:
            self.handler.on_capacity()

    def _forget(self, stream: Stream) -> None:
        stream.done = True
        stream.local_closed = True
        stream.remote_closed = True
        if stream.queued_bytes:
            stream.drop_queue()
        stream.handler = NO_HANDLER
        self.streams.pop(stream.id, None)

    def _end_with_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        handler = stream.handler
        self._forget(stream)
        handler.on_reset(stream, code, unprocessed)

    def _write_reset(self, stream_id: int, stream_id_octets: bytes, code: int) -> None:
        self._closed_ids.add_reset(stream_id)
        self.resets_sent += 1
        self.sender.write(rst_stream(stream_id_octets, code))

    def _stream_error(self, stream: Stream, code: int) -> None:
        """Reset a stream because its peer broke a rule, and tell its handler."""
        self.guard.reply()
        self.guard.stream_error(self._now)
        self._write_reset(stream.id, stream.id_octets, code)
        self._end_with_reset(stream, code, False)
        if self.is_client:
            self.handler.on_capacity()

    def _error_without_stream(self, stream_id: int, code: int) -> None:
        self.guard.reply()
        self.guard.stream_error(self._now)
        self._write_reset(stream_id, stream_id.to_bytes(4, "big"), code)

    def _is_idle(self, stream_id: int) -> bool:
        if self.is_client:
            return stream_id & 1 == 0 or stream_id >= self._next_id
        return stream_id & 1 == 0 or stream_id > self._highest_id

    # ---- DATA ---------------------------------------------------------------------------------------------------

    def data_frame(self, buf: bytes, pos: int, length: int, flags: int, stream_id: int) -> None:
        """Take DATA: account for both windows, then hand the payload on."""
        self._recv_window -= length
        if self._recv_window < 0:
            raise ConnectionFault(FLOW_CONTROL_ERROR, "peer overran the connection's window")
        self._recv_credit += length
        if self._recv_credit * 2 >= self._recv_target:
            self.sender.write(window_update(_CONNECTION_ID, self._recv_credit))
            self._recv_window += self._recv_credit
            self._recv_credit = 0
        stream = self.streams.get(stream_id)
        if stream is None or stream.remote_closed or not stream.headers_seen:
            self._stray_data(stream, stream_id)
            return
        stream.recv_window -= length
        if stream.recv_window < 0:
            self._stream_error(stream, FLOW_CONTROL_ERROR)
            return
        padding = 0
        if flags & FLAG_PADDED:
            padding = _padding(buf, pos, length)
            pos += 1
            length -= padding
        end_stream = flags & FLAG_END_STREAM != 0
        if length:
            self.data_frames_in += 1
        elif not end_stream:
            self.guard.empty_data(self.data_frames_in, self._now)
            stream.consume(padding)
            return
        if stream.content_left >= 0:
            stream.content_left -= length
            if stream.content_left < 0 or (end_stream and stream.content_left > 0):
                self._stream_error(stream, PROTOCOL_ERROR)
                return
        if padding:
            stream.consume(padding)
        data = buf[pos : pos + length]
        if not end_stream:
            stream.handler.on_data(stream, data, False)
            return
        handler = stream.handler
        if self._close_remote(stream):
            handler.on_data(stream, data, True)
            if self.is_client:
                self.handler.on_capacity()
        else:
            handler.on_data(stream, data, True)

    def _close_remote(self, stream: Stream) -> bool:
        """End the peer's direction; True if that ended the stream."""
        stream.remote_closed = True
        if stream.local_closed:
            self._forget(stream)
            return True
        return False

    def _stray_data(self, stream: Stream | None, stream_id: int) -> None:
        """Answer DATA on a stream that cannot take it; the connection's credit is already accounted for."""
        if stream is not None:
            self._stream_error(stream, STREAM_CLOSED if stream.remote_closed else PROTOCOL_ERROR)
            return
        if self._is_idle(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "DATA on an idle stream")
        if self._ignored(stream_id) or self._closed_ids.was_reset(stream_id):
            return
        if self.is_client:
            self.guard.late_frame(self._now)
            return
        self._error_without_stream(stream_id, STREAM_CLOSED)

    def _ignored(self, stream_id: int) -> bool:
        """Whether our GOAWAY said that this stream will not be processed."""
        return not self.is_client and 0 <= self._goaway_sent_id < stream_id

    # ---- HEADERS and CONTINUATION -------------------------------------------------------------------------------

    def headers_frame(self, buf: bytes, pos: int, length: int, flags: int, stream_id: int) -> None:
        """Take HEADERS; a block that is not complete waits for its CONTINUATION frames."""
        if stream_id == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "HEADERS on stream 0")
        stop = pos + length
        self_dependent = False
        if flags & (FLAG_PADDED | FLAG_PRIORITY):
            if flags & FLAG_PADDED:
                stop -= _padding(buf, pos, length) - 1
                pos += 1
            if flags & FLAG_PRIORITY:
                if stop - pos < 5:
                    raise ConnectionFault(FRAME_SIZE_ERROR, "HEADERS is too short for its priority")
                self_dependent = read_u32(buf, pos) & MAX_WINDOW_BYTES == stream_id
                pos += 5
        end_stream = flags & FLAG_END_STREAM != 0
        fragment = buf[pos:stop]
        if flags & FLAG_END_HEADERS:
            self._headers_complete(fragment, stream_id, end_stream, self_dependent)
            return
        self._block_parts.append(fragment)
        self._block_bytes = len(fragment)
        self._block_end_stream = end_stream
        self._block_self_dependent = self_dependent
        self._block_deadline = self._now + self.limits.header_block_timeout_s
        self._reader.expect_continuation(stream_id)

    def continuation_frame(self, buf: bytes, pos: int, length: int, flags: int, stream_id: int) -> None:
        """Take the next part of an open header block."""
        parts = self._block_parts
        if not parts:
            raise ConnectionFault(PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        parts.append(buf[pos : pos + length])
        self._block_bytes += length
        if len(parts) - 1 > self.limits.continuation_frames:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too many CONTINUATION frames")
        if self._block_bytes > self.limits.header_block_bytes:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "header block is too large")
        if self._now >= self._block_deadline:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "header block took too long")
        if flags & FLAG_END_HEADERS:
            fragment = b"".join(parts)
            parts.clear()
            self._block_deadline = _NEVER
            self._reader.expect_continuation(0)
            self._headers_complete(fragment, stream_id, self._block_end_stream, self._block_self_dependent)

    def _headers_complete(
        self, fragment: bytes, stream_id: int, end_stream: bool, self_dependent: bool
    ) -> None:
        decoded = self._decoder.decode(fragment)
        stream = self.streams.get(stream_id)
        if stream is None:
            if self.is_client:
                self._stray_response(stream_id)
            else:
                self._request(decoded, stream_id, end_stream, self_dependent)
        elif stream.remote_closed:
            self._stream_error(stream, STREAM_CLOSED)
        elif self_dependent:
            self._stream_error(stream, PROTOCOL_ERROR)
        elif decoded.too_large:
            self._stream_error(stream, ENHANCE_YOUR_CALM)
        elif stream.headers_seen:
            self._trailers(stream, decoded, end_stream)
        else:
            self._response(stream, decoded, end_stream)

    def _request(self, decoded: Decoded, stream_id: int, end_stream: bool, self_dependent: bool) -> None:
        if stream_id <= self._highest_id or stream_id & 1 == 0:
            self._stray_request(stream_id)
            return
        if stream_id > self._highest_id + 2:
            self._closed_ids.add_gap(self._highest_id, stream_id)
        if self._ignored(stream_id):
            self._highest_id = stream_id
            return
        self._highest_id = stream_id
        self.guard.streams += 1
        if len(self.streams) >= self.limits.max_concurrent_streams:
            self._refuse(stream_id)
            return
        if self_dependent:
            self._error_without_stream(stream_id, PROTOCOL_ERROR)
            return
        if decoded.too_large:
            self._error_without_stream(stream_id, ENHANCE_YOUR_CALM)
            return
        if check(decoded, REQUEST):
            self._error_without_stream(stream_id, PROTOCOL_ERROR)
            return
        if end_stream and decoded.content_length > 0:
            self._error_without_stream(stream_id, PROTOCOL_ERROR)
            return
        stream = Stream(
            self, self.sender, stream_id, self.peer.initial_window_bytes, self.recv_stream_window, self._now
        )
        stream.headers_seen = True
        stream.content_left = decoded.content_length
        stream.remote_closed = end_stream
        self.streams[stream_id] = stream
        self.streams_opened += 1
        self.handler.on_request(stream, decoded.block, decoded.extra, end_stream)
        if stream.handler is NO_HANDLER and not stream.done:
            stream.reset(INTERNAL_ERROR)

    def _refuse(self, stream_id: int) -> None:
        if self._settings_acked:
            self.guard.refused(self._now)
        self.guard.reply()
        self._write_reset(stream_id, stream_id.to_bytes(4, "big"), REFUSED_STREAM)

    def _stray_request(self, stream_id: int) -> None:
        if stream_id & 1 == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "client used an even stream id")
        if self._closed_ids.was_reset(stream_id):
            self.guard.late_frame(self._now)
            return
        if self._closed_ids.was_skipped(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "stream id is lower than one already used")
        raise ConnectionFault(STREAM_CLOSED, "HEADERS on a closed stream")

    def _stray_response(self, stream_id: int) -> None:
        if self._is_idle(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "HEADERS on an idle stream")
        self.guard.late_frame(self._now)

    def _response(self, stream: Stream, decoded: Decoded, end_stream: bool) -> None:
        if check(decoded, RESPONSE):
            self._stream_error(stream, PROTOCOL_ERROR)
            return
        block = decoded.block
        if block.status < 200:
            self._interim_response(stream, end_stream)
            return
        stream.headers_seen = True
        if decoded.content_length >= 0 and not self._has_no_content(stream, block):
            stream.content_left = decoded.content_length
            if end_stream and decoded.content_length > 0:
                self._stream_error(stream, PROTOCOL_ERROR)
                return
        handler = stream.handler
        if end_stream and self._close_remote(stream):
            handler.on_headers(stream, block, decoded.extra, True)
            self.handler.on_capacity()
        else:
            handler.on_headers(stream, block, decoded.extra, end_stream)

    def _interim_response(self, stream: Stream, end_stream: bool) -> None:
        stream.interim_responses += 1
        if end_stream:
            self._stream_error(stream, PROTOCOL_ERROR)
        elif stream.interim_responses > self.limits.interim_responses:
            self._stream_error(stream, ENHANCE_YOUR_CALM)

    def _has_no_content(self, stream: Stream, block: HeaderBlock) -> bool:
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

    def _trailers(self, stream: Stream, decoded: Decoded, end_stream: bool) -> None:
        if not end_stream or check(decoded, TRAILERS) or stream.content_left > 0:
            self._stream_error(stream, PROTOCOL_ERROR)
            return
        handler = stream.handler
        if self._close_remote(stream):
            handler.on_trailers(stream, decoded.block, decoded.extra)
            if self.is_client:
                self.handler.on_capacity()
        else:
            handler.on_trailers(stream, decoded.block, decoded.extra)

    # ---- the small frames ---------------------------------------------------------------------------------------

    def window_update_frame(self, buf: bytes, pos: int, length: int, stream_id: int) -> None:
        """Take WINDOW_UPDATE for the connection or a stream."""
        if length != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, "WINDOW_UPDATE is not four octets long")
        increment = read_u32(buf, pos) & MAX_WINDOW_BYTES
        sender = self.sender
        self.guard.window_update(sender.data_frames, self._now)
        if stream_id == 0:
            if increment == 0:
                raise ConnectionFault(PROTOCOL_ERROR, "WINDOW_UPDATE of zero")
            sender.send_window += increment
            if sender.send_window > MAX_WINDOW_BYTES:
                raise ConnectionFault(FLOW_CONTROL_ERROR, "WINDOW_UPDATE overflows the connection's window")
            if sender.ready:
                sender.pump()
            return
        stream = self.streams.get(stream_id)
        if stream is None:
            if self._is_idle(stream_id):
                raise ConnectionFault(PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream")
            if increment == 0 and not self._closed_ids.was_reset(stream_id):
                self._error_without_stream(stream_id, PROTOCOL_ERROR)
            return
        if increment == 0:
            self._stream_error(stream, PROTOCOL_ERROR)
            return
        stream.send_window += increment
        if stream.send_window > MAX_WINDOW_BYTES:
            self._stream_error(stream, FLOW_CONTROL_ERROR)
            return
        if stream.queued_bytes:
            sender.stream_window_opened(stream)

    def rst_stream_frame(self, buf: bytes, pos: int, length: int, stream_id: int) -> None:
        """Take RST_STREAM; a client's premature one is charged to the guard."""
        if length != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, "RST_STREAM is not four octets long")
        if stream_id == 0 or self._is_idle(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "RST_STREAM on an idle stream or stream 0")
        self.resets_received += 1
        stream = self.streams.get(stream_id)
        if stream is None:
            self.guard.late_frame(self._now)
            return
        age_s = self._now - stream.opened_at
        reached_upstream = stream.reached_upstream
        code = read_u32(buf, pos)
        self._end_with_reset(stream, code, code == REFUSED_STREAM)
        if self.is_client:
            self.handler.on_capacity()
        else:
            self.guard.reset_received(age_s, reached_upstream or stream.reached_upstream, self._now)

    def other_frame(self, kind: int, buf: bytes, pos: int, length: int, flags: int, stream_id: int) -> None:
        """Take SETTINGS, PING, GOAWAY, PRIORITY and what should not come at all."""
        if kind == SETTINGS:
            self._settings_frame(buf, pos, length, flags, stream_id)
        elif kind == PING:
            self._ping_frame(buf, pos, length, flags, stream_id)
        elif kind == GOAWAY:
            self._goaway_frame(buf, pos, length, stream_id)
        elif kind == PRIORITY:
            self._priority_frame(buf, pos, length, stream_id)
        elif kind == PUSH_PROMISE:
            raise ConnectionFault(PROTOCOL_ERROR, "PUSH_PROMISE, and push is disabled")
        else:
            self.guard.glitch(self._now)

    def _settings_frame(self, buf: bytes, pos: int, length: int, flags: int, stream_id: int) -> None:
        if stream_id != 0:
            raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & FLAG_ACK:
            if length:
                raise ConnectionFault(FRAME_SIZE_ERROR, "SETTINGS acknowledgement with a payload")
            self._settings_acknowledged()
            return
        if length % 6:
            raise ConnectionFault(FRAME_SIZE_ERROR, "SETTINGS is not a list of six octets each")
        if length // 6 > self.limits.settings_entries:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too many entries in SETTINGS")
        self.guard.settings(self._now)
        peer = self.peer
        window_before = peer.initial_window_bytes
        peer.apply(buf, pos, length)
        self._preface_deadline = _NEVER
        sender = self.sender
        sender.max_frame_bytes = min(peer.max_frame_bytes, MAX_SEND_FRAME_BYTES)
        sender.encoder.set_peer_table_size(peer.lowest_table_bytes)
        sender.encoder.set_peer_table_size(peer.header_table_bytes)
        self.guard.reply()
        sender.write(SETTINGS_ACK)
        if peer.initial_window_bytes != window_before:
            self._shift_send_windows(peer.initial_window_bytes - window_before)
        if self.is_client:
            self.handler.on_capacity()

    def _shift_send_windows(self, delta: int) -> None:
        sender = self.sender
        for stream in self.streams.values():
            stream.send_window += delta
            if stream.send_window > MAX_WINDOW_BYTES:
                raise ConnectionFault(FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE overflows a window")
            if stream.queued_bytes and stream.send_window > 0:
                sender.ready[stream.id] = stream
        sender.pump()

    def _settings_acknowledged(self) -> None:
        if self._settings_acked or not self._started:
            self.guard.glitch(self._now)
            return
        self._settings_acked = True
        self._settings_deadline = _NEVER
        window = self.limits.stream_window(self.is_client)
        delta = window - self.recv_stream_window
        self.recv_stream_window = window
        for stream in self.streams.values():
            stream.recv_window += delta
            # A window that shrank may owe credit that was too little to announce before.
            stream.consume(0)

    def _ping_frame(self, buf: bytes, pos: int, length: int, flags: int, stream_id: int) -> None:
        if stream_id != 0:
            raise ConnectionFault(PROTOCOL_ERROR, "PING on a stream")
        if length != 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, "PING is not eight octets long")
        payload = buf[pos : pos + 8]
        if not flags & FLAG_ACK:
            self.guard.ping(self.data_frames_in + self.sender.data_frames, self._now)
            self.guard.reply()
            self.sender.write(ping(payload, True))
        elif self.ping_outstanding_since and payload == self._pings.to_bytes(8, "big"):
            self.last_pong_rtt = self._now - self.ping_outstanding_since
            self.ping_outstanding_since = 0.0
        else:
            self.guard.glitch(self._now)

    def _goaway_frame(self, buf: bytes, pos: int, length: int, stream_id: int) -> None:
        if stream_id != 0:
            raise ConnectionFault(PROTOCOL_ERROR, "GOAWAY on a stream")
        if length < 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, "GOAWAY is shorter than eight octets")
        last_id = read_u32(buf, pos) & MAX_WINDOW_BYTES
        code = read_u32(buf, pos + 4)
        if self.goaway_received:
            self.guard.glitch(self._now)
        self.goaway_received = True
        if last_id > self._peer_last_id:
            last_id = self._peer_last_id
        self._peer_last_id = last_id
        self.handler.on_goaway(last_id, code)
        if not self.is_client:
            return
        for stream in list(self.streams.values()):
            if stream.id > last_id and not stream.done:
                self._end_with_reset(stream, code, True)

    def _priority_frame(self, buf: bytes, pos: int, length: int, stream_id: int) -> None:
        if stream_id == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "PRIORITY on stream 0")
        self.guard.priority(self._now)
        stream = self.streams.get(stream_id)
        if length != 5:
            if stream is None:
                raise ConnectionFault(FRAME_SIZE_ERROR, "PRIORITY is not five octets long")
            self._stream_error(stream, FRAME_SIZE_ERROR)
        elif read_u32(buf, pos) & MAX_WINDOW_BYTES == stream_id:
            if stream is not None:
                self._stream_error(stream, PROTOCOL_ERROR)
            elif self._is_idle(stream_id):
                raise ConnectionFault(PROTOCOL_ERROR, "stream depends on itself")

    # ---- time ---------------------------------------------------------------------------------------------------

    def ping(self, now: float) -> None:
        """Send a PING unless one is outstanding; `last_pong_rtt` (seconds) tells when it was answered."""
        if self.closed or self.ping_outstanding_since:
            return
        self._pings += 1
        self.ping_outstanding_since = now
        self.sender.write(ping(self._pings.to_bytes(8, "big"), False))

    def next_deadline(self) -> float:
        """Return when `handle_timer` wants to be called, infinity if never."""
        return min(self._preface_deadline, self._settings_deadline, self._block_deadline)

    def handle_timer(self, now: float) -> None:
        """End the connection if a deadline has passed."""
        if self.closed:
            return
        self._now = now
        if now >= self._preface_deadline:
            self.terminate(PROTOCOL_ERROR, "no HTTP/2 preface and SETTINGS in time")
        elif now >= self._settings_deadline:
            self.terminate(SETTINGS_TIMEOUT, "SETTINGS were not acknowledged in time")
        elif now >= self._block_deadline:
            self.terminate(ENHANCE_YOUR_CALM, "header block took too long")


def _padding(buf: bytes, pos: int, length: int) -> int:
    """Return the octets a PADDED frame spends on padding, its length octet included."""
    if length == 0:
        raise ConnectionFault(FRAME_SIZE_ERROR, "PADDED frame without a pad length")
    padding = buf[pos] + 1
    if padding > length:
        raise ConnectionFault(PROTOCOL_ERROR, "padding is longer than its frame")
    return padding
