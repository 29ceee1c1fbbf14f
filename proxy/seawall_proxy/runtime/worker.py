"""One event loop's share of the data path: sockets in, sockets out, one timer.

Every batch of input goes the same way: tell everybody the time, feed the connection, settle the calls whose
response is held back, write once to each connection that has output, pass on what the breakers noticed, and
arm the loop's timer for the earliest deadline. Nothing here decides anything about a call.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from time import monotonic
from typing import Final, cast

from seawall_policy.breaker import Breaker
from seawall_proxy.call.acceptor import Acceptor
from seawall_proxy.call.breaker_clock import BreakerClock
from seawall_proxy.call.context import Context
from seawall_proxy.call.ports import BreakerRecord, EventSink, TraceSink
from seawall_proxy.call.timers import NEVER
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.errors import CANCEL, ENHANCE_YOUR_CALM, INTERNAL_ERROR
from seawall_proxy.http2.headers import BlockCache
from seawall_proxy.http2.limits import Limits
from seawall_proxy.telemetry.counters import ProxyCounters, RouteCounters
from seawall_proxy.upstream.endpoint import Dialer, Link

log = logging.getLogger("seawall.proxy")

_WRITE_HIGH_BYTES: Final = 1 << 20
_WRITE_LOW_BYTES: Final = 256 << 10
_MAX_CONNECTIONS: Final = 10_000
_DELAYED_CLOSE_S: Final = 1.0
_FRAMES_PER_TURN: Final = 256
FLUSH_LIMIT_S: Final = 30.0
"""How long a peer may leave what was written to it unread."""
RESPONSE_LIMIT_S: Final = 300.0
"""How long a client may keep its window closed for the rest of a response that has ended (Envoy: 5 min)."""
IDLE_LIMIT_S: Final = 3600.0
"""How long a client may stay without any stream."""
_KEEPALIVE_S: Final = 60
_KEEPALIVE_PROBES: Final = 4
_KEEPALIVE_INTERVAL_S: Final = 15


class Worker:
    """Owns the connections of one event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        draw: Callable[[], float],
        sink: EventSink,
        tracer: TraceSink,
        counters: ProxyCounters,
        unmatched: RouteCounters,
    ) -> None:
        self.loop: asyncio.AbstractEventLoop = loop
        self.context: Context = Context(draw, sink, tracer, unmatched)
        self.cache: BlockCache = BlockCache()
        self.dirty: list[Connection] = []
        self.counters: ProxyCounters = counters
        self.downstream: set[DownstreamProtocol] = set()
        self.server_limits: Limits = Limits(frames_per_turn=_FRAMES_PER_TURN)
        # An upstream's connection carries many clients' calls, and one of them can make its answers go wrong
        # (metadata that is echoed and too large): that must not end the connection for the others soon.
        self.client_limits: Limits = Limits(
            frames_per_turn=_FRAMES_PER_TURN, reset_burst=10_000, reset_rate_per_s=1_000.0
        )
        self.dialer: TcpDialer = TcpDialer(self)
        self.draining: bool = False
        self.breaker_clock: BreakerClock = BreakerClock(self.context)
        self._armed_at: float = NEVER
        self._timer: asyncio.TimerHandle | None = None
        self.tell_time()

    def tell_time(self) -> float:
        """Read the clock for everybody."""
        now = monotonic()
        self.context.now = now
        self.context.timers.now = now
        return now

    def after_batch(self) -> None:
        """Do what is due after a batch of input."""
        context = self.context
        if context.held:
            context.settle()
        dirty = self.dirty
        while dirty:
            connection = dirty.pop()
            owner = connection.owner
            if owner is not None:
                cast("_Transported", owner).write(connection.take_output())
        if context.changed_breakers:
            self.report_breakers()
        deadline = context.timers.next_deadline()
        if deadline < self._armed_at:
            self._arm(deadline)

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_at = deadline
        # The loop's clock and ours are both CLOCK_MONOTONIC on the platforms that we support, yet only the
        # distance is used.
        self._timer = self.loop.call_later(max(0.0, deadline - monotonic()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        # A timer may ring a little early; what it was armed for is due all the same.
        now = max(self.tell_time(), self._armed_at)
        self._armed_at = NEVER
        self.context.now = now
        try:
            self.context.timers.advance(now)
        except Exception:
            # What else is due stays armed and is served at once, by the timer that is armed below.
            log.exception("a timer of the data path failed")
        self.after_batch()

    def report_breakers(self) -> None:
        """Hand on what breakers noticed."""
        context = self.context
        changed = context.changed_breakers
        context.changed_breakers = []
        for state in changed:
            if state.breaker is not None:
                self.report_breaker(state.name, state.breaker)
        self.breaker_clock.rearm()

    def report_breaker(self, route: str, breaker: Breaker) -> None:
        """Record the transitions of one breaker."""
        table = self.context.table
        for change in breaker.take_transitions():
            record = BreakerRecord(
                route,
                change.from_state,
                change.to_state,
                change.at,
                change.trigger,
                change.calls,
                change.failures,
                change.slow,
            )
            record.revision = 0 if table is None else table.snapshot.revision
            self.context.sink.breaker_changed(record)

    # listeners

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Accept client connections."""
        return await self.loop.create_server(
            lambda: DownstreamProtocol(self), host, port, reuse_address=True, backlog=1024
        )

    def sweep(self, now: float) -> None:
        """Look after client connections; due about once a second."""
        for protocol in list(self.downstream):
            protocol.sweep(now)

    def fold_counters(self) -> None:
        """Bring the counters up to date with the connections that are open."""
        for protocol in self.downstream:
            protocol.fold_counters()

    def start_drain(self) -> None:
        """Tell every client to go elsewhere, in the two steps of gRFC A9's server side; `finish_drain` is the
        second.
        """
        self.draining = True
        self.tell_time()
        for protocol in list(self.downstream):
            protocol.connection.goaway(0, 2**31 - 1)
        self.after_batch()

    def finish_drain(self) -> None:
        """Say which stream was the last one, and close connections without any."""
        self.tell_time()
        for protocol in list(self.downstream):
            protocol.connection.goaway(0)
            protocol.drained = True
            protocol.close_if_idle()
        self.after_batch()

    def close(self) -> None:
        """End everything now."""
        self.tell_time()
        for protocol in list(self.downstream):
            protocol.connection.terminate(0, "shutting down")
        self.after_batch()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Transported(asyncio.Protocol):
    """What a client's and an endpoint's connection have in common: a transport."""

    connection: Connection
    worker: Worker
    transport: asyncio.Transport | None
    behind: bool = False
    """Frames that were read wait for the next turn of the loop."""

    def write(self, data: bytes) -> None:
        """Send output, and close once the connection is finished."""
        transport = self.transport
        if transport is None:
            return
        if data:
            transport.write(data)
        if self.connection.closed:
            self.transport = None
            transport.close()
            # A peer that does not read would keep the transport for ever.
            self.worker.loop.call_later(_DELAYED_CLOSE_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        worker = self.worker
        now = worker.tell_time()
        try:
            self.connection.receive(data, now)
        except Exception:
            log.exception("a connection has met a mistake of the proxy's and is closed")
            self._give_up()
        worker.after_batch()
        if self.connection.has_more and self.transport is not None and not self.behind:
            # A peer that sends thousands of small frames waits for its next turn; the others have theirs.
            self.behind = True
            self.transport.pause_reading()
            worker.loop.call_soon(self._take_more)

    def _take_more(self) -> None:
        self.behind = False
        self.data_received(b"")
        if self.transport is not None and not self.behind:
            self.transport.resume_reading()

    def _give_up(self) -> None:
        try:
            self.connection.terminate(INTERNAL_ERROR, "internal error")
        except Exception:
            log.exception("closing it has met another one")

    def pause_writing(self) -> None:
        self.connection.set_write_paused(True)

    def resume_writing(self) -> None:
        self.worker.tell_time()
        self.connection.set_write_paused(False)
        self.worker.after_batch()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        worker = self.worker
        now = worker.tell_time()
        try:
            self.connection.eof(now)
        except Exception:
            log.exception("the end of a connection has met a mistake of the proxy's")
        worker.after_batch()


class Progress:
    """For how long a number has not changed."""

    def __init__(self) -> None:
        self._value = -1
        self._since = 0.0

    def touch(self, now: float) -> None:
        """Count from now, whatever the number is."""
        self._value = -1
        self._since = now

    def lasts(self, value: int, now: float) -> float:
        """Return for how many seconds it has been `value`."""
        if value != self._value:
            self._value = value
            self._since = now
        return now - self._since


class DownstreamProtocol(_Transported):
    """A client's connection."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.transport = None
        self.drained = False
        self._folded: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
        self._flushed = Progress()
        self._busy = Progress()
        self._responses: dict[int, Progress] = {}
        self.acceptor = Acceptor(worker.context)
        self.connection = Connection(
            is_client=False,
            limits=worker.server_limits,
            handler=self.acceptor,
            cache=worker.cache,
            dirty=worker.dirty,
        )
        self.connection.owner = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        worker = self.worker
        counters = worker.counters
        self.transport = cast("asyncio.Transport", transport)
        if len(worker.downstream) >= _MAX_CONNECTIONS:
            counters.connections_refused += 1
            self.transport.abort()
            return
        prepare_socket(self.transport)
        counters.connections_total += 1
        counters.connections_open += 1
        worker.downstream.add(self)
        self.connection.start(worker.tell_time())
        worker.after_batch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        worker = self.worker
        if self in worker.downstream:
            worker.downstream.discard(self)
            self._settle_counters()

    def fold_counters(self) -> None:
        """Add what this connection has done since the last time to the worker's counters."""
        counters = self.worker.counters
        connection = self.connection
        done = (
            connection.bytes_in,
            connection.bytes_out,
            connection.frames_in,
            connection.frames_out,
            connection.resets_received,
            connection.resets_sent,
        )
        before = self._folded
        self._folded = done
        counters.bytes_received += done[0] - before[0]
        counters.bytes_sent += done[1] - before[1]
        counters.frames_received += done[2] - before[2]
        counters.frames_sent += done[3] - before[3]
        counters.resets_received += done[4] - before[4]
        counters.resets_sent += done[5] - before[5]

    def _settle_counters(self) -> None:
        counters = self.worker.counters
        counters.connections_open -= 1
        self.fold_counters()
        acceptor = self.acceptor
        if acceptor.terminated and acceptor.terminated_code > 0:
            counters.protocol_error(acceptor.terminated_reason)

    def sweep(self, now: float) -> None:
        """Follow the connection's own deadlines."""
        connection = self.connection
        if connection.next_deadline() <= now:
            connection.handle_timer(now)
        if connection.closed:
            return
        if self.drained or self.acceptor.goaway_received:
            self.close_if_idle()
        self._expect_reading(now)
        self._expect_use(now)

    def _expect_reading(self, now: float) -> None:
        """End a connection whose client does not read, and streams that keep the rest of a response: no
        timer of a call watches over either.
        """
        connection = self.connection
        unread = self._unread_bytes()
        if unread == 0:
            self._flushed.touch(now)
        elif self._flushed.lasts(connection.bytes_out - unread, now) >= FLUSH_LIMIT_S:
            connection.terminate(ENHANCE_YOUR_CALM, "client does not read")
            return
        known = self._responses
        self._responses = {}
        for stream in list(connection.table.streams.values()):
            if not stream.end_queued:
                continue
            progress = known.get(stream.id) or Progress()
            if progress.lasts(stream.queued_bytes, now) >= RESPONSE_LIMIT_S:
                stream.reset(CANCEL)
            else:
                self._responses[stream.id] = progress

    def _expect_use(self, now: float) -> None:
        connection = self.connection
        if connection.active_streams > 0:
            self._busy.touch(now)
        elif self._busy.lasts(connection.streams_opened, now) >= IDLE_LIMIT_S:
            connection.terminate(0, "idle")

    def _unread_bytes(self) -> int:
        transport = self.transport
        return 0 if transport is None else transport.get_write_buffer_size()

    def close_if_idle(self) -> None:
        """End the connection when it has no streams left and the client has what was written to it."""
        connection = self.connection
        if connection.active_streams == 0 and not connection.closed and self._unread_bytes() == 0:
            connection.terminate(0, "drained")


class UpstreamProtocol(_Transported):
    """An endpoint's connection."""

    def __init__(self, worker: Worker, link: Link) -> None:
        self.worker = worker
        self.transport = None
        self.link = link
        connection = link.connection
        assert connection is not None
        self.connection = connection
        connection.owner = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self.link.closed:
            self.transport.abort()
            return
        prepare_socket(self.transport)
        self.worker.tell_time()
        self.link.opened()
        self.worker.after_batch()


class TcpDialer(Dialer):
    """Connects to endpoints."""

    def __init__(self, worker: Worker) -> None:
        self._worker: Worker = worker
        self._tasks: dict[Link, asyncio.Task[None]] = {}

    def make_connection(self, link: Link) -> Connection:
        worker = self._worker
        return Connection(
            is_client=True, limits=worker.client_limits, handler=link, cache=worker.cache, dirty=worker.dirty
        )

    def dial(self, link: Link, address: str, timeout_s: float) -> None:
        task = self._worker.loop.create_task(self._connect(link, address, timeout_s))
        self._tasks[link] = task
        task.add_done_callback(lambda _: self._tasks.pop(link, None))

    async def _connect(self, link: Link, address: str, timeout_s: float) -> None:
        worker = self._worker
        host, port = split_address(address)
        try:
            async with asyncio.timeout(timeout_s):
                await worker.loop.create_connection(lambda: UpstreamProtocol(worker, link), host, port)
        except TimeoutError:
            self._fail(link, f"connecting to {address} took longer than {timeout_s:g} s")
        except (OSError, UnicodeError) as error:
            self._fail(link, f"connecting to {address} failed: {getattr(error, 'strerror', '') or error}")

    def _fail(self, link: Link, reason: str) -> None:
        self._worker.tell_time()
        link.failed(reason)
        self._worker.after_batch()

    def hang_up(self, link: Link) -> None:
        task = self._tasks.pop(link, None)
        if task is not None and not task.done():
            task.cancel()
        connection = link.connection
        if connection is not None and not connection.closed:
            connection.terminate(0, "given up")


def prepare_socket(transport: asyncio.Transport) -> None:
    """Send small writes at once, and ask to be told early when the peer does not read."""
    raw = transport.get_extra_info("socket")
    if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A peer that lost its power says nothing; a stream without a deadline would wait for it for ever.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_S)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_S)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
    transport.set_write_buffer_limits(_WRITE_HIGH_BYTES, _WRITE_LOW_BYTES)


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port`; the host of an IPv6 address stands in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
