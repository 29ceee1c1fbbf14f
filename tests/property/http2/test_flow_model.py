"""Flow control between two connections with tiny windows, against a naive model.

The model counts, per stream and for the connection, what was sent, what was consumed and what the windows
allow. It looks at frames on the wire only, so it shares no arithmetic with what it checks.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream
from tests.unit.http2.wire import DATA, REQUEST, RESPONSE, SETTINGS, WINDOW_UPDATE, split_frames

OK = HeaderBlock(RESPONSE)


class Sink(StreamHandler):
    """Take data and keep it unconsumed until told; count what was reported as sent."""

    def __init__(self) -> None:
        self.received = b""
        self.unconsumed = 0
        self.reported = 0
        self.ended = 0

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        assert not self.ended
        self.received += data
        self.unconsumed += len(data)
        self.ended += end_stream

    def on_sent(self, stream: Stream, n: int) -> None:
        self.reported += n


class Side(ConnectionHandler):
    def __init__(self, *, is_client: bool, limits: Limits) -> None:
        self.streams: dict[int, Stream] = {}
        self.sinks: dict[int, Sink] = {}
        self.connection = Connection(
            is_client=is_client, limits=limits, handler=self, cache=BlockCache(), dirty=[]
        )
        self.connection.start(0.0)

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        self.adopt(stream, Sink())
        stream.handler = self.sinks[stream.id]
        stream.send_headers(OK, (), False)

    def adopt(self, stream: Stream, sink: Sink) -> None:
        self.streams[stream.id] = stream
        self.sinks[stream.id] = sink

    def on_terminated(self, code: int, reason: str) -> None:
        raise AssertionError(reason)


class Budget:
    """The windows of one direction as an outside observer knows them."""

    def __init__(self) -> None:
        self.initial = 65535
        self.connection = 65535
        self.streams: dict[int, int] = {}

    def sent(self, data: bytes) -> int:
        """Charge the DATA frames one side wrote."""
        total = 0
        for out in split_frames(data):
            if out.kind == DATA:
                size = len(out.payload)
                total += size
                self.connection -= size
                self.streams[out.stream_id] = self.streams.get(out.stream_id, self.initial) - size
                assert size == 0 or (self.connection >= 0 and self.streams[out.stream_id] >= 0)
        return total

    def granted(self, data: bytes) -> None:
        """Apply what the other side granted, as it is delivered."""
        for out in split_frames(data):
            if out.kind == WINDOW_UPDATE and out.stream_id == 0:
                self.connection += int.from_bytes(out.payload, "big")
            elif out.kind == WINDOW_UPDATE:
                known = self.streams.get(out.stream_id, self.initial)
                self.streams[out.stream_id] = known + int.from_bytes(out.payload, "big")
            elif out.kind == SETTINGS:
                for at in range(0, len(out.payload), 6):
                    if out.payload[at : at + 2] == b"\x00\x04":
                        value = int.from_bytes(out.payload[at + 2 : at + 6], "big")
                        for stream_id in self.streams:
                            self.streams[stream_id] += value - self.initial
                        self.initial = value


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 1), st.integers(0, 3), st.integers(1, 3000)),
        st.tuples(st.just("consume"), st.integers(0, 1), st.integers(0, 3), st.integers(1, 3000)),
        st.tuples(st.just("pause"), st.integers(0, 1), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("deliver"), st.integers(0, 1), st.just(0), st.just(0)),
        st.tuples(st.just("open"), st.just(0), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(10, 4000), st.integers(10, 4000))
def test_windows_hold_and_everything_arrives(
    steps: list[tuple[str, int, int, int]], client_window: int, server_window: int
) -> None:
    """No side ever writes beyond a window it was granted; what is accepted is reported exactly once; and when
    both sides consume and nothing is paused, every byte arrives in order.
    """
    sides = (
        Side(is_client=True, limits=Limits(stream_window_bytes=client_window, connection_window_bytes=65535)),
        Side(
            is_client=False, limits=Limits(stream_window_bytes=server_window, connection_window_bytes=65535)
        ),
    )
    wires = [b"", b""]
    budgets = (Budget(), Budget())
    written: dict[tuple[int, int], bytes] = {}
    at_once: dict[tuple[int, int], int] = {}
    counter = 0

    def collect(side: int) -> None:
        data = sides[side].connection.take_output()
        sent = budgets[side].sent(data)
        assert not (sides[side].connection.sender.paused and sent)
        wires[side] += data

    def deliver(side: int) -> None:
        data, wires[side] = wires[side], b""
        budgets[1 - side].granted(data)
        sides[1 - side].connection.receive(data, 1.0)
        collect(1 - side)

    def open_stream() -> None:
        if sides[0].connection.can_open and len(sides[0].streams) < 4:
            sink = Sink()
            sides[0].adopt(sides[0].connection.open_stream(sink, HeaderBlock(REQUEST), (), False), sink)

    def settle() -> None:
        for _ in range(5000):
            busy = False
            for side in (0, 1):
                for stream_id, sink in sides[side].sinks.items():
                    if sink.unconsumed:
                        sides[side].streams[stream_id].consume(sink.unconsumed)
                        sink.unconsumed = 0
                collect(side)
                if wires[side]:
                    busy = True
                    deliver(side)
            if not busy:
                return
        raise AssertionError("the two sides never come to rest")

    for side in (0, 1):
        collect(side)
    open_stream()
    for action, side, which, amount in steps:
        streams = sides[side].streams
        stream_id = list(streams)[which % len(streams)] if streams else 0
        if action == "open":
            open_stream()
            collect(0)
        elif action == "deliver":
            deliver(side)
        elif action == "pause":
            collect(side)
            sides[side].connection.set_write_paused(which == 1)
            collect(side)
        elif action == "send" and stream_id:
            counter += 1
            data = bytes((counter % 256,)) * amount
            key = (side, stream_id)
            written[key] = written.get(key, b"") + data
            at_once[key] = at_once.get(key, 0) + streams[stream_id].send_data(data, False)
            collect(side)
        elif action == "consume" and stream_id:
            sink = sides[side].sinks[stream_id]
            part = min(amount, sink.unconsumed)
            sink.unconsumed -= part
            streams[stream_id].consume(part)
            collect(side)
    for side in (0, 1):
        sides[side].connection.set_write_paused(False)
    settle()
    for side in (0, 1):
        for stream in list(sides[side].streams.values()):
            stream.send_data(b"", True)
    settle()
    for (side, stream_id), data in written.items():
        sink = sides[1 - side].sinks[stream_id]
        assert sink.received == data and sink.ended == 1
        assert at_once[side, stream_id] + sides[side].sinks[stream_id].reported == len(data)
    for side in (0, 1):
        assert sides[side].connection.active_streams == 0
        held = sides[side].connection.messages.recv_window + sides[side].connection.messages.recv_credit
        assert held == 65535
