"""What fills, and when it is full."""

from __future__ import annotations

from typing import Any

import pytest

from seawall_control.domain.fleet_share import NodeNumbers
from seawall_control.domain.machine import Disk
from seawall_control.domain.statistics import Counters
from seawall_control.services.analysis.filling import Filling, budgets
from seawall_control.services.fleet_view import Sight
from seawall_control.services.machine import Machine


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.s = 0.0

    def now_us(self) -> int:
        """Not asked."""
        return 0

    def monotonic_s(self) -> float:
        """Say the time."""
        return self.s


class Proxies:
    """A fleet whose proxies report what a test says."""

    def __init__(self) -> None:
        self.spools: dict[str, tuple[int, int]] = {}
        self.view = self

    def sights(self) -> list[Sight]:
        """Return how they are seen."""
        return [
            Sight(
                node=node,
                plane="",
                connected=True,
                silent_s=0.0,
                numbers=NodeNumbers(spool_bytes=size, spool_max_bytes=most),
            )
            for node, (size, most) in self.spools.items()
        ]


async def test_what_is_followed(tmp_path: Any) -> None:
    """Disk, queues and spools; a spool that grows steadily has a time at which it is full, one whose proxy is
    gone is forgotten, and one that says no limit is left out.
    """
    clock, fleet = Clock(), Proxies()
    machine = Machine(clock, tmp_path, disk=lambda _: Disk(1, 3))

    async def queues() -> dict[str, float]:
        return {"store_queue": 0.5}

    anything: Any = fleet
    filling = Filling(machine, anything, clock, queues)
    for minute in range(12):
        clock.s = minute * 60.0
        fleet.spools = {"a": (100 + minute * 10, 1000), "old": (5, 0), "gone": (1, 10)}
        await machine.sample()
        await filling.sample()
    found = {one.resource: one for one in filling.exhaustions()}
    assert {"disk", "store_queue", "spool/a", "spool/gone"} <= set(found)
    assert "spool/old" not in found
    assert (found["disk"].used, found["disk"].in_s) == (0.25, None)
    assert (found["store_queue"].used, found["store_queue"].in_s) == (0.5, None)
    assert found["spool/a"].used == pytest.approx(0.21)
    # 790 bytes are free, and ten a minute come.
    assert found["spool/a"].in_s == pytest.approx(79 * 60)
    del fleet.spools["gone"]
    await filling.sample()
    assert "spool/gone" not in {one.resource for one in filling.exhaustions()}


def calls(good: int, bad: int, code: int = 14) -> Counters:
    """Return so many calls."""
    codes = [0] * 17
    codes[0], codes[code] = good, bad
    return Counters(by_code=tuple(codes))


def test_error_budgets() -> None:
    """At ten times the allowed share the budget of thirty days lasts three; what is within it is not told,
    nor what callers did wrong, nor a handful of calls.
    """
    found = budgets(
        {
            "fast": calls(900, 100),
            "fine": calls(995, 5),
            "callers": calls(500, 500, code=3),
            "few": calls(1, 1),
            "all": calls(0, 1000),
        },
        objective=0.99,
        window_s=600.0,
    )
    by = {one.resource: one for one in found}
    assert set(by) == {"error_budget/fast", "error_budget/all"}
    fast = by["error_budget/fast"]
    assert fast.used == pytest.approx(10 * 600 / (30 * 86_400))
    assert fast.in_s == pytest.approx(3 * 86_400, rel=0.01)
    assert by["error_budget/all"].in_s == pytest.approx(0.3 * 86_400, rel=0.05)
