"""Frames that carry no part of a message: SETTINGS, PING, GOAWAY, WINDOW_UPDATE, RST_STREAM, PRIORITY (RFC
9113 section 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seawall_proxy.http2.deadlines import NEVER, Deadlines
from seawall_proxy.http2.errors import (
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    ConnectionFault,
)
from seawall_proxy.http2.frames import (
    FLAG_ACK,
    GOAWAY,
    MAX_WINDOW_BYTES,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    SETTINGS,
    SETTINGS_ACK,
    ping,
    read_u32,
)
from seawall_proxy.http2.guard import Guard
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.peer import PeerSettings
from seawall_proxy.http2.sender import Sender
from seawall_proxy.http2.table import StreamTable

if TYPE_CHECKING:
    from seawall_proxy.http2.connection import Connection

MAX_SEND_FRAME_BYTES = 65536
"""Larger DATA frames than this are not sent even to a peer that would take them: others wait behind each."""


class ControlFrames:
    """Take the control frames of one connection."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits,
        table: StreamTable,
        sender: Sender,
        guard: Guard,
        deadlines: Deadlines,
    ) -> None:
        self._connection: Connection = connection
        self._limits: Limits = limits
        self._table: StreamTable = table
        self._sender: Sender = sender
        self._guard: Guard = guard
        self._deadlines: Deadlines = deadlines
        self.peer: PeerSettings = PeerSettings(
            is_client=connection.is_client, assumed_streams=limits.assumed_peer_streams
        )
        self.settings_acked: bool = False
        self.goaway_received: bool = False
        self.resets_received: int = 0
        self.pings_sent: int = 0
        self.ping_outstanding_since: float = 0.0
        self.last_pong_rtt: float = 0.0

    def window_update_frame(self, buf: bytes, pos: int, length: int, stream_id: int) -> None:
        """Take WINDOW_UPDATE for the connection or a stream."""
        if length != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, "WINDOW_UPDATE is not four octets long")
        increment = read_u32(buf, pos) & MAX_WINDOW_BYTES
        sender = self._sender
        self._guard.window_update(sender.data_frames, self._connection.now)
        if stream_id != 0:
            self._stream_window_update(stream_id, increment)
            return
        if increment == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "WINDOW_UPDATE of zero")
        sender.send_window += increment
        if sender.send_window > MAX_WINDOW_BYTES:
            raise ConnectionFault(FLOW_CONTROL_ERROR, "WINDOW_UPDATE overflows the connection's window")
        if sender.ready:
            sender.pump()

    def _stream_window_update(self, stream_id: int, increment: int) -> None:
        stream = self._table.streams.get(stream_id)
        if stream is None:
            if self._table.is_idle(stream_id):
                raise ConnectionFault(PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream")
            if increment == 0 and not self._table.was_reset(stream_id):
                self._connection.reset_unknown(stream_id, PROTOCOL_ERROR)
        elif increment == 0:
            self._connection.stream_error(stream, PROTOCOL_ERROR)
        else:
            stream.send_window += increment
            if stream.send_window > MAX_WINDOW_BYTES:
                self._connection.stream_error(stream, FLOW_CONTROL_ERROR)
            elif stream.queued_bytes:
                self._sender.stream_window_opened(stream)

    def rst_stream_frame(self, buf: bytes, pos: int, length: int, stream_id: int) -> None:
        """Take RST_STREAM; a client's premature one is charged to the guard once the call was told."""
        if length != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, "RST_STREAM is not four octets long")
        if stream_id == 0 or self._table.is_idle(stream_id):
            raise ConnectionFault(PROTOCOL_ERROR, "RST_STREAM on an idle stream or stream 0")
        self.resets_received += 1
        connection = self._connection
        stream = self._table.streams.get(stream_id)
        if stream is None:
            self._table.reset_answered(stream_id)
            self._guard.late_frame(connection.now)
            return
        code = read_u32(buf, pos)
        connection.end_with_reset(stream, code, code == REFUSED_STREAM)
        if connection.is_client:
            connection.handler.on_capacity()
        else:
            age_s = connection.now - stream.opened_at
            self._guard.reset_received(age_s, stream.reached_upstream, connection.now)

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
            self._guard.glitch(self._connection.now)

    # ---- SETTINGS ----

    def preface_read(self) -> None:
        """Send our SETTINGS, now that the client has said its preface, and wait for its own."""
        self._connection.greet()
        self._deadlines.preface = NEVER
        self._deadlines.first_settings = self._connection.now + self._limits.settings_timeout_s

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
        if length // 6 > self._limits.settings_entries:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "too many entries in SETTINGS", "settings_entries")
        self._guard.settings(self._connection.now)
        self._guard.reply()
        self._deadlines.preface = NEVER
        self._deadlines.first_settings = NEVER
        peer = self.peer
        window_before = peer.initial_window_bytes
        peer.apply(buf, pos, length)
        sender = self._sender
        sender.max_frame_bytes = min(peer.max_frame_bytes, MAX_SEND_FRAME_BYTES)
        sender.max_list_bytes = peer.max_header_list_bytes
        sender.encoder.set_peer_table_size(peer.lowest_table_bytes)
        sender.encoder.set_peer_table_size(peer.header_table_bytes)
        sender.write(SETTINGS_ACK)
        if peer.initial_window_bytes != window_before:
            self._shift_send_windows(peer.initial_window_bytes - window_before)
        if self._connection.is_client:
            self._connection.handler.on_capacity()

    def _shift_send_windows(self, delta: int) -> None:
        sender = self._sender
        for stream in self._table.streams.values():
            stream.send_window += delta
            if stream.send_window > MAX_WINDOW_BYTES:
                raise ConnectionFault(FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE overflows a window")
            if stream.queued_bytes and stream.send_window > 0:
                sender.ready[stream.id] = stream
        sender.pump()

    def _settings_acknowledged(self) -> None:
        """Let our announced stream window apply: the peer uses it from here on (section 6.9.2)."""
        connection = self._connection
        if self.settings_acked or not connection.started:
            self._guard.glitch(connection.now)
            return
        self.settings_acked = True
        self._deadlines.settings_ack = NEVER
        window = self._limits.stream_window(connection.is_client)
        delta = window - connection.recv_stream_window
        connection.recv_stream_window = window
        for stream in self._table.streams.values():
            stream.recv_window += delta
            # A window that shrank may owe credit that was too little to announce before.
            stream.consume(0)

    # ---- PING ----

    def ping(self, now: float) -> None:
        """Send a PING unless one is outstanding."""
        if self.ping_outstanding_since:
            return
        self.pings_sent += 1
        self.ping_outstanding_since = now
        self._sender.write(ping(self.pings_sent.to_bytes(8, "big"), ack=False))

    def _ping_frame(self, buf: bytes, pos: int, length: int, flags: int, stream_id: int) -> None:
        if stream_id != 0:
            raise ConnectionFault(PROTOCOL_ERROR, "PING on a stream")
        if length != 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, "PING is not eight octets long")
        payload = buf[pos : pos + 8]
        now = self._connection.now
        if not flags & FLAG_ACK:
            self._guard.ping(self._sender.data_frames, len(self._table.streams), now)
            self._guard.reply()
            self._sender.write(ping(payload, ack=True))
        elif self.ping_outstanding_since and payload == self.pings_sent.to_bytes(8, "big"):
            self.last_pong_rtt = now - self.ping_outstanding_since
            self.ping_outstanding_since = 0.0
        else:
            self._guard.glitch(now)

    # ---- GOAWAY and PRIORITY ----

    def _goaway_frame(self, buf: bytes, pos: int, length: int, stream_id: int) -> None:
        if stream_id != 0:
            raise ConnectionFault(PROTOCOL_ERROR, "GOAWAY on a stream")
        if length < 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, "GOAWAY is shorter than eight octets")
        connection = self._connection
        table = self._table
        if self.goaway_received:
            self._guard.glitch(connection.now)
        self.goaway_received = True
        last_id = min(read_u32(buf, pos) & MAX_WINDOW_BYTES, table.peer_last_id)
        code = read_u32(buf, pos + 4)
        table.peer_last_id = last_id
        connection.handler.on_goaway(last_id, code)
        if not connection.is_client:
            return
        for stream in list(table.streams.values()):
            if stream.id > last_id and not stream.done:
                connection.end_with_reset(stream, code, unprocessed=True)

    def _priority_frame(self, buf: bytes, pos: int, length: int, stream_id: int) -> None:
        if stream_id == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "PRIORITY on stream 0")
        self._guard.priority(self._connection.now)
        stream = self._table.streams.get(stream_id)
        if length != 5:
            if stream is None:
                raise ConnectionFault(FRAME_SIZE_ERROR, "PRIORITY is not five octets long")
            self._connection.stream_error(stream, FRAME_SIZE_ERROR)
        elif read_u32(buf, pos) & MAX_WINDOW_BYTES == stream_id:
            if stream is not None:
                self._connection.stream_error(stream, PROTOCOL_ERROR)
            elif self._table.is_idle(stream_id):
                raise ConnectionFault(PROTOCOL_ERROR, "stream depends on itself")
