"""Times of cases where wall clocks are wrong: at a start, and where another control plane takes over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall_control.domain.events import MICROS
from seawall_control.domain.healing.conditions import Condition
from seawall_control.domain.healing.engine import Case, State
from seawall_control.domain.healing.runbooks import Mode
from seawall_control.services.healing import telling
from tests.unit.control.healing.test_service import BOOK, Plane, Store

DAY_S = 86_400


class Clocks:
    """The clocks of a machine: time passes for both, and the wall clock is set."""

    def __init__(self, off_s: int = 0) -> None:
        self.off_s = off_s
        self.passed_s = 0

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        return (1_800_000_000 + self.off_s + self.passed_s) * MICROS

    def monotonic_s(self) -> float:
        """See `Clock.monotonic_s`."""
        return float(self.passed_s)


async def plane_of(store: Store, clocks: Clocks, *, leads: bool = True) -> Plane:
    """Return a plane with these clocks."""
    plane = Plane(store, leads=leads, clock=clocks)
    await plane.healing.load()
    return plane


@pytest.fixture
async def store() -> Store:
    """A store with a runbook that acts once an hour at most, and no other about disks."""
    made = Store()
    books = Plane(made).healing.books
    for kept in books.all():
        if kept.runbook.condition is Condition.DISK:
            await books.put(replace(kept.runbook, mode=Mode.OFF))
    await books.put(replace(BOOK, mode=Mode.AUTO, max_per_hour=1))
    return made


async def test_a_start_after_the_clock_was_ahead(store: Store) -> None:
    """What a case has on record of next year is of now at the latest: it is judged, its rest ends, and it
    counts for an hour. The runbook did nothing for a year.
    """
    before = await plane_of(store, Clocks(off_s=365 * DAY_S))
    await before.look()
    assert len(before.hands.done) == 1

    clocks = Clocks()
    plane = await plane_of(store, clocks)
    (case,) = plane.healing.open_cases
    assert (case.state, case.changed_us) == (State.VERIFYING, clocks.now_us())
    clocks.passed_s += round(BOOK.verify_after_s)
    await plane.look()
    assert plane.healing.open_cases == ()
    await plane.look()
    assert plane.hands.done == []

    later = await plane_of(store, clocks)
    clocks.passed_s += 3600
    await later.look()
    assert len(later.hands.done) == 1


async def test_who_takes_over_has_heard_that_its_clock_was_set(store: Store) -> None:
    """A control plane that does not act looks at nothing, and took its clock for set when it had read what
    another one left: all of that was moved with it.
    """
    waiting = Clocks(off_s=-DAY_S)
    second = await plane_of(store, waiting, leads=False)
    waiting.off_s = 0
    first = await plane_of(store, Clocks())
    await first.look()
    (case,) = first.healing.open_cases
    first.leads, second.leads = False, True
    await second.look()
    assert second.healing.open_cases == (case,)


async def test_what_was_told_of_a_case_is_known_when_the_clock_was_set(store: Store) -> None:
    """The event about a proposal was open for ever: its id was worked out from times that are moved along."""
    clocks = Clocks(off_s=365 * DAY_S)
    plane = await plane_of(store, clocks)
    await plane.healing.books.put(replace(BOOK, mode=Mode.APPROVE), etag=plane.healing.books.get("b").etag)
    told: list[Case] = []
    plane.healing._tell = told.append
    await plane.look()
    clocks.off_s = 0
    await plane.look()
    (case,) = plane.healing.open_cases
    assert case.started_us == clocks.now_us()
    await plane.healing.reject(case.id, actor="ann", reason="no")
    proposed, rejected = told
    later = await plane_of(store, clocks)
    kept = [proposed, rejected, *later.healing._recent.values()]
    assert [one.id for one in kept] == [case.id] * 3
    assert len({telling._event_id(one, State.PROPOSED) for one in kept}) == 1
