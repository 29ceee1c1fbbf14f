"""One upstream address with its connections.

An endpoint is IDLE (nothing tried), CONNECTING, READY (a connection has answered with SETTINGS) or in
BACKOFF. A connection counts only once the peer's SETTINGS are there: a port that accepts and then says
nothing is no endpoint. Attempts that find no room wait in line; they are served as streams end or connections
become ready, and told when the dial fails. While every open connection is at the peer's
MAX_CONCURRENT_STREAMS and attempts wait, further connections are dialled up to a limit.

After a failed dial the endpoint waits (exponential backoff with jitter, gRPC's connection backoff) and then
dials again by itself, so that the first call after a recovery does not have to find out. The longest wait is
10 s, well below gRPC's 120 s: an endpoint in backoff gets no calls, so the wait is also how late its return
can be noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy_extensions import mypyc_attr

from seawall_proxy.call.timers import Timed, TimerWheel
from seawall_proxy.call.upstream_port import StreamSeeker, UpstreamEndpoint
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.errors import NO_ERROR
from seawall_proxy.http2.handlers import ConnectionHandler

IDLE: Final = 0
CONNECTING: Final = 1
READY: Final = 2
BACKOFF: Final = 3
STATE_NAMES: Final[tuple[str, ...]] = ("idle", "connecting", "ready", "backoff")

INITIAL_BACKOFF_S: Final = 0.2
MAX_BACKOFF_S: Final = 10.0
BACKOFF_FACTOR: Final = 1.6
BACKOFF_JITTER: Final = 0.2
STEADY_S: Final = 1.0
"""A connection that lived this long was a good one: the next loss is dialled again at once."""
MAX_CONNECTIONS: Final = 8
MAX_WAITING: Final = 1024
KEEPALIVE_S: Final = 30.0
"""A connection with open streams is pinged this often (gRFC A8 gives the reasons, the numbers are ours)."""
KEEPALIVE_TIMEOUT_S: Final = 20.0


@mypyc_attr(allow_interpreted_subclasses=True)
class Dialer:
    """Opens transports; implemented by the runtime."""

    def dial(self, link: Link, address: str, timeout_s: float) -> None:
        """Start connecting; later call `link.opened()` or `link.failed(reason)`, and deliver bytes to its
        connection.
        """

    def hang_up(self, link: Link) -> None:
        """Close the link's transport after what is written has gone."""

    def make_connection(self, link: Link) -> Connection:
        """Make the client-role connection for a link."""
        raise RuntimeError("a dialer must make connections")


class Link(ConnectionHandler):
    """One connection, or an attempt to get one."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint: Endpoint = endpoint
        self.connection: Connection | None = None
        self.transport: object | None = None
        """Owned by the dialer."""
        self.ready: bool = False
        self.closed: bool = False
        self.ready_at: float = 0.0
        self.pinged_at: float = 0.0

    def opened(self) -> None:
        """Learn from the dialer that the transport is there; the endpoint waits for the peer's SETTINGS."""
        connection = self.connection
        if connection is not None and not self.closed:
            connection.start(self.endpoint.timers.now)

    def failed(self, reason: str) -> None:
        """Learn from the dialer that there is no transport."""
        if not self.closed:
            self.closed = True
            self.endpoint.link_failed(self, reason)

    def on_capacity(self) -> None:
        connection = self.connection
        if connection is None or self.closed:
            return
        endpoint = self.endpoint
        if not self.ready and connection.settings_received:
            self.ready = True
            self.ready_at = endpoint.timers.now
            self.pinged_at = self.ready_at
            endpoint.link_ready(self)
        elif endpoint.waiting:
            endpoint.serve()

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        self.endpoint.link_leaving(self)

    def on_terminated(self, code: int, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        self.endpoint.link_gone(self, reason)


class Endpoint(UpstreamEndpoint):
    """One address; see the module."""

    def __init__(
        self,
        address: str,
        index: int,
        connect_timeout_s: float,
        dialer: Dialer,
        timers: TimerWheel,
        draw: Callable[[], float],
    ) -> None:
        super().__init__(address, index)
        self.timers: TimerWheel = timers
        self.state: int = IDLE
        self.last_error: str = ""
        self.links: list[Link] = []
        """Ready links that take new streams."""
        self.draining: list[Link] = []
        """Links that only finish what they have."""
        self.dialling: Link | None = None
        self.waiting: dict[StreamSeeker, None] = {}
        self.retired: bool = False
        self.connects: int = 0
        self.connect_failures: int = 0
        self.on_state: StateListener | None = None
        self._connect_timeout_s: float = connect_timeout_s
        self._dialer: Dialer = dialer
        self._draw: Callable[[], float] = draw
        self._failures: int = 0
        self._timer: _Redial = _Redial(self)
        self._next: int = 0

    # what attempts ask

    def seek(self, seeker: StreamSeeker) -> None:
        connection = self._free_connection()
        if connection is not None and not self.waiting:
            seeker.connection_ready(connection)
            return
        if self.retired or self.state == BACKOFF or len(self.waiting) >= MAX_WAITING:
            seeker.connection_failed(self.last_error or "no connection")
            return
        self.waiting[seeker] = None
        if self.dialling is None and len(self.links) < MAX_CONNECTIONS:
            self.dial()

    def abandon(self, seeker: StreamSeeker) -> None:
        self.waiting.pop(seeker, None)

    def _free_connection(self) -> Connection | None:
        links = self.links
        count = len(links)
        for step in range(count):
            connection = links[(self._next + step) % count].connection
            if connection is not None and connection.can_open:
                if count > 1:
                    self._next = (self._next + step + 1) % count
                return connection
        return None

    def serve(self) -> None:
        """Give streams to those who wait, first come first served."""
        while self.waiting:
            connection = self._free_connection()
            if connection is None:
                if self.dialling is None and not self.retired and len(self.links) < MAX_CONNECTIONS:
                    self.dial()
                return
            seeker = next(iter(self.waiting))
            del self.waiting[seeker]
            seeker.connection_ready(connection)

    # dialling

    def dial(self) -> None:
        """Start a connection unless one is being made."""
        if self.dialling is not None or self.retired:
            return
        if not self.links:
            self._set_state(CONNECTING)
        link = Link(self)
        link.connection = self._dialer.make_connection(link)
        self.dialling = link
        self._dialer.dial(link, self.address, self._connect_timeout_s)
        if self.dialling is link:
            self.timers.arm(self._timer, self.timers.now + self._connect_timeout_s)

    def redial(self) -> None:
        """Follow the timer: give up a dial that takes too long, or end a wait."""
        link = self.dialling
        if link is not None:
            link.closed = True
            self._dialer.hang_up(link)
            self.link_failed(link, "timed out")
        elif self.state == BACKOFF:
            self._set_state(CONNECTING)
            self.dial()

    def link_failed(self, link: Link, reason: str) -> None:
        """A dial came to nothing."""
        if self.dialling is link:
            self.dialling = None
        self.connect_failures += 1
        self.last_error = reason
        if self.links:
            # Others carry the traffic; those who wait go on waiting for them.
            self.timers.cancel(self._timer)
            return
        self._back_off()

    def link_ready(self, link: Link) -> None:
        """A dial has its SETTINGS."""
        if self.dialling is link:
            self.dialling = None
        self.timers.cancel(self._timer)
        if self.retired:
            self._hang_up(link)
            return
        self.connects += 1
        self.last_error = ""
        self.links.append(link)
        self._set_state(READY)
        self.serve()

    def link_leaving(self, link: Link) -> None:
        """The peer said GOAWAY: no new streams there."""
        if link in self.links:
            self.links.remove(link)
            self.draining.append(link)
            if not self.links and not self.retired:
                self._lost(self.timers.now - link.ready_at)

    def link_gone(self, link: Link, reason: str) -> None:
        """A connection has ended; its streams have been told."""
        self._dialer.hang_up(link)
        if self.dialling is link:
            self.dialling = None
            self.connect_failures += 1
            self.last_error = reason
            if not self.links:
                self._back_off()
            return
        if link in self.draining:
            self.draining.remove(link)
            return
        if link in self.links:
            self.links.remove(link)
            self.last_error = reason
            if self.links:
                # Those who wait may have a right to another connection now.
                self.serve()
            elif not self.retired:
                self._lost(self.timers.now - link.ready_at)

    def _lost(self, lived_s: float) -> None:
        """The last connection is gone. One try at once, since a restarted server is often back already; but a
        server that accepts and hangs up or says GOAWAY, again and again, is left alone for a while.
        """
        if lived_s >= STEADY_S:
            self._failures = 0
        if lived_s >= STEADY_S or self.dialling is not None:
            self._set_state(CONNECTING)
            self.dial()
        else:
            self._back_off()

    def _back_off(self) -> None:
        wait = min(INITIAL_BACKOFF_S * BACKOFF_FACTOR ** min(self._failures, 32), MAX_BACKOFF_S)
        wait *= 1.0 + BACKOFF_JITTER * (2.0 * self._draw() - 1.0)
        self._failures += 1
        self._set_state(BACKOFF)
        if not self.retired:
            self.timers.arm(self._timer, self.timers.now + wait)
        waiting = list(self.waiting)
        self.waiting.clear()
        for seeker in waiting:
            seeker.connection_failed(self.last_error)

    def _set_state(self, state: int) -> None:
        if self.state != state:
            self.state = state
            listener = self.on_state
            if listener is not None:
                listener.endpoint_changed(self)

    # housekeeping

    def sweep(self, now: float) -> None:
        """Ping connections with open streams; end those that do not answer, and those that have nothing left
        to finish.
        """
        for link in self.links + self.draining:
            connection = link.connection
            if connection is None or connection.closed:
                continue
            if connection.next_deadline() <= now:
                connection.handle_timer(now)
            elif connection.ping_outstanding_since > 0.0:
                if now - connection.ping_outstanding_since >= KEEPALIVE_TIMEOUT_S:
                    connection.terminate(NO_ERROR, "keepalive timeout")
            elif connection.active_streams == 0:
                link.pinged_at = now
                if link in self.draining:
                    connection.terminate(NO_ERROR, "drained")
            elif now - link.pinged_at >= KEEPALIVE_S:
                link.pinged_at = now
                connection.ping(now)

    def retire(self) -> None:
        """Leave the cluster: no new streams, connections end when their streams have."""
        self.retired = True
        self.on_state = None
        self.timers.cancel(self._timer)
        link = self.dialling
        if link is not None:
            self.dialling = None
            link.closed = True
            self._dialer.hang_up(link)
        self.draining.extend(self.links)
        self.links.clear()
        waiting = list(self.waiting)
        self.waiting.clear()
        for seeker in waiting:
            seeker.connection_failed("endpoint was removed")

    def _hang_up(self, link: Link) -> None:
        connection = link.connection
        if connection is not None:
            connection.terminate(NO_ERROR, "endpoint was removed")

    def is_drained(self) -> bool:
        """Tell whether a retired endpoint has nothing left to finish."""
        return not self.draining and self.dialling is None

    def close(self) -> None:
        """End every connection now."""
        self.retire()
        for link in list(self.draining):
            self._hang_up(link)


class StateListener:
    """Hears about changes of an endpoint's state."""

    def endpoint_changed(self, endpoint: Endpoint) -> None:
        """Take note."""


class _Redial(Timed):
    """Wakes an endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.tick = -1
        self._endpoint: Endpoint = endpoint

    def fire(self, now: float) -> None:
        self._endpoint.redial()
