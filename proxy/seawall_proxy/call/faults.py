"""Injected faults on the way of one attempt: it is ended, waits, is slow, or breaks in the middle.

An attempt that gets a fault is handed over to an `InjectedFault` before its endpoint is asked for a stream.
That may end it (abort), keep it waiting (delay), or stand between the attempt and its stream (bandwidth,
stream), so everything outside meets what an endpoint could have done: retries, breakers and fallbacks react,
the deadline and a client that goes away end it as usual. Only the endpoint's own record stays clean, because
it has done nothing wrong (`Attempt.injected`).

Whatever waits here goes on by itself when the fault's time is up: delays end, slow responses are let through,
stalled ones end with UNAVAILABLE.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from seawall_policy import retry, status
from seawall_policy.fault import (
    ABORT,
    BANDWIDTH,
    DELAY,
    STREAM,
    STREAM_ABORT,
    STREAM_DROP_TRAILERS,
    Faults,
    MessageEdge,
    Pace,
)
from seawall_proxy.call import local_reply
from seawall_proxy.call.attempt import NO_EXTRA, Attempt
from seawall_proxy.call.call_state import CallState
from seawall_proxy.call.timers import UNARMED, Timed, TimerWheel
from seawall_proxy.http2.errors import CANCEL
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.stream import Stream

_NO_BLOCK: Final = HeaderBlock(())

# What waits behind a slow link.
_DATA: Final = 0
_TRAILERS: Final = 1
_END: Final = 2
_RESET: Final = 3


def inject(call: CallState, attempt: Attempt) -> bool:
    """Draw for an attempt that is about to look for a stream; True: it is taken care of, now or later."""
    faults = call.state.faults
    if faults is None or call.in_fallback:
        # A fallback is what the experiment is to prove; it is not broken as well.
        return False
    context = call.context
    if context.now >= faults.until or not _is_meant(call, faults):
        return False
    mask = faults.choose(context.now, context.draw)
    if mask == 0:
        return False
    fault = InjectedFault(call, attempt, faults, mask)
    attempt.fault = fault
    attempt.be_injected()
    return fault.begin()


def _is_meant(call: CallState, faults: Faults) -> bool:
    conditions = faults.options.metadata
    if len(conditions) == 0:
        return True
    metadata = call.head.metadata
    for condition in conditions:
        values = metadata.get(condition[0])
        if (values is None or condition[1] not in values) and condition not in call.extra:
            return False
    return True


class _Waiting:
    """A piece of a response behind a slow link."""

    def __init__(
        self, kind: int, at: float, data: bytes, block: HeaderBlock, extra: tuple[Field, ...], code: int
    ) -> None:
        self.kind: int = kind
        self.at: float = at
        self.data: bytes = data
        self.block: HeaderBlock = block
        self.extra: tuple[Field, ...] = extra
        self.code: int = code


class InjectedFault(Timed):
    """The faults of one attempt; the handler of its stream where they change the response."""

    def __init__(self, call: CallState, attempt: Attempt, faults: Faults, mask: int) -> None:
        self.tick = UNARMED
        self._call: CallState = call
        self._attempt: Attempt = attempt
        self._faults: Faults = faults
        self._timers: TimerWheel = call.context.timers
        self._mask: int = mask
        self._delayed: bool = False
        self._stalled: bool = False
        self._edge: MessageEdge | None = None
        self._pace: Pace | None = None
        self._queue: deque[_Waiting] = deque()

    def begin(self) -> bool:
        """Do what comes before the request is sent; True: the attempt must not look for a stream now."""
        faults = self._faults
        if self._has(DELAY):
            self._took(DELAY)
            self._delayed = True
            # Whoever cuts it short is to believe in a slow endpoint that has the request.
            self._attempt.seen = retry.SEEN
            self._timers.arm(self, min(self._now() + faults.options.delay_s, faults.until))
            return True
        return self._go_on()

    def _go_on(self) -> bool:
        options = self._faults.options
        if self._has(ABORT):
            self._took(ABORT)
            self._call.fault_message = options.abort_message
            self._end(options.abort_code)
            return True
        if self._has(STREAM):
            self._edge = MessageEdge(options.stream_after)
        if self._has(BANDWIDTH):
            self._took(BANDWIDTH)
            self._pace = Pace(options.bytes_per_second)
        return False

    def opened(self, stream: Stream) -> None:
        """Stand between the attempt and the stream that it has got, where the response is to be changed."""
        if self._edge is not None or self._pace is not None:
            stream.handler = self

    def ended(self) -> None:
        """Let go: the attempt is over."""
        if self.tick >= 0:
            self._timers.cancel(self)
        self._queue.clear()
        self._faults.statistics.ended()

    def fire(self, now: float) -> None:
        if self._delayed:
            self._delayed = False
            self._attempt.seen = retry.UNSENT
            if not self._go_on():
                self._attempt.endpoint.seek(self._attempt)
        elif self._stalled:
            self._break_off(status.UNAVAILABLE)
        else:
            self._let_through(now)

    # what the stream says

    def on_headers(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        if self._attempt.done or self._stalled:
            return
        if end_stream and self._drops_trailers() and self._is_on():
            self._drop_trailers(stream)
            return
        options = self._faults.options
        breaks = (
            self._edge is not None
            and options.stream_after == 0
            and not self._drops_trailers()
            and self._is_on()
        )
        if end_stream and breaks:
            self._break(stream)
            return
        self._attempt.on_headers(stream, block, extra, end_stream)
        if breaks and not self._attempt.done:
            self._break(stream)

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        if self._attempt.done or self._stalled:
            return
        pace = self._pace
        if pace is None:
            self._forward(stream, data)
            if end_stream and self._is_open():
                self._attempt.on_data(stream, b"", True)
            return
        now = self._now()
        quantum = pace.quantum
        for start in range(0, len(data), quantum):
            piece = data[start : start + quantum]
            self._wait(_DATA, pace.arrival(now, len(piece)), piece, _NO_BLOCK, NO_EXTRA, 0)
        if end_stream:
            self._wait(_END, pace.arrival(now, 0), b"", _NO_BLOCK, NO_EXTRA, 0)

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        if self._attempt.done or self._stalled:
            return
        if self._pace is not None and self._queue:
            self._wait(_TRAILERS, self._pace.arrival(self._now(), 0), b"", block, extra, 0)
        else:
            self._finish(stream, block, extra)

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        if self._attempt.done or self._stalled:
            return
        if self._pace is not None and self._queue:
            self._wait(_RESET, self._pace.arrival(self._now(), 0), b"", _NO_BLOCK, NO_EXTRA, code)
        else:
            self._attempt.on_reset(stream, code, unprocessed)

    def on_sent(self, stream: Stream, n: int) -> None:
        self._attempt.on_sent(stream, n)

    # a slow link

    def _wait(
        self, kind: int, at: float, data: bytes, block: HeaderBlock, extra: tuple[Field, ...], code: int
    ) -> None:
        self._queue.append(_Waiting(kind, at, data, block, extra, code))
        if self.tick < 0:
            self._arm()

    def _arm(self) -> None:
        self._timers.arm(self, min(self._queue[0].at, self._faults.until))

    def _let_through(self, now: float) -> None:
        """Hand on what has arrived; everything, when the fault is over."""
        queue = self._queue
        over = now >= self._faults.until
        while queue and (over or queue[0].at <= now):
            stream = self._attempt.stream
            if stream is None:
                return
            piece = queue.popleft()
            if piece.kind == _DATA:
                self._forward(stream, piece.data)
            elif piece.kind == _TRAILERS:
                self._finish(stream, piece.block, piece.extra)
            elif piece.kind == _END:
                self._attempt.on_data(stream, b"", True)
            else:
                self._attempt.on_reset(stream, piece.code, False)
            if not self._is_open():
                return
        if queue:
            self._arm()

    # a response that breaks

    def _forward(self, stream: Stream, data: bytes) -> None:
        edge = self._edge
        end = -1
        if edge is not None and not self._drops_trailers():
            end = edge.find(data)
        if end < 0 or not self._is_on():
            self._attempt.on_data(stream, data, False)
            return
        if end > 0:
            self._attempt.on_data(stream, data[:end], False)
        if self._is_open():
            self._break(stream)

    def _finish(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        if self._drops_trailers() and self._is_on():
            self._drop_trailers(stream)
        else:
            self._attempt.on_trailers(stream, block, extra)

    def _drop_trailers(self, stream: Stream) -> None:
        self._took(STREAM)
        self._attempt.on_data(stream, b"", True)

    def _break(self, stream: Stream) -> None:
        self._took(STREAM)
        options = self._faults.options
        self._edge = None
        if options.stream_kind == STREAM_ABORT:
            self._break_off(options.stream_code)
            return
        # What still comes gets no credit, so the endpoint is held up as well. The time of the call, or of the
        # fault, ends it.
        self._stalled = True
        self._queue.clear()
        self._timers.arm(self, self._faults.until)

    def _break_off(self, code: int) -> None:
        stream = self._attempt.stream
        if stream is not None:
            stream.reset(CANCEL)
        self._end(code)

    # what several of them need

    def _end(self, code: int) -> None:
        # Everybody is to believe that the endpoint has had the request and has failed.
        attempt = self._attempt
        attempt.seen = retry.SEEN
        attempt.fail(code, local_reply.FAULT_INJECTED)

    def _took(self, kind: int) -> None:
        self._faults.statistics.count(kind)
        self._call.faults |= 1 << kind

    def _has(self, kind: int) -> bool:
        return (self._mask >> kind) & 1 == 1

    def _drops_trailers(self) -> bool:
        return self._edge is not None and self._faults.options.stream_kind == STREAM_DROP_TRAILERS

    def _is_open(self) -> bool:
        return not self._attempt.done and not self._stalled

    def _is_on(self) -> bool:
        return self._now() < self._faults.until

    def _now(self) -> float:
        return self._call.context.now
