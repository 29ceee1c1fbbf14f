"""What a call needs from the upstream side: a cluster that picks endpoints, and endpoints that give streams.

The upstream room subclasses these; the call room knows no sockets and no health.
"""

from __future__ import annotations

from seawall_policy.outlier.tally import Tally
from seawall_proxy.call.timers import Timed
from seawall_proxy.http2.connection import Connection


class StreamSeeker(Timed):
    """Somebody who waits for a connection on which a stream can be opened."""

    def connection_ready(self, connection: Connection) -> None:
        """Open the stream on `connection` now; it has room for one."""

    def connection_failed(self, reason: str) -> None:
        """Learn that no connection could be had; nothing was sent."""

    def give_way(self) -> None:
        """Leave the place that is held on the side: a call needs it."""


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
        self.watched: bool = False
        """Attempts are to tell how long they took."""
        self.tally: Tally | None = None
        """What attempts are counted in, to compare the endpoints; None when nobody does."""

    def seek(self, seeker: StreamSeeker) -> None:
        """Call `connection_ready` or `connection_failed` of `seeker`, now or later, exactly once."""

    def abandon(self, seeker: StreamSeeker) -> None:
        """Forget a seeker that waits; neither of its methods is called any more."""

    def has_room(self) -> bool:
        """Tell whether another attempt may go here that need not go anywhere."""
        return True

    def is_down(self) -> bool:
        """Tell whether no connection can be had, rather than that too many wait for one."""
        return True

    def observe(self, started: float, code: int, pushback_s: float) -> None:
        """Learn of an attempt that began at `started`: its first answer (code OK) or its failure, with what
        the server said about when to come back (negative: nothing). Only called while `watched`.
        """

    def rouse(self) -> None:
        """Learn that an attempt has begun although nobody looks at the tally."""

    def answered(self, tally: Tally, started: float) -> None:
        """Learn that the first byte of an answer has come to an attempt that began at `started`."""

    def given_up(self, tally: Tally, started: float) -> None:
        """Learn that nobody waits for the answer to it any more."""

    def judged(self, tally: Tally, started: float, code: int, how: int) -> None:
        """Learn the final status of an attempt; `how` as in `seawall_policy.outlier.tally`."""


class ClusterLoad:
    """What a cluster has to do; it outlives policy documents."""

    def __init__(self) -> None:
        self.in_flight: int = 0
        """Attempts that hold one of its endpoints."""
        self.spares: dict[StreamSeeker, None] = {}
        """Those among them that are hedges beside another attempt, in the order in which they came."""

    def make_room(self) -> None:
        """Take the newest hedge back, if there is one, so that a call can have its place."""
        if self.spares:
            newest = next(reversed(self.spares))
            del self.spares[newest]
            newest.give_way()


class UpstreamCluster:
    """Interchangeable endpoints, as one policy document has them."""

    def __init__(
        self, name: str, max_in_flight: int, authority: bytes, load: ClusterLoad | None = None
    ) -> None:
        self.name: str = name
        self.max_in_flight: int = max_in_flight
        self.authority: bytes = authority
        self.load: ClusterLoad = ClusterLoad() if load is None else load
        self.hash_name: bytes = b""
        """The metadata key whose value chooses the endpoint (`pick_for`); empty: none does."""
        self.secure: bool = False
        """Its connections are under TLS."""

    @property
    def in_flight(self) -> int:
        """Attempts in flight to the cluster, those of calls under older documents included."""
        return self.load.in_flight

    def pick(self, tried: int) -> UpstreamEndpoint | None:
        """Choose an endpoint, one outside the mask `tried` if possible; None when none can be reached."""
        return None

    def pick_for(self, key: bytes, tried: int) -> UpstreamEndpoint | None:
        """Choose the endpoint for a value of the metadata key `hash_name`, otherwise as `pick`."""
        return self.pick(tried)

    def is_full(self) -> bool:
        """Tell whether there are endpoints that can be reached, and all of them have all that they may."""
        return False

    def bit(self, endpoint: UpstreamEndpoint) -> int:
        """Return the bit of `endpoint` in the mask of tried ones."""
        return 1 << endpoint.index
