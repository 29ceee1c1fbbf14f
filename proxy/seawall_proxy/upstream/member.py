"""What balancing and health checks know about an endpoint, its connections left aside."""

from __future__ import annotations

from seawall_policy import status
from seawall_policy.balance.peak_ewma import PeakEwma, scored_latency
from seawall_policy.health import UNKNOWN
from seawall_policy.transport import NO_LIMIT
from seawall_proxy.call.timers import TimerWheel
from seawall_proxy.call.upstream_port import UpstreamEndpoint


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

    def observe(self, started: float, code: int, pushback_s: float) -> None:
        now = self.timers.now
        if code == status.CANCELLED:
            self.latency.exceeded(now - started, now)
        else:
            self.latency.observe(scored_latency(now - started, code, pushback_s), now)

    def cost(self, weight: float, now: float) -> float:
        """Return what one more attempt would cost here, for peak EWMA."""
        return self.latency.cost(self.in_flight, weight, now)
