"""Who may open a stream, and for how long."""

from __future__ import annotations

import random

import pytest

from seawall_control.domain.errors import TooManyStreams
from seawall_control.services import fleet_door
from seawall_control.services.fleet_door import Door


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        return int(self.now_s * 1e6)

    def monotonic_s(self) -> float:
        """See `Clock.monotonic_s`."""
        return self.now_s


def test_a_herd_is_let_in_at_the_rate_and_comes_back_spread() -> None:
    """Those at once, then so many a second; whoever is turned away has a time of its own."""
    clock = Clock()
    door = Door(clock, random.Random(1).random)
    waits = []
    for _ in range(2000):
        try:
            door.admit(0, is_new=True)
        except TooManyStreams as error:
            waits.append(error.retry_after_s)
    assert len(waits) == door.turned_away == 2000 - fleet_door.ACCEPTED_AT_ONCE
    low, high = fleet_door.AGAIN_S
    assert low <= min(waits) < low + 0.1 < high - 0.1 < max(waits) <= high
    clock.now_s += 1.0
    for _ in range(int(fleet_door.ACCEPTED_PER_S)):
        door.admit(0, is_new=True)
    with pytest.raises(TooManyStreams, match="a little later"):
        door.admit(0, is_new=True)


def test_a_full_house_takes_those_who_are_in_it() -> None:
    """A proxy that connects anew takes the place of its own older stream."""
    door = Door(Clock(), lambda: 0.5)
    with pytest.raises(TooManyStreams, match="are connected already"):
        door.admit(fleet_door.MAX_STREAMS, is_new=True)
    door.admit(fleet_door.MAX_STREAMS, is_new=False)


def test_streams_that_begin_together_end_apart() -> None:
    """Within a tenth of half an hour, before and after it; never where there is no age."""
    door = Door(Clock(), random.Random(1).random)
    ages = [door.last_s() for _ in range(1000)]
    assert 1620 <= min(ages) < 1640
    assert 1960 < max(ages) <= 1980
    assert Door(Clock(), lambda: 0.5, age_s=0).last_s() == float("inf")
