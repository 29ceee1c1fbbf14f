"""RFC 9113 section 5: stream states, identifiers, concurrency, dependencies, errors, extensions."""

from __future__ import annotations

import pytest

from seawall_proxy.http2.limits import Limits
from tests.unit.http2.wire import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    HAS_PRIORITY,
    HEADERS,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    REQUEST,
    RESPONSE,
    STREAM_CLOSED,
    TRAILERS,
    Peer,
    client,
    frame,
    goaway,
    rst_stream,
    server,
    window_update,
)


def answered(peer: Peer, stream_id: int = 1) -> None:
    """Let a whole exchange happen, so that the stream is closed by END_STREAM on both sides."""
    from seawall_proxy.http2.headers import HeaderBlock

    stream = peer.open_request(stream_id, end_stream=True)
    stream.send_headers(HeaderBlock(RESPONSE), (), False)
    stream.send_trailers(HeaderBlock(TRAILERS), ())
    peer.take()
    assert peer.connection.active_streams == 0


class TestIdle:
    """5.1 idle."""

    @pytest.mark.parametrize(
        "stray", [frame(DATA, END_STREAM, 1, b"x"), rst_stream(1), window_update(1, 100), rst_stream(0)]
    )
    def test_frames_on_an_idle_stream(self, stray: bytes) -> None:
        """DATA, RST_STREAM and WINDOW_UPDATE on an idle stream end the connection."""
        peer = server()
        peer.send(stray)
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_continuation_on_an_idle_stream(self) -> None:
        """CONTINUATION opens no stream."""
        peer = server()
        peer.send(frame(CONTINUATION, END_HEADERS, 1, peer.block(REQUEST)))
        peer.assert_connection_error(PROTOCOL_ERROR)

    @pytest.mark.parametrize(
        "stray",
        [
            frame(DATA, 0, 1, b"x"),
            rst_stream(1),
            window_update(1, 1),
            frame(HEADERS, END_HEADERS, 1, b"\x88"),
        ],
    )
    def test_client_role_idle_stream(self, stray: bytes) -> None:
        """A server that talks on a stream the client never opened loses the connection."""
        peer = client()
        peer.send(stray)
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_priority_on_an_idle_stream(self) -> None:
        """PRIORITY is allowed on an idle stream and leaves it idle."""
        peer = server()
        peer.send(frame(PRIORITY, 0, 5, b"\x00\x00\x00\x00\x0f"))
        peer.send(peer.headers(1))
        assert len(peer.recorder.names("request")) == 1


class TestHalfClosedRemote:
    """5.1 half-closed (remote)."""

    def test_data(self) -> None:
        """DATA behind END_STREAM is a stream error STREAM_CLOSED and the handler learns of it."""
        peer = server()
        peer.open_request(end_stream=True)
        peer.send(frame(DATA, END_STREAM, 1, b"x"))
        peer.assert_stream_error(1, STREAM_CLOSED)
        assert peer.recorder.names("reset") == [("reset", 1, STREAM_CLOSED, False)]

    def test_headers(self) -> None:
        """HEADERS behind END_STREAM is a stream error STREAM_CLOSED."""
        peer = server()
        peer.open_request(end_stream=True)
        peer.send(peer.headers(1, TRAILERS))
        peer.assert_stream_error(1, STREAM_CLOSED)

    def test_window_update_and_priority_and_reset_are_legal(self) -> None:
        """The frames a half-closed stream may still receive change nothing but what they say."""
        peer = server()
        stream = peer.open_request(end_stream=True)
        peer.send(window_update(1, 100), frame(PRIORITY, 0, 1, b"\x00\x00\x00\x00\x0f"))
        assert stream.send_window == 65535 + 100
        peer.send(rst_stream(1, 8))
        assert peer.recorder.names("reset") == [("reset", 1, 8, False)]
        peer.assert_alive()


class TestClosed:
    """5.1 closed."""

    def test_data_after_both_ends(self) -> None:
        """DATA on a stream that both sides ended is answered with STREAM_CLOSED."""
        peer = server()
        answered(peer)
        peer.send(frame(DATA, END_STREAM, 1, b"x"))
        peer.assert_stream_error(1, STREAM_CLOSED)

    def test_headers_after_both_ends(self) -> None:
        """HEADERS that reuse a closed stream end the connection."""
        peer = server()
        answered(peer)
        peer.send(peer.headers(1))
        peer.assert_connection_error(STREAM_CLOSED)

    def test_data_after_the_peers_own_reset(self) -> None:
        """DATA behind the peer's RST_STREAM is answered with STREAM_CLOSED."""
        peer = server()
        peer.open_request()
        peer.send(rst_stream(1), frame(DATA, END_STREAM, 1, b"x"))
        peer.assert_stream_error(1, STREAM_CLOSED)

    def test_headers_after_the_peers_own_reset(self) -> None:
        """HEADERS behind the peer's RST_STREAM end the connection."""
        peer = server()
        peer.open_request()
        peer.send(rst_stream(1), peer.headers(1, TRAILERS))
        peer.assert_connection_error(STREAM_CLOSED)

    @pytest.mark.parametrize("late", [window_update(1, 10), rst_stream(1), frame(PRIORITY, 0, 1, bytes(5))])
    def test_frames_that_may_race(self, late: bytes) -> None:
        """WINDOW_UPDATE, RST_STREAM and PRIORITY may arrive on a closed stream."""
        peer = server()
        answered(peer)
        assert peer.send(late) == []
        peer.assert_alive()

    def test_everything_after_our_reset_is_swallowed(self) -> None:
        """Frames under way when we reset a stream are taken without an answer, and keep HPACK in step."""
        peer = server()
        stream = peer.open_request()
        stream.reset(8)
        peer.take()
        late = peer.headers(1, ((b"x-late", b"1"),))
        sent = peer.send(frame(DATA, 0, 1, b"x" * 100), late, window_update(1, 5), rst_stream(1))
        assert sent == []
        assert peer.recorder.names("data", "trailers", "reset") == []
        peer.send(peer.headers(3, (*REQUEST, (b"x-late", b"1"))))
        assert peer.recorder.names("request")[-1][1] == 3
        peer.assert_alive()

    def test_response_after_a_client_reset_is_swallowed(self) -> None:
        """A client that cancelled a call ignores the response that was already under way."""
        peer = client()
        stream = peer.open_call()
        stream.reset(8)
        peer.take()
        peer.recorder.log.clear()
        peer.send(
            peer.headers(1, RESPONSE, END_HEADERS), frame(DATA, 0, 1, b"late"), peer.headers(1, TRAILERS)
        )
        assert peer.recorder.log == []
        peer.assert_alive()

    def test_swallowed_data_returns_connection_credit(self) -> None:
        """DATA of a forgotten stream gives the connection's window back."""
        peer = server(Limits(connection_window_bytes=65535, stream_window_bytes=65535))
        stream = peer.open_request()
        stream.reset(8)
        peer.take()
        sent = [update for _ in range(3) for update in peer.send(frame(DATA, 0, 1, bytes(16384)))]
        assert [(update.stream_id, int.from_bytes(update.payload, "big")) for update in sent] == [(0, 32768)]


class TestIdentifiers:
    """5.1.1 stream identifiers."""

    def test_even_id(self) -> None:
        """A client may not use an even stream id."""
        peer = server()
        peer.send(peer.headers(2))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_lower_id_than_before(self) -> None:
        """A new stream has a higher id than all before it."""
        peer = server()
        peer.send(peer.headers(5), peer.headers(3))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_stream_zero(self) -> None:
        """HEADERS on stream 0 end the connection."""
        peer = server()
        peer.send(peer.headers(0))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_ids_may_be_skipped(self) -> None:
        """Gaps between ids are legal, up to the highest id there is."""
        peer = server()
        peer.send(peer.headers(1), peer.headers(7), peer.headers(2**31 - 1))
        assert [entry[1] for entry in peer.recorder.names("request")] == [1, 7, 2**31 - 1]

    def test_client_ids_are_odd_and_rising(self) -> None:
        """Our own streams are numbered 1, 3, 5."""
        peer = client()
        assert [peer.open_call().id for _ in range(3)] == [1, 3, 5]


class TestConcurrency:
    """5.1.2 stream concurrency."""

    def test_stream_above_the_limit(self) -> None:
        """A stream above SETTINGS_MAX_CONCURRENT_STREAMS is refused and counted; the others live on."""
        peer = server(Limits(max_concurrent_streams=2))
        for stream_id in (1, 3, 5):
            peer.send(peer.headers(stream_id, flags=END_HEADERS))
        peer.assert_stream_error(5, REFUSED_STREAM)
        assert peer.connection.guard.refused_streams == 1
        assert peer.connection.active_streams == 2

    def test_ended_streams_make_room(self) -> None:
        """Only open streams count against the limit."""
        peer = server(Limits(max_concurrent_streams=1))
        for stream_id in range(1, 20, 2):
            answered(peer, stream_id)
        assert len(peer.recorder.names("request")) == 10

    def test_client_respects_the_peers_limit(self) -> None:
        """`can_open` is false at the peer's limit and true again when a stream has ended."""
        peer = client(handshake=False)
        peer.send(frame(4, 0, 0, b"\x00\x03" + (1).to_bytes(4, "big")))
        peer.open_call(end_stream=True)
        assert not peer.connection.can_open
        peer.recorder.log.clear()
        peer.send(peer.headers(1, (*RESPONSE, *TRAILERS)))
        assert peer.connection.can_open
        assert peer.recorder.log[-1] == ("capacity",)


class TestDependencies:
    """5.3.1 (RFC 7540) stream dependencies."""

    def test_headers_depending_on_themselves(self) -> None:
        """A stream cannot depend on itself: stream error PROTOCOL_ERROR."""
        peer = server()
        priority = (1).to_bytes(4, "big") + b"\x0f"
        flags = END_HEADERS | END_STREAM | HAS_PRIORITY
        peer.send(frame(HEADERS, flags, 1, priority + peer.block(REQUEST)))
        peer.assert_stream_error(1, PROTOCOL_ERROR)

    def test_priority_depending_on_itself(self) -> None:
        """The same in a PRIORITY frame of an open stream."""
        peer = server()
        peer.open_request()
        peer.send(frame(PRIORITY, 0, 1, (1).to_bytes(4, "big") + b"\x0f"))
        peer.assert_stream_error(1, PROTOCOL_ERROR)

    def test_priority_of_an_idle_stream_depending_on_itself(self) -> None:
        """No stream to reset: the connection ends."""
        peer = server()
        peer.send(frame(PRIORITY, 0, 3, (3).to_bytes(4, "big") + b"\x0f"))
        peer.assert_connection_error(PROTOCOL_ERROR)


class TestErrors:
    """5.4 error handling."""

    def test_goaway_names_the_last_stream(self) -> None:
        """The GOAWAY of a connection error carries the highest stream id that was seen."""
        peer = server()
        peer.open_request(1)
        peer.open_request(7)
        peer.send(frame(PING, 0, 1, bytes(8)))
        last = next(sent for sent in peer.frames if sent.kind == 7)
        assert int.from_bytes(last.payload[:4], "big") == 7

    def test_every_stream_is_told_before_the_end(self) -> None:
        """A connection error gives each open stream one `on_reset`, then one `on_terminated`, and nothing
        more.
        """
        peer = server()
        first, _second = peer.open_request(1), peer.open_request(3)
        peer.recorder.log.clear()
        peer.send(frame(PING, 0, 0, b"short"), peer.headers(5))
        kinds = [entry[0] for entry in peer.recorder.log]
        assert kinds == ["reset", "reset", "terminated"]
        assert [entry[2] for entry in peer.recorder.names("reset")] == [-1, -1]
        assert first.send_data(b"x", True) == 1
        first.reset(8)
        assert peer.send(peer.headers(7)) == []

    def test_stream_errors_leave_other_streams_alone(self) -> None:
        """A stream error on one stream changes nothing for another."""
        peer = server()
        peer.open_request(1)
        peer.open_request(3)
        peer.send(window_update(1, 2**31 - 1), frame(DATA, END_STREAM, 3, b"fine"))
        peer.assert_stream_error(1, FLOW_CONTROL_ERROR)
        assert peer.recorder.names("data") == [("data", 3, b"fine", True)]

    def test_lost_transport(self) -> None:
        """At the end of the transport every stream gets `on_reset` with CONNECTION_LOST."""
        peer = client()
        peer.open_call()
        peer.connection.eof(peer.now)
        assert peer.recorder.log == [
            ("reset", 1, -1, False),
            ("terminated", -1, "transport closed"),
        ]
        peer.connection.eof(peer.now)
        peer.connection.terminate(2, "again")
        assert len(peer.recorder.log) == 2


class TestExtensions:
    """5.5 extending HTTP/2."""

    def test_unknown_setting(self) -> None:
        """Unknown settings are ignored and acknowledged."""
        peer = server()
        assert len(peer.send(frame(4, 0, 0, b"\xff\xaa\x00\x00\x00\x01"))) == 1
        peer.assert_alive()

    def test_unknown_frame_within_a_header_block(self) -> None:
        """An extension frame may not interrupt a header block."""
        peer = server()
        peer.send(frame(HEADERS, END_STREAM, 1, peer.block(REQUEST)), frame(0x16, 0, 0, b""))
        peer.assert_connection_error(PROTOCOL_ERROR)


def test_goaway_resets_only_streams_above_its_id() -> None:
    """Streams above the id of a GOAWAY end as unprocessed, the others go on; nothing new is opened."""
    peer = client()
    for _ in range(3):
        peer.open_call()
    peer.send(goaway(3))
    assert peer.recorder.log == [("goaway", 3, 0), ("reset", 5, 0, True)]
    assert not peer.connection.can_open
    peer.send(peer.headers(1, RESPONSE, END_HEADERS))
    assert peer.recorder.names("headers")[0][1] == 1
