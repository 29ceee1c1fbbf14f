"""One try of a call: a place in a cluster, at most one upstream stream, and exactly one end.

An attempt translates what happens on its stream into the two things that a call cares about: parts of a
response, and the end with a gRPC status (gRPC over HTTP/2: RST_STREAM codes, HTTP statuses without
grpc-status and streams that end without trailers all have their mapping). It holds its endpoint and its
cluster from birth to end and gives both back once.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from seawall_policy import retry, status
from seawall_policy.breaker import Breaker
from seawall_policy.budget import RetryBudget
from seawall_policy.outlier.tally import LOCAL, OUT_OF_TIME, STATUS, Tally
from seawall_proxy.call import local_reply
from seawall_proxy.call.context import Held
from seawall_proxy.call.response import NO_STATUS, final_status, pushback, response_head
from seawall_proxy.call.upstream_port import StreamSeeker, UpstreamCluster, UpstreamEndpoint
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.errors import CANCEL, CONNECTION_LOST
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.stream import Stream

if TYPE_CHECKING:
    from seawall_proxy.call.faults import InjectedFault

NO_PERMIT: Final = -1
"""No breaker watches."""
NO_EXTRA: Final[tuple[Field, ...]] = ()


class AttemptOwner(Held):
    """The call as its attempts see it."""

    def attempt_connected(self, attempt: Attempt, connection: Connection) -> None:
        """Open the attempt's stream on `connection`."""

    def response_headers(self, attempt: Attempt, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        """Take response headers that are not trailers-only."""

    def response_data(self, attempt: Attempt, data: bytes) -> None:
        """Take response bytes; credit for them is given with `attempt.consume`."""

    def request_sent(self, attempt: Attempt, n: int) -> None:
        """Learn that `n` more request bytes are on their way to the endpoint."""

    def is_timed(self) -> bool:
        """Tell whether the time to the first answer is the endpoint's, as far as anybody knows: a stream may
        wait for its client, or for something to happen.
        """
        return True

    def time_is_up(self, attempt: Attempt) -> str:
        """Return the reason for which an attempt ends now for want of time; empty while it has some."""
        return ""

    def attempt_must_go(self, attempt: Attempt) -> None:
        """Take back a hedge whose place a call needs."""

    def attempt_ended(
        self,
        attempt: Attempt,
        code: int,
        block: HeaderBlock | None,
        extra: tuple[Field, ...],
        trailers_only: bool,
    ) -> None:
        """Take the final status; `block` and `extra` are the server's trailers, None for a status of ours."""


class Attempt(StreamSeeker):
    """One try."""

    # Defaults that stand here cost a plain attempt nothing when it is made; see CallState.
    stream: Stream | None = None
    done: bool = False
    sent: int = 0
    """Request bytes put on the wire."""
    seen: int = retry.UNSENT
    """How far it came; the owner says SEEN when it opens the stream."""
    reason: str = ""
    span_id: bytes = b""
    breaker: Breaker | None = None
    """Whose permit it has; None when no breaker watches."""
    paid_from: RetryBudget | None = None
    """What it was paid from as a retry, and hears of its end; None for any other attempt."""
    give_up_at: float = inf
    """When it has taken too long; infinity without a limit of its own."""
    first_at: float = -1.0
    """When the first response bytes came; -1 while none have."""
    hedge: bool = False
    """It was sent while another attempt was under way."""
    overtaken: bool = False
    """It was taken back because another attempt of the call was faster."""
    spare: bool = False
    """A hedge beside another attempt: it holds a place that nobody waited for, and gives it up when one
    does.
    """
    held_block: HeaderBlock | None = None
    """Response headers that were not passed on yet."""
    held_extra: tuple[Field, ...] = NO_EXTRA
    held_data: list[bytes] | None = None
    held_size: int = 0
    timed: bool = False
    """The endpoint's tally waits for the first answer."""
    lost: bool = False
    """No connection could be had, or it was lost."""
    fault: InjectedFault | None = None
    shadow_permit: int = NO_PERMIT
    """Of the shadow policy's breaker; -1 without one."""
    injected: bool = False
    """A fault is at work in it: what becomes of it is not the endpoint's doing."""

    def __init__(
        self,
        owner: AttemptOwner,
        cluster: UpstreamCluster,
        endpoint: UpstreamEndpoint,
        permit: int,
        number: int,
        now: float,
    ) -> None:
        self.tick = -1
        self.owner: AttemptOwner = owner
        self.cluster: UpstreamCluster = cluster
        self.endpoint: UpstreamEndpoint = endpoint
        self.permit: int = permit
        """The breaker's permit; -1 when no breaker watches."""
        self.number: int = number
        self.started: float = now
        self.watched: bool = endpoint.watched
        """The endpoint waits to hear how long its first answer took."""
        endpoint.in_flight += 1
        endpoint.attempts += 1
        cluster.load.in_flight += 1
        tally = endpoint.tally
        self.tally: Tally | None = tally
        if tally is not None:
            if tally.asleep:
                endpoint.rouse()
            if owner.is_timed():
                self.timed = True
                tally.began(now)

    # what the endpoint says

    def connection_ready(self, connection: Connection) -> None:
        self.owner.attempt_connected(self, connection)

    def connection_failed(self, reason: str) -> None:
        self.lost = True
        if not self.endpoint.is_down():
            self._leave_tally()
        self._end(status.UNAVAILABLE, local_reply.UPSTREAM_CONNECT_FAILED, None, NO_EXTRA, False)

    def fail(self, code: int, reason: str) -> None:
        """End with a status of ours."""
        self._end(code, reason, None, NO_EXTRA, False)

    def be_injected(self) -> None:
        """Stand outside what is known of the endpoint: a fault is at work."""
        self.injected = True
        self.watched = False
        self._leave_tally()

    def endpoint_failed(self) -> None:
        """Count a failure of the endpoint, unless it was made by us."""
        if not self.injected:
            self.endpoint.failures += 1

    # what the stream says

    def on_headers(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        if self.done:
            return
        head = response_head(block)
        if end_stream:
            code = final_status(head, extra)
            if code == NO_STATUS:
                self._end_without_status(head.http_status)
            else:
                self._end(code, "", block, extra, True)
        elif head.http_status != 200 or not head.is_grpc:
            stream.reset(CANCEL)
            self._end_without_status(head.http_status)
        else:
            self.owner.response_headers(self, block, extra)

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        if self.done:
            return
        if len(data) > 0:
            if self.watched:
                self.watched = False
                self.endpoint.observe(self.started, status.OK, -1.0)
            if self.timed:
                self.timed = False
                if self.tally is not None:
                    self.endpoint.answered(self.tally, self.started)
            self.owner.response_data(self, data)
        if end_stream and not self.done:
            self._end_without_status(200)

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        if self.done:
            return
        code = final_status(response_head(block), extra)
        if code == NO_STATUS:
            self._end_without_status(200)
        else:
            self._end(code, "", block, extra, False)

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        if self.done:
            return
        self.stream = None
        if unprocessed:
            self.seen = retry.REFUSED
            self._end(status.UNAVAILABLE, local_reply.UPSTREAM_RESET, None, NO_EXTRA, False)
        elif code == CONNECTION_LOST:
            self.lost = True
            self._end(status.UNAVAILABLE, local_reply.UPSTREAM_RESET, None, NO_EXTRA, False)
        else:
            # The server keeps the same deadline and says so with CANCEL (grpc-go does); our timer would next.
            late = self.owner.time_is_up(self) if code == CANCEL else ""
            if late != "":
                self._end(status.DEADLINE_EXCEEDED, late, None, NO_EXTRA, False)
            else:
                self._end(status.from_rst(code), local_reply.UPSTREAM_RESET, None, NO_EXTRA, False)

    def on_sent(self, stream: Stream, n: int) -> None:
        if not self.done:
            self.owner.request_sent(self, n)

    # what the call says

    def give_way(self) -> None:
        self.owner.attempt_must_go(self)

    def be_spare(self) -> None:
        """Be a hedge: take part only as long as there is room."""
        self.spare = True
        self.cluster.load.spares[self] = None

    def be_needed(self) -> None:
        """Be the attempt on which the call depends, like any that is no hedge."""
        if self.spare:
            self.spare = False
            self.cluster.load.spares.pop(self, None)

    def consume(self, n: int) -> None:
        """Give the endpoint credit for `n` response bytes that have left the proxy."""
        stream = self.stream
        if stream is not None and n > 0:
            stream.consume(n)

    def is_tight(self) -> bool:
        """Tell whether the endpoint can say little more without credit: holding back may hold it up."""
        stream = self.stream
        return stream is not None and stream.recv_window * 4 < stream.connection.recv_stream_window

    def cancel(self) -> None:
        """End without a word to the owner; the endpoint is told when a stream is open."""
        if self.done:
            return
        if self.watched:
            self.endpoint.observe(self.started, status.CANCELLED, -1.0)
        if self.timed:
            self._give_up()
        self._release()
        stream = self.stream
        if stream is not None:
            self.stream = None
            stream.reset(CANCEL)
        else:
            self.endpoint.abandon(self)

    def run_out(self) -> None:
        """End as `cancel` does, because the time is over: a failure of the endpoint, if it was to answer."""
        waits = self.timed
        self.cancel()
        self.endpoint_failed()
        tally = self.tally
        if waits and tally is not None:
            self.endpoint.judged(tally, self.started, status.DEADLINE_EXCEEDED, OUT_OF_TIME)

    # ends

    def _end_without_status(self, http_status: int) -> None:
        self._end(status.from_http(http_status), local_reply.UPSTREAM_PROTOCOL_ERROR, None, NO_EXTRA, False)

    def _end(
        self, code: int, reason: str, block: HeaderBlock | None, extra: tuple[Field, ...], trailers_only: bool
    ) -> None:
        self._release()
        self.reason = reason
        if code != status.OK:
            self.endpoint_failed()
        tally = self.tally
        if tally is not None:
            if code == status.OK and not self.timed and not self.lost:
                self.endpoint.judged(tally, self.started, code, STATUS)
            else:
                self._judge(tally, code, block is not None)
        if not self.injected and (self.watched or (code != status.OK and self.endpoint.watched)):
            self._observe(code, block, extra)
        stream = self.stream
        if stream is not None:
            self.stream = None
            if not stream.local_closed:
                # The server has answered before the request was complete; what is still to come would be
                # wasted.
                stream.reset(CANCEL)
        self.owner.attempt_ended(self, code, block, extra, trailers_only)

    def _answered(self) -> None:
        self.timed = False
        if self.tally is not None:
            self.endpoint.answered(self.tally, self.started)

    def _give_up(self) -> None:
        self.timed = False
        if self.tally is not None:
            self.endpoint.given_up(self.tally, self.started)

    def _leave_tally(self) -> None:
        """Say nothing about the endpoint: what becomes of this one is our own doing (envoy #25487)."""
        if self.timed:
            self._give_up()
        self.tally = None

    def _judge(self, tally: Tally, code: int, told: bool) -> None:
        """Tell the tally how it ended; `told`: the server has said so itself."""
        waits = self.timed
        if self.lost or self.seen == retry.REFUSED:
            if waits:
                self._give_up()
            if self.seen == retry.REFUSED:
                # Turned away and not failed: it leaves, or has enough to do.
                return
            self.endpoint.judged(tally, self.started, code, LOCAL)
            return
        if waits:
            self._answered()
        how = STATUS if told or code != status.DEADLINE_EXCEEDED else OUT_OF_TIME
        self.endpoint.judged(tally, self.started, code, how)

    def _observe(self, code: int, block: HeaderBlock | None, extra: tuple[Field, ...]) -> None:
        told = -1.0
        if code == status.RESOURCE_EXHAUSTED and block is not None:
            told = pushback(response_head(block), extra) / 1000.0
        self.endpoint.observe(self.started, code, told)

    def _release(self) -> None:
        self.done = True
        if self.spare:
            self.be_needed()
        if self.fault is not None:
            self.fault.ended()
        if self.paid_from is not None:
            self.paid_from.give_back()
        self.endpoint.in_flight -= 1
        self.cluster.load.in_flight -= 1
