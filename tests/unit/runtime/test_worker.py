"""One worker on real sockets: what a mistake, a client that does not read, and an idle one cost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import cast

import hpack
import pytest

from seawall_policy.listener_limits import DEFAULTS
from seawall_policy.transport import IDLE_LIMIT_S
from seawall_proxy.call.ports import CallRecord, EventSink, TraceSink
from seawall_proxy.call.routing import build_table
from seawall_proxy.http2.frames import PREFACE
from seawall_proxy.runtime.downstream import DownstreamProtocol
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.telemetry.counters import ProxyCounters, RouteCounters
from seawall_proxy.testing import make_policy, make_route, make_snapshot
from seawall_proxy.upstream.clusters import ClusterSet
from seawall_proxy.upstream.endpoint import BACKOFF, READY

SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
HEADERS, RST_STREAM, GOAWAY = 1, 3, 7


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big") + payload


def block(*fields: tuple[str, str]) -> bytes:
    """Return a header block."""
    return hpack.Encoder().encode(list(fields))


def request(path: str) -> bytes:
    """Return the header block of a gRPC request."""
    return block(
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    )


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, at most a minute."""
    end = monotonic() + 60.0
    while not condition():
        assert monotonic() < end, f"waited a minute for: {what}"
        await asyncio.sleep(0.005)


class BadSink(EventSink):
    """Breaks the rule that sinks do not raise, for one method."""

    def call_ended(self, record: CallRecord) -> None:
        """Raise."""
        if record.path.endswith(b"/Boom"):
            raise RuntimeError("boom")


class Rig:
    """A worker with one route to an upstream that reads and says what it is told to."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.worker = Worker(loop, lambda: 0.5, BadSink(), TraceSink(), ProxyCounters(), RouteCounters(""))
        self.clusters = ClusterSet(self.worker.dialer, self.worker.context.timers, lambda: 0.5)
        self.upstreams: list[asyncio.StreamWriter] = []
        self.answer = b""
        self._servers: list[asyncio.Server] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._port = 0

    async def start(self, timeout_s: float = 60.0) -> None:
        """Open the upstream and the listener, connect them."""
        upstream = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        address = f"127.0.0.1:{upstream.sockets[0].getsockname()[1]}"
        snapshot = make_snapshot(make_route(make_policy(timeout_s=timeout_s)), clusters={"main": (address,)})
        worker = self.worker
        clusters = self.clusters.prepare(snapshot.clusters)
        now = worker.tell_time()
        worker.context.table = build_table(snapshot, dict(clusters), None, {}, lambda: 0.5, now)
        self.clusters.adopt(clusters)
        self.clusters.warm()
        worker.after_batch()
        listener = await worker.listen("127.0.0.1", 0)
        self._port = listener.sockets[0].getsockname()[1]
        self._servers = [upstream, listener]
        await until(
            lambda: self.clusters.clusters["main"].endpoints[0].state == READY, "the endpoint is ready"
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.upstreams.append(writer)
        writer.write(SETTINGS)
        while await reader.read(65536):
            if self.answer:
                writer.write(self.answer)
                self.answer = b""

    async def client(self, receive_bytes: int = 0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect a client that has sent its preface."""
        raw = socket.socket()
        if receive_bytes:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self._port))
        reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
        self._writers.append(writer)
        writer.write(PREFACE + SETTINGS + frame(4, 1, 0))
        return reader, writer

    async def until_calls(self, count: int) -> None:
        """Wait until so many calls are in flight."""
        await until(lambda: self.worker.context.calls == count, f"{count} calls in flight")

    def protocol(self) -> DownstreamProtocol:
        """Return the one client's connection."""
        (only,) = self.worker.downstream
        return only

    async def close(self) -> None:
        """End everything."""
        self.worker.close()
        self.clusters.close()
        self.worker.after_batch()
        for server in self._servers:
            server.close()
        for writer in self.upstreams + self._writers:
            writer.close()
        await asyncio.sleep(0.01)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """Give a worker that is ready."""
    made = Rig()
    await made.start()
    yield made
    await made.close()


async def kinds(reader: asyncio.StreamReader, wanted: int) -> list[tuple[int, int]]:
    """Read frames up to one of the wanted kind or the end; return kinds and stream ids."""
    seen: list[tuple[int, int]] = []
    async with asyncio.timeout(60):
        while True:
            try:
                head = await reader.readexactly(9)
                await reader.readexactly(int.from_bytes(head[:3], "big"))
            except asyncio.IncompleteReadError:
                return seen
            seen.append((head[3], int.from_bytes(head[5:9], "big")))
            if head[3] == wanted:
                return seen


async def test_a_call_that_raises_leaves_the_others_alone(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """When an upstream connection is lost and one of its calls raises at the news, every other call still
    gets its answer, and the worker is empty afterwards.
    """
    _, bad_writer = await rig.client()
    good, good_writer = await rig.client()
    bad_writer.write(frame(HEADERS, 5, 1, request("/s.S/Boom")))
    await rig.until_calls(1)
    good_writer.write(frame(HEADERS, 5, 1, request("/s.S/Fine")))
    await rig.until_calls(2)
    rig.upstreams[0].transport.abort()
    assert (HEADERS, 1) in await kinds(good, HEADERS)
    assert "boom" in caplog.text
    await rig.until_calls(0)


async def test_a_timer_that_raises_leaves_the_others_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Calls with the same deadline are all ended although the first of them raises."""
    rig = Rig()
    await rig.start(timeout_s=0.2)
    reader, writer = await rig.client()
    paths = ["/s.S/Boom"] + ["/s.S/Fine"] * 20
    writer.write(b"".join(frame(HEADERS, 5, 2 * n + 1, request(path)) for n, path in enumerate(paths)))
    answered = [(await kinds(reader, HEADERS))[-1] for _ in paths]
    assert sorted(answered) == [(HEADERS, 2 * n + 1) for n in range(len(paths))]
    assert "boom" in caplog.text
    await rig.until_calls(0)
    await rig.close()


async def test_a_mistake_in_a_batch_ends_that_connection_only(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """A request whose handling raises closes its client's connection with INTERNAL_ERROR; another client's
    requests are served.
    """
    table = rig.worker.context.table
    assert table is not None
    table.clusters["main"].max_in_flight = 0
    bad, bad_writer = await rig.client()
    bad_writer.write(frame(HEADERS, 5, 1, request("/s.S/Boom")))
    assert (GOAWAY, 0) in await kinds(bad, GOAWAY)
    assert "boom" in caplog.text
    good, good_writer = await rig.client()
    good_writer.write(frame(HEADERS, 5, 1, request("/s.S/Fine")))
    assert (HEADERS, 1) in await kinds(good, HEADERS)


async def test_a_client_that_does_not_read_is_cut(rig: Rig) -> None:
    """What is written and not read for 30 s ends the connection; a client that reads a little stays."""
    reader, _ = await rig.client(receive_bytes=4096)
    protocol = rig.protocol()
    await until(lambda: protocol.connection.settings_received, "its SETTINGS are here")
    transport = cast("asyncio.Transport", protocol.transport)
    # A body as large as several sockets' buffers, as if answers had piled up.
    protocol.connection.sender.write(bytes(16 << 20))
    rig.worker.after_batch()
    now = rig.worker.tell_time()
    protocol.sweep(now)
    protocol.sweep(now + DEFAULTS.flush_timeout_s - 1.0)
    assert not protocol.connection.closed
    before = transport.get_write_buffer_size()
    async with asyncio.timeout(60):
        while transport.get_write_buffer_size() == before:
            await reader.read(1 << 16)
    protocol.sweep(now + DEFAULTS.flush_timeout_s + 1.0)
    assert not protocol.connection.closed
    protocol.sweep(now + 2.0 * DEFAULTS.flush_timeout_s + 60.0)
    protocol.sweep(now + 3.0 * DEFAULTS.flush_timeout_s + 120.0)
    assert protocol.connection.closed


async def test_the_rest_of_an_ended_response_is_not_kept_for_ever(rig: Rig) -> None:
    """A client that keeps its window closed has its stream reset 300 s after the call has ended."""
    reader, writer = await rig.client()
    # A window of zero for every stream.
    writer.write(frame(4, 0, 0, b"\x00\x04\x00\x00\x00\x00"))
    rig.answer = (
        frame(HEADERS, 4, 1, block((":status", "200"), ("content-type", "application/grpc")))
        + frame(0, 0, 1, b"\x00\x00\x00\x00\x05hello")
        + frame(HEADERS, 5, 1, block(("grpc-status", "0")))
    )
    writer.write(frame(HEADERS, 5, 1, request("/s.S/Fine")))
    protocol = rig.protocol()
    await kinds(reader, HEADERS)
    await rig.until_calls(0)
    assert protocol.connection.active_streams == 1
    now = rig.worker.tell_time()
    protocol.sweep(now)
    protocol.sweep(now + DEFAULTS.response_timeout_s - 1.0)
    assert protocol.connection.active_streams == 1
    protocol.sweep(now + DEFAULTS.response_timeout_s + 1.0)
    rig.worker.after_batch()
    assert protocol.connection.active_streams == 0
    assert (RST_STREAM, 1) in await kinds(reader, RST_STREAM)


async def test_an_idle_connection_ends(rig: Rig) -> None:
    """A connection without any stream for an hour is closed; one with a stream is not."""
    _, writer = await rig.client()
    writer.write(frame(HEADERS, 5, 1, request("/s.S/Fine")))
    await rig.until_calls(1)
    protocol = rig.protocol()
    now = rig.worker.tell_time()
    protocol.sweep(now + 2.0 * IDLE_LIMIT_S)
    assert not protocol.connection.closed
    writer.write(frame(RST_STREAM, 0, 1, b"\x00\x00\x00\x08"))
    await rig.until_calls(0)
    protocol.sweep(now + 2.0 * IDLE_LIMIT_S + 1.0)
    protocol.sweep(now + 3.0 * IDLE_LIMIT_S - 1.0)
    assert not protocol.connection.closed
    protocol.sweep(now + 3.0 * IDLE_LIMIT_S + 2.0)
    assert protocol.connection.closed


async def test_a_connection_at_rest_is_looked_at_when_it_moves(rig: Rig) -> None:
    """What ends a connection still does after sweeps have found it at rest: here a frame without its end."""
    reader, writer = await rig.client()
    await kinds(reader, 8)
    protocol = rig.protocol()
    await until(lambda: protocol.connection.settings_received, "its SETTINGS are here")
    writer.write(frame(4, 1, 0))
    writer.write(frame(6, 0, 0, bytes(8)))
    await kinds(reader, 6)
    now = rig.worker.tell_time()
    protocol.sweep(now)
    protocol.sweep(now + 100.0)
    before = protocol.connection.bytes_in
    writer.write(frame(6, 0, 0, bytes(8))[:12])
    await until(lambda: protocol.connection.bytes_in > before, "half a frame is here")
    protocol.sweep(now + 101.0)
    protocol.sweep(now + 101.0 + DEFAULTS.frame_timeout_s - 1.0)
    assert not protocol.connection.closed
    protocol.sweep(now + 101.0 + DEFAULTS.frame_timeout_s)
    assert protocol.connection.closed


async def test_a_drained_connection_waits_for_its_bytes(rig: Rig) -> None:
    """A drain closes a connection without streams only once the client has read what was written to it."""
    reader, _ = await rig.client(receive_bytes=4096)
    await kinds(reader, 8)
    protocol = rig.protocol()
    protocol.connection.sender.write(bytes(16 << 20))
    rig.worker.after_batch()
    rig.worker.start_drain()
    rig.worker.finish_drain()
    assert not protocol.connection.closed
    async with asyncio.timeout(10):
        while cast("asyncio.Transport", protocol.transport).get_write_buffer_size() > 0:
            await reader.read(1 << 20)
    protocol.sweep(rig.worker.tell_time())
    assert protocol.connection.closed


async def test_sockets_ask_whether_their_peer_is_alive(rig: Rig) -> None:
    """TCP keepalive is on for both sides' connections: a machine that lost its power says no goodbye."""
    await rig.client()
    await until(lambda: len(rig.worker.downstream) == 1, "the client is here")
    transport = rig.protocol().transport
    assert transport is not None
    raw = transport.get_extra_info("socket")
    assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


async def test_a_flood_of_small_frames_takes_turns(rig: Rig) -> None:
    """Of thousands of frames in one read only some are served before others have their turn; all are served
    in the end.
    """
    reader, _ = await rig.client()
    await until(lambda: len(rig.worker.downstream) == 1, "the client is here")
    protocol = rig.protocol()
    await until(lambda: protocol.connection.settings_received, "its SETTINGS are here")
    bad = request("/none")
    protocol.data_received(b"".join(frame(HEADERS, 5, 2 * n + 1, bad) for n in range(2000)))
    started = rig.worker.context.unmatched.started
    assert 0 < started < 500
    async with asyncio.timeout(60):
        while rig.worker.context.unmatched.started < 2000:
            await reader.read(1 << 16)


async def test_answers_that_go_wrong_do_not_end_the_shared_connection(rig: Rig) -> None:
    """Hundreds of malformed answers, which one client may be able to provoke, fail their own calls; another
    client's call on the same upstream connection goes on.
    """
    _, good = await rig.client()
    good.write(frame(HEADERS, 5, 1, request("/s.S/Fine")))
    await rig.until_calls(1)
    _, bad = await rig.client()
    malformed = b"\x88\x00\x03ABC\x01x"
    for turn in range(5):
        numbers = range(turn * 90, turn * 90 + 90)
        bad.write(b"".join(frame(HEADERS, 5, 2 * n + 1, request("/s.S/Fine")) for n in numbers))
        await rig.until_calls(91)
        rig.upstreams[0].write(b"".join(frame(HEADERS, 5, 2 * n + 3, malformed) for n in numbers))
        await rig.until_calls(1)
    assert len(rig.upstreams) == 1
    assert rig.worker.context.calls == 1


async def test_a_dial_that_meets_a_mistake_tells_its_link_why() -> None:
    """Whatever was raised: the endpoint hears the reason at once, not that the time is over."""
    rig = Rig()
    try:
        snapshot = make_snapshot(make_route(make_policy()), clusters={"main": ("127.0.0.1:port",)})
        clusters = rig.clusters.prepare(snapshot.clusters)
        rig.clusters.adopt(clusters)
        rig.clusters.warm()
        endpoint = rig.clusters.clusters["main"].endpoints[0]
        await until(lambda: endpoint.state == BACKOFF, "the dial has failed")
        assert "ValueError" in endpoint.last_error
    finally:
        await rig.close()
