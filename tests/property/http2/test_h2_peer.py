"""Whole exchanges with the `h2` package on the other side of the wire."""

from __future__ import annotations

from collections.abc import Iterable

import h2.config
import h2.connection
import h2.events
import h2.settings
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream

EXTRA_FIELDS = st.lists(
    st.tuples(
        st.sampled_from([b"x-a", b"x-b", b"grpc-timeout", b"traceparent", b"authorization", b"x-bin"]),
        st.text("abcXYZ019 ,=%", max_size=30).map(lambda text: text.strip().encode()),
    ),
    max_size=6,
)
BODIES = st.lists(
    st.one_of(st.binary(max_size=300), st.binary(max_size=8).map(lambda seed: seed * 1500)), max_size=3
)
CHUNKS = st.lists(st.sampled_from([13, 300, 5000, 20_000]), min_size=1, max_size=8)
CALLS = st.lists(st.tuples(EXTRA_FIELDS, BODIES, EXTRA_FIELDS), min_size=1, max_size=3)

Calls = list[tuple[list[Field], list[bytes], list[Field]]]
REQUEST: list[Field] = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":authority", b"orders"),
    (b":path", b"/s/m"),
]
OK = HeaderBlock(((b":status", b"200"), (b"content-type", b"application/grpc")))
DONE = HeaderBlock(((b"grpc-status", b"0"),))


def rechunk(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut bytes into pieces of the given sizes, over and over."""
    pieces, pos, turn = [], 0, 0
    while pos < len(data):
        pieces.append(data[pos : pos + sizes[turn % len(sizes)]])
        pos += sizes[turn % len(sizes)]
        turn += 1
    return pieces


def by_name(fields: Iterable[Field]) -> dict[bytes, list[bytes]]:
    """Group values by name, in order."""
    grouped: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        grouped.setdefault(bytes(name), []).append(bytes(value))
    return grouped


class EchoStream(StreamHandler):
    """Send each piece back as it comes, then the request's extra fields as trailers."""

    def __init__(self, extra: tuple[Field, ...]) -> None:
        self.extra = extra

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        stream.consume(len(data))
        stream.send_data(data, False)
        if end_stream:
            stream.send_trailers(DONE, self.extra)


class EchoServer(ConnectionHandler):
    def __init__(self) -> None:
        self.requests: dict[int, tuple[Field, ...]] = {}
        self.ended: list[str] = []

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        self.requests[stream.id] = block.fields + extra
        fields = block.fields[4:] + extra
        stream.handler = EchoStream(fields)
        stream.send_headers(OK, (), False)
        if end_stream:
            stream.send_trailers(DONE, fields)

    def on_terminated(self, code: int, reason: str) -> None:
        self.ended.append(reason)


@settings(deadline=None, max_examples=80)
@given(CALLS, CHUNKS, CHUNKS, st.sampled_from([7, 1000, 65535]))
def test_server_role(calls: Calls, up: list[int], down: list[int], client_window: int) -> None:
    """Every request of an h2 client arrives whole and its echo comes back whole, however bytes are cut and
    however small the client's window is.
    """
    handler = EchoServer()
    server = Connection(is_client=False, limits=Limits(), handler=handler, cache=BlockCache(), dirty=[])
    server.start(0.0)
    client = h2.connection.H2Connection(
        h2.config.H2Configuration(client_side=True, header_encoding=None, validate_inbound_headers=True)
    )
    client.initiate_connection()
    client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: client_window})
    bodies: dict[int, bytes] = {}
    received: dict[int, bytes] = {}
    trailers: dict[int, list[Field]] = {}

    def exchange() -> None:
        for _ in range(100_000):
            out = client.data_to_send()
            for piece in rechunk(out, up):
                server.receive(piece, 1.0)
            back = server.take_output()
            if not out and not back:
                return
            for piece in rechunk(back, down):
                for event in client.receive_data(piece):
                    if isinstance(event, h2.events.DataReceived):
                        received[event.stream_id] = received.get(event.stream_id, b"") + event.data
                        client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.TrailersReceived):
                        trailers[event.stream_id] = list(event.headers)
        raise AssertionError("the two sides never come to rest")

    exchange()
    for extra, body, _ in calls:
        stream_id = client.get_next_available_stream_id()
        client.send_headers(stream_id, REQUEST + extra, end_stream=False)
        bodies[stream_id] = b"".join(body)
        for piece in body:
            for start in range(0, len(piece), 16384):
                client.send_data(stream_id, piece[start : start + 16384])
            exchange()
        client.end_stream(stream_id)
    exchange()
    assert not handler.ended
    assert server.active_streams == 0
    for (stream_id, sent), (extra, _, _) in zip(bodies.items(), calls, strict=True):
        assert by_name(handler.requests[stream_id]) == by_name(REQUEST + extra)
        assert received.get(stream_id, b"") == sent
        assert by_name(trailers[stream_id]) == by_name([*DONE.fields, *extra])


class Collect(StreamHandler):
    def __init__(self) -> None:
        self.headers: tuple[Field, ...] = ()
        self.body = b""
        self.trailers: tuple[Field, ...] = ()
        self.ends = 0

    def on_headers(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        self.headers = block.fields + extra
        self.ends += end_stream

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        self.body += data
        self.ends += end_stream
        stream.consume(len(data))

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        self.trailers = block.fields + extra
        self.ends += 1

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        raise AssertionError(f"reset with {code}")


@settings(deadline=None, max_examples=80)
@given(CALLS, CHUNKS, CHUNKS, st.sampled_from([100, 65535]))
def test_client_role(calls: Calls, up: list[int], down: list[int], server_window: int) -> None:
    """Every call to an h2 server is answered whole, with the server's echo of our fields and body."""
    ended: list[str] = []

    class Watch(ConnectionHandler):
        def on_terminated(self, code: int, reason: str) -> None:
            ended.append(reason)

    client = Connection(is_client=True, limits=Limits(), handler=Watch(), cache=BlockCache(), dirty=[])
    client.start(0.0)
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    server.initiate_connection()
    requests: dict[int, list[Field]] = {}
    waiting: dict[int, bytes] = {}
    answers: dict[int, list[Field]] = {}

    def flush(stream_id: int) -> None:
        while waiting.get(stream_id):
            room = min(server.local_flow_control_window(stream_id), server.max_outbound_frame_size)
            if room <= 0:
                return
            server.send_data(stream_id, waiting[stream_id][:room])
            waiting[stream_id] = waiting[stream_id][room:]
        if stream_id in answers and not waiting.get(stream_id):
            server.send_headers(stream_id, answers.pop(stream_id), end_stream=True)

    def exchange() -> None:
        for _ in range(100_000):
            out = client.take_output()
            for piece in rechunk(out, up):
                for event in server.receive_data(piece):
                    if isinstance(event, h2.events.RequestReceived):
                        requests[event.stream_id] = list(event.headers)
                        server.send_headers(event.stream_id, list(OK.fields))
                    elif isinstance(event, h2.events.DataReceived):
                        waiting[event.stream_id] = waiting.get(event.stream_id, b"") + event.data
                        server.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.StreamEnded):
                        extra = requests[event.stream_id][4:]
                        answers[event.stream_id] = [*DONE.fields, *extra]
                for stream_id in list(waiting) + list(answers):
                    flush(stream_id)
            back = server.data_to_send()
            if not out and not back:
                return
            for piece in rechunk(back, down):
                client.receive(piece, 1.0)
        raise AssertionError("the two sides never come to rest")

    exchange()
    server.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: server_window})
    exchange()
    collected = []
    for extra, body, _ in calls:
        assert client.can_open
        call = Collect()
        stream = client.open_stream(call, HeaderBlock(tuple(REQUEST)), tuple(extra), False)
        for piece in body:
            stream.send_data(piece, False)
            exchange()
        stream.send_data(b"", True)
        collected.append((call, stream))
    exchange()
    assert not ended and client.active_streams == 0
    for (call, stream), (extra, body, _) in zip(collected, calls, strict=True):
        assert call.ends == 1 and stream.done
        assert call.body == b"".join(body)
        assert by_name(requests[stream.id]) == by_name(REQUEST + extra)
        assert by_name(call.trailers) == by_name([*DONE.fields, *extra])
