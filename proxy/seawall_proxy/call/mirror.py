"""A copy of a call, sent beside it and forgotten.

The copy shares nothing with its call but bytes that nobody changes. It has a budget of its own: so many in
flight, so many bytes that wait for a slow mirror, so much time. What does not fit is dropped and counted,
and never waited for. There is one attempt; the answer is read (a server must not be held up by a reader who
has no use for what it says) and thrown away.

A copy ends with the server's final status, when its time is over, when it falls too far behind, or when its
call ends before the request was complete, since then it can never be complete either.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import status
from seawall_policy.deadline import format_grpc_timeout
from seawall_proxy.call.attempt import NO_PERMIT, Attempt, AttemptOwner
from seawall_proxy.call.context import Context
from seawall_proxy.call.request import RequestHead
from seawall_proxy.call.routing import MirrorState
from seawall_proxy.call.timers import UNARMED
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.headers import Field, HeaderBlock

MAX_IN_FLIGHT: Final = 256
"""Copies of a worker at one time."""
MAX_CALL_BYTES: Final = 1 << 20
"""Request bytes that wait for one mirror."""
MAX_WORKER_BYTES: Final = 8 << 20
"""Request bytes that wait for all mirrors of a worker."""
LIMIT_S: Final = 15.0
"""Longest life of a copy; the call's own deadline is kept too."""

TOO_MANY: Final = "too_many"
TOO_SLOW: Final = "too_slow"
NO_ENDPOINT: Final = "no_endpoint"
CLUSTER_FULL: Final = "cluster_full"
TOO_LARGE: Final = "headers_too_large"
CALL_ENDED: Final = "call_ended"

REASONS: Final[dict[str, str]] = {
    TOO_MANY: "as many copies as may be were in flight",
    TOO_SLOW: "the mirror took the request more slowly than it came, and the buffer was full",
    NO_ENDPOINT: "no endpoint of the mirror's cluster could be reached",
    CLUSTER_FULL: "the mirror cluster's max_in_flight, or that of each of its endpoints, was reached",
    TOO_LARGE: "the mirror takes no header list of that size",
    CALL_ENDED: "the call ended before its request was complete",
}
"""Why a copy was given up."""


class Mirror(AttemptOwner):
    """One copy. Keeps itself alive through its timer and its attempt."""

    def __init__(
        self,
        context: Context,
        state: MirrorState,
        head: RequestHead,
        extra: tuple[Field, ...],
        deadline: float,
    ) -> None:
        self.tick = UNARMED
        self._context: Context = context
        self._state: MirrorState = state
        self._head: RequestHead = head
        self._extra: tuple[Field, ...] = extra
        self._deadline: float = min(deadline, context.now + LIMIT_S)
        self._attempt: Attempt | None = None
        self._chunks: list[bytes] = []
        """What came before there was a stream."""
        self._waiting: int = 0
        """Bytes that were taken and are not on the wire."""
        self._complete: bool = False
        self.done: bool = False

    def begin(self, end_stream: bool) -> bool:
        """Look for an endpoint; return False when the copy is over already."""
        context = self._context
        cluster = self._state.cluster
        counters = self._state.counters
        self.done = True
        if context.mirrors >= MAX_IN_FLIGHT:
            counters.drop(TOO_MANY)
            return False
        if cluster.in_flight >= cluster.max_in_flight:
            counters.drop(CLUSTER_FULL)
            return False
        endpoint = cluster.pick(0)
        if endpoint is None:
            counters.drop(CLUSTER_FULL if cluster.is_full() else NO_ENDPOINT)
            return False
        self.done = False
        self._complete = end_stream
        context.mirrors += 1
        counters.in_flight += 1
        context.timers.arm(self, self._deadline)
        attempt = Attempt(self, cluster, endpoint, NO_PERMIT, 1, context.now)
        self._attempt = attempt
        endpoint.seek(attempt)
        return not self.done

    # what the call says

    def feed(self, data: bytes, end_stream: bool) -> None:
        """Take the next bytes of the request."""
        if self.done or self._complete:
            return
        context = self._context
        size = len(data)
        if self._waiting + size > MAX_CALL_BYTES or context.mirror_bytes + size > MAX_WORKER_BYTES:
            self._give_up(TOO_SLOW)
            return
        self._complete = end_stream
        attempt = self._attempt
        stream = None if attempt is None else attempt.stream
        if stream is None:
            self._wait_for(size)
            self._chunks.append(data)
            return
        sent = stream.send_data(data, end_stream)
        self._wait_for(size - sent)

    def call_ended(self) -> None:
        """Learn that nothing more of the request will come."""
        if not self.done and not self._complete:
            self._give_up(CALL_ENDED)

    # what the attempt says

    def is_timed(self) -> bool:
        # Nobody knows whether it streams, and nobody waits for it.
        return False

    def attempt_connected(self, attempt: Attempt, connection: Connection) -> None:
        context = self._context
        headers = self._state.headers
        fields = list(headers.of_call(self._extra))
        fields.append((b"grpc-timeout", format_grpc_timeout(max(self._deadline - context.now, 0.001))))
        extra = tuple(fields)
        block = self._head.upstream_block(attempt.cluster.authority, headers, attempt.cluster.secure)
        if not connection.fits(block, extra):
            # Others have their calls on that connection.
            self._give_up(TOO_LARGE)
            return
        chunks = self._chunks
        self._chunks = []
        stream = connection.open_stream(attempt, block, extra, self._complete and len(chunks) == 0)
        attempt.stream = stream
        last = len(chunks) - 1
        for index in range(len(chunks)):
            self._sent(stream.send_data(chunks[index], self._complete and index == last))

    def request_sent(self, attempt: Attempt, n: int) -> None:
        self._sent(n)

    def response_headers(self, attempt: Attempt, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        """Nobody wants to know."""

    def response_data(self, attempt: Attempt, data: bytes) -> None:
        attempt.consume(len(data))

    def attempt_ended(
        self,
        attempt: Attempt,
        code: int,
        block: HeaderBlock | None,
        extra: tuple[Field, ...],
        trailers_only: bool,
    ) -> None:
        self._attempt = None
        self._end()
        self._state.counters.by_code[code] += 1

    def fire(self, now: float) -> None:
        attempt = self._attempt
        if self.done or attempt is None:
            return
        self._attempt = None
        attempt.cancel()
        self._end()
        self._state.counters.by_code[status.DEADLINE_EXCEEDED] += 1

    # its own account

    def _give_up(self, reason: str) -> None:
        attempt = self._attempt
        if attempt is not None:
            self._attempt = None
            attempt.cancel()
        self._end()
        self._state.counters.drop(reason)

    def _wait_for(self, n: int) -> None:
        self._waiting += n
        self._context.mirror_bytes += n

    def _sent(self, n: int) -> None:
        if not self.done:
            self._waiting -= n
            self._context.mirror_bytes -= n

    def _end(self) -> None:
        context = self._context
        self.done = True
        self._chunks = []
        context.mirror_bytes -= self._waiting
        self._waiting = 0
        context.mirrors -= 1
        self._state.counters.in_flight -= 1
        if self.tick >= 0:
            context.timers.cancel(self)
