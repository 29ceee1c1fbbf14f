"""The proxy's data path with everything around it under control: transports, time and dice.

It does what one worker of the runtime does, in the same order: tell the time, feed a connection, settle
held calls, write, report breakers. Time moves from timer to timer, with a sweep of the endpoints each
second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seawall_policy.breaker import Breaker
from seawall_policy.model import Snapshot
from seawall_proxy.call.acceptor import Acceptor
from seawall_proxy.call.breaker_clock import BreakerClock
from seawall_proxy.call.call import Call
from seawall_proxy.call.context import Context
from seawall_proxy.call.ports import BreakerRecord, CallRecord, EventSink, RouteRecord, TraceSink
from seawall_proxy.call.routing import UNMATCHED, RouteState, build_table
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.handlers import ConnectionHandler
from seawall_proxy.http2.headers import BlockCache, Field, HeaderBlock
from seawall_proxy.http2.limits import Limits
from seawall_proxy.http2.stream import Stream
from seawall_proxy.telemetry.counters import RouteCounters
from seawall_proxy.testing.network import FakeDialer, Host, Wire
from seawall_proxy.upstream.clusters import ClusterSet
from seawall_proxy.upstream.endpoint import Endpoint
from seawall_proxy.upstream.link import Link

SWEEP_S: Final = 1.0
_MOST_ROUNDS: Final = 100_000


class RecordingSink(EventSink):
    """Keeps the records that become error events."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []
        self.breakers: list[BreakerRecord] = []
        self.routes: list[RouteRecord] = []

    def call_ended(self, record: CallRecord) -> None:
        self.calls.append(record)

    def breaker_changed(self, record: BreakerRecord) -> None:
        self.breakers.append(record)

    def route_changed(self, record: RouteRecord) -> None:
        self.routes.append(record)


class Door(ConnectionHandler):
    """An acceptor whose calls are noted."""

    def __init__(self, context: Context, calls: list[Call]) -> None:
        self._acceptor: Acceptor = Acceptor(context)
        self._calls: list[Call] = calls

    def on_request(
        self, stream: Stream, block: HeaderBlock, extra: tuple[Field, ...], end_stream: bool
    ) -> None:
        self._acceptor.on_request(stream, block, extra, end_stream)
        handler = stream.handler
        if isinstance(handler, Call):
            self._calls.append(handler)

    def limit_messages(self, size_bytes: int) -> None:
        """Follow requests' messages as a listener with `max_request_message` does."""
        self._acceptor.max_message_bytes = size_bytes

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        self._acceptor.on_goaway(last_stream_id, code)

    def on_terminated(self, code: int, reason: str) -> None:
        self._acceptor.on_terminated(code, reason)


class Dice:
    """Draws that a test decides: the queued ones first, then always `rest`."""

    def __init__(self, rest: float = 0.5) -> None:
        self.rest: float = rest
        self.next: list[float] = []

    def __call__(self) -> float:
        return self.next.pop(0) if self.next else self.rest


class World:
    """One worker's data path."""

    def __init__(
        self,
        snapshot: Snapshot | None = None,
        *,
        draw: Callable[[], float] | None = None,
        start: float = 1000.0,
        server_limits: Limits | None = None,
        client_limits: Limits | None = None,
        tracer: TraceSink | None = None,
    ) -> None:
        self.draw: Callable[[], float] = draw if draw is not None else Dice()
        self.sink: RecordingSink = RecordingSink()
        self.context: Context = Context(
            self.draw, self.sink, tracer if tracer is not None else TraceSink(), RouteCounters(UNMATCHED)
        )
        self.cache: BlockCache = BlockCache()
        self.dirty: list[Connection] = []
        """Connections with output, those of peers included."""
        self.server_limits: Limits = server_limits or Limits()
        self.client_limits: Limits = client_limits or Limits()
        self.hosts: dict[str, Host] = {}
        self.wires: list[Wire] = []
        self.downstream: list[Connection] = []
        self.calls: list[Call] = []
        """Every call that was begun and not ended before its acceptor returned; tests clear it as they like.
        """
        self.counters: dict[str, RouteCounters] = {}
        self.dialer: FakeDialer = FakeDialer(self._make_link_connection, self._host)
        self.clusters: ClusterSet = ClusterSet(self.dialer, self.context.timers, self.draw)
        self.clock: BreakerClock = BreakerClock(self.context)
        self.now: float = start
        self.wall_offset_s: float = 0.0
        """Wall-clock minus monotonic time, told at each policy."""
        self._next_sweep: float = start + SWEEP_S
        self._tell(start)
        if snapshot is not None:
            self.apply(snapshot)

    # policy

    def apply(self, snapshot: Snapshot) -> None:
        """Put a policy in force, as the runtime does."""
        clusters = self.clusters.prepare(snapshot.clusters)
        table = build_table(
            snapshot,
            dict(clusters),
            self.context.table,
            self.counters,
            self.draw,
            self.now,
            self.wall_offset_s,
        )
        self.clusters.adopt(clusters)
        self.context.table = table
        self.clock.rearm()
        self.batch()

    def state(self, route: str = "all") -> RouteState:
        """Return the live state of a route of the policy in force."""
        table = self.context.table
        assert table is not None
        return table.states[route]

    def endpoint(self, address: str) -> Endpoint:
        """Return the endpoint with this address in the policy in force."""
        for cluster in self.clusters.clusters.values():
            for endpoint in cluster.endpoints:
                if endpoint.address == address:
                    return endpoint
        raise KeyError(address)

    # connections

    def _make_link_connection(self, link: Link) -> Connection:
        return Connection(
            is_client=True, limits=self.client_limits, handler=link, cache=self.cache, dirty=self.dirty
        )

    def _host(self, address: str) -> Host:
        return self.hosts[address]

    def accept(self, far: Connection, name: str) -> Wire:
        """Connect a client's connection to the proxy's listener."""
        near = Connection(
            is_client=False,
            limits=self.server_limits,
            handler=Door(self.context, self.calls),
            cache=self.cache,
            dirty=self.dirty,
        )
        wire = self.wire(name, near, far)
        self.downstream.append(near)
        near.start(self.now)
        far.start(self.now)
        return wire

    def connect(self, link: Link, far: Connection, name: str) -> Wire:
        """Complete a dial: the transport is there, both ends start."""
        near = link.connection
        assert near is not None
        wire = self.wire(name, near, far)
        far.start(self.now)
        link.opened()
        return wire

    def wire(self, name: str, near: Connection, far: Connection) -> Wire:
        """Put a wire between two connections."""
        wire = Wire(name, near, far)
        self.wires.append(wire)
        # What was written before there was a wire is waiting in the connections.
        wire.collect()
        return wire

    # time

    def _tell(self, now: float) -> None:
        self.now = now
        self.context.now = now
        self.context.timers.now = now

    def batch(self) -> None:
        """Do what the runtime does after each batch of input."""
        self.context.settle()
        changed = self.context.changed_breakers
        if changed:
            self.context.changed_breakers = []
            for state in changed:
                for breaker in state.breakers():
                    self._report(state, breaker)
            self.clock.rearm()

    def _report(self, state: RouteState, breaker: Breaker) -> None:
        for change in breaker.take_transitions():
            self.sink.breaker_changed(BreakerRecord(state.name, change))

    def collect(self) -> None:
        """Move output into the wires."""
        dirty = self.dirty
        while dirty:
            owner = dirty.pop().owner
            if isinstance(owner, Wire):
                owner.collect()

    def pump(self) -> None:
        """Move bytes until everything is at rest."""
        for _ in range(_MOST_ROUNDS):
            self.collect()
            moved = False
            for wire in list(self.wires):
                if wire.deliver_near(self.now):
                    moved = True
                    self.batch()
                    self.collect()
                if wire.deliver_far(self.now):
                    moved = True
                    self.batch()
            if not moved:
                self.wires = [wire for wire in self.wires if not wire.finished]
                return
        raise AssertionError("the conversation does not come to rest")

    def next_event(self) -> float:
        """Return when something happens by itself next."""
        return min(self.context.timers.next_deadline(), self._next_sweep)

    def fire(self, now: float) -> None:
        """Let the timers and sweeps that are due at `now` happen; time does not run back."""
        self._tell(max(now, self.now))
        self.context.timers.advance(self.now)
        if self.context.timers.next_deadline() <= self.now:
            raise AssertionError(f"a timer that is due at {self.now!r} does not fire")
        if self.now >= self._next_sweep:
            self._next_sweep = self.now + SWEEP_S
            self.clusters.sweep(self.now)
            for connection in self.downstream:
                if connection.next_deadline() <= self.now:
                    connection.handle_timer(self.now)
            self.downstream = [connection for connection in self.downstream if not connection.closed]
        self.batch()

    def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer, moving all bytes at each step."""
        until = self.now + seconds
        self.pump()
        for _ in range(_MOST_ROUNDS):
            at = self.next_event()
            if at > until:
                break
            self.fire(at)
            self.pump()
        else:
            raise AssertionError("timers without end")
        self._tell(until)
        self.pump()

    # what must be true when all calls have ended

    def leftovers(self) -> list[str]:
        """Return what has not gone back to where it was before the first call."""
        left: list[str] = []
        context = self.context
        _expect_zero(left, "calls in flight", context.calls)
        _expect_zero(left, "replay bytes", context.replay_bytes)
        _expect_zero(left, "held calls", len(context.held))
        _expect_zero(left, "copies in flight", context.mirrors)
        _expect_zero(left, "bytes that wait for mirrors", context.mirror_bytes)
        for name, counters in self.counters.items():
            _expect_zero(left, f"route {name}: in flight", counters.in_flight)
            _expect_zero(left, f"route {name}: attempts under a fault", counters.faults.active)
            for target, mirror in counters.mirrors.items():
                _expect_zero(left, f"route {name}: copies to {target} in flight", mirror.in_flight)
        for state in context.table.states.values() if context.table is not None else ():
            for breaker in state.breakers():
                _expect_zero(left, f"breaker {breaker.key}: permits out", breaker.in_flight)
                _expect_zero(left, f"breaker {breaker.key}: permits too many", breaker.surplus_returns)
            if state.journal is not None:
                _expect_zero(left, f"route {state.name}: keys at work", state.journal.at_work())
                _expect_zero(left, f"route {state.name}: calls in the journal", state.journal.waiting())
            if state.shadow is not None and state.shadow.breaker is not None:
                guard = state.shadow.breaker
                _expect_zero(left, f"route {state.name}: permits of the shadow out", guard.in_flight)
                _expect_zero(left, f"route {state.name}: shadow's permits too many", guard.surplus_returns)
            if state.guards is not None and state.guards.admission is not None:
                gate = state.guards.admission.gate
                _expect_zero(left, f"route {state.name}: places held", gate.in_flight + gate.long_calls)
                _expect_zero(left, f"route {state.name}: waiting for places", gate.queue.length)
        for cluster in self.clusters.clusters.values():
            _expect_zero(left, f"cluster {cluster.name}: in flight", cluster.in_flight)
            for endpoint in cluster.endpoints:
                self._look_at(endpoint, left)
        for endpoint in self.clusters.retired:
            self._look_at(endpoint, left)
        return left

    def _look_at(self, endpoint: Endpoint, left: list[str]) -> None:
        _expect_zero(left, f"endpoint {endpoint.address}: in flight", endpoint.in_flight)
        _expect_zero(left, f"endpoint {endpoint.address}: waiting", len(endpoint.waiting))
        streams = -endpoint.own_streams
        for link in endpoint.links + endpoint.draining:
            if link.connection is not None:
                streams += link.connection.active_streams
        _expect_zero(left, f"endpoint {endpoint.address}: streams of calls", streams)


def _expect_zero(left: list[str], what: str, count: int) -> None:
    if count != 0:
        left.append(f"{what}: {count}")
