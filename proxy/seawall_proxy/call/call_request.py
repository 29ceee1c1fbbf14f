"""A call's request: passed on as it comes, and kept as long as it may have to be sent again.

Credit goes back to the client as bytes leave for an endpoint, once for each byte however often it is sent.
"""

from __future__ import annotations

from typing import Final

from seawall_policy.deadline import format_grpc_timeout
from seawall_policy.retry import SEEN
from seawall_proxy.call.attempt import Attempt
from seawall_proxy.call.call_state import KIND_UNARY, CallState
from seawall_proxy.call.context import KEPT_WORKER_BYTES, REPLAY_CALL_BYTES, REPLAY_WORKER_BYTES
from seawall_proxy.call.local_reply import DEADLINE_EXCEEDED, PER_TRY_TIMEOUT
from seawall_proxy.call.message_meter import FITS
from seawall_proxy.call.mirror import Mirror
from seawall_proxy.call.response import find
from seawall_proxy.call.routing import MIRROR_MARK, MirrorState
from seawall_proxy.call.timers import NEVER
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.stream import Stream

_LEAST_TIME_S: Final = 1e-6
ROUNDING_S: Final = 1e-3
"""A grpc-timeout below a day loses no more than this on its way (deadline.format_grpc_timeout)."""


class RequestSide(CallState):
    """Takes the request from the client's stream and gives it to the attempt's."""

    def attempt_connected(self, attempt: Attempt, connection: Connection) -> None:
        now = self.context.now
        if self.deadline - now < _LEAST_TIME_S:
            # The timer may be a few milliseconds late; nothing is begun for a caller who has stopped waiting.
            self.fire(self.deadline)
            return
        if attempt.give_up_at - now < _LEAST_TIME_S:
            self.fire(attempt.give_up_at)
            return
        cluster = attempt.cluster
        chunks = self.replay
        empty = chunks is None or len(chunks) == 0
        head = self.head if self.sent_head is None else self.sent_head
        block = head.upstream_block(cluster.authority, self.state.request_headers, cluster.secure)
        extra = self._upstream_extra(attempt)
        if not connection.fits(block, extra):
            self.attempt_does_not_fit(attempt)
            return
        attempt.seen = SEEN
        stream = connection.open_stream(attempt, block, extra, self.request_done and empty)
        attempt.stream = stream
        if attempt.fault is not None:
            attempt.fault.opened(stream)
        if chunks is not None and not empty:
            last = len(chunks) - 1
            for index in range(len(chunks)):
                sent = stream.send_data(chunks[index], self.request_done and index == last)
                if sent > 0:
                    self.request_sent(attempt, sent)

    def time_is_up(self, attempt: Attempt) -> str:
        now = self.context.now + ROUNDING_S
        if now >= self.deadline:
            return DEADLINE_EXCEEDED
        return PER_TRY_TIMEOUT if now >= attempt.give_up_at else ""

    def _time_of(self, attempt: Attempt) -> float:
        """Return when the endpoint is told that its time is up. A stream may go on after its try's time, once
        its first message is there; only a method that is known to answer once is held to that.
        """
        if attempt.give_up_at < self.deadline and self._kind() == KIND_UNARY:
            return attempt.give_up_at
        return self.deadline

    def _upstream_extra(self, attempt: Attempt) -> tuple[Field, ...]:
        trace = self.trace
        change = self.state.request_headers
        extra = self.extra if change is None else change.of_call(self.extra)
        ends = self.deadline if attempt.give_up_at == NEVER else self._time_of(attempt)
        if ends == NEVER and attempt.number == 1 and trace is None:
            return extra
        fields = list(extra)
        if ends != NEVER:
            fields.append((b"grpc-timeout", format_grpc_timeout(ends - self.context.now)))
        repeats = attempt.number - 1 - (0 if self.decision is None else self.decision.transparent_retries)
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
            self.asked_at = self.context.now
            if self.hedge_waits:
                self.request_complete()
        size = len(data)
        if self.meter is not None:
            verdict = self.meter.feed(data, end_stream)
            if verdict != FITS:
                self.request_is_wrong(verdict)
                return
        if self.access is not None:
            self.access.request.count(data)
        if self.replay is not None and size > 0:
            self._remember(data, size)
            if self.finished:
                return
        if self.awaits_request and self.request_grew(size):
            return
        attempt = self.attempt
        if attempt is not None:
            upstream = attempt.stream
            if upstream is not None:
                sent = upstream.send_data(data, end_stream)
                if sent > 0:
                    self.request_sent(attempt, sent)
        if self.mirrors is not None:
            self._feed_mirrors(self.mirrors, data, end_stream)

    def _copy(self, targets: tuple[MirrorState, ...]) -> None:
        """Start the copies of this call."""
        if MIRROR_MARK in self.head.metadata or find(self.extra, MIRROR_MARK) != b"":
            return
        context = self.context
        replay = self.replay
        none_yet = replay is None or len(replay) == 0
        for target in targets:
            if target.share < 1.0 and context.draw() >= target.share:
                continue
            mirror = Mirror(context, target, self.head, self.extra, self.deadline)
            if not mirror.begin(self.request_done and none_yet):
                continue
            if replay is not None:
                for index in range(len(replay)):
                    mirror.feed(replay[index], self.request_done and index == len(replay) - 1)
            if self.mirrors is None:
                self.mirrors = [mirror]
            else:
                self.mirrors.append(mirror)

    def _feed_mirrors(self, mirrors: list[Mirror], data: bytes, end_stream: bool) -> None:
        for mirror in mirrors:
            mirror.feed(data, end_stream)

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
        if context.replay_bytes + size > KEPT_WORKER_BYTES:
            # It is with nobody yet, and there is no room to keep it until it can be.
            self._forget_replay()
            self.buffers_are_full()
            return
        replay.append(data)
        self.replay_size += size
        context.replay_bytes += size

    def request_complete(self) -> None:
        """Wait for a hedge from now on."""

    def request_grew(self, size: int) -> bool:
        """Take note of `size` more bytes, or the end, of a request that is awaited as a whole; return whether
        that was all there is to do about them.
        """
        return False

    def request_is_wrong(self, verdict: int) -> None:
        """End a call because of its message framing."""

    def attempt_does_not_fit(self, attempt: Attempt) -> None:
        """Give up an attempt whose endpoint does not take the call's metadata."""

    def headers_are_too_large(self) -> None:
        """End a call whose metadata the endpoint or the client does not take."""

    def buffers_are_full(self) -> None:
        """End a call whose request can neither be passed on nor kept."""

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
