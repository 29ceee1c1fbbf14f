"""RFC 9113 section 6: what each frame type demands."""

from __future__ import annotations

from itertools import pairwise

import pytest

from seawall_proxy.http2.headers import HeaderBlock
from tests.unit.http2.wire import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HAS_PRIORITY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REQUEST,
    RESPONSE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Frame,
    client,
    frame,
    goaway,
    server,
    setting,
    window_update,
)


class TestData:
    """6.1 DATA."""

    def test_stream_zero(self) -> None:
        """DATA on stream 0 is a connection error."""
        peer = server()
        peer.send(frame(DATA, 0, 0, b"x"))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_padding_is_removed_and_its_credit_returned(self) -> None:
        """The handler sees the payload only; the stream's credit for the padding comes back by itself."""
        peer = server()
        stream = peer.open_request()
        peer.send(frame(DATA, PADDED, 1, b"\x03abc\x00\x00\x00"))
        assert peer.recorder.names("data") == [("data", 1, b"abc", False)]
        assert stream.recv_credit == 4
        assert stream.recv_window == 64 * 1024 - 7

    @pytest.mark.parametrize("payload", [b"\x05abcd", b"\x01"])
    def test_padding_longer_than_the_payload(self, payload: bytes) -> None:
        """A pad length that reaches the payload's length is a connection error PROTOCOL_ERROR."""
        peer = server()
        peer.open_request()
        peer.send(frame(DATA, PADDED, 1, payload))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_padded_without_a_pad_length(self) -> None:
        """An empty PADDED frame has no pad length to read."""
        peer = server()
        peer.open_request()
        peer.send(frame(DATA, PADDED, 1, b""))
        peer.assert_connection_error(FRAME_SIZE_ERROR)

    def test_only_padding_with_end_stream(self) -> None:
        """A frame of padding alone may end the stream."""
        peer = server()
        peer.open_request()
        peer.send(frame(DATA, PADDED | END_STREAM, 1, b"\x02\x00\x00"))
        assert peer.recorder.names("data") == [("data", 1, b"", True)]


class TestHeaders:
    """6.2 HEADERS."""

    def test_padding_and_priority_are_skipped(self) -> None:
        """Padding and the priority fields are not part of the block."""
        peer = server()
        payload = b"\x02" + b"\x00\x00\x00\x03\x10" + peer.block(REQUEST) + b"\x00\x00"
        peer.send(frame(HEADERS, PADDED | HAS_PRIORITY | END_HEADERS | END_STREAM, 1, payload))
        assert peer.recorder.names("request") == [("request", 1, REQUEST, True)]

    def test_padding_longer_than_the_payload(self) -> None:
        """A pad length beyond the frame is a connection error PROTOCOL_ERROR."""
        peer = server()
        peer.send(frame(HEADERS, PADDED | END_HEADERS, 1, b"\xff" + peer.block(REQUEST)))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_too_short_for_its_priority(self) -> None:
        """PRIORITY set on fewer than five octets is a connection error."""
        peer = server()
        peer.send(frame(HEADERS, HAS_PRIORITY | END_HEADERS, 1, b"\x00\x00"))
        peer.assert_connection_error(FRAME_SIZE_ERROR)


class TestPriority:
    """6.3 PRIORITY."""

    def test_stream_zero(self) -> None:
        """PRIORITY on stream 0 is a connection error."""
        peer = server()
        peer.send(frame(PRIORITY, 0, 0, bytes(5)))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_wrong_length_on_an_open_stream(self) -> None:
        """A length other than five is a stream error FRAME_SIZE_ERROR."""
        peer = server()
        peer.open_request()
        peer.send(frame(PRIORITY, 0, 1, bytes(4)))
        peer.assert_stream_error(1, FRAME_SIZE_ERROR)


class TestRstStream:
    """6.4 RST_STREAM."""

    def test_wrong_length(self) -> None:
        """A length other than four is a connection error."""
        peer = server()
        peer.open_request()
        peer.send(frame(RST_STREAM, 0, 1, bytes(3)))
        peer.assert_connection_error(FRAME_SIZE_ERROR)

    @pytest.mark.parametrize(
        ("code", "unprocessed"), [(0, False), (7, True), (8, False), (0xFFFFFFFF, False)]
    )
    def test_code_is_reported(self, code: int, unprocessed: bool) -> None:
        """The wire code goes to the handler as it is; REFUSED_STREAM alone means not processed."""
        peer = client()
        peer.open_call()
        peer.send(frame(RST_STREAM, 0, 1, code.to_bytes(4, "big")))
        assert peer.recorder.log == [("reset", 1, code, unprocessed), ("capacity",)]

    def test_reset_after_trailers(self) -> None:
        """RST_STREAM(NO_ERROR) behind the trailers ends our own, still open direction."""
        peer = client()
        stream = peer.open_call()
        peer.send(peer.headers(1, (*RESPONSE, (b"grpc-status", b"0"))), frame(RST_STREAM, 0, 1, bytes(4)))
        assert [entry[0] for entry in peer.recorder.log] == ["headers", "reset", "capacity"]
        assert stream.done and peer.connection.active_streams == 0


class TestSettings:
    """6.5 SETTINGS."""

    @pytest.mark.parametrize(
        ("bad", "code"),
        [
            (frame(SETTINGS, 0, 1, b""), PROTOCOL_ERROR),
            (frame(SETTINGS, 0, 0, bytes(5)), FRAME_SIZE_ERROR),
            (frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE_ERROR),
            (frame(SETTINGS, 0, 0, setting(0x2, 2)), PROTOCOL_ERROR),
            (frame(SETTINGS, 0, 0, setting(0x4, 2**31)), FLOW_CONTROL_ERROR),
            (frame(SETTINGS, 0, 0, setting(0x5, 16383)), PROTOCOL_ERROR),
            (frame(SETTINGS, 0, 0, setting(0x5, 2**24)), PROTOCOL_ERROR),
            (frame(SETTINGS, 0, 0, setting(0x6, 1) * 33), ENHANCE_YOUR_CALM),
        ],
    )
    def test_values_out_of_range(self, bad: bytes, code: int) -> None:
        """Each malformed SETTINGS frame ends the connection with its own code."""
        peer = server()
        peer.send(bad)
        peer.assert_connection_error(code)

    def test_server_may_not_enable_push(self) -> None:
        """ENABLE_PUSH 1 from a server is a connection error."""
        peer = client()
        peer.send(frame(SETTINGS, 0, 0, setting(0x2, 1)))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_last_value_counts(self) -> None:
        """Entries apply in order, so the last of the same kind is the one in force."""
        peer = client()
        peer.send(frame(SETTINGS, 0, 0, setting(0x4, 100) + setting(0x4, 7)))
        assert peer.open_call().send_window == 7

    def test_larger_frames_are_used(self) -> None:
        """MAX_FRAME_SIZE of the peer bounds our DATA frames."""
        peer = client()
        peer.send(
            frame(SETTINGS, 0, 0, setting(0x5, 20000) + setting(0x4, 100_000)), window_update(0, 100_000)
        )
        stream = peer.open_call()
        assert stream.send_data(bytes(30000), True) == 30000
        assert [len(sent.payload) for sent in peer.take()] == [20000, 10000]

    def test_acknowledgement_is_not_acknowledged(self) -> None:
        """An extra acknowledgement is odd, but harmless."""
        peer = server()
        assert peer.send(frame(SETTINGS, ACK, 0)) == []
        assert peer.connection.glitches == 1

    def test_our_window_applies_from_the_acknowledgement(self) -> None:
        """Open streams get our announced window when the peer acknowledges it."""
        peer = client(handshake=False)
        stream = peer.open_call()
        assert stream.recv_window == 65535
        peer.send(frame(SETTINGS, 0, 0), frame(SETTINGS, ACK, 0))
        assert stream.recv_window == 256 * 1024


class TestPushPromise:
    """6.6 PUSH_PROMISE and 8.4 server push."""

    def test_either_role_refuses_it(self) -> None:
        """PUSH_PROMISE is a connection error: push is disabled, and clients never push."""
        for peer in (server(), client()):
            peer.send(frame(PUSH_PROMISE, END_HEADERS, 1, b"\x00\x00\x00\x02\x88"))
            peer.assert_connection_error(PROTOCOL_ERROR)


class TestPing:
    """6.7 PING."""

    def test_answered_octet_by_octet(self) -> None:
        """The acknowledgement carries the same octets."""
        assert server().send(frame(PING, 0, 0, b"\x00\xffseawal")) == [Frame(PING, ACK, 0, b"\x00\xffseawal")]

    def test_unexpected_acknowledgement(self) -> None:
        """An acknowledgement is never answered."""
        peer = server()
        assert peer.send(frame(PING, ACK, 0, bytes(8))) == []
        peer.assert_alive()

    @pytest.mark.parametrize(
        ("bad", "code"),
        [
            (frame(PING, 0, 1, bytes(8)), PROTOCOL_ERROR),
            (frame(PING, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
            (frame(PING, 0, 0, bytes(9)), FRAME_SIZE_ERROR),
        ],
    )
    def test_malformed(self, bad: bytes, code: int) -> None:
        """A PING on a stream or of another length ends the connection."""
        peer = server()
        peer.send(bad)
        peer.assert_connection_error(code)

    def test_our_own_is_timed(self) -> None:
        """One PING is outstanding at a time; its acknowledgement gives the round-trip time in seconds."""
        peer = client()
        peer.connection.ping(100.0)
        peer.connection.ping(101.0)
        (sent,) = peer.take()
        assert peer.connection.ping_outstanding_since == 100.0
        peer.now = 100.25
        peer.send(frame(PING, ACK, 0, sent.payload))
        assert peer.connection.last_pong_rtt == 0.25
        assert peer.connection.ping_outstanding_since == 0.0


class TestGoaway:
    """6.8 GOAWAY."""

    @pytest.mark.parametrize(
        ("bad", "code"),
        [(frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL_ERROR), (frame(GOAWAY, 0, 0, bytes(7)), FRAME_SIZE_ERROR)],
    )
    def test_malformed(self, bad: bytes, code: int) -> None:
        """GOAWAY on a stream or shorter than eight octets ends the connection."""
        peer = server()
        peer.send(bad)
        peer.assert_connection_error(code)

    def test_server_goes_on_with_open_streams(self) -> None:
        """A client's GOAWAY is reported; its open streams still get their answers."""
        peer = server()
        stream = peer.open_request(end_stream=True)
        peer.send(goaway(0, 0))
        assert peer.recorder.names("goaway") == [("goaway", 0, 0)]
        stream.send_headers(HeaderBlock(RESPONSE), (), True)
        assert [sent.kind for sent in peer.take()] == [HEADERS]

    def test_last_id_never_rises(self) -> None:
        """A second GOAWAY with a higher id does not bring streams back."""
        peer = client()
        for _ in range(2):
            peer.open_call()
        peer.send(goaway(1), goaway(5))
        assert peer.recorder.names("goaway", "reset") == [
            ("goaway", 1, 0),
            ("reset", 3, 0, True),
            ("goaway", 1, 0),
        ]

    def test_drain_in_two_steps(self) -> None:
        """After GOAWAY(2^31-1) requests are still taken; after the second one they are ignored."""
        peer = server()
        peer.connection.goaway(0, 2**31 - 1)
        peer.open_request(1)
        peer.connection.goaway(0)
        peer.take()
        sent = [int.from_bytes(out.payload[:4], "big") for out in peer.frames if out.kind == GOAWAY]
        assert sent == [2**31 - 1, 1]
        peer.recorder.log.clear()
        assert peer.send(peer.headers(3, flags=END_HEADERS), frame(DATA, END_STREAM, 3, b"x")) == []
        assert peer.recorder.log == []
        peer.send(frame(DATA, END_STREAM, 1, b"x"))
        assert peer.recorder.log == [("data", 1, b"x", True)]

    def test_client_that_goes_away_opens_nothing(self) -> None:
        """After our own GOAWAY there are no new calls on the connection."""
        peer = client()
        peer.connection.goaway(0)
        assert not peer.connection.can_open


class TestWindowUpdate:
    """6.9 WINDOW_UPDATE."""

    def test_zero_on_the_connection(self) -> None:
        """An increment of 0 for the connection is a connection error."""
        peer = server()
        peer.send(window_update(0, 0))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_zero_on_a_stream(self) -> None:
        """An increment of 0 for a stream is a stream error."""
        peer = server()
        peer.open_request()
        peer.send(window_update(1, 0))
        peer.assert_stream_error(1, PROTOCOL_ERROR)

    def test_wrong_length(self) -> None:
        """A length other than four is a connection error."""
        peer = server()
        peer.send(frame(WINDOW_UPDATE, 0, 0, bytes(3)))
        peer.assert_connection_error(FRAME_SIZE_ERROR)

    def test_overflow_of_the_connection(self) -> None:
        """A connection window above 2^31-1 ends the connection with FLOW_CONTROL_ERROR."""
        peer = server()
        peer.send(window_update(0, 2**31 - 1))
        peer.assert_connection_error(FLOW_CONTROL_ERROR)

    def test_overflow_of_a_stream(self) -> None:
        """A stream window above 2^31-1 resets the stream with FLOW_CONTROL_ERROR."""
        peer = server()
        peer.open_request()
        peer.send(window_update(1, 2**31 - 1))
        peer.assert_stream_error(1, FLOW_CONTROL_ERROR)


class TestFlowWindows:
    """6.9.1 the flow-control window and 6.9.2 initial window size."""

    def test_data_waits_for_the_stream_window(self) -> None:
        """With a window of 1 the data goes out octet by octet as it is granted."""
        peer = server()
        peer.send(frame(SETTINGS, 0, 0, setting(0x4, 1)))
        stream = peer.open_request(end_stream=True)
        stream.send_headers(HeaderBlock(RESPONSE), (), False)
        assert stream.send_data(b"abc", True) == 1
        assert stream.queued_bytes == 2
        assert [sent.payload for sent in peer.take() if sent.kind == DATA] == [b"a"]
        assert peer.send(window_update(1, 1)) == [Frame(DATA, 0, 1, b"b")]
        assert peer.send(window_update(1, 5)) == [Frame(DATA, END_STREAM, 1, b"c")]
        assert peer.recorder.names("sent") == [("sent", 1, 1), ("sent", 1, 1)]

    def test_window_turned_negative(self) -> None:
        """A smaller initial window may make a window negative; nothing is sent until it is positive again."""
        peer = server()
        peer.send(frame(SETTINGS, 0, 0, setting(0x4, 3)))
        stream = peer.open_request(end_stream=True)
        assert stream.send_data(b"abcdef", True) == 3
        peer.take()
        assert [sent.kind for sent in peer.send(frame(SETTINGS, 0, 0, setting(0x4, 2)))] == [SETTINGS]
        assert stream.send_window == -1
        assert peer.send(window_update(1, 1)) == []
        assert peer.send(window_update(1, 1)) == [Frame(DATA, 0, 1, b"d")]

    def test_raised_initial_window_frees_data(self) -> None:
        """A larger initial window applies to open streams and releases what waits."""
        peer = server()
        peer.send(frame(SETTINGS, 0, 0, setting(0x4, 0)))
        stream = peer.open_request(end_stream=True)
        assert stream.send_data(b"abc", False) == 0
        assert Frame(DATA, 0, 1, b"abc") in peer.send(frame(SETTINGS, 0, 0, setting(0x4, 3)))

    def test_overflow_through_settings(self) -> None:
        """An initial window that lifts a stream's window above 2^31-1 ends the connection."""
        peer = server()
        peer.open_request()
        peer.send(window_update(1, 1000), frame(SETTINGS, 0, 0, setting(0x4, 2**31 - 1)))
        peer.assert_connection_error(FLOW_CONTROL_ERROR)


class TestContinuation:
    """6.10 CONTINUATION."""

    @pytest.mark.parametrize("pieces", [2, 3, 9])
    def test_block_in_pieces(self, pieces: int) -> None:
        """HEADERS and up to eight CONTINUATION frames make one block."""
        peer = server()
        block = peer.block(REQUEST)
        cuts = [len(block) * at // pieces for at in range(pieces + 1)]
        parts = [block[start:stop] for start, stop in pairwise(cuts)]
        wire = frame(HEADERS, END_STREAM, 1, parts[0])
        for number, part in enumerate(parts[1:], start=2):
            wire += frame(CONTINUATION, END_HEADERS if number == pieces else 0, 1, part)
        peer.send(wire)
        assert peer.recorder.names("request") == [("request", 1, REQUEST, True)]

    def test_behind_a_finished_block(self) -> None:
        """CONTINUATION behind END_HEADERS is a connection error."""
        peer = server()
        peer.send(peer.headers(1), frame(CONTINUATION, END_HEADERS, 1, b""))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_behind_data(self) -> None:
        """CONTINUATION behind DATA is a connection error."""
        peer = server()
        peer.send(peer.headers(1, flags=END_HEADERS), frame(DATA, 0, 1, b"x"), frame(CONTINUATION, 4, 1, b""))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_on_stream_zero(self) -> None:
        """CONTINUATION on stream 0 within a block is a connection error."""
        peer = server()
        peer.send(
            frame(HEADERS, END_STREAM, 1, peer.block(REQUEST)), frame(CONTINUATION, END_HEADERS, 0, b"")
        )
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_our_large_block_is_split(self) -> None:
        """A header block above the peer's frame size leaves as HEADERS and CONTINUATION."""
        peer = server()
        stream = peer.open_request(end_stream=True)
        stream.send_headers(HeaderBlock(RESPONSE), ((b"x-large", b"v" * 40_000),), True)
        sent = peer.take()
        assert [(out.kind, out.flags) for out in sent] == [(HEADERS, 1), (CONTINUATION, 0), (CONTINUATION, 4)]
        peer.decoder.max_header_list_size = 100_000
        whole = Frame(HEADERS, 0, 1, b"".join(out.payload for out in sent))
        assert peer.decode(whole)[-1] == (b"x-large", b"v" * 40_000)


class TestErrorCodes:
    """7 error codes."""

    def test_unknown_codes(self) -> None:
        """Unknown codes in GOAWAY and RST_STREAM are no error and are passed on."""
        peer = server()
        peer.open_request()
        peer.send(frame(RST_STREAM, 0, 1, b"\x00\x00\x00\xff"), goaway(0, 0xFF))
        assert peer.recorder.names("reset", "goaway") == [("reset", 1, 0xFF, False), ("goaway", 0, 0xFF)]
        peer.assert_alive()
