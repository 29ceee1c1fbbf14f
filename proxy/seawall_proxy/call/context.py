"""What all calls of a worker share: time, dice, timers, the policy in force, and where to report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy_extensions import mypyc_attr

from seawall_proxy.call.access import AccessSink
from seawall_proxy.call.admission import Waiter
from seawall_proxy.call.local import LocalServices
from seawall_proxy.call.methods import MethodRegistry
from seawall_proxy.call.ports import EventSink, StrategyBook, TraceSink
from seawall_proxy.call.routing import RouteState, RoutingTable
from seawall_proxy.call.timers import TimerWheel
from seawall_proxy.telemetry.counters import RouteCounters

REPLAY_CALL_BYTES: Final = 1 << 20
"""Most request bytes kept for another attempt of one call (grpc-js: 1 MiB)."""
REPLAY_WORKER_BYTES: Final = 16 << 20
"""Most request bytes kept for other attempts of all calls of a worker (grpc-js: 16 MiB)."""
KEPT_WORKER_BYTES: Final = 2 * REPLAY_WORKER_BYTES
"""Most request bytes kept in all, with those of calls that wait for a connection and cannot do without: what
may be repeated never takes the room of what waits.
"""
HOLD_BYTES: Final = 64 << 10
"""Most response bytes held back while the final status is awaited."""
HOLD_AFTER_DATA_S: Final = 0.001
"""How long a response of unknown kind is held after its first bytes, in case it is unary and its trailers are
near.
"""
HOLD_AFTER_HEADERS_S: Final = 0.05
"""How long response headers alone are held; a client may wait for them before it says more."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Held(Waiter):
    """A call whose response is held back; `settle` is asked once the batch of input that it came in is
    through.
    """

    def settle(self, now: float) -> None:
        """Decide how long to hold on, unless everything has come meanwhile."""

    def slot_free(self) -> None:
        """Begin: the connection's reset calls have left room for this one."""


class Context:
    """One worker's surroundings. `now` is set by the runtime before it hands in anything."""

    def __init__(
        self, draw: Callable[[], float], sink: EventSink, tracer: TraceSink, unmatched: RouteCounters
    ) -> None:
        self.now: float = 0.0
        self.draw: Callable[[], float] = draw
        self.sink: EventSink = sink
        self.tracer: TraceSink = tracer
        self.timers: TimerWheel = TimerWheel()
        self.table: RoutingTable | None = None
        self.refusing: bool = False
        """New calls are refused: the process is short of memory or time."""
        self.held: list[Held] = []
        self.replay_bytes: int = 0
        self.calls: int = 0
        """Calls in flight."""
        self.unmatched: RouteCounters = unmatched
        """Counts calls that no route matched or that were no valid gRPC requests."""
        self.methods: MethodRegistry = MethodRegistry()
        self.access: AccessSink | None = None
        """Where calls are logged; None when they are not."""
        self.local: LocalServices | None = None
        """What the proxy answers itself; None when it passes everything on."""
        self.strategies: StrategyBook | None = None
        """Custom strategies; None without any."""
        self.mirrors: int = 0
        """Copies in flight."""
        self.mirror_bytes: int = 0
        """Request bytes that wait for mirrors."""
        self.changed_breakers: list[RouteState] = []
        """Routes whose breaker may have something to tell; drained by the runtime after each batch."""

    def settle(self) -> None:
        """Go through the calls that are still held after a batch of input."""
        if self.held:
            held = self.held
            self.held = []
            for call in held:
                call.settle(self.now)
