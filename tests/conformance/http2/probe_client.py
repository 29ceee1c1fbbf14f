"""The protocol engine of the upstream side on a plain socket: one GET, then whatever the server does.

A conformance tool that plays the server starts a client and looks at how it answers broken frames. This
program is `http2.Connection` in the client role with nothing between it and the socket:

    python -m tests.conformance.http2.probe_client http://127.0.0.1:8080/

It prints what became of the call and ends with the connection, after the response, or after two seconds.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast
from urllib.parse import urlsplit

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream

_LIMIT_S = 20.0


class Call(StreamHandler):
    """Print what happens to the call."""

    def on_headers(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        print("headers", block.fields, extra, end_stream)

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        stream.consume(len(data))
        print("data", len(data), end_stream)

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        print("reset", code, unprocessed)


class ProbeProtocol(asyncio.Protocol, ConnectionHandler):
    """A socket and the connection on it."""

    def __init__(self, authority: bytes, path: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._request = HeaderBlock(
            ((b":method", b"GET"), (b":scheme", b"http"), (b":path", path), (b":authority", authority))
        )
        self._called = False
        self.ended = asyncio.Event()
        self.connection = Connection(
            is_client=True, limits=Limits(), handler=self, cache=BlockCache(), dirty=[]
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.connection.start(self._loop.time())
        self.on_capacity()
        self._flush()

    def on_capacity(self) -> None:
        if not self._called and self.connection.can_open:
            self._called = True
            self.connection.open_stream(Call(), self._request, (), True)

    def on_terminated(self, code: int, reason: str) -> None:
        print("terminated", code, reason)

    def data_received(self, data: bytes) -> None:
        self.connection.receive(data, self._loop.time())
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.connection.eof(self._loop.time())
        self.ended.set()

    def _flush(self) -> None:
        transport = self._transport
        if transport is not None:
            transport.write(self.connection.take_output())
            if self.connection.closed:
                self._transport = None
                transport.close()


async def main(url: str) -> None:
    """Make one call to a URL."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    path = parts.path or "/"
    transport, protocol = await loop.create_connection(
        lambda: ProbeProtocol(parts.netloc.encode(), path.encode()),
        parts.hostname or "127.0.0.1",
        parts.port or 80,
    )
    try:
        async with asyncio.timeout(_LIMIT_S):
            await protocol.ended.wait()
    except TimeoutError:
        transport.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
