"""What a connection calls when something happened: the two classes the layer above overrides.

Rules for both: a handler may call any method of any stream or connection from inside a callback; the state
here is already consistent when it is called. Each direction of a stream ends exactly once: the peer's with
`end_stream`, `on_trailers` or `on_reset`, and nothing is called after `on_reset` or after the application's
own `Stream.reset`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from seawall_proxy.http2.headers import Field, HeaderBlock

if TYPE_CHECKING:
    from seawall_proxy.http2.stream import Stream


@mypyc_attr(allow_interpreted_subclasses=True)
class StreamHandler:
    """Receive what happens on one stream; every method does nothing until overridden."""

    def on_headers(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        """Take the final response headers (client role); with `end_stream` they are trailers-only."""

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        """Take payload without padding; give its credit back with `Stream.consume` when it has moved on."""

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        """Take the trailers, which end the peer's direction."""

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        """Learn that the stream is gone: reset by the peer, a stream error, GOAWAY, or a lost connection.

        `code` is the wire code or `errors.CONNECTION_LOST`. `unprocessed` means the peer has provably not
        processed the request (REFUSED_STREAM, or a GOAWAY below this stream).
        """

    def on_sent(self, stream: Stream, n: int) -> None:
        """Learn that `n` queued payload bytes were put into the output."""

    def held_bytes(self) -> int:
        """Return how many bytes are kept for this stream above the connection; asked about once a second."""
        return 0


@mypyc_attr(allow_interpreted_subclasses=True)
class ConnectionHandler:
    """Receive what happens on a connection; every method does nothing until overridden."""

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        """Take a new request (server role) and set `stream.handler` before returning."""

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        """Learn that the peer goes away; called before the streams above `last_stream_id` get `on_reset`.

        In the client role also when the last stream id was used: what is open goes on, nothing new is opened.
        """

    def on_capacity(self) -> None:
        """Learn that more streams may be open now (client role)."""

    def on_terminated(self, code: int, reason: str) -> None:
        """Learn, once, that the connection is finished: flush the output, then close the transport."""


NO_HANDLER = StreamHandler()
"""Stands in for the handler of a stream that has none yet, or no longer."""
