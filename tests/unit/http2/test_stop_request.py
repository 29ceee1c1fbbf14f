"""A response that is complete before its request: the client is asked to stop (RFC 9113 section 8.1)."""

from __future__ import annotations

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.errors import NO_ERROR
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream

REQUEST = HeaderBlock(
    ((b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a.B/C"), (b":authority", b"x"))
)
RESPONSE = HeaderBlock(((b":status", b"200"),))
TRAILERS = HeaderBlock(((b"grpc-status", b"0"),))


class Client(StreamHandler):
    """Notes what the client hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.received = 0

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        self.received += len(data)

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        self.heard.append("trailers")

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        self.heard.append(f"reset {code}")


class Server(ConnectionHandler):
    """Keeps the stream for the test to answer on."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        stream.handler = StreamHandler()
        self.streams.append(stream)


class Pair:
    """A client and a server connection, back to back."""

    def __init__(self, client_window: int = 0) -> None:
        self.handler = Server()
        cache = BlockCache()
        limits = Limits(stream_window_bytes=client_window)
        self.client = Connection(
            is_client=True, limits=limits, handler=ConnectionHandler(), cache=cache, dirty=[]
        )
        self.server = Connection(
            is_client=False, limits=Limits(), handler=self.handler, cache=cache, dirty=[]
        )
        self.client.start(0.0)
        self.server.start(0.0)
        self.exchange()

    def exchange(self) -> None:
        """Carry bytes both ways until nobody has anything to say."""
        for _ in range(100):
            up, down = self.client.take_output(), self.server.take_output()
            if not up and not down:
                return
            self.server.receive(up, 0.0)
            self.client.receive(down, 0.0)
        raise AssertionError("they never stop talking")


def test_an_early_answer_stops_the_client() -> None:
    """When the response has ended and the request has not, RST_STREAM with NO_ERROR follows the response."""
    pair = Pair()
    client = Client()
    pair.client.open_stream(client, REQUEST, (), False)
    pair.exchange()
    stream = pair.handler.streams[0]
    stream.send_headers(RESPONSE, (), False)
    stream.send_trailers(TRAILERS, ())
    pair.exchange()
    assert client.heard == ["trailers"]
    stream.stop_request()
    pair.exchange()
    assert client.heard == ["trailers", f"reset {NO_ERROR}"]
    assert pair.server.active_streams == pair.client.active_streams == 0


def test_the_ask_waits_for_the_queue() -> None:
    """While response bytes wait for the client's window, the ask waits behind them and the trailers."""
    pair = Pair(client_window=100)
    client = Client()
    request = pair.client.open_stream(client, REQUEST, (), False)
    pair.exchange()
    stream = pair.handler.streams[0]
    stream.send_headers(RESPONSE, (), False)
    stream.send_data(b"x" * 250, False)
    stream.send_trailers(TRAILERS, ())
    stream.stop_request()
    pair.exchange()
    assert client.heard == []
    for _ in range(3):
        request.consume(100)
        pair.exchange()
    assert client.received == 250
    assert client.heard == ["trailers", f"reset {NO_ERROR}"]
    assert pair.server.active_streams == 0


def test_a_complete_request_is_not_reset() -> None:
    """There is nothing to stop when the client has ended its side."""
    pair = Pair()
    client = Client()
    pair.client.open_stream(client, REQUEST, (), True)
    pair.exchange()
    stream = pair.handler.streams[0]
    stream.send_headers(RESPONSE, (), False)
    stream.stop_request()
    stream.send_trailers(TRAILERS, ())
    pair.exchange()
    assert client.heard == ["trailers"]
