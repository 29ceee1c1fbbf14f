"""A client's connection: admitted, watched for reading and for use, drained, counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from seawall_proxy.call.acceptor import Acceptor
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.errors import CANCEL, ENHANCE_YOUR_CALM
from seawall_proxy.runtime.transported import Transported, prepare_socket

if TYPE_CHECKING:
    from seawall_proxy.runtime.worker import Worker

MAX_CONNECTIONS: Final = 10_000
FLUSH_LIMIT_S: Final = 30.0
"""How long a peer may leave what was written to it unread."""
RESPONSE_LIMIT_S: Final = 300.0
"""How long a client may keep its window closed for the rest of a response that has ended (Envoy: 5 min)."""
IDLE_LIMIT_S: Final = 3600.0
"""How long a client may stay without any stream."""


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


class DownstreamProtocol(Transported):
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
        if len(worker.downstream) >= MAX_CONNECTIONS:
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
