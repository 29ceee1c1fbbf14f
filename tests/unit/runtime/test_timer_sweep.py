"""The wheel under misuse: a timer that raises, and moments that never come."""

from __future__ import annotations

import pytest

from seawall_proxy.call.context import Held
from seawall_proxy.call.timers import TimerWheel


class Bomb(Held):
    """Raises when it fires."""

    def __init__(self) -> None:
        self.tick = -1

    def fire(self, now: float) -> None:
        """Break the rule that timers do not raise."""
        raise RuntimeError("boom")


class Counter(Held):
    """Counts."""

    def __init__(self) -> None:
        self.tick = -1
        self.fired = 0

    def fire(self, now: float) -> None:
        """Count."""
        self.fired += 1


def test_one_that_raises_takes_no_other_with_it() -> None:
    """Timers of the same moment stay armed when one of them raises, and fire at the next advance."""
    wheel = TimerWheel()
    bomb, others = Bomb(), [Counter() for _ in range(3)]
    wheel.arm(others[0], 0.010)
    wheel.arm(bomb, 0.010)
    wheel.arm(others[1], 0.010)
    wheel.arm(others[2], 0.012)
    with pytest.raises(RuntimeError, match="boom"):
        wheel.advance(0.020)
    assert wheel.armed() == 2
    assert wheel.next_deadline() <= 0.020
    wheel.advance(0.020)
    assert [one.fired for one in others] == [1, 1, 1]
    assert wheel.armed() == 0


def test_memory_follows_armed_timers() -> None:
    """A hundred thousand far deadlines that were all cancelled leave a bounded number of buckets behind, and
    one that stays armed among them still fires.
    """
    wheel = TimerWheel()
    kept, one = Counter(), Counter()
    wheel.arm(kept, 5_000.0)
    for number in range(100_000):
        wheel.arm(one, 1_000.0 + number)
        wheel.cancel(one)
    assert len(wheel._buckets) <= 1_100
    assert len(wheel._ticks) == len(wheel._buckets)
    assert wheel.armed() == 1
    assert wheel.advance(5_001.0) == 1
    assert kept.fired == 1
