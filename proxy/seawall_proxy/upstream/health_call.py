"""One call of grpc.health.v1 on an endpoint's own connection: a Check, or a Watch that stays open.

A call tells its owner what the server says about the service, and once how it ended. It looks for a
connection like any attempt, but counts nowhere: not in the endpoint's attempts, nor in the cluster's limit.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import status
from seawall_proxy.call.response import NO_STATUS, final_status, response_head
from seawall_proxy.call.upstream_port import StreamSeeker
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.errors import CANCEL, CONNECTION_LOST
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.stream import Stream
from seawall_proxy.upstream.endpoint import Endpoint
from seawall_proxy.upstream.health_wire import MALFORMED, MAX_RESPONSE_BYTES, take_status

NO_CONNECTION: Final = -2
"""It could not be asked, which says nothing about its health."""
LOST: Final = -3
"""The connection went away under it."""


class HealthCallOwner:
    """Whoever asked."""

    def said(self, call: HealthCall, serving: int) -> None:
        """Take the server's word: a ServingStatus, or MALFORMED."""

    def ended(self, call: HealthCall, code: int) -> None:
        """Take the end: a gRPC status, NO_CONNECTION or LOST."""


class HealthCall(StreamSeeker):
    """One call."""

    def __init__(
        self, owner: HealthCallOwner, endpoint: Endpoint, request: HeaderBlock, message: bytes
    ) -> None:
        self.tick = -1
        self.stream: Stream | None = None
        self.done: bool = False
        self._owner: HealthCallOwner = owner
        self._endpoint: Endpoint = endpoint
        self._request: HeaderBlock = request
        self._message: bytes = message
        self._buffer: bytearray = bytearray()

    def start(self) -> None:
        """Look for a connection."""
        self._endpoint.seek(self)

    def cancel(self) -> None:
        """End without a word to the owner."""
        if self.done:
            return
        self.done = True
        stream = self.stream
        if stream is None:
            self._endpoint.abandon(self)
        else:
            self._let_go()
            stream.reset(CANCEL)

    @property
    def waits(self) -> bool:
        """Whether it has no connection yet."""
        return self.stream is None and not self.done

    def is_stranded(self) -> bool:
        """Tell whether its connection takes no further calls, so that it keeps it from ending."""
        stream = self.stream
        if stream is None:
            return False
        stranded = True
        for link in self._endpoint.links:
            if link.connection is stream.connection:
                stranded = False
        return stranded

    def connection_ready(self, connection: Connection) -> None:
        if self.done:
            return
        stream = connection.open_stream(self, self._request, (), False)
        self.stream = stream
        self._endpoint.own_streams += 1
        stream.send_data(self._message, True)

    def connection_failed(self, reason: str) -> None:
        self._end(NO_CONNECTION)

    def on_headers(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        head = response_head(block)
        if end_stream:
            code = final_status(head, extra)
            self._end(status.from_http(head.http_status) if code == NO_STATUS else code)
        elif head.http_status != 200 or not head.is_grpc:
            stream.reset(CANCEL)
            self._end(status.from_http(head.http_status))

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        stream.consume(len(data))
        self._buffer += data
        while not self.done:
            serving = take_status(self._buffer)
            if serving is None:
                break
            self._owner.said(self, serving)
            if serving == MALFORMED and not self.done:
                self._give_up(stream)
        if not self.done and len(self._buffer) > MAX_RESPONSE_BYTES + 5:
            self._give_up(stream)
        if end_stream:
            self._end(status.UNKNOWN)

    def _give_up(self, stream: Stream) -> None:
        stream.reset(CANCEL)
        self._end(status.INTERNAL)

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        code = final_status(response_head(block), extra)
        self._end(status.UNKNOWN if code == NO_STATUS else code)

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        self._end(LOST if unprocessed or code == CONNECTION_LOST else status.from_rst(code))

    def _let_go(self) -> None:
        stream = self.stream
        if stream is not None:
            self.stream = None
            self._endpoint.own_streams -= 1
            if not stream.local_closed:
                # Answered before the request was complete: nobody else would end the stream.
                stream.reset(CANCEL)

    def _end(self, code: int) -> None:
        if self.done:
            return
        self.done = True
        self._let_go()
        self._owner.ended(self, code)
