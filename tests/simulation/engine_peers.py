"""The services and callers of the engine simulator: queues, faults, deadlines; all in virtual time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import cos, exp, log, pi, sqrt
from random import Random

from seawall_proxy.http2.errors import CANCEL, NO_ERROR
from seawall_proxy.http2.handlers import StreamHandler
from seawall_proxy.http2.headers import Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream
from seawall_proxy.testing.peers import RESPONSE_FIELDS, Server, ServerConnection, block_of
from seawall_proxy.testing.transcript import value_of
from seawall_proxy.testing.world import World

After = Callable[[float, Callable[[], None]], None]
"""Do something so many seconds from now."""

_HEADERS = block_of(RESPONSE_FIELDS)[0]
_ONLY = {code: block_of((*RESPONSE_FIELDS, (b"grpc-status", b"%d" % code)))[0] for code in range(17)}
_TRAILERS = {code: block_of(((b"grpc-status", b"%d" % code),))[0] for code in range(17)}
_MESSAGE = b"\0\0\0\0\4good"
FAIL_S = 0.001


class Caller(StreamHandler):
    """One call as its caller sees it."""

    def __init__(self, ident: int, route: str, begun: float, timeout_s: float) -> None:
        self.ident: int = ident
        self.route: str = route
        self.begun: float = begun
        self.deadline: float = begun + timeout_s
        self.ended: float = -1.0
        self.ends: int = 0
        self.status: int = -1
        self.reason: bytes = b""
        self.outcome: bytes = b""
        self.key: bytes = b""
        """Of idempotency; empty without one."""
        self.replayed: bool = False
        """It was answered what another call with its key was."""
        self.seen: int = 0
        """How often services saw it."""
        self.carried_out: int = 0
        """How often one of them began to work on it."""
        self.gone: bool = False
        """It has hung up."""
        self.stream: Stream | None = None

    def on_headers(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        if end_stream:
            self._end(block.fields + extra)

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        stream.consume(len(data))

    def on_trailers(self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...]) -> None:
        self._end(block.fields + extra)

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        if code != NO_ERROR:
            self.ends += 1

    def _end(self, fields: tuple[Field, ...]) -> None:
        self.ends += 1
        status = value_of(fields, b"grpc-status")
        self.status = -1 if status is None else int(status)
        self.reason = value_of(fields, b"seawall-reason") or b""
        self.outcome = value_of(fields, b"seawall-outcome") or b""
        self.replayed = value_of(fields, b"seawall-replayed") is not None

    def hang_up(self) -> None:
        """Take the call back."""
        assert self.stream is not None
        self.gone = True
        self.ends += 1
        self.stream.reset(CANCEL)


class Work(StreamHandler):
    """One request at a service."""

    def __init__(self, service: Service, stream: Stream, caller: Caller) -> None:
        self.service: Service = service
        self.stream: Stream = stream
        self.caller: Caller = caller
        self.over: bool = False
        """Answered, taken back, or lost with its connection."""

    def on_data(self, stream: Stream, data: bytes, end_stream: bool) -> None:
        stream.consume(len(data))
        if end_stream:
            self.service.complete(self)

    def on_reset(self, stream: Stream, code: int, unprocessed: bool) -> None:
        if not self.over:
            self.over = True
            self.service.open -= 1


class Service(Server):
    """A service with some workers and one queue, which can be made ill."""

    def __init__(
        self, address: str, world: World, after: After, random: Random, arrived: Callable[[Work, bytes], None]
    ) -> None:
        super().__init__(address, world, _nothing, Limits(premature_age_s=0.0))
        self.random: Random = random
        self.after: After = after
        self.arrived: Callable[[Work, bytes], None] = arrived
        self.callers: dict[bytes, Caller] = {}
        """Shared with the simulation: who is calling."""
        self.workers: int = 64
        self.median_s: float = 0.007
        self.sigma: float = 0.2
        self.slow: float = 1.0
        self.fail_share: float = 0.0
        self.fail_code: int = 14
        self.fail_early: bool = False
        self.hang_share: float = 0.0
        self.frozen: bool = False
        self.thawed_at: float = -1.0
        self.queue: deque[Work] = deque()
        self.busy: int = 0
        self.open: int = 0
        """Requests that have come and have no end yet."""
        self._thawing: list[Callable[[], None]] = []

    def took(
        self, connection: ServerConnection, stream: Stream, fields: tuple[Field, ...], end: bool
    ) -> StreamHandler:
        """Learn of a request."""
        caller = self.callers[value_of(fields, b"x-id") or b""]
        work = Work(self, stream, caller)
        self.open += 1
        caller.seen += 1
        self.arrived(work, value_of(fields, b"grpc-timeout") or b"")
        return work

    def complete(self, work: Work) -> None:
        """Take up a request that is complete."""
        if self.random.random() < self.hang_share:
            work.caller.carried_out += 1
            return
        if self.random.random() < self.fail_share:
            work.caller.carried_out += 1
            self.after(FAIL_S, lambda: self._whole(lambda: self._fail(work)))
            return
        self.queue.append(work)
        self._begin()

    def _begin(self) -> None:
        while self.busy < self.workers and self.queue:
            work = self.queue.popleft()
            if work.over:
                continue
            self.busy += 1
            work.caller.carried_out += 1
            normal = sqrt(-2 * log(1 - self.random.random())) * cos(2 * pi * self.random.random())
            takes = self.median_s * exp(self.sigma * normal) * self.slow
            self.after(takes, lambda work=work: self._whole(lambda: self._done(work)))  # type: ignore[misc]

    def _whole(self, action: Callable[[], None]) -> None:
        """Do something now, or when no longer frozen."""
        if self.frozen:
            self._thawing.append(action)
        else:
            action()

    def _done(self, work: Work) -> None:
        self.busy -= 1
        if not work.over:
            self._end(work)
            work.stream.send_headers(_HEADERS, (), False)
            work.stream.send_data(_MESSAGE, False)
            work.stream.send_trailers(_TRAILERS[0], ())
        self._begin()

    def _fail(self, work: Work) -> None:
        if work.over:
            return
        self._end(work)
        if self.fail_early:
            work.stream.send_headers(_ONLY[self.fail_code], (), True)
        else:
            work.stream.send_headers(_HEADERS, (), False)
            work.stream.send_trailers(_TRAILERS[self.fail_code], ())

    def _end(self, work: Work) -> None:
        work.over = True
        self.open -= 1

    # what can happen to it

    def crash(self) -> None:
        """Lose everything, and be away."""
        self.mode = "refuse"
        self.cut()
        self.queue.clear()

    def drain(self) -> None:
        """Say that no new calls are wanted, finish what has come, accept no new connection."""
        self.mode = "refuse"
        for connection in self.open_connections():
            connection.connection.goaway(NO_ERROR, -1)

    def come_back(self) -> None:
        """Be there again."""
        self.mode = "accept"

    def freeze(self) -> None:
        """Stop: read nothing, answer nothing; the kernel still takes what comes."""
        self.frozen = True
        self.mode = "blackhole"
        self._set_reading(reads=False)

    def thaw(self) -> None:
        """Go on where it was stopped."""
        self.frozen = False
        self.thawed_at = self.world.now
        self.mode = "accept"
        self._set_reading(reads=True)
        thawing, self._thawing = self._thawing, []
        for action in thawing:
            action()

    def _set_reading(self, *, reads: bool) -> None:
        for wire in self.world.wires:
            if wire.name == self.address:
                wire.far_reads = reads

    def heal(self) -> None:
        """Be as well as it was made."""
        self.slow = 1.0
        self.fail_share = self.hang_share = 0.0
        if self.frozen:
            self.thaw()
        self.come_back()


def _nothing(who: str, what: str) -> None:
    pass
