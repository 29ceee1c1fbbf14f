"""Events that wait outlive a wall clock that is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from time import time

import pytest

from seawall.v1 import event_pb2
from seawall_proxy.runtime import event_pump
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.events import SystemRecord
from seawall_proxy.telemetry.recorder import EventRecorder

YEAR_S = 365 * 86_400.0


class Wall:
    """The wall clock, off by as much as it is set to."""

    def __init__(self) -> None:
        self.off_s = 0.0

    def __call__(self) -> float:
        return time() + self.off_s


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """The pump's wall clock."""
    found = Wall()
    monkeypatch.setattr(event_pump, "time", found)
    return found


async def record(pump: EventPump) -> None:
    """Have an event spooled, after which the spool does what is due."""
    pump._recorder.system(
        SystemRecord(event_pb2.EVENT_KIND_SYSTEM, event_pb2.SEVERITY_LOW, "proxy/test", "t", "m", 1.0)
    )
    await pump.pump()


def made(folder: Path) -> EventPump:
    """Return a pump over a folder."""
    counters = ProxyCounters()
    return EventPump(EventRecorder(counters), counters, "n", os.urandom, folder / "spool")


async def test_a_clock_that_leaps_a_year_ahead_drops_nothing(tmp_path: Path, wall: Wall) -> None:
    """What waits is not a week old because somebody has set the clock; nor after a start in between."""
    pump = made(tmp_path)
    await record(pump)
    wall.off_s = YEAR_S
    await record(pump)
    assert pump.spool is not None
    assert (pump.spool.depth, pump.spool.status().dropped) == (2, {})
    await pump.release()

    wall.off_s = 0.0
    pump = made(tmp_path)
    await record(pump)
    await pump.release()
    wall.off_s = YEAR_S
    pump = made(tmp_path)
    await record(pump)
    assert pump.spool is not None
    assert (pump.spool.depth, pump.spool.status().dropped) == (4, {})
    await pump.release()


async def test_a_start_with_a_clock_that_is_wrong_drops_nothing(tmp_path: Path, wall: Wall) -> None:
    """The newest segment tells what time it was."""
    pump = made(tmp_path)
    await record(pump)
    await pump.release()
    wall.off_s = YEAR_S
    pump = made(tmp_path)
    await record(pump)
    assert pump.spool is not None
    assert (pump.spool.depth, pump.spool.status().dropped) == (2, {})
    await pump.release()


async def test_a_clock_that_was_years_behind(tmp_path: Path, wall: Wall) -> None:
    """As on a board without a battery: what was recorded before the time was known is delivered."""
    wall.off_s = -40 * YEAR_S
    pump = made(tmp_path)
    await record(pump)
    wall.off_s = 0.0
    await record(pump)
    assert pump.spool is not None
    assert (pump.spool.depth, pump.spool.status().dropped) == (2, {})
    await pump.release()
