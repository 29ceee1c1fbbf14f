"""One HTTP/2 connection, either role, without I/O.

Theory of operation. `receive` feeds the reader; the reader calls one method of `messages` or `control` per
frame; each of those updates a stream and calls its handler, or answers a broken rule. What a broken rule
costs (RFC 9113 section 5.4):

- a stream error resets that stream (`stream_error`, or `reset_unknown` where there is no object) and is
  charged to the guard; the connection goes on;
- a `ConnectionFault` raised anywhere below `receive` becomes GOAWAY, `on_reset` for each open stream, and
  `on_terminated`. Nothing a peer sends makes `receive` raise.

This class holds what the parts share: lifecycle, output, the verbs on streams. It may be called from inside
any callback.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.http2.control import ControlFrames
from seawall_proxy.http2.deadlines import Deadlines
from seawall_proxy.http2.errors import (
    CONNECTION_LOST,
    ENHANCE_YOUR_CALM,
    NO_ERROR,
    REFUSED_STREAM,
    ConnectionFault,
)
from seawall_proxy.http2.frames import (
    DEFAULT_WINDOW_BYTES,
    MAX_STREAM_ID,
    MIN_MAX_FRAME_BYTES,
    PREFACE,
    SETTING_ENABLE_PUSH,
    SETTING_INITIAL_WINDOW_SIZE,
    SETTING_MAX_CONCURRENT_STREAMS,
    SETTING_MAX_FRAME_SIZE,
    SETTING_MAX_HEADER_LIST_SIZE,
    goaway,
    rst_stream,
    settings,
)
from seawall_proxy.http2.guard import Guard
from seawall_proxy.http2.handlers import NO_HANDLER, ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.messages import MessageFrames
from seawall_proxy.http2.opening import NotHttp2
from seawall_proxy.http2.reader import FrameReader
from seawall_proxy.http2.sender import Sender
from seawall_proxy.http2.stream import Stream
from seawall_proxy.http2.table import LAST_OPENED_ID, StreamTable

STREAM_BYTES: Final = 2048
"""What an open stream costs by itself, its call included; measured with tracemalloc, rounded up."""


class Connection:
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
        self.owner: object | None = None
        self.is_client: bool = is_client
        self.limits: Limits = limits
        self.handler: ConnectionHandler = handler
        self.now: float = 0.0
        """The time of the call that is under way."""
        self.started: bool = False
        self.closed: bool = False
        self._opening: bytes = b""
        """Our SETTINGS, while the peer has not yet said that it speaks HTTP/2."""
        self.recv_stream_window: int = DEFAULT_WINDOW_BYTES
        """The receive window of a new stream: ours once the peer has acknowledged it."""
        self.bytes_in: int = 0
        self.bytes_out: int = 0
        self.resets_sent: int = 0
        self.streams_opened: int = 0
        self.stream_cap: int = limits.max_concurrent_streams
        """Streams that a client may have open; 0 while it gets no new ones."""
        self.guard: Guard = Guard(limits)
        self.deadlines: Deadlines = Deadlines()
        self.table: StreamTable = StreamTable(is_client=is_client, remembered_resets=limits.remembered_resets)
        self.sender: Sender = Sender(self, dirty)
        self.messages: MessageFrames = MessageFrames(
            self, limits, cache, self.table, self.sender, self.guard, self.deadlines
        )
        self.control: ControlFrames = ControlFrames(
            self, limits, self.table, self.sender, self.guard, self.deadlines
        )
        self.reader: FrameReader = FrameReader(
            self.messages,
            self.control,
            max_frame_bytes=max(limits.max_frame_bytes, MIN_MAX_FRAME_BYTES),
            expect_preface=not is_client,
            frames_per_turn=limits.frames_per_turn,
        )

    # ---- lifecycle ----

    def start(self, now: float) -> None:
        """Queue the preface, SETTINGS and the connection's window; arm the first deadlines.

        A server waits with that for the client's preface, so that it can answer HTTP/1.x in its own words.
        """
        self.now = now
        self.started = True
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
        self._opening = settings(entries)
        self.deadlines.preface = now + limits.preface_timeout_s
        if self.is_client:
            self._opening = PREFACE + self._opening
            self.greet()

    def greet(self) -> None:
        """Send our SETTINGS, which stand before anything else, unless they are sent already."""
        opening = self._opening
        if opening:
            self._opening = b""
            self.sender.write(opening)
            self.messages.open_window()
            self.deadlines.settings_ack = self.now + self.limits.settings_ack_timeout_s

    def receive(self, data: bytes, now: float) -> None:
        """Process bytes from the peer; never raises because of what they are."""
        if self.closed:
            return
        self.now = now
        self.bytes_in += len(data)
        try:
            self.reader.feed(data)
            if self.sender.stalled_frames > self.limits.queued_frames:
                raise ConnectionFault(
                    ENHANCE_YOUR_CALM, "peer does not read what it asks for", "queued_frames"
                )
        except ConnectionFault as fault:
            self._fault(fault)

    def _fault(self, fault: ConnectionFault) -> None:
        if fault.limit:
            self.guard.trip(fault.limit)
        if isinstance(fault, NotHttp2):
            self._answer_foreigner(fault)
        else:
            self.terminate(fault.code, fault.reason)

    def _answer_foreigner(self, fault: NotHttp2) -> None:
        """Say what there is to say in the peer's own protocol, unless it has heard HTTP/2 already."""
        if self._opening and fault.answer:
            self.sender.write(fault.answer)
        elif not self.sender.out:
            # Nothing is said, yet the runtime has to come and close the transport.
            self.sender.mark_dirty()
        self._shut(fault.code, fault.reason)

    def eof(self, now: float) -> None:
        """Learn that the transport is closed: each open stream gets `on_reset`, then `on_terminated` is
        called.
        """
        self.now = now
        self._shut(CONNECTION_LOST, "transport closed")

    def terminate(self, code: int, reason: str) -> None:
        """Send GOAWAY with this code and end every stream; `on_terminated` is the last callback."""
        if self.closed:
            return
        self.goaway(code, -1, reason.encode("utf-8", "replace")[:128])
        self._shut(code, reason)

    def goaway(self, code: int, last_stream_id: int = -1, debug: bytes = b"") -> None:
        """Send GOAWAY; -1 stands for the highest stream id seen. Requests above the id are then ignored."""
        if self.closed:
            return
        self.greet()
        table = self.table
        last_id = last_stream_id if last_stream_id >= 0 else table.highest_id
        if table.goaway_sent_id < 0 or last_id < table.goaway_sent_id:
            table.goaway_sent_id = last_id
        self.sender.write(goaway(table.goaway_sent_id, code, debug))

    def _shut(self, code: int, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        self.reader.stop()
        self.deadlines.clear()
        self.messages.discard()
        self.sender.ready.clear()
        open_streams = list(self.table.streams.values())
        self.table.streams.clear()
        for stream in open_streams:
            stream.local_closed = True
            stream.remote_closed = True
            stream.drop_queue()
        failure: Exception | None = None
        for stream in open_streams:
            if not stream.done:
                try:
                    self.end_with_reset(stream, CONNECTION_LOST, unprocessed=False)
                except Exception as error:  # noqa: BLE001 - raised below, once the others have been told
                    failure = error
        self.handler.on_terminated(code, reason)
        if failure is not None:
            raise failure

    # ---- output and time ----

    def take_output(self) -> bytes:
        """Return everything to be written since the last call, and forget it."""
        sender = self.sender
        data = sender.take()
        self.bytes_out += len(data)
        if not sender.paused:
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

    def ping(self, now: float) -> None:
        """Send a PING unless one is outstanding; `last_pong_rtt` tells when it was answered."""
        if not self.closed:
            self.greet()
            self.control.ping(now)

    def next_deadline(self) -> float:
        """Return when `handle_timer` wants to be called, infinity if never."""
        return self.deadlines.earliest()

    def handle_timer(self, now: float) -> None:
        """End the connection if a deadline has passed."""
        if self.closed:
            return
        self.now = now
        try:
            self.deadlines.check(now)
        except ConnectionFault as fault:
            self._fault(fault)

    # ---- streams: what the application asks for ----

    @property
    def can_open(self) -> bool:
        """Whether `open_stream` may be called (client role)."""
        table = self.table
        return (
            self.started
            and not self.closed
            and not self.control.goaway_received
            and table.goaway_sent_id < 0
            and table.next_id <= LAST_OPENED_ID
            and len(table.streams) < self.control.peer.max_concurrent_streams
        )

    def open_stream(
        self, handler: StreamHandler, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> Stream:
        """Send a request (client role); the caller has asked `can_open`."""
        stream_id = self.table.next_id
        self.table.next_id = stream_id + 2
        self.guard.streams += 1
        stream = self.add_stream(stream_id)
        stream.handler = handler
        stream.request = block
        stream.local_closed = end_stream
        self.sender.write_headers(stream.id_octets, block, extra, end_stream)
        if stream_id >= LAST_OPENED_ID - 1:
            self.handler.on_goaway(MAX_STREAM_ID, NO_ERROR)
        return stream

    def fits(self, block: HeaderBlock, extra: tuple[Field, ...]) -> bool:
        """Whether the peer takes a header list of this size (RFC 9113 section 10.5.1)."""
        return self.sender.fits(block, extra)

    def ids_run_out(self) -> None:
        """Ask a client for a new connection while it still has stream ids left on this one."""
        if self.table.goaway_sent_id < 0:
            self.goaway(NO_ERROR, MAX_STREAM_ID, b"stream ids run out")

    def reset_stream(self, stream: Stream, code: int) -> None:
        """Reset a stream for the application; see `Stream.reset`."""
        if not self.closed:
            self._write_reset(stream.id, stream.id_octets, code)
        self._forget(stream)
        self.report_capacity()

    # ---- streams: what the parts of the connection ask for ----

    def add_stream(self, stream_id: int) -> Stream:
        """Make a stream and enter it into the table."""
        stream = Stream(
            self,
            self.sender,
            stream_id,
            self.control.peer.initial_window_bytes,
            self.recv_stream_window,
            self.now,
        )
        self.table.streams[stream_id] = stream
        self.streams_opened += 1
        return stream

    def close_remote(self, stream: Stream) -> bool:
        """End the peer's direction; True if that ended the stream."""
        stream.remote_closed = True
        if stream.local_closed:
            self._forget(stream)
            return True
        return False

    def finish_stream(self, stream: Stream) -> None:
        """Forget a stream both of whose directions have ended."""
        self._forget(stream)
        self.report_capacity()

    def report_capacity(self) -> None:
        """Tell a client's handler that a stream has ended."""
        if self.is_client and not self.closed:
            self.handler.on_capacity()

    def end_with_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        """Forget a stream and tell its handler; nothing is sent."""
        handler = stream.handler
        self._forget(stream)
        handler.on_reset(stream, code, unprocessed)

    def stream_error(self, stream: Stream, code: int) -> None:
        """Reset a stream because its peer broke a rule, and tell its handler."""
        self.guard.reply()
        self.guard.stream_error(self.now)
        self._write_reset(stream.id, stream.id_octets, code)
        self.end_with_reset(stream, code, unprocessed=False)
        self.report_capacity()

    def reset_unknown(self, stream_id: int, code: int) -> None:
        """Reset a stream that has no object because its peer broke a rule."""
        self.guard.reply()
        self.guard.stream_error(self.now)
        self._write_reset(stream_id, stream_id.to_bytes(4, "big"), code)

    def refuse(self, stream_id: int) -> None:
        """Refuse a stream above the concurrency limit; the client is to blame once it knows the limit, and
        not while its memory is the reason, of which it cannot know.
        """
        self.guard.reply()
        self.guard.trip("max_streams" if self.stream_cap else "memory")
        if self.control.settings_acked and self.stream_cap:
            self.guard.refused(self.now)
        self._write_reset(stream_id, stream_id.to_bytes(4, "big"), REFUSED_STREAM)

    def _write_reset(self, stream_id: int, stream_id_octets: bytes, code: int) -> None:
        self.table.add_reset(stream_id)
        self.resets_sent += 1
        self.sender.write(rst_stream(stream_id_octets, code))

    def _forget(self, stream: Stream) -> None:
        stream.done = True
        stream.local_closed = True
        stream.remote_closed = True
        if stream.queued_bytes:
            stream.drop_queue()
        stream.handler = NO_HANDLER
        self.table.streams.pop(stream.id, None)

    # ---- counters for status pages ----

    def held_bytes(self) -> int:
        """Return about how much memory this connection's peer makes us keep: input that is no whole frame or
        header block yet, output, and what is kept for each open stream.
        """
        total = self.reader.held_bytes() + self.messages.held_bytes() + self.sender.held_bytes()
        for stream in self.table.streams.values():
            total += STREAM_BYTES + stream.queued_bytes + stream.handler.held_bytes()
        return total

    @property
    def has_more(self) -> bool:
        """Whether whole frames wait for the next `receive`, whose data may be empty."""
        return self.reader.more

    @property
    def active_streams(self) -> int:
        """Streams that are open or half closed."""
        return len(self.table.streams)

    @property
    def frames_in(self) -> int:
        """Frames received."""
        return self.reader.frames

    @property
    def frames_out(self) -> int:
        """Frames put into the output."""
        return self.sender.frames_out

    @property
    def resets_received(self) -> int:
        """RST_STREAM frames received."""
        return self.control.resets_received

    @property
    def glitches(self) -> int:
        """Odd frames received, as the guard counts them."""
        return self.guard.glitches

    @property
    def settings_received(self) -> bool:
        """Whether the peer's first SETTINGS are here: it speaks HTTP/2."""
        return self.control.peer.received

    @property
    def goaway_received(self) -> bool:
        """Whether the peer has announced that it goes away."""
        return self.control.goaway_received

    @property
    def last_pong_rtt(self) -> float:
        """Round-trip time of the last answered PING in seconds, 0.0 before the first."""
        return self.control.last_pong_rtt

    @property
    def ping_outstanding_since(self) -> float:
        """When the unanswered PING was sent, 0.0 if there is none."""
        return self.control.ping_outstanding_since
