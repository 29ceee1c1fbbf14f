"""RFC 9113 section 5.1, closed: frames that may still have been under way, and frames that cannot."""

from __future__ import annotations

import pytest

from seawall_proxy.http2.limits import Limits
from tests.unit.http2.wire import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_SIZE_ERROR,
    PADDED,
    PROTOCOL_ERROR,
    RESPONSE,
    STREAM_CLOSED,
    TRAILERS,
    client,
    frame,
    rst_stream,
    server,
)


class TestServerRole:
    """A client's frames behind our reset."""

    @pytest.mark.parametrize(
        ("payload", "code"),
        [(b"\x05abc", PROTOCOL_ERROR), (b"\xff", PROTOCOL_ERROR), (b"", FRAME_SIZE_ERROR)],
    )
    def test_broken_padding_is_seen_on_a_stream_that_is_over(self, payload: bytes, code: int) -> None:
        """Padding that does not fit its frame is a connection error whatever the state of the stream."""
        peer = server()
        peer.open_request().reset(0)
        peer.send(frame(DATA, PADDED, 1, payload))
        peer.assert_connection_error(code)

    def test_data_behind_resets_of_both_sides(self) -> None:
        """After the client's own RST_STREAM nothing of the stream can be late: DATA is answered."""
        peer = server()
        peer.open_request().reset(0)
        peer.send(rst_stream(1))
        peer.frames.clear()
        peer.send(frame(DATA, END_STREAM, 1, b"x"))
        peer.assert_stream_error(1, STREAM_CLOSED)

    def test_headers_behind_resets_of_both_sides(self) -> None:
        """HEADERS there would open the stream again: the connection ends."""
        peer = server()
        peer.open_request().reset(0)
        peer.send(rst_stream(1), peer.headers(1, TRAILERS))
        peer.assert_connection_error(STREAM_CLOSED)


class TestClientRole:
    """A server's frames on a stream that it has ended itself cost the stream's number, not the connection."""

    def test_data_behind_the_servers_reset(self) -> None:
        """DATA behind the server's RST_STREAM is a stream error STREAM_CLOSED."""
        peer = client()
        peer.open_call(end_stream=True)
        peer.send(rst_stream(1), frame(DATA, 0, 1, b"x"))
        peer.assert_stream_error(1, STREAM_CLOSED)

    @pytest.mark.parametrize("late", [frame(DATA, END_STREAM, 1, b"x"), b""])
    def test_frames_behind_the_servers_end(self, late: bytes) -> None:
        """DATA or HEADERS behind END_STREAM are a stream error, and other calls go on."""
        peer = client()
        peer.open_call(end_stream=True)
        peer.open_call()
        peer.send(peer.headers(1, (*RESPONSE, *TRAILERS)))
        peer.send(late or peer.headers(1, RESPONSE, END_HEADERS))
        peer.assert_stream_error(1, STREAM_CLOSED)
        peer.send(peer.headers(3, RESPONSE, END_HEADERS))
        assert peer.recorder.names("headers")[-1][1] == 3

    def test_answers_to_forgotten_cancellations_are_not_accused(self) -> None:
        """Above the number of resets that are remembered a late answer is only counted."""
        peer = client(Limits(remembered_resets=2))
        for stream in [peer.open_call() for _ in range(4)]:
            stream.reset(8)
        peer.take()
        for stream_id in (1, 3, 5, 7):
            assert (
                peer.send(peer.headers(stream_id, RESPONSE, END_HEADERS), frame(DATA, 1, stream_id, b"x"))
                == []
            )
        assert peer.connection.guard.stream_errors == 0
        peer.assert_alive()
