"""Micro benchmark of the HTTP/2 layer: unary echoes between a client and a server connection in memory.

Run it as `python benchmarks/micro_http2.py [exchanges]`. It prints microseconds of CPU per exchange for each
side (the best of five runs), and whether the modules are compiled. "varying" adds three fields that differ on
each call. A proxy pays one server side and one client side for each call.
"""

from __future__ import annotations

import sys
import time

from seawall_proxy.http2 import connection as connection_module
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream

IN_FLIGHT = 32
MESSAGE = b"\x00\x00\x00\x00\x64" + b"m" * 100

REQUEST = HeaderBlock(
    (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/shop.v1.Orders/GetOrder"),
        (b":authority", b"orders.internal:8443"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"user-agent", b"grpc-python/1.85.1 grpc-c/49.0.0 (linux; chttp2)"),
        (b"grpc-accept-encoding", b"identity, deflate, gzip"),
    )
)
RESPONSE = HeaderBlock(((b":status", b"200"), (b"content-type", b"application/grpc")))
TRAILERS = HeaderBlock(((b"grpc-status", b"0"),))


class Echo(StreamHandler):
    """Answer a request with its own message."""

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        """Echo at the end of the request."""
        stream.consume(len(data))
        if end_stream:
            stream.send_headers(RESPONSE, (), False)
            stream.send_data(data, False)
            stream.send_trailers(TRAILERS, ())


class Server(ConnectionHandler):
    """Accept every request."""

    def __init__(self) -> None:
        self.echo = Echo()

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        """Attach the one echo handler."""
        stream.handler = self.echo


class Caller(StreamHandler):
    """Count finished calls."""

    def __init__(self) -> None:
        self.finished = 0

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        """Give the credit back."""
        stream.consume(len(data))

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        """Count the call."""
        self.finished += 1


def varying_fields(number: int) -> tuple[Field, ...]:
    """Make the fields that differ on each call."""
    return (
        (b"grpc-timeout", b"%dm" % (4000 + number % 1000)),
        (b"traceparent", b"00-4bf92f3577b34da6a3ce929d%08x-00f067aa0ba902b7-01" % number),
        (b"x-request-id", b"7f1c2f6e-%08x" % number),
    )


def run(exchanges: int, varying: bool) -> tuple[float, float]:
    """Return microseconds per exchange of the client side and of the server side."""
    caller = Caller()
    client = Connection(
        is_client=True, limits=Limits(), handler=ConnectionHandler(), cache=BlockCache(), dirty=[]
    )
    server = Connection(is_client=False, limits=Limits(), handler=Server(), cache=BlockCache(), dirty=[])
    client.start(0.0)
    server.start(0.0)
    client_ns = server_ns = 0
    number = 0
    clock = time.process_time_ns
    while caller.finished < exchanges:
        begin = clock()
        for _ in range(IN_FLIGHT):
            extra = varying_fields(number) if varying else ()
            number += 1
            stream = client.open_stream(caller, REQUEST, extra, False)
            stream.send_data(MESSAGE, True)
        to_server = client.take_output()
        middle = clock()
        server.receive(to_server, 1.0)
        to_client = server.take_output()
        end = clock()
        client.receive(to_client, 1.0)
        client_ns += clock() - end + middle - begin
        server_ns += end - middle
    return client_ns / caller.finished / 1000, server_ns / caller.finished / 1000


def main() -> None:
    """Print the table."""
    exchanges = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    compiled = not str(connection_module.__file__).endswith(".py")
    print(f"{'compiled' if compiled else 'interpreted'}, {exchanges} exchanges, {IN_FLIGHT} in flight")
    run(2_000, False)
    for varying in (False, True):
        client_us, server_us = min(run(exchanges, varying) for _ in range(5))
        label = "varying" if varying else "same"
        print(f"{label:8} fields: client side {client_us:6.2f} µs, server side {server_us:6.2f} µs")


if __name__ == "__main__":
    main()
