"""The limits of a route where calls meet them: the gate with its timer, and the rate limiter.

A gate is told about calls and returns places; what follows (a call begins, a call is refused) is done here,
in turn, also when it makes further calls end meanwhile.
"""

from __future__ import annotations

from math import inf

from mypy_extensions import mypyc_attr

from seawall_policy.limit import gate as gate_module
from seawall_policy.limit.gate import Gate
from seawall_policy.limit.options import SHADOW, LimitOptions
from seawall_policy.limit.place import Place
from seawall_policy.rate import RateLimiter
from seawall_proxy.call.timers import Timed, TimerWheel


@mypyc_attr(allow_interpreted_subclasses=True)
class Waiter(Timed):
    """A call that may have to wait for a place."""

    def place_given(self) -> None:
        """Begin."""

    def place_refused(self, in_vain: bool) -> None:
        """End: nobody more may wait, or the waiting was `in_vain`."""


class Seat(Place):
    """The place of a call."""

    def __init__(self, call: Waiter, criticality: int, deadline: float) -> None:  # as Place, in one call
        self.criticality = criticality
        self.deadline = deadline
        self.call: Waiter = call


class Admission(Timed):
    """A gate and its timer. Shared by the routes to a cluster whose limits are equal."""

    def __init__(self, options: LimitOptions, cluster: str) -> None:
        self.tick = -1
        self.cluster: str = cluster
        self.gate: Gate = Gate(options)
        self._timers: TimerWheel | None = None
        self._settling: bool = False

    def wait(self, now: float, timers: TimerWheel) -> None:
        """Look after the calls that wait; one has joined them."""
        self._timers = timers
        self.settle(now)

    def answered(self, seat: Seat, now: float) -> None:
        """Free the place of a call that goes on after its first answer."""
        self.gate.answered(seat)
        if self.gate.queue.length > 0:
            self.settle(now)

    def resize(self, options: LimitOptions) -> None:
        """Go on under changed numbers; whoever waits and fits now begins in a moment."""
        self.gate.resize(options)
        timers = self._timers
        if self.gate.queue.length > 0 and timers is not None:
            timers.arm(self, timers.now)

    def fire(self, now: float) -> None:
        if self.gate.queue.length > 0:
            # There may be more places than there were.
            self.settle(now)
        self.gate.expire(now)
        self.settle(now)

    def settle(self, now: float) -> None:
        """Let those begin and end that the gate has decided on, and set the timer for the others."""
        if self._settling:
            # Whoever begins may end at once, and come back here: the loop below goes on.
            return
        self._settling = True
        gate = self.gate
        while True:
            refused = gate.next_refused()
            if refused is not None:
                seat = refused[0]
                assert isinstance(seat, Seat)
                seat.call.place_refused(refused[1] == gate_module.WAITED_IN_VAIN)
                continue
            place = gate.next_started(now)
            if place is None:
                break
            assert isinstance(place, Seat)
            place.call.place_given()
        self._settling = False
        timers = self._timers
        if timers is None:
            return
        at = gate.next_deadline()
        if at < inf:
            timers.arm(self, at)
        elif self.tick >= 0:
            timers.cancel(self)


class Guards:
    """What stands before the first attempt of a route's calls; None for what is off."""

    def __init__(self, admission: Admission | None, rate: RateLimiter | None) -> None:
        self.admission: Admission | None = admission
        self.rate: RateLimiter | None = rate

    @property
    def is_full(self) -> bool:
        """Tell whether the limit leaves no room for anything extra (a hedge); in shadow it has no say."""
        admission = self.admission
        if admission is None or admission.gate.options.mode == SHADOW:
            return False
        return admission.gate.is_full
