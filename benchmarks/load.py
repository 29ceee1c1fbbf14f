"""A closed-loop gRPC load: C connections with M calls in flight on each, N calls in all; prints one JSON
line.

Stands on our own HTTP/2 layer. With `--varying` each call carries metadata that no other call carries (a
traceparent, a request id), beside a fixed token.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from time import perf_counter
from typing import cast

from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream


class Run:
    def __init__(self, given: argparse.Namespace) -> None:
        self.left: int = given.calls
        self.done = 0
        self.errors = 0
        self.latencies: list[float] = []
        self.varying: bool = given.varying
        self.finished: asyncio.Event = asyncio.Event()
        self.total: int = given.calls
        self.message = b"\x00" + given.size.to_bytes(4, "big") + b"x" * given.size
        self.block = HeaderBlock(
            (
                (b":method", b"POST"),
                (b":scheme", b"http"),
                (b":path", b"/bench.v1.Echo/Unary"),
                (b":authority", b"bench.local"),
                (b"te", b"trailers"),
                (b"content-type", b"application/grpc"),
                (b"user-agent", b"seawall-bench/1"),
            )
        )

    def extra(self) -> tuple[Field, ...]:
        fields: list[Field] = [(b"grpc-timeout", b"9S")]
        if self.varying:
            number = self.left
            fields.append((b"traceparent", b"00-%032x-%016x-01" % (number + 1, number + 1)))
            fields.append((b"x-request-id", b"%032x" % number))
            fields.append((b"authorization", b"Bearer 0123456789abcdef0123456789abcdef"))
        return tuple(fields)


class OneCall(StreamHandler):
    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.began = perf_counter()

    def on_headers(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        if end_stream:
            self.end(block)

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        stream.consume(len(data))

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        self.end(block)

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        self.lane.ended(self, False)

    def end(self, block: HeaderBlock) -> None:
        self.lane.ended(self, (b"grpc-status", b"0") in block.fields)


class Lane(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: Run, in_flight: int) -> None:
        self.run = run
        self.in_flight = in_flight
        self.dirty: list[Connection] = []
        self.transport: asyncio.Transport | None = None
        self.connection = Connection(
            is_client=True,
            limits=Limits(premature_age_s=0.0),
            handler=ConnectionHandler(),
            cache=BlockCache(),
            dirty=self.dirty,
        )
        self.started = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.connection.start(perf_counter())
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.connection.receive(data, perf_counter())
        if not self.started and self.connection.settings_received:
            self.started = True
            for _ in range(self.in_flight):
                self.call()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.connection.eof(perf_counter())

    def flush(self) -> None:
        if self.dirty:
            self.dirty.clear()
            if self.transport is not None:
                self.transport.write(self.connection.take_output())

    def call(self) -> None:
        run = self.run
        if run.left <= 0 or not self.connection.can_open:
            return
        run.left -= 1
        stream = self.connection.open_stream(OneCall(self), run.block, run.extra(), False)
        stream.send_data(run.message, True)

    def ended(self, call: OneCall, ok: bool) -> None:
        run = self.run
        run.done += 1
        if not ok:
            run.errors += 1
        run.latencies.append(perf_counter() - call.began)
        if run.done >= run.total:
            run.finished.set()
        else:
            self.call()


async def drive(given: argparse.Namespace) -> None:
    run = Run(given)
    loop = asyncio.get_running_loop()
    host, _, port = given.target.rpartition(":")
    began = perf_counter()
    for _ in range(given.connections):
        await loop.create_connection(lambda: Lane(run, given.in_flight), host, int(port))
    async with asyncio.timeout(given.limit):
        await run.finished.wait()
    seconds = perf_counter() - began
    ordered = sorted(run.latencies)
    print(
        json.dumps(
            {
                "calls": run.done,
                "errors": run.errors,
                "seconds": seconds,
                "p50_us": ordered[len(ordered) // 2] * 1e6,
                "p99_us": ordered[len(ordered) * 99 // 100] * 1e6,
            }
        )
    )


if __name__ == "__main__":
    import uvloop

    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("-c", "--connections", type=int, default=1)
    parser.add_argument("-m", "--in-flight", type=int, default=1)
    parser.add_argument("-n", "--calls", type=int, default=10_000)
    parser.add_argument("-s", "--size", type=int, default=100)
    parser.add_argument("--varying", action="store_true")
    parser.add_argument("--limit", type=float, default=120.0)
    uvloop.run(drive(parser.parse_args()))
