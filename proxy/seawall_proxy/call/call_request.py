"""A call's request: passed on as it comes, and kept as long as it may have to be sent again.

Credit goes back to the client as bytes leave for an endpoint, once for each byte however often it is sent.
"""

from __future__ import annotations

from typing import Final

from seawall_policy.deadline import format_grpc_timeout
from seawall_policy.retry import SEEN
from seawall_proxy.call.attempt import Attempt
from seawall_proxy.call.call_state import CallState
from seawall_proxy.call.context import REPLAY_CALL_BYTES, REPLAY_WORKER_BYTES
from seawall_proxy.call.timers import NEVER
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.stream import Stream

_LEAST_TIME_S: Final = 1e-6


class RequestSide(CallState):
    """Takes the request from the client's stream and gives it to the attempt's."""

    def attempt_connected(self, attempt: Attempt, connection: Connection) -> None:
        now = self.context.now
        if self.deadline - now < _LEAST_TIME_S:
            # The timer may be a few milliseconds late; nothing is begun for a caller who has stopped waiting.
            self.fire(self.deadline)
            return
        cluster = attempt.cluster
        chunks = self.replay
        empty = chunks is None or len(chunks) == 0
        attempt.seen = SEEN
        stream = connection.open_stream(
            attempt,
            self.head.upstream_block(cluster.authority),
            self._upstream_extra(attempt),
            self.request_done and empty,
        )
        attempt.stream = stream
        if chunks is not None and not empty:
            last = len(chunks) - 1
            for index in range(len(chunks)):
                sent = stream.send_data(chunks[index], self.request_done and index == last)
                if sent > 0:
                    self.request_sent(attempt, sent)

    def _upstream_extra(self, attempt: Attempt) -> tuple[Field, ...]:
        trace = self.trace
        if self.deadline == NEVER and attempt.number == 1 and trace is None:
            return self.extra
        fields = list(self.extra)
        if self.deadline != NEVER:
            fields.append((b"grpc-timeout", format_grpc_timeout(self.deadline - self.context.now)))
        repeats = self.attempts - 1 - (0 if self.decision is None else self.decision.transparent_retries)
        if repeats > 0:
            fields = _with_attempts(fields, repeats)
        if trace is not None:
            fields.append((b"traceparent", b"00-" + trace.trace_id + b"-" + attempt.span_id + b"-01"))
            if trace.trace_state != b"":
                fields.append((b"tracestate", trace.trace_state))
        return tuple(fields)

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        if self.finished:
            return
        if end_stream:
            self.request_done = True
        size = len(data)
        if self.replay is not None and size > 0:
            self._remember(data, size)
        attempt = self.attempt
        if attempt is not None:
            upstream = attempt.stream
            if upstream is not None:
                sent = upstream.send_data(data, end_stream)
                if sent > 0:
                    self.request_sent(attempt, sent)

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        # gRPC clients send no trailers; their end is what counts.
        self.on_data(stream, b"", True)

    def _remember(self, data: bytes, size: int) -> None:
        context = self.context
        replay = self.replay
        attempt = self.attempt
        assert replay is not None
        over = (
            self.replay_size + size > REPLAY_CALL_BYTES or context.replay_bytes + size > REPLAY_WORKER_BYTES
        )
        if over and attempt is not None and attempt.stream is not None:
            # What was kept is with the attempt; from here on the call cannot be repeated.
            self._forget_replay()
            return
        replay.append(data)
        self.replay_size += size
        context.replay_bytes += size

    def _forget_replay(self) -> None:
        self.context.replay_bytes -= self.replay_size
        self.replay_size = 0
        self.replay = None

    def request_sent(self, attempt: Attempt, n: int) -> None:
        attempt.sent += n
        due = attempt.sent - self.credited
        if due > 0:
            self.credited += due
            if not self.request_done:
                self.stream.consume(due)


def _with_attempts(fields: list[Field], repeats: int) -> list[Field]:
    """Count our repeats in `grpc-previous-rpc-attempts`, on top of the client's own."""
    told = 0
    rest: list[Field] = []
    for field in fields:
        if field[0] == b"grpc-previous-rpc-attempts":
            told = int(field[1])
        else:
            rest.append(field)
    rest.append((b"grpc-previous-rpc-attempts", str(told + repeats).encode("ascii")))
    return rest
