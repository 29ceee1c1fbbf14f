"""What a call needs from the upstream side: a cluster that picks endpoints, and endpoints that give streams.

The upstream room subclasses these; the call room knows no sockets and no health.
"""

from __future__ import annotations

from seawall_proxy.call.timers import Timed
from seawall_proxy.http2.connection import Connection


class StreamSeeker(Timed):
    """Somebody who waits for a connection on which a stream can be opened."""

    def connection_ready(self, connection: Connection) -> None:
        """Open the stream on `connection` now; it has room for one."""

    def connection_failed(self, reason: str) -> None:
        """Learn that no connection could be had; nothing was sent."""


class UpstreamEndpoint:
    """One address of a cluster."""

    def __init__(self, address: str, index: int) -> None:
        self.address: str = address
        self.index: int = index
        """Position in the cluster of the policy in force."""
        self.in_flight: int = 0
        """Attempts that hold this endpoint, waiting ones included."""
        self.attempts: int = 0
        self.failures: int = 0

    def seek(self, seeker: StreamSeeker) -> None:
        """Call `connection_ready` or `connection_failed` of `seeker`, now or later, exactly once."""

    def abandon(self, seeker: StreamSeeker) -> None:
        """Forget a seeker that waits; neither of its methods is called any more."""


class UpstreamCluster:
    """Interchangeable endpoints."""

    def __init__(self, name: str, max_in_flight: int, authority: bytes) -> None:
        self.name: str = name
        self.max_in_flight: int = max_in_flight
        self.authority: bytes = authority
        self.in_flight: int = 0

    def pick(self, tried: int) -> UpstreamEndpoint | None:
        """Choose an endpoint, one outside the mask `tried` if possible; None when none can be reached."""
        return None

    def bit(self, endpoint: UpstreamEndpoint) -> int:
        """Return the bit of `endpoint` in the mask of tried ones."""
        return 1 << endpoint.index
