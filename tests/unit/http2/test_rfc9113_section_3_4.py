"""RFC 9113 sections 3 and 4: starting, frame format, frame size, field section compression."""

from __future__ import annotations

import pytest

from tests.unit.http2.wire import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_SIZE_ERROR,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    PROTOCOL_ERROR,
    REQUEST,
    SETTINGS,
    Frame,
    client,
    frame,
    server,
    setting,
)


class TestStarting:
    """3.4 the connection preface."""

    def test_server_opens_with_settings_and_window(self) -> None:
        """A server's first frame is SETTINGS with its limits; the connection window goes up to 1 MiB."""
        peer = server(handshake=False)
        first, second = peer.send(PREFACE)
        assert first.kind == SETTINGS and first.flags == 0
        assert setting(0x3, 100) in first.payload
        assert setting(0x4, 64 * 1024) in first.payload
        assert setting(0x6, 16 * 1024) in first.payload
        assert second.payload == (1024 * 1024 - 65535).to_bytes(4, "big")

    def test_client_opens_with_preface_and_no_push(self) -> None:
        """A client sends the magic octets, then SETTINGS that disable push."""
        peer = client(handshake=False)
        assert peer.opening[0].kind == SETTINGS
        assert setting(0x2, 0) in peer.opening[0].payload
        assert setting(0x4, 256 * 1024) in peer.opening[0].payload

    def test_settings_are_acknowledged(self) -> None:
        """The client's SETTINGS are answered with an acknowledgement."""
        peer = server(handshake=False)
        assert Frame(SETTINGS, ACK, 0, b"") in peer.send(PREFACE + frame(SETTINGS, 0, 0))

    @pytest.mark.parametrize(
        "opening",
        [
            b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + frame(SETTINGS, 0, 0),
            frame(SETTINGS, 0, 0),
            b"\n",
        ],
    )
    def test_wrong_preface_ends_the_connection(self, opening: bytes) -> None:
        """Octets other than the magic are a connection error at the first wrong octet."""
        peer = server(handshake=False)
        peer.send(opening)
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_preface_in_single_octets(self) -> None:
        """The magic may come octet by octet."""
        peer = server(handshake=False)
        for octet in PREFACE + frame(SETTINGS, 0, 0):
            peer.send(bytes((octet,)))
        peer.assert_alive()

    @pytest.mark.parametrize("first", [frame(PING, 0, 0, bytes(8)), frame(SETTINGS, ACK, 0)])
    def test_first_frame_is_settings(self, first: bytes) -> None:
        """Anything but a SETTINGS frame behind the preface is a connection error, for both roles."""
        peer = server(handshake=False)
        peer.send(PREFACE + first)
        peer.assert_connection_error(PROTOCOL_ERROR)
        other = client(handshake=False)
        other.send(first)
        other.assert_connection_error(PROTOCOL_ERROR)


class TestFrameFormat:
    """4.1 frame format."""

    def test_unknown_type_is_ignored(self) -> None:
        """Frames of an unknown type are discarded, on the connection and on a stream."""
        peer = server()
        stream = peer.open_request()
        assert peer.send(frame(0x16, 0xFF, 0, b"whatever"), frame(0xFA, 0, stream.id, b"x")) == []
        peer.assert_alive()
        assert peer.connection.glitches == 2

    def test_undefined_flags_are_ignored(self) -> None:
        """Flags without a meaning for their type change nothing."""
        peer = server()
        assert peer.send(frame(PING, 0xFE, 0, b"abcdefgh")) == [Frame(PING, ACK, 0, b"abcdefgh")]

    def test_reserved_bit_is_ignored(self) -> None:
        """The reserved bit of a stream id has no meaning."""
        peer = server()
        assert peer.send(frame(PING, 0, 1 << 31, b"abcdefgh")) == [Frame(PING, ACK, 0, b"abcdefgh")]


class TestFrameSize:
    """4.2 frame size."""

    def test_data_of_the_maximum_size(self) -> None:
        """16,384 octets of DATA are accepted."""
        peer = server()
        peer.open_request()
        peer.send(frame(DATA, END_STREAM, 1, bytes(16384)))
        assert peer.recorder.names("data")[0][3] is True
        peer.assert_alive()

    @pytest.mark.parametrize("kind", [DATA, HEADERS, SETTINGS, 0x16])
    def test_frame_above_the_maximum(self, kind: int) -> None:
        """One octet more is a connection error FRAME_SIZE_ERROR, raised at the frame's header."""
        peer = server()
        peer.open_request()
        peer.send(frame(kind, 0, 1, b"", length=16385))
        peer.assert_connection_error(FRAME_SIZE_ERROR)


class TestHeaderCompression:
    """4.3 field section compression and decompression."""

    def test_invalid_block(self) -> None:
        """A block that does not decode is a connection error COMPRESSION_ERROR."""
        peer = server()
        peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff"))
        peer.assert_connection_error(COMPRESSION_ERROR)

    def test_block_interrupted_by_another_frame(self) -> None:
        """Between HEADERS and its last CONTINUATION no other frame may stand."""
        peer = server()
        peer.send(frame(HEADERS, END_STREAM, 1, peer.block(REQUEST)), frame(PRIORITY, 0, 1, bytes(5)))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_block_interrupted_by_another_stream(self) -> None:
        """A HEADERS frame of another stream breaks an open block as well."""
        peer = server()
        block = peer.block(REQUEST)
        peer.send(frame(HEADERS, END_STREAM, 1, block), frame(HEADERS, END_HEADERS, 3, block))
        peer.assert_connection_error(PROTOCOL_ERROR)

    def test_table_stays_in_step_when_a_stream_is_refused(self) -> None:
        """A block is decoded even if its stream is refused: later blocks refer to what it inserted."""
        peer = server()
        bad = (*REQUEST, (b"connection", b"close"), (b"x-kept", b"yes"))
        peer.send(peer.headers(1, bad))
        peer.assert_stream_error(1, PROTOCOL_ERROR)
        peer.send(peer.headers(3, (*REQUEST, (b"x-kept", b"yes"))))
        assert (b"x-kept", b"yes") in peer.recorder.names("request")[0][2]  # type: ignore[operator]


def test_frames_split_over_any_reads() -> None:
    """A request delivered octet by octet arrives like one delivered at once."""
    whole, dripped = server(), server()
    for peer, step in ((whole, 10_000), (dripped, 1)):
        data = peer.headers(1, flags=END_HEADERS) + frame(DATA, END_STREAM, 1, b"m" * 300)
        for at in range(0, len(data), step):
            peer.send(data[at : at + step])
    assert whole.recorder.log == dripped.recorder.log != []


def test_continuation_without_headers() -> None:
    """CONTINUATION that continues nothing is a connection error."""
    peer = server()
    peer.send(frame(CONTINUATION, END_HEADERS, 1, b"\x82"))
    peer.assert_connection_error(PROTOCOL_ERROR)
