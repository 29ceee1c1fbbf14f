"""What leaves a connection, when, and in which order."""

from __future__ import annotations

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.handlers import ConnectionHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream
from tests.unit.http2.wire import (
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INTERNAL_ERROR,
    PING,
    REQUEST,
    RESPONSE,
    RST_STREAM,
    SETTINGS,
    TRAILERS,
    Frame,
    client,
    frame,
    rst_stream,
    server,
    setting,
    window_update,
)

OK = HeaderBlock(RESPONSE)
DONE = HeaderBlock(TRAILERS)


def test_unary_response() -> None:
    """Headers, message and trailers leave as three frames and end the stream."""
    peer = server()
    stream = peer.open_request(end_stream=True)
    stream.send_headers(OK, (), False)
    assert stream.send_data(b"message", False) == 7
    stream.send_trailers(DONE, ())
    first, second, third = peer.take()
    assert peer.decode(first) == RESPONSE and not first.flags & END_STREAM
    assert second == Frame(DATA, 0, 1, b"message")
    assert peer.decode(third) == TRAILERS and third.flags & END_STREAM
    assert stream.done and peer.connection.active_streams == 0


def test_trailers_only() -> None:
    """One HEADERS frame may be the whole response."""
    peer = server()
    stream = peer.open_request(end_stream=True)
    stream.send_headers(HeaderBlock(RESPONSE + TRAILERS), ((b"x-reason", b"busy"),), True)
    (only,) = peer.take()
    assert only.flags & END_STREAM
    assert peer.decode(only) == (*RESPONSE, *TRAILERS, (b"x-reason", b"busy"))


def test_unary_request() -> None:
    """A call leaves as HEADERS and DATA; the response's headers, data and trailers are reported in order."""
    peer = client()
    stream = peer.connection.open_stream(peer.open_call().handler, HeaderBlock(REQUEST), (), False)
    stream.send_data(b"hello", True)
    headers, data = peer.take()
    assert headers.kind == HEADERS and data == Frame(DATA, END_STREAM, 3, b"hello")
    peer.send(peer.headers(3, RESPONSE, 4), frame(DATA, 0, 3, b"world"), peer.headers(3, TRAILERS))
    assert peer.recorder.log == [
        ("headers", 3, RESPONSE, False),
        ("data", 3, b"world", False),
        ("trailers", 3, TRAILERS),
        ("capacity",),
    ]


def test_trailers_wait_for_queued_data() -> None:
    """Trailers leave behind the data that waits for its window."""
    peer = server()
    peer.send(frame(SETTINGS, 0, 0, setting(0x4, 2)))
    stream = peer.open_request(end_stream=True)
    stream.send_headers(OK, (), False)
    assert stream.send_data(b"abcd", False) == 2
    stream.send_trailers(DONE, ((b"x", b"y"),))
    assert [sent.kind for sent in peer.take()] == [HEADERS, DATA]
    assert not stream.local_closed
    assert [sent.kind for sent in peer.send(window_update(1, 2))] == [DATA, HEADERS]
    assert stream.done


def test_empty_end_waits_for_queued_data() -> None:
    """An empty END_STREAM behind queued data becomes the flag of its last frame."""
    peer = server()
    peer.send(frame(SETTINGS, 0, 0, setting(0x4, 2)))
    stream = peer.open_request(end_stream=True)
    stream.send_data(b"abcd", False)
    assert stream.send_data(b"", True) == 0
    peer.take()
    assert peer.send(window_update(1, 9)) == [Frame(DATA, END_STREAM, 1, b"cd")]
    assert stream.done


def test_empty_data() -> None:
    """Empty data without an end is no frame; with an end it needs no window."""
    peer = server()
    peer.send(frame(SETTINGS, 0, 0, setting(0x4, 0)))
    stream = peer.open_request(end_stream=True)
    assert stream.send_data(b"", False) == 0
    assert peer.take() == []
    assert stream.send_data(b"", True) == 0
    assert peer.take() == [Frame(DATA, END_STREAM, 1, b"")]


def test_large_data_is_cut() -> None:
    """Data above the peer's frame size leaves in frames of that size."""
    peer = server()
    stream = peer.open_request(end_stream=True)
    assert stream.send_data(b"m" * 40_000, True) == 40_000
    sent = peer.take()
    assert [len(out.payload) for out in sent] == [16384, 16384, 7232]
    assert [out.flags for out in sent] == [0, 0, END_STREAM]


def test_connection_window_is_shared_in_turn() -> None:
    """Streams that wait for the connection's window get one frame each in turn."""
    peer = server()
    peer.send(frame(SETTINGS, 0, 0, setting(0x4, 10**6)))
    streams = [peer.open_request(stream_id, end_stream=True) for stream_id in (1, 3, 5)]
    assert streams[0].send_data(bytes(100_000), False) == 65535
    assert streams[1].send_data(bytes(100_000), False) == 0
    assert streams[2].send_data(bytes(100), False) == 0
    peer.take()
    sent = peer.send(window_update(0, 50_000))
    assert [(out.stream_id, len(out.payload)) for out in sent] == [
        (1, 16384),
        (3, 16384),
        (5, 100),
        (1, 16384),
        (3, 748),
    ]
    assert sum(entry[2] for entry in peer.recorder.names("sent")) == 50_000  # type: ignore[misc]


def test_a_closed_stream_window_blocks_nobody_else() -> None:
    """A stream without window of its own leaves the connection's to the others."""
    peer = server()
    peer.send(frame(SETTINGS, 0, 0, setting(0x4, 5)))
    slow, quick = peer.open_request(1, end_stream=True), peer.open_request(3, end_stream=True)
    assert slow.send_data(b"0123456789", False) == 5
    assert quick.send_data(b"abc", True) == 3


def test_paused_transport_holds_data_only() -> None:
    """While the transport is paused headers and PING answers leave, DATA does not."""
    peer = server()
    stream = peer.open_request(end_stream=True)
    peer.connection.set_write_paused(True)
    stream.send_headers(OK, (), False)
    assert stream.send_data(b"abc", False) == 0
    assert [sent.kind for sent in peer.send(frame(PING, 0, 0, bytes(8)))] == [HEADERS, PING]
    peer.send(window_update(0, 10), window_update(1, 10))
    peer.connection.set_write_paused(False)
    assert peer.take() == [Frame(DATA, 0, 1, b"abc")]
    assert peer.recorder.names("sent") == [("sent", 1, 3)]


def test_reset_drops_the_queue() -> None:
    """After a reset nothing that was queued leaves, and nothing more is called."""
    peer = server()
    peer.send(frame(SETTINGS, 0, 0, setting(0x4, 1)))
    stream = peer.open_request()
    stream.send_data(b"abc", True)
    stream.reset(INTERNAL_ERROR)
    stream.reset(INTERNAL_ERROR)
    assert [sent.kind for sent in peer.take()] == [DATA, RST_STREAM]
    assert peer.send(frame(DATA, 0, 1, b"x"), rst_stream(1)) == []
    assert stream.queued_bytes == 0 and stream.done
    assert peer.recorder.names("data", "reset", "sent") == []


def test_sending_on_a_closed_direction_is_harmless() -> None:
    """Data for a stream that is over counts as sent; headers and trailers for it are dropped."""
    peer = server()
    stream = peer.open_request()
    peer.send(rst_stream(1))
    stream.send_headers(OK, (), False)
    assert stream.send_data(b"abc", True) == 3
    stream.send_trailers(DONE, ())
    stream.consume(10)
    assert peer.take() == []


def test_unanswered_request_is_reset() -> None:
    """A request for which nobody sets a handler is reset with INTERNAL_ERROR."""
    peer = server()
    peer.connection.handler = ConnectionHandler()
    peer.send(peer.headers(1, flags=4))
    assert peer.reset_code(1) == INTERNAL_ERROR


def test_dirty_once_per_flush() -> None:
    """A connection reports itself dirty with its first output after each flush."""
    dirty: list[Connection] = []
    connection = Connection(
        is_client=True, limits=Limits(), handler=ConnectionHandler(), cache=BlockCache(), dirty=dirty
    )
    connection.start(0.0)
    connection.ping(0.0)
    assert dirty == [connection]
    dirty.clear()
    assert connection.take_output() != b""
    assert connection.take_output() == b""
    connection.goaway(0)
    assert dirty == [connection]


def test_terminated_from_within_a_callback() -> None:
    """A handler may end the connection; what stands behind in the same read is not looked at."""

    class Strict(ConnectionHandler):
        def __init__(self) -> None:
            self.calls: list[str] = []

        def on_request(
            self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
        ) -> None:
            self.calls.append("request")
            stream.connection.terminate(0, "enough")

        def on_terminated(self, code: int, reason: str) -> None:
            self.calls.append(reason)

    peer = server()
    strict = Strict()
    peer.connection.handler = strict
    sent = peer.send(peer.headers(1), peer.headers(3), frame(PING, 0, 0, bytes(8)))
    assert [out.kind for out in sent] == [GOAWAY]
    assert strict.calls == ["request", "enough"]


def test_window_limits() -> None:
    """A connection window is never below the 65,535 bytes it is born with; stream windows differ by role."""
    assert Limits(connection_window_bytes=1000).connection_window() == 65535
    assert Limits().connection_window() == 1024 * 1024
    assert Limits().stream_window(is_client=True) == 256 * 1024
    assert Limits(stream_window_bytes=7).stream_window(is_client=False) == 7


class TestReceiveCredit:
    """What is given back of what was received, and when."""

    def test_connection_credit_returns_on_arrival(self) -> None:
        """Half a connection window of unread data gives the connection's credit back, the stream's not."""
        peer = server(Limits(stream_window_bytes=2**20, connection_window_bytes=65536))
        peer.open_request()
        sent = [update for _ in range(2) for update in peer.send(frame(DATA, 0, 1, bytes(16384)))]
        assert sent == [Frame(8, 0, 0, (32768).to_bytes(4, "big"))]

    def test_stream_credit_waits_for_consume(self) -> None:
        """Half a stream window consumed is announced, less is not, more than was received is not believed."""
        peer = server()
        stream = peer.open_request()
        for _ in range(3):
            peer.send(frame(DATA, 0, 1, bytes(16384)))
        stream.consume(32767)
        assert peer.take() == []
        stream.consume(1)
        assert peer.take() == [Frame(8, 0, 1, (32768).to_bytes(4, "big"))]
        stream.consume(10**9)
        assert stream.recv_window + stream.recv_credit == 64 * 1024

    def test_no_credit_behind_the_end(self) -> None:
        """A stream whose peer has ended needs no more window."""
        peer = server()
        stream = peer.open_request()
        for flags in (0, 0, END_STREAM):
            peer.send(frame(DATA, flags, 1, bytes(16384)))
        stream.consume(3 * 16384)
        assert peer.take() == []

    def test_overrun_stream_window(self) -> None:
        """More than the stream's window resets the stream with FLOW_CONTROL_ERROR."""
        peer = server(Limits(stream_window_bytes=20_000))
        peer.open_request()
        peer.send(frame(DATA, 0, 1, bytes(16384)), frame(DATA, 0, 1, bytes(3617)))
        peer.assert_stream_error(1, 3)

    def test_overrun_connection_window(self) -> None:
        """More than the connection's window ends the connection; credit already returned counts."""
        peer = server(Limits(stream_window_bytes=2**20, connection_window_bytes=65535))
        peer.open_request()
        for _ in range(50):
            peer.send(frame(DATA, 0, 1, bytes(16384)))
        peer.assert_alive()
