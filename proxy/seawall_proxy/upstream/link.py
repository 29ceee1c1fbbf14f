"""One connection to an endpoint, or an attempt to get one, and who makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from seawall_policy.transport import NO_LIMIT
from seawall_proxy.http2.connection import Connection
from seawall_proxy.http2.errors import ENHANCE_YOUR_CALM
from seawall_proxy.http2.handlers import ConnectionHandler

if TYPE_CHECKING:
    from seawall_proxy.upstream.endpoint import Endpoint


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
        self.used_at: float = 0.0
        """When a stream was last seen on it."""
        self.streams_seen: int = 0
        self.due_at: float = NO_LIMIT
        """When another connection takes its place."""
        self.served: bool = False
        """The peer left it with GOAWAY and had taken calls on it."""

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
        connection = self.connection
        if code == ENHANCE_YOUR_CALM:
            self.endpoint.ping_less()
        self.served = last_stream_id > 0 and connection is not None and connection.streams_opened > 0
        self.endpoint.link_leaving(self)

    def on_terminated(self, code: int, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        self.endpoint.link_gone(self, reason)
