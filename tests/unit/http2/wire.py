"""A raw HTTP/2 peer for tests: builds any frame, legal or not, and reads back what the connection answered.

Header blocks come from the `hpack` package, so that the peer shares no code with what it tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from hpack import Decoder as OracleDecoder
from hpack import Encoder as OracleEncoder
from hpack import HeaderTuple, NeverIndexedHeaderTuple

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED = range(6)
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = range(6, 12)

REQUEST: tuple[Field, ...] = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/shop.v1.Orders/GetOrder"),
    (b":authority", b"orders:8443"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
)
RESPONSE: tuple[Field, ...] = ((b":status", b"200"), (b"content-type", b"application/grpc"))
TRAILERS: tuple[Field, ...] = ((b"grpc-status", b"0"),)


class Frame(NamedTuple):
    """One frame as it stood on the wire."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"", length: int = -1) -> bytes:
    """Build any frame; `length` overrides the true one."""
    size = len(payload) if length < 0 else length
    return size.to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload


def setting(identifier: int, value: int) -> bytes:
    """Build one entry of a SETTINGS payload."""
    return identifier.to_bytes(2, "big") + value.to_bytes(4, "big")


def window_update(stream_id: int, increment: int) -> bytes:
    """Build WINDOW_UPDATE."""
    return frame(WINDOW_UPDATE, 0, stream_id, increment.to_bytes(4, "big"))


def rst_stream(stream_id: int, code: int = CANCEL) -> bytes:
    """Build RST_STREAM."""
    return frame(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))


def goaway(last_id: int, code: int = NO_ERROR) -> bytes:
    """Build GOAWAY."""
    return frame(GOAWAY, 0, 0, last_id.to_bytes(4, "big") + code.to_bytes(4, "big"))


def literal(name: bytes, value: bytes, pattern: int = 0x00) -> bytes:
    """Encode one HPACK literal with a new name; both strings shorter than 127 octets."""
    return bytes((pattern, len(name))) + name + bytes((len(value),)) + value


def split_frames(data: bytes) -> list[Frame]:
    """Cut complete output into frames, the client preface left out."""
    data = data.removeprefix(PREFACE)
    frames = []
    pos = 0
    while pos < len(data):
        length = int.from_bytes(data[pos : pos + 3], "big")
        end = pos + 9 + length
        assert end <= len(data), "output ends within a frame"
        stream_id = int.from_bytes(data[pos + 5 : pos + 9], "big")
        frames.append(Frame(data[pos + 3], data[pos + 4], stream_id, data[pos + 9 : end]))
        pos = end
    return frames


@dataclass
class Recorder:
    """Everything a connection called, in order; each stream gets a `StreamRecorder`."""

    log: list[tuple[object, ...]] = field(default_factory=list)
    streams: dict[int, Stream] = field(default_factory=dict)

    def names(self, *wanted: str) -> list[tuple[object, ...]]:
        """Return the entries of these kinds."""
        return [entry for entry in self.log if entry[0] in wanted]


class StreamRecorder(StreamHandler):
    """Write down what happens on a stream."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def on_headers(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        self.recorder.log.append(("headers", stream.id, block.fields + extra, end_stream))

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        self.recorder.log.append(("data", stream.id, data, end_stream))

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        self.recorder.log.append(("trailers", stream.id, block.fields + extra))

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        self.recorder.log.append(("reset", stream.id, code, unprocessed))

    def on_sent(self, stream: Stream, n: int) -> None:
        self.recorder.log.append(("sent", stream.id, n))


class ConnectionRecorder(ConnectionHandler):
    """Write down what happens on a connection."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        stream.handler = StreamRecorder(self.recorder)
        self.recorder.streams[stream.id] = stream
        self.recorder.log.append(("request", stream.id, block.fields + extra, end_stream))

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        self.recorder.log.append(("goaway", last_stream_id, code))

    def on_capacity(self) -> None:
        self.recorder.log.append(("capacity",))

    def on_terminated(self, code: int, reason: str) -> None:
        self.recorder.log.append(("terminated", code, reason))


class Peer:
    """Drive one connection under test from the other side of the wire."""

    def __init__(self, *, is_client: bool, limits: Limits | None = None, handshake: bool = True) -> None:
        self.recorder = Recorder()
        self.dirty: list[Connection] = []
        self.cache = BlockCache()
        self.connection = Connection(
            is_client=is_client,
            limits=limits or Limits(),
            handler=ConnectionRecorder(self.recorder),
            cache=self.cache,
            dirty=self.dirty,
        )
        self.encoder = OracleEncoder()
        self.decoder = OracleDecoder()
        self.now = 100.0
        self.frames: list[Frame] = []
        self.connection.start(self.now)
        self.opening = split_frames(self.connection.take_output())
        if handshake:
            if not is_client:
                self.connection.receive(PREFACE, self.now)
                self.opening = split_frames(self.connection.take_output())
            self.connection.receive(frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0), self.now)
            assert split_frames(self.connection.take_output()) == [Frame(SETTINGS, ACK, 0, b"")]
            self.recorder.log.clear()

    def send(self, *data: bytes) -> list[Frame]:
        """Deliver bytes in one read and return the frames answered."""
        self.connection.receive(b"".join(data), self.now)
        return self.take()

    def take(self) -> list[Frame]:
        """Return the frames written since the last call."""
        answered = split_frames(self.connection.take_output())
        self.frames += answered
        return answered

    def block(self, fields: tuple[Field, ...]) -> bytes:
        """Encode a header list without Huffman coding."""
        return self.encoder.encode([HeaderTuple(*pair) for pair in fields], huffman=False)

    def literal_block(self, fields: tuple[Field, ...]) -> bytes:
        """Encode a header list as never-indexed literals."""
        return self.encoder.encode([NeverIndexedHeaderTuple(*pair) for pair in fields], huffman=False)

    def headers(
        self, stream_id: int, fields: tuple[Field, ...] = REQUEST, flags: int = END_HEADERS | END_STREAM
    ) -> bytes:
        """Build HEADERS."""
        return frame(HEADERS, flags, stream_id, self.block(fields))

    def open_request(self, stream_id: int = 1, *, end_stream: bool = False) -> Stream:
        """Let a request arrive (server role) and return its stream."""
        self.send(self.headers(stream_id, flags=END_HEADERS | (END_STREAM if end_stream else 0)))
        return self.recorder.streams[stream_id]

    def open_call(self, *, end_stream: bool = False) -> Stream:
        """Let the connection send a request (client role) and return its stream."""
        stream = self.connection.open_stream(
            StreamRecorder(self.recorder), HeaderBlock(REQUEST), (), end_stream
        )
        self.recorder.streams[stream.id] = stream
        self.take()
        return stream

    def decode(self, answered: Frame) -> tuple[Field, ...]:
        """Decode the header block of a HEADERS frame the connection sent."""
        return tuple(
            (bytes(name), bytes(value)) for name, value in self.decoder.decode(answered.payload, raw=True)
        )

    # ---- expectations ----

    def goaway_code(self) -> int | None:
        """Return the code of the GOAWAY that was sent, if any."""
        for sent in self.frames:
            if sent.kind == GOAWAY:
                return int.from_bytes(sent.payload[4:8], "big")
        return None

    def reset_code(self, stream_id: int) -> int | None:
        """Return the code of the RST_STREAM sent for a stream, if any."""
        for sent in self.frames:
            if sent.kind == RST_STREAM and sent.stream_id == stream_id:
                return int.from_bytes(sent.payload, "big")
        return None

    def assert_connection_error(self, code: int) -> None:
        """The connection ended with this code, once, and its handler knows."""
        assert self.goaway_code() == code, self.frames
        ends = self.recorder.names("terminated")
        assert len(ends) == 1 and ends[0][1] == code
        assert self.connection.closed

    def assert_stream_error(self, stream_id: int, code: int) -> None:
        """One stream was reset with this code and the connection still answers."""
        assert self.reset_code(stream_id) == code, self.frames
        self.assert_alive()

    def assert_alive(self) -> None:
        """The connection answers a PING and sent no GOAWAY."""
        assert self.goaway_code() is None, self.frames
        assert Frame(PING, ACK, 0, b"12345678") in self.send(frame(PING, 0, 0, b"12345678"))


def server(limits: Limits | None = None, *, handshake: bool = True) -> Peer:
    """Make a server-role connection past its handshake, and a raw client for it."""
    return Peer(is_client=False, limits=limits, handshake=handshake)


def client(limits: Limits | None = None, *, handshake: bool = True) -> Peer:
    """Make a client-role connection past its handshake, and a raw server for it."""
    return Peer(is_client=True, limits=limits, handshake=handshake)
