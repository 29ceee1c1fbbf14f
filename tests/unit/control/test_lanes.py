"""Who goes next of those that wait for the writer: callers before upkeep, and upkeep all the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from seawall_control.store.lanes import LATELY_S, MAX_QUEUED, PATIENCE_S, Lanes, LanesClosed


@dataclass(frozen=True)
class Change:
    """A change."""

    name: str
    weight: int = 1


class Clock:
    """Tells the time that a test has set."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


async def names(lanes: Lanes[Change], most: int = 500) -> list[str]:
    """Return the names of the next group."""
    return [change.name for change in await lanes.group(most)]


async def ran(lanes: Lanes[Change], clock: Clock, took_s: float) -> list[str]:
    """Let the next group take so long."""
    found = await names(lanes)
    clock.now_s += took_s
    lanes.done()
    return found


async def test_callers_go_before_upkeep_that_came_first(clock: Clock) -> None:
    """And never in one transaction with it, which would make theirs longer."""
    lanes = Lanes[Change](clock)
    await lanes.put(Change("clean"), upkeep=True)
    await lanes.put(Change("a"))
    await lanes.put(Change("b"))
    assert await ran(lanes, clock, 0.01) == ["a", "b"]
    assert await ran(lanes, clock, 0.01) == ["clean"]


async def test_callers_that_come_while_upkeep_runs_go_before_its_next_piece(clock: Clock) -> None:
    """As long as a piece takes is as long as they wait."""
    lanes = Lanes[Change](clock)
    await lanes.put(Change("clean 1"), upkeep=True)
    await lanes.put(Change("clean 2"), upkeep=True)
    assert await names(lanes) == ["clean 1"]
    await lanes.put(Change("a"))
    clock.now_s += 0.02
    lanes.done()
    assert await ran(lanes, clock, 0.01) == ["a"]
    clock.now_s += 0.01
    assert await ran(lanes, clock, 0.02) == ["clean 2"]


async def test_flood_does_not_starve_upkeep(clock: Clock) -> None:
    """However many callers wait, a piece goes when it has waited for a while, and then the next one."""
    lanes = Lanes[Change](clock)
    order = []
    await lanes.put(Change("clean"), upkeep=True)
    for number in range(40):
        await lanes.put(Change(f"a{number}"))
        order += await ran(lanes, clock, 0.05)
        if order[-1] == "clean":
            await lanes.put(Change("clean"), upkeep=True)
    pieces = [place for place, name in enumerate(order) if name == "clean"]
    assert len(pieces) >= 40 * 0.05 / (PATIENCE_S + 0.15)
    assert pieces[0] * 0.05 <= PATIENCE_S + 0.1


async def test_upkeep_has_half_of_the_writer_while_others_write(clock: Clock) -> None:
    """It stays away for as long as it has just taken."""
    lanes = Lanes[Change](clock)
    await lanes.put(Change("a"))
    assert await ran(lanes, clock, 0.01) == ["a"]
    for _ in range(2):
        await lanes.put(Change("clean"), upkeep=True)
    assert await ran(lanes, clock, 0.02) == ["clean"]
    waiting = asyncio.ensure_future(names(lanes))
    await asyncio.sleep(0)
    assert not waiting.done()
    await lanes.put(Change("b"))
    assert await waiting == ["b"]
    lanes.done()
    clock.now_s += 0.02
    assert await names(lanes) == ["clean"]


async def test_upkeep_does_not_wait_when_nobody_else_writes(clock: Clock) -> None:
    """A store that is cleaned at night is cleaned quickly."""
    lanes = Lanes[Change](clock)
    await lanes.put(Change("a"))
    await ran(lanes, clock, LATELY_S)
    for number in range(3):
        await lanes.put(Change(f"clean {number}"), upkeep=True)
    for number in range(3):
        async with asyncio.timeout(60):
            assert await ran(lanes, clock, 0.5) == [f"clean {number}"]


async def test_pause_of_upkeep_ends_by_itself() -> None:
    """Nobody has to come for it to go on."""
    lanes = Lanes[Change]()
    await lanes.put(Change("a"))
    await names(lanes)
    lanes.done()
    for number in (1, 2):
        await lanes.put(Change(f"clean {number}"), upkeep=True)
    assert await names(lanes) == ["clean 1"]
    await asyncio.sleep(0.01)
    lanes.done()
    async with asyncio.timeout(60):
        assert await names(lanes) == ["clean 2"]


async def test_group_is_bounded_by_events(clock: Clock) -> None:
    """A change with more goes by itself."""
    lanes = Lanes[Change](clock)
    for name, weight in (("a", 900), ("b", 300), ("c", 300), ("d", 1)):
        await lanes.put(Change(name, weight))
    assert [await names(lanes), await names(lanes), await names(lanes)] == [["a"], ["b", "c"], ["d"]]


async def test_closed_lanes_give_out_what_waits_and_take_no_more(clock: Clock) -> None:
    """Upkeep last, without a pause; whoever waits for a place is told."""
    lanes = Lanes[Change](clock)
    await lanes.put(Change("clean"), upkeep=True)
    for number in range(MAX_QUEUED):
        await lanes.put(Change(str(number)))
    assert len(lanes) == MAX_QUEUED + 1
    late = asyncio.ensure_future(lanes.put(Change("late")))
    await asyncio.sleep(0)
    lanes.close()
    assert len(await names(lanes)) == MAX_QUEUED
    with pytest.raises(LanesClosed):
        await late
    assert await names(lanes) == ["clean"]
    assert await names(lanes) == []
    with pytest.raises(LanesClosed):
        await lanes.put(Change("later"))
