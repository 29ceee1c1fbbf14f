"""Whole conversations with the `h2` package as a stateful machine, our side in either role.

Every step is one act of one side: open, answer, say, padded or not, read, end, reset, change a setting, ping,
or let a few octets of one direction arrive. So settings change while frames are under way, blocks are cut
anywhere, and streams end and are reset while data still comes; in the end the server goes away. `h2` judges
every octet that we write: it raises on a broken window, state, block or frame. At the end both sides say and
read all that is left, and every stream that nobody reset must have arrived whole, in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.settings
import h2.windows
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream

REQUEST: tuple[Field, ...] = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/shop.v1.Orders/Chat"),
    (b":authority", b"orders"),
)
RESPONSE: tuple[Field, ...] = ((b":status", b"200"), (b"content-type", b"application/grpc"))
TRAILERS: tuple[Field, ...] = ((b"grpc-status", b"0"),)
LIMITS = Limits(
    stream_window_bytes=400,
    connection_window_bytes=65535,
    header_list_bytes=60_000,
    max_concurrent_streams=8,
    reset_burst=10_000,
    control_burst=10_000,
    glitch_burst=10_000,
)
SIZES = st.sampled_from([1, 7, 100, 399, 401, 3000])
PICKS = st.integers(0, 7)
LARGE = ((b"x-large", b"v" * 20_000),)
"""More than a frame holds, so its block comes with CONTINUATION."""


@pytest.fixture(autouse=True)
def _a_window_below_zero_lets_the_end_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Correct the oracle: a window that SETTINGS have made negative forbids DATA only if it has octets (RFC
    9113 sections 6.9 and 6.9.2); h2 refuses an empty frame too.
    """
    consumed = h2.windows.WindowManager.window_consumed

    def correct(self: h2.windows.WindowManager, size: int) -> None:
        if size > 0:
            consumed(self, size)

    monkeypatch.setattr(h2.windows.WindowManager, "window_consumed", correct)


@dataclass
class Half:
    """One direction of a stream, as the test knows it."""

    said: bytes = b""
    heard: bytes = b""
    unread: int = 0
    ended: bool = False
    """The speaker has ended it."""
    heard_end: bool = False


@dataclass
class Call:
    """A stream."""

    extra: tuple[Field, ...]
    up: Half = field(default_factory=Half)
    """From the client."""
    down: Half = field(default_factory=Half)
    answered: bool = False
    arrived: bool = False
    reset: bool = False
    stream: Stream | None = None


class OurStream(StreamHandler):
    """Write down what our side hears on a stream."""

    def __init__(self, call: Call, half: Half) -> None:
        self.call = call
        self.half = half

    def on_headers(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        assert sorted(block.fields + extra) == sorted(RESPONSE + self.call.extra)

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        assert not self.half.heard_end
        self.half.heard += data
        self.half.unread += len(data)
        self.half.heard_end = end_stream

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        assert not self.half.heard_end
        assert block.fields + extra == TRAILERS
        self.half.heard_end = True

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        assert self.call.reset, "nobody reset this stream"
        assert not unprocessed


class Conversation(RuleBasedStateMachine, ConnectionHandler):
    """We and `h2`, with octets under way in both directions."""

    we_are_client = False

    @initialize(warm=st.sampled_from([True, True, True, False]))
    def meet(self, warm: bool) -> None:
        """Start both sides; where it is not warm, nothing has arrived yet, not even the preface."""
        self.calls: dict[int, Call] = {}
        self.ours = Connection(
            is_client=self.we_are_client, limits=LIMITS, handler=self, cache=BlockCache(), dirty=[]
        )
        self.ours.start(0.0)
        self.theirs = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=not self.we_are_client, header_encoding=None)
        )
        self.theirs.initiate_connection()
        self.to_us = bytearray()
        self.to_them = bytearray()
        self.unacknowledged: list[object] = [None]
        if warm:
            self._exchange()
            for extra in ((), LARGE):
                self.opens(extra)
            self._exchange()
            for number in range(2):
                self.answers(number)
            self._exchange()

    # what our side hears

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        call = self.calls[stream.id]
        assert sorted(block.fields + extra) == sorted(REQUEST + call.extra)
        call.stream = stream
        call.arrived = True
        stream.handler = OurStream(call, call.up)

    def on_terminated(self, code: int, reason: str) -> None:
        raise AssertionError(reason)

    # what the other side hears

    def _hear(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            call = self.calls[event.stream_id]
            call.arrived = True
            assert sorted(event.headers) == sorted(REQUEST + call.extra)
        elif isinstance(event, h2.events.ResponseReceived):
            assert sorted(event.headers) == sorted(RESPONSE + self.calls[event.stream_id].extra)
        elif isinstance(event, h2.events.DataReceived):
            half = self._theirs_in(self.calls[event.stream_id])
            half.heard += event.data
            half.unread += event.flow_controlled_length
        elif isinstance(event, h2.events.StreamEnded):
            self._theirs_in(self.calls[event.stream_id]).heard_end = True
        elif isinstance(event, h2.events.SettingsAcknowledged):
            self.unacknowledged.pop()
        elif isinstance(event, h2.events.StreamReset):
            assert self.calls[event.stream_id].reset
        else:
            assert not isinstance(event, h2.events.ConnectionTerminated)

    def _theirs_in(self, call: Call) -> Half:
        return call.down if not self.we_are_client else call.up

    def _ours_out(self, call: Call) -> Half:
        return call.up if self.we_are_client else call.down

    def _theirs_out(self, call: Call) -> Half:
        return call.down if self.we_are_client else call.up

    # the wire

    def _collect(self) -> None:
        self.to_them += self.ours.take_output()
        self.to_us += self.theirs.data_to_send()

    @rule(octets=st.sampled_from([1, 5, 9, 10, 30, 500, 100_000]))
    def reaches_us(self, octets: int) -> None:
        """Some octets of theirs arrive."""
        self._collect()
        piece = bytes(self.to_us[:octets])
        del self.to_us[:octets]
        self.ours.receive(piece, 1.0)

    @rule(octets=st.sampled_from([1, 5, 9, 10, 30, 500, 100_000]))
    def reaches_them(self, octets: int) -> None:
        """Some octets of ours arrive."""
        self._collect()
        piece = bytes(self.to_them[:octets])
        del self.to_them[:octets]
        for event in self.theirs.receive_data(piece):
            self._hear(event)

    # acts

    @precondition(lambda self: len(self.calls) < 8)
    @rule(extra=st.sampled_from([(), ((b"x-small", b"1"),), LARGE]))
    def opens(self, extra: tuple[Field, ...]) -> None:
        """The client begins a call."""
        call = Call(extra)
        if not self.we_are_client:
            stream_id = self.theirs.get_next_available_stream_id()
            self.calls[stream_id] = call
            self.theirs.send_headers(stream_id, [*REQUEST, *extra])
        elif self.ours.can_open:
            self.calls[self.ours.table.next_id] = call
            call.stream = self.ours.open_stream(
                OurStream(call, call.down), HeaderBlock(REQUEST), extra, False
            )

    def _pick(self, number: int) -> tuple[int, Call] | None:
        alive = [
            (stream_id, call) for stream_id, call in self.calls.items() if call.arrived and not call.reset
        ]
        return alive[number % len(alive)] if alive else None

    @rule(pick=PICKS)
    def answers(self, pick: int) -> None:
        """The server sends its headers."""
        found = self._pick(pick)
        if found is None or found[1].answered:
            return
        stream_id, call = found
        call.answered = True
        if self.we_are_client:
            self.theirs.send_headers(stream_id, [*RESPONSE, *call.extra])
        else:
            assert call.stream is not None
            call.stream.send_headers(HeaderBlock(RESPONSE), call.extra, False)

    def _may_speak(self, call: Call, half: Half) -> bool:
        return not half.ended and (half is call.up or call.answered)

    @rule(pick=PICKS, size=SIZES)
    def we_say(self, pick: int, size: int) -> None:
        """We send payload, as much as we like."""
        found = self._pick(pick)
        if found is None:
            return
        call = found[1]
        half = self._ours_out(call)
        if self._may_speak(call, half) and call.stream is not None:
            data = bytes((len(half.said) % 251,)) * size
            half.said += data
            call.stream.send_data(data, False)

    @rule(pick=PICKS, size=SIZES, padding=st.sampled_from([None, 0, 1, 200]))
    def they_say(self, pick: int, size: int, padding: int | None) -> None:
        """They send payload, as much as our windows allow."""
        found = self._pick(pick)
        if found is not None:
            self._they_say(*found, size, padding)

    def _they_say(self, stream_id: int, call: Call, size: int, padding: int | None) -> None:
        half = self._theirs_out(call)
        if not self._may_speak(call, half):
            return
        overhead = 0 if padding is None else padding + 1
        room = min(self.theirs.local_flow_control_window(stream_id), self.theirs.max_outbound_frame_size)
        size = min(size, room - overhead)
        if size > 0:
            data = bytes((len(half.said) % 251,)) * size
            half.said += data
            self.theirs.send_data(stream_id, data, pad_length=padding)

    @rule(pick=PICKS, part=st.integers(1, 500))
    def we_read(self, pick: int, part: int) -> None:
        """We give credit for a part of what came."""
        found = self._pick(pick)
        if found is None or found[1].stream is None:
            return
        half = self._theirs_out(found[1])
        part = min(part, half.unread)
        half.unread -= part
        found[1].stream.consume(part)

    @rule(pick=PICKS)
    def they_read(self, pick: int) -> None:
        """They give credit for all that came."""
        found = self._pick(pick)
        if found is not None:
            self._they_read(*found)

    def _they_read(self, stream_id: int, call: Call) -> None:
        half = self._theirs_in(call)
        if half.unread:
            self.theirs.acknowledge_received_data(half.unread, stream_id)
            half.unread = 0

    @rule(pick=PICKS, we=st.booleans(), trailers=st.booleans())
    def ends(self, pick: int, we: bool, trailers: bool) -> None:
        """A side ends its direction, with or without trailers."""
        found = self._pick(pick)
        if found is not None:
            self._end(*found, we, trailers)

    def _end(self, stream_id: int, call: Call, we: bool, trailers: bool) -> None:
        half = self._ours_out(call) if we else self._theirs_out(call)
        if not self._may_speak(call, half):
            return
        half.ended = True
        if we:
            assert call.stream is not None
            if trailers:
                call.stream.send_trailers(HeaderBlock(TRAILERS), ())
            else:
                call.stream.send_data(b"", True)
        elif trailers:
            self.theirs.send_headers(stream_id, TRAILERS, end_stream=True)
        else:
            self.theirs.end_stream(stream_id)

    @rule(pick=PICKS, we=st.booleans())
    def resets(self, pick: int, we: bool) -> None:
        """A side takes a stream back that it does not think is over."""
        found = self._pick(pick)
        if found is None:
            return
        stream_id, call = found
        if call.up.ended and call.down.ended:
            return
        self._they_read(stream_id, call)
        call.reset = True
        if we:
            assert call.stream is not None
            call.stream.reset(8)
        else:
            self.theirs.reset_stream(stream_id, 8)

    @rule(
        change=st.sampled_from(
            [{h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: size} for size in (0, 1, 50, 1000, 65535)]
            + [{h2.settings.SettingCodes.MAX_FRAME_SIZE: size} for size in (16384, 20000)]
            + [{h2.settings.SettingCodes.HEADER_TABLE_SIZE: size} for size in (0, 100, 4096)]
        )
    )
    def they_change_a_setting(self, change: dict[h2.settings.SettingCodes, int]) -> None:
        """Another value is under way; it counts from when we acknowledge it.

        `h2` takes one acknowledgement for all settings that wait for one, so only values of one of them are
        under way at a time.
        """
        (key,) = change
        if all(waiting is key for waiting in self.unacknowledged):
            self.unacknowledged.append(key)
            self.theirs.update_settings(change)  # type: ignore[arg-type]

    @rule(we=st.booleans())
    def pings(self, we: bool) -> None:
        """A side asks whether the other is there."""
        if we:
            self.ours.ping(1.0)
        else:
            self.theirs.ping(b"pingpong")

    # the end

    @rule()
    def _exchange(self) -> None:
        """Everything that is under way arrives."""
        for _ in range(1000):
            self._collect()
            if not self.to_us and not self.to_them:
                return
            self.reaches_us(1 << 20)
            self.reaches_them(1 << 20)
        raise AssertionError("the two sides never come to rest")

    def _let_everything_arrive(self) -> None:
        for _ in range(1000):
            self._collect()
            if not self.to_us and not self.to_them:
                return
            self._exchange()
            for stream_id, call in self.calls.items():
                if call.reset:
                    continue
                self._they_read(stream_id, call)
                if call.stream is not None:
                    half = self._theirs_out(call)
                    call.stream.consume(half.unread)
                    half.unread = 0
        raise AssertionError("the two sides never come to rest")

    def teardown(self) -> None:
        """Everything that is left is said and read; then nothing is missing, and nothing is left open."""
        if not hasattr(self, "ours"):
            return
        self._exchange()
        self.theirs.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1000})
        self.unacknowledged.append(h2.settings.SettingCodes.INITIAL_WINDOW_SIZE)
        self._let_everything_arrive()
        for number in range(len(self.calls)):
            self.answers(number)
        for stream_id, call in self.calls.items():
            if not call.reset:
                for we in (True, False):
                    self._end(stream_id, call, we, trailers=False)
        self._let_everything_arrive()
        for call in self.calls.values():
            for half in (call.up, call.down):
                assert call.reset or (half.heard == half.said and half.heard_end)
        assert self.ours.active_streams == 0
        assert self.ours.messages.recv_window + self.ours.messages.recv_credit == 65535
        self._part()

    def _part(self) -> None:
        """The server goes away and names the last stream that it has seen."""
        last = max(self.calls, default=0)
        if self.we_are_client:
            self.theirs.close_connection(last_stream_id=last)
            self.ours.receive(self.theirs.data_to_send(), 1.0)
            assert self.ours.goaway_received and not self.ours.can_open
        else:
            self.ours.goaway(0)
            (told,) = self.theirs.receive_data(self.ours.take_output())
            assert isinstance(told, h2.events.ConnectionTerminated)
            assert told.last_stream_id == last


class OursIsTheServer(Conversation):
    """A client of `h2`, a server of ours."""

    we_are_client = False


class OursIsTheClient(Conversation):
    """A server of `h2`, a client of ours."""

    we_are_client = True


MACHINE = settings(max_examples=15, stateful_step_count=40, deadline=None)
TestOursIsTheServer = OursIsTheServer.TestCase
TestOursIsTheServer.settings = MACHINE
TestOursIsTheClient = OursIsTheClient.TestCase
TestOursIsTheClient.settings = MACHINE
