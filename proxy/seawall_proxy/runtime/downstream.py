"""A client's connection: admitted, watched for reading and for use, drained, counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from seawall_policy.listener_limits import MEMORY_END_FACTOR
from seawall_policy.transport import IDLE_LIMIT_S
from seawall_proxy.call.acceptor import Acceptor
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.errors import CANCEL, ENHANCE_YOUR_CALM
from seawall_proxy.runtime.admission import Admission, client_of
from seawall_proxy.runtime.age import ANNOUNCE, CLOSE, FINISH, Age
from seawall_proxy.runtime.peer import shown_address
from seawall_proxy.runtime.transported import Transported, prepare_socket

if TYPE_CHECKING:
    from seawall_proxy.runtime.listening import Listener
    from seawall_proxy.runtime.worker import Worker


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

    def __init__(
        self, worker: Worker, admission: Admission | None = None, listener: Listener | None = None
    ) -> None:
        self.listener: Listener | None = listener
        self.peer_address: str = ""
        """The client's `host:port`: the PROXY protocol's where the listener requires it."""
        self.peer_identity: str = ""
        """The name in the client's certificate; empty without a verified one."""
        self.age: Age | None = None
        self.idle_limit_s: float = IDLE_LIMIT_S
        self.worker = worker
        self.transport = None
        self.admission: Admission = worker.admission if admission is None else admission
        self.client = ""
        self._admitted = False
        self._framed = Progress()
        self.drained = False
        self._folded: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
        self._flushed = Progress()
        self._busy = Progress()
        self._responses: dict[int, Progress] = {}
        self._quiet_until: float = 0.0
        self._quiet_bytes: int = 0
        self.acceptor = Acceptor(worker.context)
        self.acceptor.max_message_bytes = self.admission.limits.max_request_message_bytes
        self.connection = Connection(
            is_client=False,
            limits=self.admission.http2,
            handler=self.acceptor,
            cache=worker.cache,
            dirty=worker.dirty,
        )
        self.connection.owner = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        worker = self.worker
        counters = worker.counters
        self.transport = cast("asyncio.Transport", transport)
        listener = self.listener
        if listener is None:
            self.client = client_of(transport.get_extra_info("peername"))
        elif not listener.greet(self, transport):
            self.transport.close()
            return
        self.acceptor.peer = self.peer_address or shown_address(transport.get_extra_info("peername"))
        refused = self.admission.enter(self.client)
        if refused:
            counters.connections_refused += 1
            counters.limits_tripped({refused: 1}, client=True)
            self.transport.abort()
            return
        self._admitted = True
        prepare_socket(self.transport)
        high_bytes = self.admission.limits.write_buffer_bytes
        self.transport.set_write_buffer_limits(high_bytes, high_bytes // 4)
        counters.connections_total += 1
        counters.connections_open += 1
        worker.downstream.add(self)
        self.connection.start(worker.tell_time())
        worker.after_batch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        worker = self.worker
        if self._admitted:
            self._admitted = False
            self.admission.leave(self.client)
        if self in worker.downstream:
            worker.downstream.discard(self)
            self._settle_counters()

    def fold_counters(self) -> None:
        """Add what this connection has done since the last time to the worker's counters."""
        counters = self.worker.counters
        connection = self.connection
        guard = connection.guard
        if guard.trips is not None:
            counters.limits_tripped(guard.trips, client=True)
            guard.trips = None
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
        """Follow the connection's own deadlines; one that is at rest costs two comparisons."""
        connection = self.connection
        if now < self._quiet_until and connection.bytes_in == self._quiet_bytes and not self.drained:
            return
        if connection.next_deadline() <= now:
            connection.handle_timer(now)
        if connection.closed:
            return
        if self.age is not None:
            self._follow_age(self.age, now)
        if self.drained or self.acceptor.goaway_received:
            self.close_if_idle()
        self._expect_reading(now)
        self._expect_use(now)
        self._expect_whole_frames(now)
        self._limit_memory()
        self._quiet_until = self._rests_until(now)
        self._quiet_bytes = connection.bytes_in

    def _rests_until(self, now: float) -> float:
        """Return until when nothing can be due as long as the client sends nothing; 0.0 when that is not
        known.
        """
        connection = self.connection
        if (
            connection.closed
            or connection.active_streams > 0
            or connection.reader.is_waiting()
            or self.age is not None
            or self.drained
            or self.acceptor.goaway_received
            or self._unread_bytes() > 0
        ):
            return 0.0
        idle_s = self._busy.lasts(connection.streams_opened, now)
        return min(connection.next_deadline(), now + self.idle_limit_s - idle_s)

    def _expect_reading(self, now: float) -> None:
        """End a connection whose client does not read, and streams that keep the rest of a response: no
        timer of a call watches over either.
        """
        connection = self.connection
        limits = self.admission.limits
        unread = self._unread_bytes()
        if unread == 0:
            self._flushed.touch(now)
        elif self._flushed.lasts(connection.bytes_out - unread, now) >= limits.flush_timeout_s:
            self._end("flush_timeout", "client does not read")
            return
        known = self._responses
        self._responses = {}
        for stream in list(connection.table.streams.values()):
            if not stream.end_queued:
                continue
            progress = known.get(stream.id) or Progress()
            if progress.lasts(stream.queued_bytes, now) >= limits.response_timeout_s:
                connection.guard.trip("response_timeout")
                stream.reset(CANCEL)
            else:
                self._responses[stream.id] = progress

    def _follow_age(self, age: Age, now: float) -> None:
        """End a connection that has lived long enough, in the steps of gRFC A9."""
        connection = self.connection
        due = age.step(now, connection.streams_opened, heard=connection.ping_outstanding_since == 0.0)
        if due == ANNOUNCE:
            connection.goaway(0, 2**31 - 1, b"max_age")
            connection.ping(now)
        elif due == FINISH:
            connection.goaway(0, -1, b"max_age")
            self.drained = True
        elif due == CLOSE:
            connection.terminate(0, "max_age")

    def _expect_use(self, now: float) -> None:
        connection = self.connection
        if connection.active_streams > 0:
            self._busy.touch(now)
        elif self._busy.lasts(connection.streams_opened, now) >= self.idle_limit_s:
            connection.terminate(0, "idle")

    def _expect_whole_frames(self, now: float) -> None:
        """End a connection that keeps us waiting for the rest of a frame; DATA may take its time."""
        connection = self.connection
        if connection.closed:
            return
        reader = connection.reader
        if not reader.is_waiting():
            self._framed.touch(now)
        elif self._framed.lasts(reader.frames, now) >= self.admission.limits.frame_timeout_s:
            self._end("frame_timeout", "frame took too long")

    def _limit_memory(self) -> None:
        """Give no new calls to a connection that holds too much, and end one that holds far too much."""
        connection = self.connection
        if connection.closed:
            return
        admission = self.admission
        held = 0 if connection.active_streams == 0 else connection.held_bytes()
        held += self._unread_bytes()
        limit = admission.limits.memory_bytes
        if held > limit * MEMORY_END_FACTOR:
            self._end("memory", "connection holds too much memory")
        else:
            connection.stream_cap = 0 if held > limit else admission.limits.max_streams

    def _end(self, limit: str, reason: str) -> None:
        self.connection.guard.trip(limit)
        self.connection.terminate(ENHANCE_YOUR_CALM, reason)

    def _unread_bytes(self) -> int:
        transport = self.transport
        return 0 if transport is None else transport.get_write_buffer_size()

    def idle_s(self, now: float) -> float:
        """Return for how long it has had no stream, as far as sweeps have seen; 0.0 while it has one."""
        connection = self.connection
        if connection.active_streams > 0 or connection.closed or self.drained:
            return 0.0
        return self._busy.lasts(connection.streams_opened, now)

    def leave(self) -> None:
        """Tell the client to go elsewhere, and close the connection once its streams have ended."""
        self.connection.goaway(0)
        self.drained = True
        self.close_if_idle()

    def close_if_idle(self) -> None:
        """End the connection when it has no streams left and the client has what was written to it."""
        connection = self.connection
        if connection.active_streams == 0 and not connection.closed and self._unread_bytes() == 0:
            connection.terminate(0, "drained")
