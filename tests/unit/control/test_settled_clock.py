"""Nothing is deleted because the wall clock was wrong for a while."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest

from seawall_control.domain.events import Event, Severity
from seawall_control.domain.records import Put
from seawall_control.domain.retention import Keeping
from seawall_control.services.retention import Retention
from seawall_control.services.settled_clock import KIND, NAME, SettledClock
from seawall_control.store.memory import MemoryStore

DAY_S = 86_400
START_S = 1_800_000_000


@dataclass
class Clocks:
    """Both clocks, each set by the test."""

    wall_s: float = START_S
    now_s: float = 0.0

    def now_us(self) -> int:
        """Return the wall clock's time."""
        return int(self.wall_s * 1_000_000)

    def monotonic_s(self) -> float:
        """Return the monotonic one's."""
        return self.now_s

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.wall_s += seconds
        self.now_s += seconds


async def store_with(*days: int) -> MemoryStore:
    """Return a store with one resolved event of each age."""
    store = MemoryStore()
    await store.report(
        [
            Event(
                id=str(number),
                timestamp_us=(START_S - age * DAY_S) * 1_000_000,
                severity=Severity.LOW,
                component="c",
                fingerprint=f"v1:{number}",
                resolved=True,
            )
            for number, age in enumerate(days)
        ]
    )
    return store


async def test_a_minute_in_another_year(caplog: pytest.LogCaptureFixture) -> None:
    """Retention meets a clock that is a year ahead: only what is over goes, and it is said, once."""
    store, clocks = await store_with(40, 10), Clocks()
    settled = SettledClock(clocks)
    await settled.load(store)
    job = Retention(store, Keeping(days=30), settled)
    clocks.passes(60)
    clocks.wall_s += 365 * DAY_S
    with caplog.at_level(logging.INFO):
        assert await job.once() == 1
        assert await job.once() == 0
        clocks.wall_s -= 365 * DAY_S
        clocks.passes(60)
        assert await job.once() == 0
    assert list(store._events) == ["1"]
    said = [record.getMessage() for record in caplog.records if record.name == "seawall.control.retention"]
    assert len(said) == 2
    assert "the wall clock has leapt ahead" in said[0]
    assert said[1] == "deletions go by the wall clock again"


async def test_a_clock_that_is_right_deletes_in_the_end() -> None:
    """The clock was behind: after a day with the new time it goes by that."""
    store, clocks = await store_with(10), Clocks()
    settled = SettledClock(clocks)
    job = Retention(store, Keeping(days=30), settled)
    settled.now_us()
    clocks.wall_s += 60 * DAY_S
    assert await job.once() == 0
    clocks.passes(DAY_S)
    assert await job.once() == 1


async def test_a_start_while_the_clock_is_wrong() -> None:
    """Where the process before it left off is in the store."""
    store, clocks = await store_with(10), Clocks()
    first = SettledClock(clocks)
    await first.load(store)
    await first.keep(store)
    clocks = Clocks(START_S + 365 * DAY_S, 5.0)
    second = SettledClock(clocks)
    await second.load(store)
    assert second.now_us() == START_S * 1_000_000
    assert second.leap_s == 365 * DAY_S
    assert await Retention(store, Keeping(days=30), second).once() == 0


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"settled_s": "x", "stayed_s": 0}', "null"])
async def test_what_cannot_be_read_is_as_nothing(body: str) -> None:
    """The wall clock is believed, as at the first start."""
    store, clocks = MemoryStore(), Clocks()
    await store.commit([Put(KIND, NAME, body)], at_us=0)
    settled = SettledClock(clocks)
    await settled.load(store)
    assert settled.now_us() == START_S * 1_000_000
