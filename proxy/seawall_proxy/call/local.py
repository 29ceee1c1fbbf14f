"""Calls that the proxy answers itself: gRPC's framing and status around a handler that knows the service.

The handler stands outside the pure rooms (it speaks protobuf, and may have to ask somebody) behind two narrow
ports: `LocalServices` says whether a path is answered here and makes a `LocalHandler` for each call; the
handler is given whole messages, one at a time and the next one only when it has asked for it, and answers
with `send` and `finish`, now or later.

Rules: a message is at most `MAX_MESSAGE_BYTES`; compressed messages are refused (the service says so before
anybody compresses: it announces no encoding); the client hears exactly one status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

from seawall_policy import status
from seawall_proxy.call import local_reply
from seawall_proxy.call.methods import MethodRegistry
from seawall_proxy.call.timers import NEVER, UNARMED, Timed
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.stream import Stream
from seawall_proxy.telemetry.counters import RouteCounters

if TYPE_CHECKING:
    from seawall_proxy.call.context import Context

MAX_MESSAGE_BYTES: Final = 16 << 10
"""Small enough that a whole message always fits into the smallest window, credited or not."""
MAX_CALLS: Final = 1000
"""Calls to the proxy's own services at one time; streams may stay open for days."""
_PREFIX_BYTES: Final = 5
_NO_EXTRA: Final[tuple[Field, ...]] = ()


@mypyc_attr(allow_interpreted_subclasses=True)
class LocalHandler:
    """What a service does with one call."""

    def message(self, call: LocalCall, payload: bytes) -> None:
        """Take a request message; `call.next()` asks for another one."""

    def half_closed(self, call: LocalCall) -> None:
        """Learn that there are no more messages."""

    def drained(self, call: LocalCall) -> None:
        """Learn that the client has taken everything that was sent."""

    def ended(self) -> None:
        """Learn that the call is over; nothing can be sent any more."""


@mypyc_attr(allow_interpreted_subclasses=True)
class LocalServices:
    """Says which paths are answered here."""

    def __init__(self, counters: RouteCounters, methods: MethodRegistry) -> None:
        self.counters: RouteCounters = counters
        self.methods: MethodRegistry = methods
        self.paths: frozenset[bytes] = frozenset()
        self.calls: int = 0

    def begin(self, path: bytes) -> LocalHandler:
        """Return the handler for a new call of one of `paths`."""
        return LocalHandler()


class LocalCall(Timed):
    """One call that is answered here."""

    def __init__(
        self, context: Context, services: LocalServices, stream: Stream, path: bytes, deadline: float
    ) -> None:
        self.tick = UNARMED
        self.path: bytes = path
        self.finished: bool = False
        self._context: Context = context
        self._services: LocalServices = services
        self._stream: Stream = stream
        self._deadline: float = deadline
        self._handler: LocalHandler | None = None
        self._started: float = context.now
        self._buffer: bytes = b""
        self._advancing: bool = False
        self._wanted: bool = True
        """The handler waits for a message."""
        self._request_done: bool = False
        self._told: bool = False
        """The handler knows that there are no more messages."""
        self._headers_sent: bool = False

    def begin(self, end_stream: bool) -> None:
        """Start: the handler is made, or the call refused because there are too many."""
        services = self._services
        services.counters.started += 1
        services.counters.in_flight += 1
        services.calls += 1
        if services.calls > MAX_CALLS:
            self.finish(status.RESOURCE_EXHAUSTED, "too many calls to the proxy's own services")
            return
        if self._deadline != NEVER:
            self._context.timers.arm(self, self._deadline)
        self._handler = services.begin(self.path)
        self._request_done = end_stream
        self._advance()

    # what the handler says

    def next(self) -> None:
        """Ask for the next message; it may come before this returns."""
        self._wanted = True
        self._advance()

    def send(self, payload: bytes) -> None:
        """Send a response message."""
        if self.finished:
            return
        if not self._headers_sent:
            self._headers_sent = True
            self._stream.send_headers(local_reply.HEADERS_ONLY, _NO_EXTRA, False)
        self._stream.send_data(b"\0" + len(payload).to_bytes(4, "big") + payload, False)

    def is_backed_up(self) -> bool:
        """Tell whether the client has not taken yet what was sent; `drained` comes when it has."""
        return self._stream.queued_bytes > 0

    def finish(self, code: int, message: str) -> None:
        """End with a status of the service."""
        if self.finished:
            return
        if code == status.OK and self._headers_sent:
            self._stream.send_trailers(local_reply.STATUS_OK, _NO_EXTRA)
        else:
            fields: list[Field] = [(b"grpc-status", str(code).encode("ascii"))]
            if message != "":
                fields.append((b"grpc-message", status.percent_encode(message)))
            if self._headers_sent:
                self._stream.send_trailers(local_reply.NO_FIELDS, tuple(fields))
            else:
                self._stream.send_headers(local_reply.TRAILERS_ONLY, tuple(fields), True)
        self._end(code)

    # what the stream and the time say

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        if self.finished:
            return
        if end_stream:
            self._request_done = True
        self._buffer += data
        self._advance()

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        self.on_data(stream, b"", True)

    def on_sent(self, stream: Stream, n: int) -> None:
        handler = self._handler
        if handler is not None and not self.finished and stream.queued_bytes == 0:
            handler.drained(self)

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        if not self.finished:
            self._services.counters.cancelled += 1
            self._end(status.CANCELLED)

    def fire(self, now: float) -> None:
        if not self.finished:
            self.finish(status.DEADLINE_EXCEEDED, "the deadline passed")

    # its own account

    def _advance(self) -> None:
        """Give the handler the next whole message, if it waits for one."""
        handler = self._handler
        if handler is None or self._advancing:
            return
        self._advancing = True
        while self._wanted and not self.finished and self._take(handler):
            pass
        self._advancing = False

    def _take(self, handler: LocalHandler) -> bool:
        """Hand on one message; return False when there is none to be had."""
        buffer = self._buffer
        size = 0
        if len(buffer) >= _PREFIX_BYTES:
            if buffer[0] != 0:
                self.finish(status.UNIMPLEMENTED, "compressed requests are not understood here")
                return False
            size = buffer[1] << 24 | buffer[2] << 16 | buffer[3] << 8 | buffer[4]
            if size > MAX_MESSAGE_BYTES:
                self.finish(
                    status.RESOURCE_EXHAUSTED, f"a request of {size} bytes; {MAX_MESSAGE_BYTES} are allowed"
                )
                return False
        whole = _PREFIX_BYTES + size
        if len(buffer) < whole:
            self._wait_for_more(handler)
            return False
        self._buffer = buffer[whole:]
        self._wanted = False
        # The credit is the message's: what a handler has no time for yet stops the client.
        self._stream.consume(whole)
        handler.message(self, buffer[_PREFIX_BYTES:whole])
        return True

    def _wait_for_more(self, handler: LocalHandler) -> None:
        if not self._request_done:
            return
        if len(self._buffer) > 0:
            self.finish(status.INTERNAL, "the request ends within a message")
        elif not self._told:
            self._told = True
            handler.half_closed(self)

    def _end(self, code: int) -> None:
        self.finished = True
        context = self._context
        services = self._services
        counters = services.counters
        services.calls -= 1
        if self.tick >= 0:
            context.timers.cancel(self)
        if not self._request_done:
            self._stream.stop_request()
        seconds = context.now - self._started
        counters.in_flight -= 1
        counters.by_code[code] += 1
        slot = services.methods.find(counters, self.path, True, True)
        slot.by_code[code] += 1
        slot.latency.add_to(counters.latency.add(seconds), seconds)
        self._buffer = b""
        handler = self._handler
        if handler is not None:
            self._handler = None
            handler.ended()
