"""One upstream address with its connections.

An endpoint is IDLE (nothing tried), CONNECTING, READY (a connection has answered with SETTINGS) or in
BACKOFF. A connection counts only once the peer's SETTINGS are there: a port that accepts and then says
nothing is no endpoint. Attempts that find no room wait in line; they are served as streams end or connections
become ready, and told when the dial fails. While every open connection is at the peer's
MAX_CONCURRENT_STREAMS and attempts wait, further connections are dialled up to a limit.

After a failed dial the endpoint waits (exponential backoff with jitter, gRPC's connection backoff) and then
dials again by itself, so that the first call after a recovery does not have to find out. The longest wait is
10 s, well below gRPC's 120 s: an endpoint in backoff gets no calls, so the wait is also how late its return
can be noticed. One that was good is waited for at most a second, or a quarter of the time that it is away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seawall_policy.transport import NO_LIMIT, ClientTls, ConnectionOptions
from seawall_proxy.call.timers import Timed, TimerWheel
from seawall_proxy.call.upstream_port import StreamSeeker
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.errors import NO_ERROR
from seawall_proxy.upstream.link import Dialer, Link
from seawall_proxy.upstream.member import Member

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
LATE_S: Final = 1.0
LATE_SHARE: Final = 0.25
"""The return of an endpoint that was good is noticed this late at most: a second, or this share of the time
that it was away.
"""
MAX_WAITING: Final = 1024
MOST_SPACING: Final = 64.0
"""Pings are at most this much further apart than the settings say."""
AGE_SPREAD: Final = 0.1
"""A connection's greatest age is less by up to this share, so that not all are replaced at once."""


class Endpoint(Member):
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
        super().__init__(address, index, timers)
        self.state: int = IDLE
        self.last_error: str = ""
        self.links: list[Link] = []
        """Ready links that take new streams."""
        self.draining: list[Link] = []
        """Links that only finish what they have."""
        self.dialling: Link | None = None
        self.waiting: dict[StreamSeeker, None] = {}
        self.retired: bool = False
        self.tls: ClientTls | None = None
        """How the dialer protects connections; None: plaintext."""
        self.options: ConnectionOptions = ConnectionOptions()
        self.connects: int = 0
        self.connect_failures: int = 0
        self.on_state: StateListener | None = None
        self._connect_timeout_s: float = connect_timeout_s
        self._dialer: Dialer = dialer
        self._draw: Callable[[], float] = draw
        self._failures: int = 0
        self._waited_s: float = 0.0
        """The latest wait after a failed dial."""
        self._good_at: float = -NO_LIMIT
        """When a connection that had lasted was lost."""
        self._extra_failures: int = 0
        """Further connections in a row that failed or did not last, while others carried the traffic."""
        self._extra_at: float = 0.0
        """Until when no further one is tried."""
        self._timer: _Redial = _Redial(self)
        self._next: int = 0
        self._ping_spacing: float = 1.0
        """By how much pings are further apart than the settings say."""

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
        if connection is not None:
            # Others were first; they are served now, and this one after them.
            self.serve()
        elif self._may_dial():
            self.dial()

    def is_down(self) -> bool:
        return self.state == BACKOFF

    def abandon(self, seeker: StreamSeeker) -> None:
        self.waiting.pop(seeker, None)

    @property
    def usable(self) -> bool:
        """Whether it can be expected to serve: it has a connection, or gets one as far as anybody knows."""
        if self.retired or self.state == BACKOFF:
            return False
        return self.state != CONNECTING or self._failures == 0

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
                if self._may_dial():
                    self.dial()
                return
            seeker = next(iter(self.waiting))
            del self.waiting[seeker]
            seeker.connection_ready(connection)

    # dialling

    def _may_dial(self) -> bool:
        """Whether those who wait may have another connection dialled for them."""
        if self.dialling is not None or self.retired:
            return False
        count = len(self.links)
        return count == 0 or (count < self.options.max_connections and self.timers.now >= self._extra_at)

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
        elif self.waiting:
            self.serve()

    def retry_now(self) -> None:
        """End a wait early."""
        if self.state == BACKOFF and not self.retired:
            self.timers.cancel(self._timer)
            self.redial()

    def link_failed(self, link: Link, reason: str) -> None:
        """A dial came to nothing."""
        if self.dialling is link:
            self.dialling = None
        self._not_connected(reason)

    def _not_connected(self, reason: str) -> None:
        self.connect_failures += 1
        self.last_error = reason
        if self.links:
            self._put_off()
        else:
            self._back_off()

    def _put_off(self) -> None:
        """Others carry the traffic; those who wait go on waiting for them, and a further connection is not
        dialled at once again.
        """
        now = self.timers.now
        self._forget_extra_failures(now)
        self._extra_at = now + self._backoff_s(self._extra_failures)
        self._extra_failures += 1
        self.timers.arm(self._timer, self._extra_at)

    def _expect_steadiness(self, link: Link) -> None:
        """One of several connections is gone. When it did not last, the first such loss is made up for at
        once, and the next ones are not.
        """
        now = self.timers.now
        if now - link.ready_at >= STEADY_S:
            return
        self._forget_extra_failures(now)
        if self._extra_failures > 0:
            self._put_off()
        else:
            self._extra_failures = 1
            self._extra_at = now

    def _forget_extra_failures(self, now: float) -> None:
        if now - self._extra_at > MAX_BACKOFF_S:
            self._extra_failures = 0

    def link_ready(self, link: Link) -> None:
        """A dial has its SETTINGS."""
        if self.dialling is link:
            self.dialling = None
        self.timers.cancel(self._timer)
        if self.retired:
            self._hang_up(link)
            return
        self.connects += 1
        self._set_due(link)
        self.last_error = ""
        self.links.append(link)
        self._set_state(READY)
        self.serve()

    def link_leaving(self, link: Link) -> None:
        """The peer said GOAWAY: no new streams there."""
        if link in self.links:
            self.links.remove(link)
            self.draining.append(link)
            if self.links:
                self._expect_steadiness(link)
                # Those who wait may have a right to another connection now.
                self.serve()
            elif not self.retired:
                # Who takes a call on each connection and leaves (a limit of calls or age) is there all the
                # same.
                self._lost(STEADY_S if link.served else self.timers.now - link.ready_at)

    def link_gone(self, link: Link, reason: str) -> None:
        """A connection has ended; its streams have been told."""
        self._dialer.hang_up(link)
        if self.dialling is link:
            self.dialling = None
            self._not_connected(reason)
            return
        if link in self.draining:
            self.draining.remove(link)
            return
        if link in self.links:
            self.links.remove(link)
            self.last_error = reason
            if self.links:
                self._expect_steadiness(link)
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
            self._good_at = self.timers.now
        elif lived_s >= self._waited_s:
            # Up for as long as it was waited for: a shorter wait is no more of a burden.
            self._failures = max(0, self._failures - 2)
        if lived_s >= STEADY_S or self.dialling is not None:
            self._set_state(CONNECTING)
            self.dial()
        else:
            self._back_off()

    def _backoff_s(self, failures: int) -> float:
        wait: float = min(INITIAL_BACKOFF_S * BACKOFF_FACTOR ** min(failures, 32), MAX_BACKOFF_S)
        return wait * (1.0 + BACKOFF_JITTER * (2.0 * self._draw() - 1.0))

    def _back_off(self) -> None:
        away = self.timers.now - self._good_at
        wait = min(self._backoff_s(self._failures), max(LATE_S, LATE_SHARE * away))
        self._waited_s = wait
        self._failures += 1
        self.cold = True
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
        """Ping connections with open streams; end those that do not answer, that nobody uses, and that have
        nothing left to finish; replace those that are old.
        """
        for link in self.links + self.draining:
            connection = link.connection
            if connection is not None and not connection.closed:
                self._look_after(link, connection, now)
        for link in list(self.links):
            if now >= link.due_at:
                self._replace(link)

    def _look_after(self, link: Link, connection: Connection, now: float) -> None:
        if connection.next_deadline() <= now:
            connection.handle_timer(now)
        elif connection.ping_outstanding_since > 0.0:
            if now - connection.ping_outstanding_since >= self.options.keepalive_timeout_s:
                connection.terminate(NO_ERROR, "keepalive timeout")
        elif connection.active_streams == 0:
            link.pinged_at = now
            if link in self.draining:
                connection.terminate(NO_ERROR, "drained")
            else:
                self._expect_use(link, connection, now)
        else:
            link.used_at = now
            if now - link.pinged_at >= self.options.keepalive_interval_s * self._ping_spacing:
                link.pinged_at = now
                connection.ping(now)

    def ping_less(self) -> None:
        """Ping half as often: the server took our pings for too many (gRFC A8). gRPC's servers allow one in
        five minutes to a stream on which they say nothing, unless they are told otherwise.
        """
        self._ping_spacing = min(2.0 * self._ping_spacing, MOST_SPACING)

    def _expect_use(self, link: Link, connection: Connection, now: float) -> None:
        """Close a connection that has had no stream for long; the next call dials again."""
        if connection.streams_opened != link.streams_seen:
            link.streams_seen = connection.streams_opened
            link.used_at = now
        elif now - link.used_at >= self.options.idle_timeout_s and link in self.links:
            self.links.remove(link)
            connection.terminate(NO_ERROR, "idle")
            if not self.links and self.dialling is None:
                self._set_state(IDLE)

    def _set_due(self, link: Link) -> None:
        now = self.timers.now
        link.used_at = now
        if self.options.max_age_s != NO_LIMIT:
            link.due_at = now + self.options.max_age_s * (1.0 - AGE_SPREAD * self._draw())

    def _replace(self, link: Link) -> None:
        """Give an old connection's work to another one; until there is one, it goes on."""
        if len(self.links) > 1:
            self.links.remove(link)
            self.draining.append(link)
            # Those who wait may have a right to another connection now.
            self.serve()
        elif self.dialling is None and not self.retired and self.timers.now >= self._extra_at:
            self.dial()

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
