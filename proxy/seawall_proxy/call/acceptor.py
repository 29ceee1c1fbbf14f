"""The door: what a client's request must look like, and which route it takes.

One acceptor serves one client connection. It answers what it must not forward (not gRPC, a path that is none,
a malformed field that gRPC gives a meaning, no route) and makes a `Call` of everything else.
"""

from __future__ import annotations

from typing import Final

from seawall_policy import status
from seawall_policy.classify import DEFAULT_CATEGORIES
from seawall_policy.deadline import MALFORMED, parse_grpc_timeout
from seawall_proxy.call import local_reply
from seawall_proxy.call.access import MAX_TEXT_BYTES, AccessRecord, AccessSink
from seawall_proxy.call.call import Call
from seawall_proxy.call.context import Context
from seawall_proxy.call.local import LocalCall
from seawall_proxy.call.message_meter import MessageMeter
from seawall_proxy.call.ports import OUTCOME_REJECTED, CallRecord, CallTrace
from seawall_proxy.call.request import BAD_FIELD, BAD_PATH, NOT_GRPC, NOT_POST, RequestHead, field_error
from seawall_proxy.call.routing import RouteState, RoutingTable
from seawall_proxy.call.slots import Slots
from seawall_proxy.call.timers import NEVER
from seawall_proxy.http2.handlers import ConnectionHandler, StreamHandler
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.stream import Stream

_IGNORE: Final = StreamHandler()
"""Takes what still comes on a stream that was answered at the door."""

_OWN_NAMES: Final = frozenset((b"grpc-timeout", b"host"))
"""What each attempt says in its own words, or not at all."""
OVERLOADED_PUSHBACK_S: Final = 1.0
"""How long, on average, a client is asked to stay away from an overloaded proxy."""
_TRACE_NAMES: Final = frozenset((b"traceparent", b"tracestate", b"grpc-trace-bin"))


class Acceptor(ConnectionHandler):
    """Turns the requests of one connection into calls."""

    def __init__(self, context: Context) -> None:
        self.context: Context = context
        self.peer: str = ""
        """The client's address, for the access log."""
        self.max_message_bytes: int = 0
        """Most bytes of a request's message; 0: messages are not looked at."""
        self.slots: Slots = Slots(context.timers)
        self.goaway_received: bool = False
        self.terminated: bool = False
        self.terminated_code: int = 0
        self.terminated_reason: str = ""

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        self.goaway_received = True

    def on_terminated(self, code: int, reason: str) -> None:
        self.terminated = True
        self.terminated_code = code
        self.terminated_reason = reason

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        context = self.context
        stream.handler = _IGNORE
        attached = block.attachment
        if isinstance(attached, RequestHead):
            head = attached
        else:
            head = RequestHead(block)
            block.attachment = head
        if head.error != 0:
            self._turn_away(stream, head)
            return
        deadline = NEVER
        rest = extra
        if len(extra) > 0:
            deadline = self._read_extra(stream, head, extra)
            if deadline == MALFORMED:
                return
            rest = _without_own(extra)
        local = context.local
        if local is not None and head.path in local.paths:
            own = LocalCall(context, local, stream, head.path, deadline)
            stream.handler = own
            own.begin(end_stream)
            return
        table = context.table
        if table is None:
            self._reject(stream, head, status.UNAVAILABLE, local_reply.NO_ROUTE, "no policy is in effect yet")
            return
        state = _route(head, table, extra)
        if state is None:
            self._reject(stream, head, status.UNIMPLEMENTED, local_reply.NO_ROUTE, "")
            return
        if context.refusing:
            self._refuse(stream, state, head)
            return
        traced: CallTrace | None = None
        if context.tracer.enabled:
            traced = self._trace(head, extra)
            if traced is not None:
                rest = _without_trace(rest)
        call = Call(context, stream, table, state, head, rest, deadline)
        if context.access is not None:
            call.access = self._draw_access(context.access, state.name, head)
        call.slots = self.slots
        if state.guards is not None:
            call.peer = self.peer
        stream.handler = call
        if self.max_message_bytes > 0:
            call.meter = MessageMeter(self.max_message_bytes)
        call.begin(end_stream, traced)

    def _read_extra(self, stream: Stream, head: RequestHead, extra: tuple[Field, ...]) -> float:
        """Check what differs on each call, in one pass; return the deadline, or MALFORMED when the call has
        been rejected.
        """
        deadline = NEVER
        for name, value in extra:
            if name == b"grpc-timeout":
                if deadline == NEVER:
                    timeout = parse_grpc_timeout(value)
                    if timeout == MALFORMED:
                        detail = "malformed grpc-timeout"
                        self._reject(stream, head, status.INTERNAL, local_reply.INVALID_REQUEST, detail)
                        return MALFORMED
                    deadline = self.context.now + timeout
            elif name[:5] == b"grpc-" or name[-4:] == b"-bin":
                detail = field_error(name, value)
                if detail != "":
                    self._reject(stream, head, status.INTERNAL, local_reply.INVALID_REQUEST, detail)
                    return MALFORMED
        return deadline

    def _trace(self, head: RequestHead, extra: tuple[Field, ...]) -> CallTrace | None:
        parent = b""
        state = b""
        binary = b""
        for name, value in extra:
            if name == b"traceparent":
                parent = value
            elif name == b"tracestate":
                state = value
            elif name == b"grpc-trace-bin":
                binary = value
        return self.context.tracer.begin(head.path, parent, state, binary)

    def _turn_away(self, stream: Stream, head: RequestHead) -> None:
        if head.error == NOT_GRPC:
            self._plain(
                stream,
                head,
                local_reply.NOT_GRPC_REPLY,
                b"this port serves gRPC only: content-type must be application/grpc\n",
            )
        elif head.error == NOT_POST:
            self._plain(stream, head, local_reply.NOT_POST_REPLY, b"gRPC requests are POST\n")
        elif head.error == BAD_PATH:
            self._reject(
                stream,
                head,
                status.UNIMPLEMENTED,
                local_reply.INVALID_REQUEST,
                "the path is not /Service/Method",
            )
        elif head.error == BAD_FIELD:
            self._reject(stream, head, status.INTERNAL, local_reply.INVALID_REQUEST, head.error_detail)

    def _plain(self, stream: Stream, head: RequestHead, reply: HeaderBlock, text: bytes) -> None:
        self._count(head, status.UNIMPLEMENTED, local_reply.INVALID_REQUEST, "")
        stream.send_headers(reply, (), False)
        stream.send_data(text, True)
        stream.stop_request()

    def _refuse(self, stream: Stream, state: RouteState, head: RequestHead) -> None:
        """Refuse a call because the process is overloaded; no event for each, there may be very many."""
        context = self.context
        counters = state.counters
        counters.started += 1
        counters.by_code[status.UNAVAILABLE] += 1
        counters.reject(local_reply.OVERLOADED)
        slot = head.slot
        if slot is None or slot.owner is not counters:
            slot = context.methods.other(counters)
        slot.by_code[status.UNAVAILABLE] += 1
        if context.access is not None:
            self._log(context.access, state.name, head, status.UNAVAILABLE, local_reply.OVERLOADED, b"")
        # Spread, so that those who are sent away do not come back together.
        wait = OVERLOADED_PUSHBACK_S * (0.5 + context.draw())
        message = local_reply.REASONS[local_reply.OVERLOADED]
        stream.send_headers(
            local_reply.TRAILERS_ONLY,
            local_reply.failure_fields(
                status.UNAVAILABLE, local_reply.OVERLOADED, message, b"rejected", wait, (("origin", "proxy"),)
            ),
            True,
        )
        stream.stop_request()

    def _reject(self, stream: Stream, head: RequestHead, code: int, reason: str, detail: str) -> None:
        message = local_reply.REASONS[reason]
        if detail != "":
            message = message + ": " + detail
        self._count(head, code, reason, message)
        stream.send_headers(
            local_reply.TRAILERS_ONLY,
            local_reply.failure_fields(code, reason, message, b"rejected", -1.0, (("origin", "proxy"),)),
            True,
        )
        stream.stop_request()

    def _count(self, head: RequestHead, code: int, reason: str, message: str) -> None:
        context = self.context
        counters = context.unmatched
        counters.started += 1
        counters.by_code[code] += 1
        counters.reject(reason)
        if reason == local_reply.NO_ROUTE:
            record = CallRecord("", head.path, context.now)
            record.code = code
            record.reason = reason
            record.message = message.encode("ascii", "replace")
            record.outcome = OUTCOME_REJECTED
            record.category = DEFAULT_CATEGORIES[code]
            record.revision = 0 if context.table is None else context.table.snapshot.revision
            context.sink.call_ended(record)
        if context.access is not None:
            self._log(context.access, "", head, code, reason, message.encode("ascii", "replace"))

    def _log(
        self, sink: AccessSink, route: str, head: RequestHead, code: int, reason: str, message: bytes
    ) -> None:
        """Log a call that was refused here."""
        access = self._draw_access(sink, route, head)
        if access is None:
            return
        table = self.context.table
        access.code = code
        access.reason = reason
        access.message = message[:MAX_TEXT_BYTES]
        access.outcome = OUTCOME_REJECTED
        access.revision = 0 if table is None else table.snapshot.revision
        sink.call_ended(access)

    def _draw_access(self, sink: AccessSink, route: str, head: RequestHead) -> AccessRecord | None:
        context = self.context
        if sink.share < 1.0 and context.draw() >= sink.share:
            return None
        access = AccessRecord(route, head.path, context.now, self.peer)
        access.authority = head.authority[:MAX_TEXT_BYTES]
        access.user_agent = head.user_agent[:MAX_TEXT_BYTES]
        return access


def _route(head: RequestHead, table: RoutingTable, extra: tuple[Field, ...]) -> RouteState | None:
    for state in head.candidates(table):
        if not state.has_conditions or state.matches(head.metadata, extra):
            return state
    return None


def _without_own(extra: tuple[Field, ...]) -> tuple[Field, ...]:
    """Leave out what each attempt says in its own words."""
    return tuple([field for field in extra if field[0] not in _OWN_NAMES])


def _without_trace(extra: tuple[Field, ...]) -> tuple[Field, ...]:
    """Leave out the client's trace context: each attempt has its own."""
    return tuple([field for field in extra if field[0] not in _TRACE_NAMES])
