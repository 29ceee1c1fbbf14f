"""The cases for Python's libraries, written from the public description of gRPC's interoperability tests.

The names and numbers (271,828 bytes up, 314,159 down, and so on) are the description's; those it lists as
wishes (thousands of calls, thousands of timeouts, 63 KB of metadata, going over MAX_CONCURRENT_STREAMS) are
here too. A case returns when all is as it must be and raises AssertionError otherwise. Peers in other
languages have the same cases under the same names.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.interop.python import server_rules as rules
from tests.interop.python.caller import (
    CANCELLED,
    DEADLINE_EXCEEDED,
    OK,
    UNIMPLEMENTED,
    UNKNOWN,
    Caller,
    Outcome,
)
from tests.interop.python.schema import SERVICE, pb, zeros

EMPTY = SERVICE + "EmptyCall"
UNARY = SERVICE + "UnaryCall"
INPUT = SERVICE + "StreamingInputCall"
OUTPUT = SERVICE + "StreamingOutputCall"
DUPLEX = SERVICE + "FullDuplexCall"

UP, DOWN = 271_828, 314_159
REQUEST_SIZES = (27182, 8, 1828, 45904)
RESPONSE_SIZES = (31415, 9, 2653, 58979)
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"


@dataclass(frozen=True)
class Scale:
    """How much the cases that are about quantity do."""

    many: int = 150
    """Calls at once on one channel, and timeouts."""
    large_at_once: int = 8
    very_large_bytes: int = 6 << 20
    soak_s: float = 0.2
    long_lived_s: float = 0.3
    channels: int = 5
    streams: int = rules.MAX_STREAMS + 30


SHORT = Scale()
FULL = Scale(
    many=3000,
    large_at_once=300,
    very_large_bytes=32 << 20,
    soak_s=5.0,
    long_lived_s=8.0,
    channels=100,
    streams=300,
)


@dataclass
class Run:
    """A channel, how to make another, and how much to do."""

    caller: Caller
    connect: Callable[[], Caller]
    scale: Scale


def expect(outcome: Outcome, code: int = OK, details: str | None = None) -> Outcome:
    """Insist on a status."""
    assert outcome.code == code, f"status {outcome.code} ({outcome.details!r}) instead of {code}"
    assert details is None or outcome.details == details, f"message {outcome.details!r}, not {details!r}"
    return outcome


def size(message: Any) -> int:
    """Return how many bytes an answer carries; -1 without an answer."""
    return -1 if message is None else len(message.payload.body)


def asking(*sizes: int, interval_us: int = 0, up: int = 0, compressed: bool | None = None) -> Any:
    """Return a request for answers of these sizes."""
    request = pb.StreamingOutputCallRequest(payload=zeros(up))
    for each in sizes:
        added = request.response_parameters.add(size=each, interval_us=interval_us)
        if compressed is not None:
            added.compressed.value = compressed
    return request


async def large(caller: Caller, up: int = UP, down: int = DOWN, **more: Any) -> Outcome:
    """Make a unary call with a payload both ways."""
    request = pb.SimpleRequest(response_size=down, payload=zeros(up))
    outcome = expect(await caller.unary(UNARY, request, **more))
    assert size(outcome.message) == down, f"{size(outcome.message)} bytes came instead of {down}"
    return outcome


async def warm_up(run: Run) -> None:
    """Make a call, so that the client knows its peer's SETTINGS before it floods it.

    Until then a client may open any number of streams, and those above the limit are refused.
    """
    expect(await run.caller.unary(EMPTY, pb.Empty()))


async def empty_unary(run: Run) -> None:
    """Messages of no length."""
    outcome = expect(await run.caller.unary(EMPTY, pb.Empty()))
    assert outcome.message == pb.Empty()


async def large_unary(run: Run) -> None:
    """More than the first window, both ways."""
    await large(run.caller)


async def client_compressed_unary(run: Run) -> None:
    """A compressed and a plain request."""
    await large(run.caller, compressed=True)
    await large(run.caller, compressed=False)


async def server_compressed_unary(run: Run) -> None:
    """A compressed and a plain answer."""
    for compressed in (True, False):
        request = pb.SimpleRequest(response_size=DOWN, payload=zeros(UP))
        request.response_compressed.value = compressed
        outcome = expect(await run.caller.unary(UNARY, request))
        assert size(outcome.message) == DOWN


async def client_compressed_streaming(run: Run) -> None:
    """Compressed requests of a stream."""
    requests = [pb.StreamingInputCallRequest(payload=zeros(each)) for each in (27182, 45904)]
    outcome = expect(await run.caller.client_stream(INPUT, requests, compressed=True))
    assert outcome.message.aggregated_payload_size == 73086


async def server_compressed_streaming(run: Run) -> None:
    """A compressed and a plain answer in one stream."""
    request = asking(31415, 92653)
    request.response_parameters[0].compressed.value = True
    request.response_parameters[1].compressed.value = False
    stream = await run.caller.server_stream(OUTPUT, request)
    assert [size(await stream.receive()) for _ in range(3)] == [31415, 92653, -1]
    expect(await stream.outcome())


async def client_streaming(run: Run) -> None:
    """Four requests, one answer with their sum."""
    requests = [pb.StreamingInputCallRequest(payload=zeros(each)) for each in REQUEST_SIZES]
    outcome = expect(await run.caller.client_stream(INPUT, requests))
    assert outcome.message.aggregated_payload_size == 74922


async def server_streaming(run: Run) -> None:
    """One request, four answers in order."""
    stream = await run.caller.server_stream(OUTPUT, asking(*RESPONSE_SIZES))
    assert [size(await stream.receive()) for _ in range(5)] == [*RESPONSE_SIZES, -1]
    expect(await stream.outcome())


async def ping_pong(run: Run) -> None:
    """An answer to each request before the next request."""
    stream = await run.caller.duplex(DUPLEX)
    for up, down in zip(REQUEST_SIZES, RESPONSE_SIZES, strict=True):
        await stream.send(asking(down, up=up))
        assert size(await stream.receive()) == down
    await stream.end()
    assert await stream.receive() is None
    expect(await stream.outcome())


async def empty_stream(run: Run) -> None:
    """No request and no answer."""
    stream = await run.caller.duplex(DUPLEX)
    await stream.end()
    assert await stream.receive() is None
    expect(await stream.outcome())


async def custom_metadata(run: Run) -> None:
    """Metadata comes back in headers and, as bytes, in trailers; unary and duplex."""
    initial, trailing = (
        (rules.ECHO_INITIAL, "test_initial_metadata_value"),
        (rules.ECHO_TRAILING, b"\xab\xab\xab"),
    )
    outcome = await large(run.caller, metadata=[initial, trailing])
    assert initial in outcome.initial, outcome.initial
    assert trailing in outcome.trailing, outcome.trailing
    stream = await run.caller.duplex(DUPLEX, [initial, trailing])
    await stream.send(asking(DOWN, up=UP))
    await stream.end()
    assert [size(await stream.receive()) for _ in range(2)] == [DOWN, -1]
    outcome = expect(await stream.outcome())
    assert initial in outcome.initial, outcome.initial
    assert trailing in outcome.trailing, outcome.trailing


async def status_code_and_message(run: Run) -> None:
    """A status with a message, from a unary and a duplex call."""
    asked = pb.EchoStatus(code=UNKNOWN, message="test status message")
    expect(await run.caller.unary(UNARY, pb.SimpleRequest(response_status=asked)), UNKNOWN, asked.message)
    stream = await run.caller.duplex(DUPLEX)
    await stream.send(pb.StreamingOutputCallRequest(response_status=asked))
    await stream.end()
    assert await stream.receive() is None
    expect(await stream.outcome(), UNKNOWN, asked.message)


async def special_status_message(run: Run) -> None:
    """A message with whitespace and characters inside and outside the BMP."""
    asked = pb.EchoStatus(code=UNKNOWN, message=SPECIAL)
    expect(await run.caller.unary(UNARY, pb.SimpleRequest(response_status=asked)), UNKNOWN, SPECIAL)


async def unimplemented_method(run: Run) -> None:
    """A method that the service does not have."""
    expect(await run.caller.unary(SERVICE + "UnimplementedCall", pb.Empty()), UNIMPLEMENTED)


async def unimplemented_service(run: Run) -> None:
    """A service that the server does not have."""
    path = "/grpc.testing.UnimplementedService/UnimplementedCall"
    expect(await run.caller.unary(path, pb.Empty()), UNIMPLEMENTED)


async def cancel_after_begin(run: Run) -> None:
    """Given up before anything was sent."""
    stream = await run.caller.duplex(DUPLEX)
    await stream.cancel()
    expect(await stream.outcome(), CANCELLED)


async def cancel_after_first_response(run: Run) -> None:
    """Given up in the middle."""
    stream = await run.caller.duplex(DUPLEX)
    await stream.send(asking(31415, up=27182))
    assert size(await stream.receive()) == 31415
    await stream.cancel()
    expect(await stream.outcome(), CANCELLED)


async def timeout_on_sleeping_server(run: Run) -> None:
    """A deadline of a millisecond on a server that waits for more."""
    stream = await run.caller.server_stream(OUTPUT, asking(1, interval_us=5_000_000, up=27182), 0.001)
    assert await stream.receive() is None
    expect(await stream.outcome(), DEADLINE_EXCEEDED)
    # A stream that is still sending needs a little more: grpcio with asyncio says INTERNAL when a write comes
    # late.
    stream = await run.caller.duplex(DUPLEX, timeout_s=0.03)
    await stream.send(asking(up=27182))
    assert await stream.receive() is None
    expect(await stream.outcome(), DEADLINE_EXCEEDED)


async def orca_per_rpc(run: Run) -> None:
    """A load report as a binary trailer, byte for byte."""
    report = pb.TestOrcaReport(cpu_utilization=0.8210, memory_utilization=0.5847)
    report.request_cost["cost"] = 3456.32
    report.utilization["util"] = 0.30499
    outcome = expect(await run.caller.unary(UNARY, pb.SimpleRequest(orca_per_query_report=report)))
    # C-core reads this trailer itself and does not show it; so servers send the same bytes under a name of
    # ours.
    name = rules.LOAD_COPY if run.caller.hides_load_reports else rules.LOAD_REPORT
    assert (name, report.SerializeToString(deterministic=True)) in outcome.trailing, outcome.trailing


async def message_of_4_mib(run: Run) -> None:
    """As large as everybody's default allows, both ways."""
    room = (4 << 20) - 64
    await large(run.caller, room, room)


async def very_large_request(run: Run) -> None:
    """Much more than any window, both ways."""
    await large(run.caller, run.scale.very_large_bytes, run.scale.very_large_bytes // 2)


async def metadata_of_63_kb(run: Run) -> None:
    """One value of 63 KB, there and back."""
    pair = (rules.ECHO_INITIAL, "m" * 63_000)
    outcome = expect(await run.caller.unary(UNARY, pb.SimpleRequest(response_size=1), metadata=[pair]))
    assert pair in outcome.initial


async def concurrent_large_unary(run: Run) -> None:
    """Many large calls at once on one channel."""
    await warm_up(run)
    await asyncio.gather(*(large(run.caller) for _ in range(run.scale.large_at_once)))


async def many_calls(run: Run) -> None:
    """Very many small calls at once on one channel."""
    await warm_up(run)
    await asyncio.gather(*(large(run.caller, 10, 20) for _ in range(run.scale.many)))


async def many_timeouts(run: Run) -> None:
    """Very many deadlines that pass at once; the channel serves on."""

    async def give_up(number: int) -> None:
        stream = await run.caller.server_stream(
            OUTPUT, asking(1, interval_us=20_000_000), 0.02 + number % 10 / 500
        )
        assert await stream.receive() is None
        expect(await stream.outcome(), DEADLINE_EXCEEDED)

    await warm_up(run)
    await asyncio.gather(*(give_up(number) for number in range(run.scale.many)))
    await large(run.caller)


async def more_than_max_streams(run: Run) -> None:
    """More streams than the server allows on a connection, each open for a while."""

    async def stay(_: int) -> None:
        stream = await run.caller.server_stream(OUTPUT, asking(1, 1, interval_us=10_000))
        assert [size(await stream.receive()) for _ in range(3)] == [1, 1, -1]
        expect(await stream.outcome())

    await warm_up(run)
    await asyncio.gather(*(stay(number) for number in range(run.scale.streams)))


async def rpc_soak(run: Run) -> None:
    """One call after the other on one channel."""
    until = time.monotonic() + run.scale.soak_s
    while time.monotonic() < until:
        await large(run.caller, 1000, 1000)


async def channel_soak(run: Run) -> None:
    """A new channel for each call."""
    for _ in range(run.scale.channels):
        caller = run.connect()
        await large(caller, 1000, 1000)
        await caller.close()


async def long_lived_stream(run: Run) -> None:
    """A stream that says something now and then."""
    stream = await run.caller.duplex(DUPLEX)
    pause_s = run.scale.long_lived_s / 4
    for _ in range(4):
        await stream.send(asking(1000, up=1000))
        assert size(await stream.receive()) == 1000
        await asyncio.sleep(pause_s)
    await stream.end()
    assert await stream.receive() is None
    expect(await stream.outcome())


CASES: dict[str, Callable[[Run], Awaitable[None]]] = {
    case.__name__: case
    for case in (
        empty_unary,
        large_unary,
        client_compressed_unary,
        server_compressed_unary,
        client_compressed_streaming,
        server_compressed_streaming,
        client_streaming,
        server_streaming,
        ping_pong,
        empty_stream,
        custom_metadata,
        status_code_and_message,
        special_status_message,
        unimplemented_method,
        unimplemented_service,
        cancel_after_begin,
        cancel_after_first_response,
        timeout_on_sleeping_server,
        orca_per_rpc,
        message_of_4_mib,
        very_large_request,
        metadata_of_63_kb,
        concurrent_large_unary,
        many_calls,
        many_timeouts,
        more_than_max_streams,
        rpc_soak,
        channel_soak,
        long_lived_stream,
    )
}
