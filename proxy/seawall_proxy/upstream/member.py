"""What balancing and health checks know about an endpoint, its connections left aside."""

from __future__ import annotations

from seawall_policy import status
from seawall_policy.balance.peak_ewma import PeakEwma, scored_latency
from seawall_policy.health import UNKNOWN
from seawall_policy.outlier.tally import IN, Tally
from seawall_policy.outlier.tally import NO_LIMIT as ANY_NUMBER
from seawall_policy.transport import NO_LIMIT
from seawall_proxy.call.timers import TimerWheel
from seawall_proxy.call.upstream_port import UpstreamEndpoint


class OutlierWatch:
    """Whoever compares the members of a cluster."""

    def rouse(self) -> None:
        """An attempt has begun, and nobody is looking."""

    def look_at(self, member: Member) -> None:
        """Something about this member is to be looked at at once."""


class Member(UpstreamEndpoint):
    """One member of a cluster."""

    def __init__(self, address: str, index: int, timers: TimerWheel) -> None:
        super().__init__(address, index)
        self.timers: TimerWheel = timers
        self.weight: int = 1
        self.zone: str = ""
        self.priority: int = 0
        self.health: int = UNKNOWN
        """What health checks say (`seawall_policy.health`)."""
        self.cold: bool = True
        """It has had no connection yet, or none since a dial failed."""
        self.warm_since: float = -NO_LIMIT
        """Since when it warms up."""
        self.own_streams: int = 0
        """Streams that no call has opened: health checks."""
        self.latency: PeakEwma = PeakEwma(timers.now)
        """Learned only while `watched`."""
        self.watch: OutlierWatch | None = None
        self.ejected: bool = False
        """It is left out as an outlier."""
        self.parked: bool = False
        """A person has taken it out of service: no attempt begins there, whatever else is wrong."""
        self.most: int = ANY_NUMBER
        """Attempts that the cluster lets it have in flight."""
        self.room: int = ANY_NUMBER
        """The same, or less while it is ejected or on trial."""

    def observe(self, started: float, code: int, pushback_s: float) -> None:
        now = self.timers.now
        if code == status.CANCELLED:
            self.latency.exceeded(now - started, now)
        else:
            self.latency.observe(scored_latency(now - started, code, pushback_s), now)

    def cost(self, weight: float, now: float) -> float:
        """Return what one more attempt would cost here, for peak EWMA."""
        return self.latency.cost(self.in_flight, weight, now)

    # outliers

    def set_room(self, enforced: bool) -> None:
        """Compute `room` anew; `enforced`: its ejections and trials are carried out."""
        tally = self.tally
        most = self.most
        self.room = most if tally is None or not enforced else min(most, tally.room())

    def has_room(self) -> bool:
        return self.in_flight < self.room

    def rouse(self) -> None:
        if self.watch is not None:
            self.watch.rouse()

    def answered(self, tally: Tally, started: float) -> None:
        tally.answered(started, self.timers.now)

    def given_up(self, tally: Tally, started: float) -> None:
        tally.gave_up(started, self.timers.now)

    def judged(self, tally: Tally, started: float, code: int, how: int) -> None:
        urgent = tally.ended(started, code, how, self.timers.now)
        # On trial each end may make room for more.
        if (urgent or tally.state != IN) and self.watch is not None and tally is self.tally:
            self.watch.look_at(self)
