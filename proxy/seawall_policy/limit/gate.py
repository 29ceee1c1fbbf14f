"""Everything together: what a call meets before its first attempt.

`enter` gives a place, lets the call wait, or refuses it; `leave` takes a place back, with what came of the
call. Places are given to those that wait by `next_started`, and those that wait in vain are told by
`next_refused`; whoever calls this module asks both after each `enter`, `leave` and `expire`. A call leaves
exactly once: a place that is GONE is left alone.

Who may enter. Below the limit anyone may, as long as nobody waits; at the limit only a class that holds
fewer places than it is sure of (Netflix's partitions). While calls wait, or have waited within the last
`SHEDDING_S`, the limit of a class is less what more important ones are sure of and do not use: the less
important are shed first, and a guarantee is there when it is needed and not only after others have left.

Fair shares. Where calls have tenants, a free place goes to the tenant that holds the fewest (`fair`).

Brownout. Optional calls are for when there is room to spare: they are refused while somebody waits, for
`SHEDDING_S` longer, and while a share of the limit is in use (`sheds_optional`). They never wait. The word
and the idea, to switch optional work off before anything else suffers, are those of Klein et al., *Brownout:
Building More Robust Cloud Applications* (ICSE 2014).

What teaches. A success is a sample: the time from getting its place to its end, and the calls at work when
it began. Only calls count that began after the last change of the limit. RESOURCE_EXHAUSTED, UNAVAILABLE and
DEADLINE_EXCEEDED of a server are losses (Netflix's mapping); everything else says nothing.

Long calls. A place is for work. A call that is at work for longer than `LONG_TIMES` the usual time, and
`LONG_AT_LEAST_S`, is a stream without news, waits for its client, or hangs at an endpoint that has stopped;
it gives its place back to the others when they need it, and is no sample. As many as `max_in_flight` again
may be such calls. One that waits at a slow service for its turn is none of them: a call has at least the time
in which the service, at the rate that it has shown, works off as many as the limit (`TURN_AT_MOST_S` of it).
Otherwise an overload would hide the very calls that tell of it.
"""

from __future__ import annotations

from math import inf
from typing import Final

from seawall_policy.limit.aimd import Aimd
from seawall_policy.limit.algorithm import Algorithm, Fixed
from seawall_policy.limit.fair import Tenants
from seawall_policy.limit.gradient import Gradient, Gradient2
from seawall_policy.limit.knee import Knee
from seawall_policy.limit.options import (
    AIMD,
    CLASSES,
    GRADIENT,
    GRADIENT2,
    KNEE,
    SHADOW,
    VEGAS,
    LimitOptions,
)
from seawall_policy.limit.place import (
    ANSWERED,
    AT_WORK,
    GONE,
    LONG,
    LOST,
    SUCCESS,
    WAITING,
    Chain,
    Place,
)
from seawall_policy.limit.queue import Queue
from seawall_policy.limit.vegas import Vegas
from seawall_policy.limit.window import Window

ENTERED: Final = 0
QUEUED: Final = 1
NO_PLACE: Final = 2
"""Refused: the limit is reached, and nobody may wait any more."""
WAITED_IN_VAIN: Final = 3
"""Refused after waiting: for too long, or until too little time was left."""

SHEDDING_S: Final = 1.0
LONG_AT_LEAST_S: Final = 0.25
TURN_AT_MOST_S: Final = 1.0
"""How long a call may wait at the service for its turn before it counts as a long one."""
UNKNOWN_S: Final = 1.0
"""When to come back as long as nothing is known."""
LONG_TIMES: Final = 10.0
"""A call is a long one after so many times the usual time at work, and after `LONG_AT_LEAST_S`."""
_USUAL: Final = 0.3
"""Weight of a new window in the usual time at work."""


def make_algorithm(options: LimitOptions) -> Algorithm:
    """Return the algorithm of a kind."""
    if options.kind == GRADIENT:
        return Gradient(options)
    if options.kind == VEGAS:
        return Vegas(options)
    if options.kind == GRADIENT2:
        return Gradient2(options)
    if options.kind == AIMD:
        return Aimd(options)
    if options.kind == KNEE:
        return Knee(options)
    return Fixed(options)


class Gate:
    """The limit of one cluster's calls. Times are monotonic seconds."""

    def __init__(self, options: LimitOptions, algorithm: Algorithm | None = None) -> None:
        self.options: LimitOptions = options
        self.algorithm: Algorithm = make_algorithm(options) if algorithm is None else algorithm
        self.limit: int = int(self.algorithm.limit)
        self.in_flight: int = 0
        """Places that are held, long calls not counted."""
        self.long_calls: int = 0
        self.queue: Queue = Queue()
        self.usual_s: float = 0.0
        """How long a call is at work, on average; 0.0 while that is not known."""
        self.offered: int = 0
        self.entered: int = 0
        self.refused: int = 0
        self.waited: int = 0
        """Calls that got their place after waiting."""
        self.wait_total_s: float = 0.0
        self.would_refuse: int = 0
        """In shadow: calls that would have had to wait or leave."""
        self.browned_out: int = 0
        """Optional calls that were refused to keep room for the others."""
        self.would_brown_out: int = 0
        """In shadow: the same, had it been enforced."""
        self.tenants: Tenants = Tenants(options.max_tenants)
        self._held: list[int] = [0] * CLASSES
        self._chain: Chain = Chain()
        self._epoch: int = 0
        self._window: Window = Window(self.algorithm.keeps_times)
        self._shedding_until: float = -inf
        self._refused: list[tuple[Place, int]] = []
        self._rate: float = 0.0
        """Successes a second in the window before; 0.0 while that is not known."""
        self._has_shares: bool = max(options.shares) > 0.0

    def resize(self, options: LimitOptions) -> None:
        """Go on under changed numbers; those that wait stay, even in a queue that is no more."""
        self.options = options
        self._has_shares = max(options.shares) > 0.0
        self.tenants.most = options.max_tenants
        self.algorithm.resize(options)
        self.limit = int(self.algorithm.limit)

    @property
    def is_full(self) -> bool:
        """Tell whether there is no room to spare: nothing extra, such as a hedge, should be begun."""
        return self.in_flight >= self.limit or self.queue.length > 0

    @property
    def samples(self) -> int:
        """How many calls the window that has not ended has learned from."""
        return self._window.count + self._window.drops

    def held_by(self, criticality: int) -> int:
        """Return how many places a class holds."""
        return self._held[criticality]

    # coming

    def enter(self, place: Place, now: float) -> int:
        """Take a call in: ENTERED, QUEUED (it will be among those that `next_started` or `next_refused`
        return), or NO_PLACE.
        """
        self.offered += 1
        if place.deadline < inf:
            self.algorithm.arrived(place.deadline - now)
        queue = self.queue
        if (
            self.in_flight < self.limit and queue.length == 0 and now >= self._shedding_until
        ) or self._may_start(place.criticality, now):
            self._start(place, now)
            return ENTERED
        if self.options.mode == SHADOW:
            self.would_refuse += 1
            self._start(place, now)
            return ENTERED
        self._shedding_until = now + SHEDDING_S
        if self.options.queue == 0:
            self._retire_long(now)
            if self._may_start(place.criticality, now):
                self._start(place, now)
                return ENTERED
            return self._refuse(place)
        if self.usual_s > place.deadline - now:
            return self._refuse(place)
        if queue.length >= self.options.queue:
            victim = queue.victim(place.criticality, now, place.tenant)
            if victim is None:
                return self._refuse(place)
            self._leave_queue(victim)
            self._refused.append((victim, NO_PLACE))
            self.refused += 1
        queue.join(place, now)
        if place.tenant is not None:
            self.tenants.came(place.tenant)
        self._retire_long(now)
        return QUEUED

    def sheds_optional(self, share: float, now: float) -> bool:
        """Tell whether an optional call is refused: it may only begin while nobody waits, or has waited
        within `SHEDDING_S`, and less than `share` (0 to 1) of the limit is in use. One that is not refused is
        still to `enter`.
        """
        calm = self.queue.length == 0 and now >= self._shedding_until
        if calm and self.in_flight < share * self.limit:
            return False
        if self.options.mode == SHADOW:
            self.would_brown_out += 1
            return False
        self.offered += 1
        self.refused += 1
        self.browned_out += 1
        return True

    def _leave_queue(self, place: Place) -> None:
        self.queue.leave(place)
        if place.tenant is not None:
            self.tenants.went(place.tenant)

    def _refuse(self, place: Place) -> int:
        place.state = GONE
        self.refused += 1
        return NO_PLACE

    def _may_start(self, criticality: int, now: float) -> bool:
        """Tell whether a call of a class may begin at once."""
        if self._has_shares and self._is_below_share(criticality):
            return True
        if self.queue.length > 0 and self.queue.most_important() <= criticality:
            return False
        if now < self._shedding_until:
            return self._has_room(criticality)
        return self.in_flight < self.limit

    def _start(self, place: Place, now: float) -> None:
        place.state = AT_WORK
        place.since = now
        self.in_flight += 1
        self.entered += 1
        self._held[place.criticality] += 1
        place.in_flight = self.in_flight
        window = self._window
        if self.in_flight > window.peak:  # noqa: PLR1730 - a comparison, for each call
            window.peak = self.in_flight
        if self.in_flight >= self.limit:
            place.limited = True
        place.epoch = self._epoch
        self._chain.append(place)
        tenant = place.tenant
        if tenant is not None:
            tenant.held += 1
            tenant.turn = self.entered
            self.tenants.came(tenant)

    # those that wait

    def next_started(self, now: float) -> Place | None:
        """Give a free place to the next call that waits; None when there is none or nobody waits."""
        queue = self.queue
        if queue.length == 0:
            return None
        for criticality in range(CLASSES):
            if queue.waiting(criticality) == 0:
                continue
            if not self._has_room(criticality):
                continue
            place = queue.next_of(criticality, now)
            assert place is not None
            queue.leave(place)
            # Its tenant is not forgotten: it holds a place at once.
            place.waited_s = now - place.since
            self.waited += 1
            self.wait_total_s += place.waited_s
            self._shedding_until = now + SHEDDING_S
            place.limited = True
            self._start(place, now)
            return place
        return None

    def _has_room(self, criticality: int) -> bool:
        """Tell whether there is a place for a call of a class, those left out that others are sure of."""
        room = self.limit - self.in_flight
        if not self._has_shares:
            return room > 0
        if self._is_below_share(criticality):
            return True
        for other in range(criticality):
            spare = self.options.sure_of(other, self.limit) - self._held[other]
            if spare > 0:
                room -= spare
        return room > 0

    def _is_below_share(self, criticality: int) -> bool:
        return self._held[criticality] < self.options.sure_of(criticality, self.limit)

    def next_refused(self) -> tuple[Place, int] | None:
        """Return a call that has left the queue in vain, and why (NO_PLACE, WAITED_IN_VAIN)."""
        return self._refused.pop() if len(self._refused) > 0 else None

    def expire(self, now: float) -> None:
        """Let those go that have waited too long, or have too little time left."""
        queue = self.queue
        needs = self.usual_s
        while queue.length > 0:
            place = queue.timed_out(now, self.options.queue_timeout_s)
            if place is None:
                place = queue.hopeless(now, needs)
                if place is None:
                    break
            self._leave_queue(place)
            self.refused += 1
            self._refused.append((place, WAITED_IN_VAIN))
        self._retire_long(now)

    def next_deadline(self) -> float:
        """Return when `expire` is due; infinity when nobody waits."""
        if self.queue.length == 0:
            return inf
        return self.queue.next_deadline(self.options.queue_timeout_s, self.usual_s)

    # going

    def answered(self, place: Place) -> None:
        """Free the place of a call that has its first answer and goes on: a stream, which may last for days.
        `leave` is still due.
        """
        if place.state == LONG:
            self.long_calls -= 1
        elif place.state == AT_WORK:
            self._free(place)
        else:
            return
        place.state = ANSWERED

    def leave(self, place: Place, now: float, outcome: int, rtt_s: float = -1.0) -> None:
        """Take a place back: of a call that has ended, or that does not want to wait any longer.

        `rtt_s` is the time at work where that is not the time since it got its place.
        """
        state = place.state
        if state == WAITING:
            self._leave_queue(place)
            return
        if state == LONG:
            self.long_calls -= 1
            place.state = GONE
            return
        if state == AT_WORK:
            self._free(place)
        elif state != ANSWERED:
            return
        place.state = GONE
        if outcome == SUCCESS:
            self._learn(place, now - place.since if rtt_s < 0.0 else rtt_s, now)
        elif outcome == LOST:
            self._learn(place, -1.0, now)

    def _free(self, place: Place) -> None:
        self._chain.remove(place)
        self.in_flight -= 1
        self._held[place.criticality] -= 1
        tenant = place.tenant
        if tenant is not None:
            tenant.held -= 1
            self.tenants.went(tenant)

    def _retire_long(self, now: float) -> None:
        """Count those no longer that have been at work for very long: the others need the places."""
        long_s = max(LONG_AT_LEAST_S, LONG_TIMES * self.usual_s)
        if self._rate > 0.0:
            # So long the last of a full limit waits for its turn; in an overload these are the samples.
            long_s = max(long_s, min(TURN_AT_MOST_S, self.limit / self._rate))
        while True:
            place = self._chain.oldest()
            if place is None or now - place.since < long_s or self.long_calls >= self.options.max_in_flight:
                return
            self._free(place)
            place.state = LONG
            self.long_calls += 1

    def _learn(self, place: Place, rtt_s: float, now: float) -> None:
        window = self._window
        window.done += 1
        if place.epoch != self._epoch:
            return
        algorithm = self.algorithm
        if rtt_s >= 0.0:
            window.add(rtt_s, place.in_flight, place.limited)
        else:
            window.drop()
        if not algorithm.is_over(window, now):
            return
        if window.done > 0 and now > window.started:
            self._rate = window.done / (now - window.started)
        if window.count > 0:
            mean = window.mean_s()
            self.usual_s = mean if self.usual_s == 0.0 else self.usual_s + _USUAL * (mean - self.usual_s)
        algorithm.update(window, now)
        self.limit = int(algorithm.limit)
        self._epoch += 1
        window.begin(now)

    def retry_after(self) -> float:
        """Return after how many seconds there should be room again: when those that wait have been served."""
        if self.usual_s == 0.0:
            return UNKNOWN_S
        return (self.queue.length + 1) * self.usual_s / max(1, self.limit)
