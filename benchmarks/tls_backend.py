"""A gRPC server behind TLS for the benchmarks: it answers every unary call with a fixed message.

`python -m benchmarks.tls_backend MESSAGE_BYTES CERTIFICATE KEY` prints its port. It stands on our own HTTP/2
layer and is the same for every proxy that is measured.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from time import monotonic
from typing import cast

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream

HEADERS = HeaderBlock(((b":status", b"200"), (b"content-type", b"application/grpc")))
TRAILERS = HeaderBlock(((b"grpc-status", b"0"),))


class Answer(StreamHandler):
    def __init__(self, body: bytes) -> None:
        self.body = body

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        stream.consume(len(data))
        if end_stream:
            stream.send_headers(HEADERS, (), False)
            stream.send_data(self.body, False)
            stream.send_trailers(TRAILERS, ())


class Backend(ConnectionHandler):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        stream.handler = self.answer


class BackendProtocol(asyncio.Protocol):
    cache = BlockCache()

    def __init__(self, answer: Answer) -> None:
        self.dirty: list[Connection] = []
        self.transport: asyncio.Transport | None = None
        self.connection = Connection(
            is_client=False,
            limits=Limits(max_concurrent_streams=10_000, premature_age_s=0.0),
            handler=Backend(answer),
            cache=self.cache,
            dirty=self.dirty,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.connection.start(monotonic())
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.connection.receive(data, monotonic())
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.connection.eof(monotonic())

    def flush(self) -> None:
        if self.dirty:
            self.dirty.clear()
            if self.transport is not None:
                self.transport.write(self.connection.take_output())


async def serve(size: int, certificate: str, key: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    answer = Answer(b"\x00" + size.to_bytes(4, "big") + b"x" * size)
    server = await asyncio.get_running_loop().create_server(
        lambda: BackendProtocol(answer), "127.0.0.1", 0, ssl=context
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
