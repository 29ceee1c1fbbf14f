"""The protocol engine of the listener on a plain socket, behind an application that answers every request.

Conformance tools want a server that says 200 with a body to `GET /` and `POST /`; the proxy itself serves
gRPC only. This program is `http2.Connection` in the server role with nothing between it and the socket: what
is measured is the engine that the listeners of the proxy use:

    python -m tests.conformance.http2.echo_server 8080

The answer to a request without a body is one line of text; a body is echoed as it comes. With `--grpc` the
same answers come as a gRPC server's, with trailers: an upstream that lets the whole proxy be measured.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import cast

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream

_OK = HeaderBlock(((b":status", b"200"), (b"content-type", b"text/plain")))
_GRPC_OK = HeaderBlock(((b":status", b"200"), (b"content-type", b"application/grpc")))
_GRPC_END = HeaderBlock(((b"grpc-status", b"0"),))
_GREETING = b"seawall echoes what it is sent\n"


class Echo(StreamHandler):
    """Answer one request: its body, or a greeting when it has none."""

    def __init__(self, stream: Stream, *, grpc: bool) -> None:
        self._grpc = grpc
        self._answered = False
        if stream.remote_closed:
            self._finish(stream)

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        if data:
            self._answer(stream)
            self._consume(stream, stream.send_data(data, False))
        if end_stream:
            self._finish(stream)

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        self._finish(stream)

    def on_sent(self, stream: Stream, n: int) -> None:
        self._consume(stream, n)

    def _consume(self, stream: Stream, n: int) -> None:
        if n:
            stream.consume(n)

    def _answer(self, stream: Stream) -> None:
        if not self._answered:
            self._answered = True
            stream.send_headers(_GRPC_OK if self._grpc else _OK, (), False)

    def _finish(self, stream: Stream) -> None:
        text = b"" if self._answered else _GREETING
        self._answer(stream)
        if not self._grpc:
            stream.send_data(text, True)
            return
        if text:
            stream.send_data(b"\x00" + len(text).to_bytes(4, "big") + text, False)
        stream.send_trailers(_GRPC_END, ())


class EchoConnection(ConnectionHandler):
    """Give each request its echo."""

    def __init__(self, *, grpc: bool) -> None:
        self._grpc = grpc

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        stream.handler = Echo(stream, grpc=self._grpc)


class EchoProtocol(asyncio.Protocol):
    """A socket and the connection on it."""

    def __init__(self, *, grpc: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._dirty: list[Connection] = []
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._connection = Connection(
            is_client=False,
            limits=Limits(),
            handler=EchoConnection(grpc=grpc),
            cache=BlockCache(),
            dirty=self._dirty,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connection.start(self._loop.time())
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._connection.receive(data, self._loop.time())
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._connection.eof(self._loop.time())
        self._flush()

    def _flush(self) -> None:
        self._dirty.clear()
        transport = self._transport
        if transport is not None:
            transport.write(self._connection.take_output())
            if self._connection.closed:
                self._transport = None
                transport.close()
        self._rearm()

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._connection.next_deadline()
        if deadline != float("inf"):
            self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._connection.handle_timer(self._loop.time())
        self._flush()


async def main(port: int, *, grpc: bool) -> None:
    """Serve on a port of the loopback interface until ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: EchoProtocol(grpc=grpc), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def run() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="Echo HTTP/2 requests with the proxy's protocol engine.")
    parser.add_argument("port", type=int, nargs="?", default=0)
    parser.add_argument("--grpc", action="store_true", help="answer as a gRPC server does")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.port, grpc=arguments.grpc))


if __name__ == "__main__":
    run()
