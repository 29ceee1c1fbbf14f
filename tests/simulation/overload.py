"""A service behind a limit, in virtual time: open-loop callers with deadlines, and endpoints that do so many
calls at once and queue the rest without bound. What its caller has given up is worked on all the same.

Everything is drawn from one seed. Answers count when they are there before the deadline.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from random import Random

from seawall_policy.limit.gate import ENTERED, NO_PLACE, Gate
from seawall_policy.limit.options import LimitOptions
from seawall_policy.limit.place import IGNORED, LOST, SUCCESS, Place

OK = "ok"
LATE = "late"
REFUSED = "refused"


class Caller(Place):
    """One call."""

    def __init__(self, arrived: float, deadline: float) -> None:
        super().__init__(1, deadline)
        self.arrived: float = arrived
        self.ended: float = -1.0
        self.result: str = ""
        self.endpoint: int = -1


@dataclass
class Service:
    """What stands behind the limit."""

    endpoints: int = 3
    at_once: int = 1
    """Calls that an endpoint works on at the same time."""
    time_s: float = 0.01
    fixed: bool = True
    """Each call takes `time_s`; otherwise that is the mean of an exponential distribution."""

    @property
    def capacity(self) -> float:
        """Calls a second."""
        return self.endpoints * self.at_once / self.time_s


@dataclass
class Overload:
    """What came of the calls of one run."""

    before: float
    """Share of the calls before the overload that were answered in time."""
    during: float
    """Answers in time during the overload, as a share of the capacity."""
    after: float
    """Share of the calls that came later than 1 s after the overload."""
    limit: int


@dataclass
class Simulation:
    """Callers, gate and service."""

    gate: Gate
    service: Service
    deadline_s: float = 1.0
    seed: int = 1
    balance: str = "round_robin"
    now: float = 0.0
    calls: list[Caller] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._queues: list[deque[Caller]] = [deque() for _ in range(self.service.endpoints)]
        self._busy = [0] * self.service.endpoints
        self._open = [0] * self.service.endpoints
        self._turn = 0
        self._clock = inf
        self.extra_s = 0.0
        """Added to the time of each call that begins."""

    def at(self, moment: float, what: Callable[[], None]) -> None:
        """Do something at a moment."""
        self._number += 1
        heapq.heappush(self._events, (moment, self._number, what))

    def offer(self, per_second: float, start: float, end: float) -> None:
        """Let calls come independently of each other."""
        moment = start
        while True:
            moment += self._random.expovariate(per_second)
            if moment >= end:
                return
            self.at(moment, self.arrive)

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            what()
        self.now = until

    def share(self, start: float, end: float) -> float:
        """Return the share of the calls that came in this time and were answered in theirs."""
        found = [call for call in self.calls if start <= call.arrived < end]
        return sum(call.result == OK for call in found) / len(found)

    def answers(self, start: float, end: float) -> int:
        """Return the answers in time that came in this time."""
        return sum(call.result == OK and start <= call.ended < end for call in self.calls)

    def arrive(self) -> None:
        """Let a call come."""
        call = Caller(self.now, self.now + self.deadline_s)
        self.calls.append(call)
        if self.deadline_s < inf:
            self.at(call.deadline, lambda: self._give_up(call))
        verdict = self.gate.enter(call, self.now)
        if verdict == ENTERED:
            self._start(call)
        elif verdict == NO_PLACE:
            self._end(call, REFUSED)
        self._settle()

    def _settle(self) -> None:
        gate = self.gate
        while True:
            refused = gate.next_refused()
            if refused is not None:
                assert isinstance(refused[0], Caller)
                self._end(refused[0], REFUSED)
                continue
            place = gate.next_started(self.now)
            if place is None:
                break
            assert isinstance(place, Caller)
            self._start(place)
        due = gate.next_deadline()
        if due < self._clock:
            self._clock = max(due, self.now)
            self.at(self._clock, self._expire)

    def _expire(self) -> None:
        self._clock = inf
        self.gate.expire(self.now)
        self._settle()

    def _end(self, call: Caller, result: str) -> None:
        assert call.result == "", "every call ends once"
        call.result = result
        call.ended = self.now

    def _start(self, call: Caller) -> None:
        call.endpoint = self._pick()
        self._open[call.endpoint] += 1
        self._queues[call.endpoint].append(call)
        self._work(call.endpoint)

    def _pick(self) -> int:
        count = self.service.endpoints
        if self.balance == "round_robin":
            self._turn = (self._turn + 1) % count
            return self._turn
        first, second = self._random.randrange(count), self._random.randrange(count)
        return first if self._open[first] <= self._open[second] else second

    def _work(self, endpoint: int) -> None:
        while self._busy[endpoint] < self.service.at_once and self._queues[endpoint]:
            call = self._queues[endpoint].popleft()
            self._busy[endpoint] += 1
            time_s = self.service.time_s
            if not self.service.fixed:
                time_s = self._random.expovariate(1.0 / time_s)
            self.at(self.now + time_s + self.extra_s, lambda call=call: self._done(call))  # type: ignore[misc]

    def _done(self, call: Caller) -> None:
        self._busy[call.endpoint] -= 1
        if call.result == "":
            self._open[call.endpoint] -= 1
            self._end(call, OK)
            self.gate.leave(call, self.now, SUCCESS)
        self._work(call.endpoint)
        self._settle()

    def _give_up(self, call: Caller) -> None:
        if call.result != "":
            return
        self._end(call, LATE)
        if call.endpoint >= 0:
            self._open[call.endpoint] -= 1
        self.gate.leave(call, self.now, LOST if call.endpoint >= 0 else IGNORED)
        self._settle()


def overload(
    options: LimitOptions,
    service: Service,
    *,
    deadline_s: float = 1.0,
    seed: int = 1,
    balance: str = "round_robin",
    times: float = 3.0,
    before_s: float = 5.0,
    during_s: float = 4.0,
) -> Overload:
    """Offer two thirds of the capacity, then `times` as much, then two thirds again."""
    gate = Gate(options)
    simulation = Simulation(gate, service, deadline_s, seed, balance)
    calm = service.capacity * 2.0 / 3.0
    end = before_s + during_s
    simulation.offer(calm, 0.0, before_s)
    simulation.offer(service.capacity * times, before_s, end)
    simulation.offer(calm, end, end + 4.0)
    simulation.run(end + 10.0)
    assert all(call.result for call in simulation.calls)
    assert gate.in_flight == 0
    assert gate.queue.length == 0
    return Overload(
        simulation.share(0.0, before_s),
        simulation.answers(before_s, end) / during_s / service.capacity,
        simulation.share(end + 1.0, end + 4.0),
        gate.limit,
    )
