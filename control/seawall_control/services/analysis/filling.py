"""How full what may be used up was over time: this machine, queues, the proxies' spools, error budgets."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.analysis.forecast import time_to_reach
from seawall_control.domain.machine import fills
from seawall_control.domain.rollout.guards import errors_of
from seawall_control.domain.statistics import Counters
from seawall_control.services.edge import Clock
from seawall_control.services.fleet import Fleet
from seawall_control.services.machine import SAMPLE_S, SAMPLES, Machine

MOST_SPOOLS: Final = 50
"""Proxies whose spools are followed, those with the fullest."""
BUDGET_DAYS: Final = 30.0
"""Days that an error budget is for."""
MIN_CALLS: Final = 100
"""Fewer calls of a route say nothing about its budget."""
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """When something is used up if it goes on as it did."""

    resource: str
    used: float
    """Share, 0 to 1."""
    in_s: float | None
    """Seconds from now; None when it does not grow."""


Queues = Callable[[], Awaitable[Mapping[str, float]]]
"""Returns how full each queue is, 0 to 1, by name."""


class Filling:
    """Follows what fills. In memory: a day at most, once a minute."""

    def __init__(self, machine: Machine, fleet: Fleet, clock: Clock, queues: Queues) -> None:
        self._machine = machine
        self._fleet = fleet
        self._clock = clock
        self._queues = queues
        self._shares: dict[str, deque[tuple[float, float]]] = {}

    async def run(self) -> None:
        """Look once a minute, until cancelled."""
        while True:
            await self.sample()
            await asyncio.sleep(SAMPLE_S)

    async def sample(self) -> None:
        """Look once. What is not there any more is forgotten."""
        found = {**await self._queues(), **self._spools()}
        now_s = self._clock.monotonic_s()
        for resource in [one for one in self._shares if one not in found]:
            del self._shares[resource]
        for resource, share in found.items():
            self._shares.setdefault(resource, deque(maxlen=SAMPLES)).append((now_s, share))

    def _spools(self) -> dict[str, float]:
        found = [
            (sight.numbers.spool_bytes / sight.numbers.spool_max_bytes, sight.node)
            for sight in self._fleet.view.sights()
            if sight.connected and sight.numbers.spool_max_bytes
        ]
        return {f"spool/{node}": share for share, node in sorted(found, reverse=True)[:MOST_SPOOLS]}

    def exhaustions(self) -> list[Exhaustion]:
        """Return everything that is followed: the machine first, then by name."""
        followed = [(fill.resource, fill.shares) for fill in fills(self._machine.samples)]
        followed += [(resource, tuple(shares)) for resource, shares in sorted(self._shares.items())]
        return [
            Exhaustion(resource, shares[-1][1], time_to_reach(shares, 1.0)) for resource, shares in followed
        ]


def budgets(calls: Mapping[str, Counters], *, objective: float, window_s: float) -> Sequence[Exhaustion]:
    """Return the error budgets that are burnt faster than they last: of `BUDGET_DAYS` the share that the
    calls of a window have used, and when all is used if it goes on so. `objective` is the share of calls that
    must succeed, below 1; failures are those that rollouts count.
    """
    found = []
    for route, counters in sorted(calls.items()):
        if counters.calls < MIN_CALLS:
            continue
        burn = errors_of(counters) / counters.calls / (1 - objective)
        if burn > 1:
            length_s = BUDGET_DAYS * _DAY_S
            used = min(1.0, burn * window_s / length_s)
            found.append(Exhaustion(f"error_budget/{route}", used, (1 - used) * length_s / burn))
    return found
