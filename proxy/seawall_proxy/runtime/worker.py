"""One event loop's share of the data path: sockets in, sockets out, one timer.

Every batch of input goes the same way: tell everybody the time, feed the connection, settle the calls whose
response is held back, write once to each connection that has output, pass on what the breakers noticed, and
arm the loop's timer for the earliest deadline. Nothing here decides anything about a call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import cast

from seawall_policy.breaker import Breaker, Transition
from seawall_proxy.call.breaker_clock import BreakerClock
from seawall_proxy.call.context import Context
from seawall_proxy.call.ports import BreakerRecord, EventSink, TraceSink
from seawall_proxy.call.timers import NEVER
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.headers import BlockCache
from seawall_proxy.http2.limits import Limits
from seawall_proxy.runtime.admission import FRAMES_PER_TURN, Admission
from seawall_proxy.runtime.dialing import TcpDialer
from seawall_proxy.runtime.downstream import DownstreamProtocol
from seawall_proxy.runtime.transported import Transported
from seawall_proxy.telemetry.counters import ProxyCounters, RouteCounters

log = logging.getLogger("seawall.proxy")


class Worker:
    """Owns the connections of one event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        draw: Callable[[], float],
        sink: EventSink,
        tracer: TraceSink,
        counters: ProxyCounters,
        unmatched: RouteCounters,
    ) -> None:
        self.loop: asyncio.AbstractEventLoop = loop
        self.context: Context = Context(draw, sink, tracer, unmatched)
        self.cache: BlockCache = BlockCache()
        self.dirty: list[Connection] = []
        self.counters: ProxyCounters = counters
        self.downstream: set[DownstreamProtocol] = set()
        self.admission: Admission = Admission()
        """For listeners that have none of their own."""
        # An upstream's connection carries many clients' calls, and one of them can make its answers go wrong
        # (metadata that is echoed and too large): that must not end the connection for the others soon.
        self.client_limits: Limits = Limits(
            frames_per_turn=FRAMES_PER_TURN, stream_error_burst=10_000, stream_error_rate_per_s=1_000.0
        )
        self.dialer: TcpDialer = TcpDialer(self)
        self.breaker_clock: BreakerClock = BreakerClock(self.context)
        self.on_transition: Callable[[Breaker, Transition], bool] | None = None
        """Hears of every transition; returns whether it is an event."""
        self.on_keep: Callable[[Breaker], None] | None = None
        """Keeps what a breaker is for the next process."""
        self.on_accept: Callable[[], None] | None = None
        """Hears of every connection that is accepted."""
        self._told: set[DownstreamProtocol] = set()
        self._armed_at: float = NEVER
        self._timer: asyncio.TimerHandle | None = None
        self.tell_time()

    def tell_time(self) -> float:
        """Read the clock for everybody."""
        now = monotonic()
        self.context.now = now
        self.context.timers.now = now
        return now

    def after_batch(self) -> None:
        """Do what is due after a batch of input."""
        context = self.context
        if context.held:
            context.settle()
        dirty = self.dirty
        while dirty:
            connection = dirty.pop()
            owner = connection.owner
            if owner is not None:
                cast("Transported", owner).write(connection.take_output())
        if context.changed_breakers:
            self.report_breakers()
        deadline = context.timers.next_deadline()
        if deadline < self._armed_at:
            self._arm(deadline)

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_at = deadline
        # The loop's clock and ours are both CLOCK_MONOTONIC on the platforms that we support, yet only the
        # distance is used.
        self._timer = self.loop.call_later(max(0.0, deadline - monotonic()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        # A timer may ring a little early; what it was armed for is due all the same.
        now = max(self.tell_time(), self._armed_at)
        self._armed_at = NEVER
        self.context.now = now
        try:
            self.context.timers.advance(now)
        except Exception:
            # What else is due stays armed and is served at once, by the timer that is armed below.
            log.exception("a timer of the data path failed")
        self.after_batch()

    def report_breakers(self) -> None:
        """Hand on what breakers noticed."""
        context = self.context
        changed = context.changed_breakers
        context.changed_breakers = []
        for state in changed:
            for breaker in state.breakers():
                if breaker.has_transitions():
                    self.report_breaker(state.name, breaker.current())
        self.breaker_clock.rearm()

    def report_breaker(self, route: str, breaker: Breaker) -> None:
        """Record the transitions of one breaker, and have it kept."""
        self.keep_breaker(breaker)
        table = self.context.table
        for change in breaker.take_transitions():
            if self.on_transition is not None and not self.on_transition(breaker, change):
                continue
            record = BreakerRecord(route, change)
            record.key = breaker.key
            record.revision = 0 if table is None else table.snapshot.revision
            self.context.sink.breaker_changed(record)

    def keep_breaker(self, breaker: Breaker) -> None:
        """Have a breaker's state outlive this process."""
        if self.on_keep is not None:
            self.on_keep(breaker)

    # listeners

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Accept client connections."""
        return await self.loop.create_server(
            lambda: DownstreamProtocol(self), host, port, reuse_address=True, backlog=1024
        )

    def sweep(self, now: float) -> None:
        """Look after client connections; due about once a second."""
        for protocol in list(self.downstream):
            protocol.sweep(now)

    def fold_counters(self) -> None:
        """Bring the counters up to date with the connections that are open."""
        for protocol in self.downstream:
            protocol.fold_counters()

    def start_drain(self) -> None:
        """Tell every client to go elsewhere, in the two steps of gRFC A9's server side; `finish_drain` is the
        second. Clients that were told before are not told again.
        """
        self.tell_time()
        for protocol in self.downstream - self._told:
            protocol.connection.goaway(0, 2**31 - 1)
        self._told = set(self.downstream)
        self.after_batch()

    def finish_drain(self) -> None:
        """Say which stream was the last one, and close connections without any."""
        self.tell_time()
        for protocol in list(self.downstream):
            protocol.connection.goaway(0)
            protocol.drained = True
            protocol.close_if_idle()
        self.after_batch()

    def close(self) -> None:
        """End everything now."""
        self.tell_time()
        for protocol in list(self.downstream):
            protocol.connection.terminate(0, "shutting down")
        self.after_batch()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
