"""Arbitrary and mutated input: nothing raises, every stream ends once, and memory stays bounded."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream
from tests.unit.http2.wire import PREFACE, REQUEST, RESPONSE, TRAILERS, Peer, client, frame, server, setting

OK = HeaderBlock(RESPONSE)
DONE = HeaderBlock(TRAILERS)


class Audit(StreamHandler):
    """Check the order of callbacks while answering now and then."""

    def __init__(self) -> None:
        self.remote_ended = False
        self.gone = False

    def on_headers(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        self.check(end_stream)

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        self.check(end_stream)
        stream.consume(len(data))
        if len(data) % 3 == 0:
            stream.send_headers(OK, (), False)
            stream.send_data(data * 2, False)
        if end_stream and len(data) % 2 == 0:
            stream.send_trailers(DONE, ())

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        self.check(True)
        stream.send_headers(OK, (), True)

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        assert not self.gone
        self.gone = True

    def on_sent(self, stream: Stream, n: int) -> None:
        assert n > 0 and not self.gone

    def check(self, end_stream: bool) -> None:
        assert not self.gone and not self.remote_ended
        self.remote_ended = end_stream


class Accept(ConnectionHandler):
    def __init__(self) -> None:
        self.handlers: list[Audit] = []
        self.terminated = 0

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        assert self.terminated == 0
        names = [name for name, _ in block.fields]
        assert {b":method", b":path", b":scheme"} <= set(names)
        audit = Audit()
        audit.remote_ended = end_stream
        stream.handler = audit
        self.handlers.append(audit)

    def on_terminated(self, code: int, reason: str) -> None:
        self.terminated += 1


def feed(chunks: list[bytes], *, is_client: bool, limits: Limits | None = None) -> Connection:
    """Deliver chunks to a fresh connection, then close the transport, checking what must always hold."""
    handler = Accept()
    connection = Connection(
        is_client=is_client, limits=limits or Limits(), handler=handler, cache=BlockCache(), dirty=[]
    )
    connection.start(0.0)
    if is_client:
        for _ in range(3):
            audit = Audit()
            handler.handlers.append(audit)
            connection.open_stream(audit, HeaderBlock(REQUEST), (), False).send_data(b"m" * 70_000, False)
    for number, chunk in enumerate(chunks):
        connection.receive(chunk, number * 0.01)
        connection.take_output()
        assert connection.active_streams <= 100
        assert sum(len(part) for part in connection.reader._chunks) <= max(len(chunk), 0) + 16384 + 9
        connection.next_deadline()
        connection.set_write_paused(number % 3 == 0)
    connection.eof(1e6)
    assert handler.terminated == 1
    assert connection.active_streams == 0
    return connection


FRAMES = st.builds(
    frame,
    st.integers(0, 11),
    st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x24, 0x2D, 0xFF]),
    st.sampled_from([0, 1, 2, 3, 5, 7, 2**31 - 1]),
    st.one_of(
        st.binary(max_size=40),
        st.just(b"\x83\x86\x84\x41\x01a"),
        st.just(b"\x88"),
        st.just(setting(0x4, 0)),
        st.just(setting(0x1, 0) + setting(0x4, 2**31 - 1)),
        st.integers(0, 2**31 - 1).map(lambda n: n.to_bytes(4, "big")),
        st.just(bytes(8)),
    ),
)


@given(st.lists(st.binary(max_size=200), max_size=10), st.booleans())
def test_random_octets(chunks: list[bytes], is_client: bool) -> None:
    """Octets without any structure, behind a correct preface."""
    feed([b"" if is_client else PREFACE, frame(4, 0, 0), *chunks], is_client=is_client)


@given(st.lists(FRAMES, max_size=40), st.booleans(), st.integers(1, 64))
def test_random_frames(frames: list[bytes], is_client: bool, size: int) -> None:
    """Well-formed frames in any order, cut anywhere."""
    data = b"".join(frames)
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    feed([b"" if is_client else PREFACE, frame(4, 0, 0), frame(4, 1, 0), *chunks], is_client=is_client)


def transcript(peer: Peer) -> bytes:
    """Write down a lively, legal conversation."""
    parts = [frame(4, 0, 0, setting(0x4, 1000) + setting(0x5, 20000)), frame(4, 1, 0)]
    for stream_id in (1, 3, 5):
        fields = RESPONSE if peer.connection.is_client else (*REQUEST, (b"grpc-timeout", b"%dS" % stream_id))
        parts.append(peer.headers(stream_id, fields, 4))
        parts.append(frame(0, 0, stream_id, b"m" * 90))
        parts.append(frame(8, 0, stream_id, (500).to_bytes(4, "big")))
        parts.append(frame(0, 8, stream_id, b"\x05abc" + bytes(5)))
        parts.append(frame(6, 0, 0, bytes(8)))
    parts += [
        peer.headers(1, TRAILERS),
        frame(0, 1, 3, b"end"),
        frame(3, 0, 5, bytes(4)),
        frame(7, 0, 0, bytes(8)),
    ]
    return b"".join(parts)


@given(
    st.booleans(),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.integers(1, 300),
)
def test_mutated_conversations(is_client: bool, changes: list[tuple[float, int]], size: int) -> None:
    """A legal conversation with a few octets changed."""
    data = bytearray(transcript(client() if is_client else server()))
    for where, octet in changes:
        data[int(where * len(data))] = octet
    chunks = [bytes(data[at : at + size]) for at in range(0, len(data), size)]
    connection = feed([b"" if is_client else PREFACE, *chunks], is_client=is_client)
    if not changes:
        assert connection.resets_sent == 0


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 9), st.integers(0, 3))
def test_dripped_frame_is_linear(step: int, rest: int) -> None:
    """A frame in small pieces is copied a constant number of times: chunks kept never exceed it."""
    peer = server()
    peer.open_request()
    data = frame(0, 1, 1, bytes(1000 + rest))
    for at in range(0, len(data), step):
        peer.send(data[at : at + step])
        assert sum(len(part) for part in peer.connection.reader._chunks) <= len(data)
    assert peer.recorder.names("data")[0][3] is True
