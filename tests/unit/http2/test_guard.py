"""Abuse and how it is told apart from legitimate use."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.guard import TokenBucket
from seawall_proxy.http2.handlers import ConnectionHandler
from seawall_proxy.http2.headers import BlockCache, HeaderBlock
from seawall_proxy.http2.limits import Limits
from tests.unit.http2.wire import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    PROTOCOL_ERROR,
    REQUEST,
    RESPONSE,
    SETTINGS,
    SETTINGS_TIMEOUT,
    Peer,
    client,
    frame,
    rst_stream,
    server,
    setting,
    window_update,
)


def flood(peer: Peer, data: bytes, times: int) -> int:
    """Send the same bytes until the connection ends; return how often they were taken."""
    for number in range(times):
        peer.send(data)
        if peer.connection.closed:
            peer.assert_connection_error(ENHANCE_YOUR_CALM)
            return number
    return times


class TestTokenBucket:
    """Burst and rate."""

    def test_burst_then_rate(self) -> None:
        """The burst is granted at once, then one token each 1/rate seconds, never more than the burst."""
        bucket = TokenBucket(3, 2.0)
        assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]
        assert bucket.take(1000.5) and not bucket.take(1000.5)
        assert [bucket.take(5000.0) for _ in range(4)] == [True, True, True, False]


class TestResets:
    """Rapid reset (CVE-2023-44487) and MadeYouReset (CVE-2025-8671)."""

    def rapid(self, peer: Peer, count: int, *, reached: bool = False, age_s: float = 0.0) -> int:
        """Open and reset streams; return how many the connection survived."""
        for number in range(count):
            stream_id = 2 * number + 1
            peer.send(peer.headers(stream_id))
            peer.recorder.streams[stream_id].reached_upstream = reached
            peer.now += age_s
            peer.send(rst_stream(stream_id))
            if peer.connection.closed:
                return number
        return count

    def test_rapid_reset(self) -> None:
        """More than 1,000 premature resets in a burst end the connection."""
        peer = server()
        assert self.rapid(peer, 5000) == 1000
        peer.assert_connection_error(ENHANCE_YOUR_CALM)

    def test_slow_resets_are_tolerated(self) -> None:
        """Below 33 a second premature resets go on, until half of all streams were such."""
        peer = server()
        assert self.rapid(peer, 450, age_s=0.04) == 450

    def test_most_streams_reset_prematurely(self) -> None:
        """After 2,000 streams a share of premature resets above one half ends the connection."""
        peer = server()
        assert self.rapid(peer, 2500, age_s=0.04) == 1999

    def test_mass_cancellation_is_no_abuse(self) -> None:
        """Calls that reached an upstream may all be cancelled at once."""
        peer = server()
        assert self.rapid(peer, 2000, reached=True) == 2000

    def test_cancel_after_a_second_is_no_abuse(self) -> None:
        """Calls that lived a second may be cancelled at any rate."""
        peer = server(Limits(max_concurrent_streams=2000))
        for number in range(1000):
            peer.send(peer.headers(2 * number + 1))
        peer.now += 1.0
        peer.send(*(rst_stream(2 * number + 1) for number in range(1000)))
        peer.assert_alive()

    @pytest.mark.parametrize(
        "primitive",
        [
            lambda stream_id: window_update(stream_id, 0),
            lambda stream_id: window_update(stream_id, 2**31 - 1),
            lambda stream_id: frame(DATA, END_STREAM, stream_id, b"x"),
            lambda stream_id: frame(PRIORITY, 0, stream_id, bytes(4)),
            lambda stream_id: frame(PRIORITY, 0, stream_id, stream_id.to_bytes(4, "big") + b"\x00"),
            lambda stream_id: frame(HEADERS, END_HEADERS | END_STREAM, stream_id, b"\x88"),
        ],
    )
    def test_resets_we_are_made_to_send(self, primitive: Callable[[int], bytes]) -> None:
        """Each of the six ways to make a server reset a stream spends the budget of stream errors."""
        peer = server()
        survived = 0
        for number in range(1000):
            peer.send(peer.headers(2 * number + 1), primitive(2 * number + 1))
            if peer.connection.closed:
                break
            survived += 1
        assert survived == 200
        peer.assert_connection_error(ENHANCE_YOUR_CALM)

    def test_our_own_storm_of_resets(self) -> None:
        """Cancelling two thousand of our calls at once trips nothing, nor do the late answers to them."""
        peer = client()
        peer.send(frame(SETTINGS, 0, 0, setting(0x3, 5000)))
        streams = [peer.open_call(end_stream=True) for _ in range(2000)]
        for stream in streams:
            stream.reset(8)
        peer.take()
        for stream in streams:
            peer.send(
                peer.headers(stream.id, RESPONSE, END_HEADERS), frame(DATA, END_STREAM, stream.id, b"late")
            )
        peer.assert_alive()


class TestFloods:
    """Frames that are legal one by one."""

    def test_refused_streams(self) -> None:
        """A client that goes on above the concurrency limit loses the connection after 100 refusals."""
        peer = server(Limits(max_concurrent_streams=1))
        peer.open_request(1)
        for number in range(1, 500):
            peer.send(peer.headers(2 * number + 1))
            if peer.connection.closed:
                break
        assert peer.connection.guard.refused_streams == 101
        peer.assert_connection_error(ENHANCE_YOUR_CALM)

    def test_refused_before_our_settings_are_known(self) -> None:
        """Streams opened before the client can know the limit are refused without blame."""
        peer = server(Limits(max_concurrent_streams=1), handshake=False)
        peer.send(PREFACE, frame(SETTINGS, 0, 0))
        for number in range(300):
            peer.send(peer.headers(2 * number + 1, flags=END_HEADERS))
        peer.assert_alive()

    def test_ping_flood(self) -> None:
        """A reader who only pings is closed after the control budget."""
        assert flood(server(), frame(PING, 0, 0, bytes(8)), 3000) == 1000

    def test_pings_with_data_are_free(self) -> None:
        """A peer that measures the path while data moves may ping each time."""
        peer = server(Limits(stream_window_bytes=2**20))
        peer.open_request()
        assert flood(peer, frame(DATA, 0, 1, b"x") + frame(PING, 0, 0, bytes(8)), 3000) == 3000

    def test_settings_flood(self) -> None:
        """SETTINGS spend the control budget."""
        assert flood(server(), frame(SETTINGS, 0, 0, setting(0x4, 1)), 3000) <= 1000

    @pytest.mark.parametrize("provoking", [frame(PING, 0, 0, bytes(8)), frame(SETTINGS, 0, 0)])
    def test_peer_that_does_not_read(self, provoking: bytes) -> None:
        """Answers pile up to 1,000 while the transport is paused, then the connection ends."""
        peer = server(Limits(control_burst=10**6))
        peer.connection.set_write_paused(True)
        assert flood(peer, provoking, 3000) == 1000

    def test_one_read_of_many_pings(self) -> None:
        """The same bound holds for one read, before anything can be flushed."""
        peer = server(Limits(control_burst=10**6))
        peer.send(frame(PING, 0, 0, bytes(8)) * 1001)
        peer.assert_connection_error(ENHANCE_YOUR_CALM)

    def test_answers_nobody_reads(self) -> None:
        """A client that asks and asks, and reads no answers, is closed after 10,000 frames."""
        peer = server(Limits(queued_frames=50))
        peer.connection.set_write_paused(True)
        for number in range(200):
            peer.send(peer.headers(2 * number + 1))
            if peer.connection.closed:
                break
            peer.recorder.streams[2 * number + 1].send_headers(HeaderBlock(RESPONSE), (), True)
        assert 50 <= number <= 53
        peer.assert_connection_error(ENHANCE_YOUR_CALM)

    def test_a_peer_that_reads_again(self) -> None:
        """Frames count only while the transport is paused; what was accepted is forgotten."""
        peer = server(Limits(queued_frames=50))
        for number in range(200):
            peer.connection.set_write_paused(number % 40 != 0)
            peer.open_request(2 * number + 1, end_stream=True).send_headers(HeaderBlock(RESPONSE), (), True)
        peer.assert_alive()

    def test_empty_data(self) -> None:
        """Empty DATA frames in a row are glitches, and the budget for those ends."""
        peer = server()
        peer.open_request()
        assert flood(peer, frame(DATA, 0, 1), 3000) == 1001

    def test_priority_flood(self) -> None:
        """PRIORITY frames are free up to 100 x (1 + streams), then they are glitches."""
        assert flood(server(), frame(PRIORITY, 0, 1, b"\x00\x00\x00\x00\x01"), 3000) == 1100

    def test_window_update_flood(self) -> None:
        """WINDOW_UPDATE frames are free up to 5 + 2 x (streams + 10 x DATA sent), then they are glitches."""
        assert flood(server(), window_update(0, 1), 3000) == 1005

    def test_unknown_frames(self) -> None:
        """Frames of unknown types are glitches."""
        assert flood(server(), frame(0x77, 0, 0), 3000) == 1000

    def test_glitches_at_a_low_rate(self) -> None:
        """A hundred odd frames a second are tolerated for ever."""
        peer = server()
        for _ in range(2000):
            peer.now += 0.01
            peer.send(frame(0x77, 0, 0))
        peer.assert_alive()

    @pytest.mark.parametrize("size", [0, 1, 1000])
    def test_continuation_flood(self, size: int) -> None:
        """The ninth CONTINUATION frame of a block ends the connection, whatever its size."""
        peer = server()
        peer.send(frame(HEADERS, END_STREAM, 1, b""))
        assert flood(peer, frame(CONTINUATION, 0, 1, bytes(size)), 50) == 8


class TestDeadlines:
    """What a peer owes us, and by when."""

    def test_preface(self) -> None:
        """A server waits ten seconds for preface and SETTINGS."""
        peer = server(handshake=False)
        assert peer.connection.next_deadline() == 110.0
        peer.connection.handle_timer(109.9)
        assert not peer.connection.closed
        peer.connection.handle_timer(110.0)
        peer.take()
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_settings_acknowledgement(self) -> None:
        """SETTINGS are acknowledged within ten seconds."""
        peer = client(handshake=False)
        peer.send(frame(SETTINGS, 0, 0))
        peer.connection.handle_timer(110.0)
        peer.take()
        peer.assert_connection_error(SETTINGS_TIMEOUT)

    def test_header_block(self) -> None:
        """A header block is complete within five seconds."""
        peer = server()
        assert peer.connection.next_deadline() == float("inf")
        peer.send(frame(HEADERS, END_STREAM, 1, b"\x83"))
        assert peer.connection.next_deadline() == 105.0
        peer.connection.handle_timer(105.0)
        peer.take()
        peer.assert_connection_error(ENHANCE_YOUR_CALM)

    def test_finished_block_owes_nothing(self) -> None:
        """The last CONTINUATION ends the deadline."""
        peer = server()
        block = peer.block(REQUEST)
        peer.send(frame(HEADERS, END_STREAM, 1, block[:5]), frame(CONTINUATION, END_HEADERS, 1, block[5:]))
        assert peer.connection.next_deadline() == float("inf")
        peer.connection.handle_timer(1e6)
        peer.assert_alive()

    def test_slow_continuation_without_a_timer(self) -> None:
        """The limit holds even if the timer was late."""
        peer = server()
        peer.send(frame(HEADERS, END_STREAM, 1, b"\x83"))
        peer.now += 5.0
        peer.send(frame(CONTINUATION, END_HEADERS, 1, b"\x86"))
        peer.assert_connection_error(ENHANCE_YOUR_CALM)

    def test_finished_connection_has_none(self) -> None:
        """After the end there is nothing to wait for."""
        peer = server(handshake=False)
        peer.connection.eof(101.0)
        assert peer.connection.next_deadline() == float("inf")
        peer.connection.handle_timer(1e9)
        assert len(peer.recorder.names("terminated")) == 1


class TestPings:
    """Keepalive of clients (gRFC A8)."""

    def strict(self) -> Peer:
        """Return a server that forgives two early pings."""
        return server(Limits(ping_strikes=2, ping_interval_s=10.0, ping_interval_busy_s=1.0))

    def ping(self, peer: Peer, every_s: float, times: int) -> int:
        """Ping at an interval; return how many pings the connection survived."""
        for number in range(times):
            peer.now += every_s
            peer.send(frame(PING, 0, 0, bytes(8)))
            if peer.connection.closed:
                return number
        return times

    def test_pings_that_keep_the_interval(self) -> None:
        """A client may ping for ever at the interval."""
        assert self.ping(self.strict(), 10.0, 500) == 500

    def test_pings_that_come_too_early(self) -> None:
        """The first ping is free, two that come too early are forgiven, the next one ends the connection with
        the words that gRPC clients know.
        """
        peer = self.strict()
        assert self.ping(peer, 9.0, 500) == 3
        peer.assert_connection_error(ENHANCE_YOUR_CALM)
        assert peer.recorder.names("terminated")[-1][-1] == "too_many_pings"

    def test_calls_shorten_the_interval(self) -> None:
        """While there is a stream the shorter interval holds."""
        peer = self.strict()
        peer.open_request()
        assert self.ping(peer, 1.0, 500) == 500
        assert self.ping(peer, 0.5, 500) < 5

    def test_a_good_ping_makes_up_for_a_bad_one(self) -> None:
        """Timers are not exact: every other ping may come a little early."""
        peer = self.strict()
        for _ in range(100):
            assert self.ping(peer, 10.1, 1) == 1
            assert self.ping(peer, 9.9, 1) == 1

    def test_calls_between_pings(self) -> None:
        """Where calls go on, pings are no keepalive: a client measures the path with them."""
        peer = self.strict()
        for number in range(50):
            peer.open_request(2 * number + 1, end_stream=True).send_headers(HeaderBlock(RESPONSE), (), True)
            assert self.ping(peer, 0.01, 1) == 1


class TestTrips:
    """Every limit that trips has a name."""

    @pytest.mark.parametrize(
        ("limit", "data", "times"),
        [
            ("glitches", frame(0x77, 0, 0), 1001),
            ("control_frames", frame(SETTINGS, 0, 0), 1001),
            ("settings_entries", frame(SETTINGS, 0, 0, setting(0x4, 1) * 33), 1),
            ("continuation_frames", frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1) * 9, 1),
            ("header_block", frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1, bytes(16384)) * 5, 1),
            ("max_frame", frame(DATA, 0, 1, bytes(16385)), 1),
        ],
    )
    def test_name(self, limit: str, data: bytes, times: int) -> None:
        """The guard counts it by that name, once."""
        peer = server()
        for _ in range(times):
            peer.send(data)
        assert peer.connection.closed
        assert peer.connection.guard.trips == {limit: 1}

    def test_nothing_tripped(self) -> None:
        """A connection in order has no table of trips."""
        peer = server()
        peer.open_request()
        assert peer.connection.guard.trips is None


class TestMemory:
    """What a connection's peer makes us keep."""

    def test_held_bytes(self) -> None:
        """Counted are streams, output, queued answers, and input that is no whole frame yet."""
        peer = server()
        peer.open_request()
        before = peer.connection.held_bytes()
        stream = peer.recorder.streams[1]
        stream.send_headers(HeaderBlock(RESPONSE), (), False)
        stream.send_data(bytes(70_000), False)
        assert peer.connection.held_bytes() - before >= 70_000
        peer.take()
        assert peer.connection.held_bytes() - before == 70_000 - 65_535
        peer.send(frame(DATA, 0, 1, bytes(5000))[:4000])
        assert peer.connection.held_bytes() - before == 70_000 - 65_535 + 4000

    def test_no_new_streams(self) -> None:
        """While it may have no streams, a client's calls are refused and counted as a matter of memory."""
        peer = server()
        peer.open_request()
        peer.connection.stream_cap = 0
        peer.send(peer.headers(3))
        assert peer.connection.guard.trips == {"memory": 1}
        peer.connection.stream_cap = 100
        peer.send(peer.headers(5))
        assert sorted(peer.connection.table.streams) == [1, 5]

    def test_calls_refused_for_memory_are_no_abuse(self) -> None:
        """A client cannot know how much memory it costs: however many of its calls are refused for that, its
        connection stays.
        """
        peer = server(Limits(refused_burst=10))
        peer.open_request()
        peer.connection.stream_cap = 0
        for number in range(3, 103, 2):
            peer.send(peer.headers(number))
        peer.assert_alive()
        peer.connection.stream_cap = 1
        for number in range(103, 203, 2):
            peer.send(peer.headers(number))
        assert peer.goaway_code() == ENHANCE_YOUR_CALM


class TestFirstSettings:
    """Between a client's preface and its SETTINGS."""

    def test_settings_follow_within_two_seconds(self) -> None:
        """A client that says its preface and then nothing is not waited for as long as for the preface."""
        peer = server(handshake=False)
        peer.now = 104.0
        peer.send(PREFACE)
        assert peer.connection.next_deadline() == 106.0
        peer.connection.handle_timer(106.0)
        assert peer.connection.guard.trips == {"settings_timeout": 1}
        assert peer.connection.closed

    def test_a_frame_that_has_begun(self) -> None:
        """A frame that is not complete is waited for, DATA excepted; whole ones leave nothing to wait for."""
        peer = server()
        reader = peer.connection.reader
        assert not reader.is_waiting()
        head = peer.headers(1)
        peer.send(head[:12])
        assert reader.is_waiting()
        peer.send(head[12:])
        assert not reader.is_waiting()
        peer.send(frame(DATA, 0, 1, bytes(100))[:50])
        assert not reader.is_waiting()


class TestBombs:
    """Header lists that are larger than their blocks."""

    def test_references_beyond_reason(self) -> None:
        """A list that is too large is read on for another thousand fields, so that the connection can go on;
        a longer one ends it.
        """
        peer = server()
        peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x82" * 1050))
        peer.assert_alive()
        assert peer.connection.guard.trips == {"header_list": 1}
        peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, b"\x82" * 1150))
        peer.take()
        peer.assert_connection_error(ENHANCE_YOUR_CALM)


class TestSilentEnd:
    """Connections that end without a word."""

    def test_the_runtime_hears_of_it(self) -> None:
        """A connection that is over and has nothing to say is dirty all the same: it has to be closed."""
        dirty: list[Connection] = []
        connection = Connection(
            is_client=False, limits=Limits(), handler=ConnectionHandler(), cache=BlockCache(), dirty=dirty
        )
        connection.start(100.0)
        dirty.clear()
        connection.receive(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 100.0)
        assert connection.closed
        assert dirty == [connection]
