"""Healing while its store fails, and where several control planes share one."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from seawall_control.domain.errors import (
    InvalidPageToken,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    StoreUnavailable,
)
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.codec import case_of, case_text
from seawall_control.domain.healing.conditions import Condition, Observation, Watched
from seawall_control.domain.healing.engine import Case, State
from seawall_control.domain.healing.runbooks import Mode, Runbook, plain
from seawall_control.domain.records import Append
from seawall_control.services.background import Background
from seawall_control.services.edge import Clock, SystemClock
from seawall_control.services.healing.actions.base import Done, Note
from seawall_control.services.healing.journal import TOPIC
from seawall_control.services.healing.service import HealingService
from seawall_control.store.memory import MemoryStore

BOOK = Runbook(
    name="b",
    condition=Condition.DISK,
    threshold=0.9,
    action=Action.CLEAN_DISK,
    lasting_s=0,
    mode=Mode.AUTO,
    cooldown_s=100,
    max_per_hour=20,
    verify_after_s=30,
)
SYSTEM = SystemClock()
FULL = [Observation(Condition.DISK, "disk/a", 0.95, "it is full")]


class Store(MemoryStore):
    """Can be away."""

    away = False

    async def commit(self, *args: Any, **named: Any) -> Any:
        """Refuse while away."""
        if self.away:
            raise StoreUnavailable("away")
        return await super().commit(*args, **named)


class Hands:
    """Notes what is done."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.undone: list[str] = []
        self.how = "would heal"
        self.stands_on: str | Exception = ""
        self.nothing = ""

    async def idle(self, case: Case) -> str:
        """Say why there is nothing to do."""
        return self.nothing

    async def preview(self, case: Case) -> str:
        """Say it."""
        return f"{self.how} {case.subject}"

    async def do(self, case: Case, note: Note) -> Done:
        """Note it."""
        self.done.append(case.id)
        return Done(ok=True, text="done")

    async def basis(self, case: Case) -> str:
        """Say it."""
        if isinstance(self.stands_on, Exception):
            raise self.stands_on
        return self.stands_on

    async def undo(self, case: Case) -> Done:
        """Note it."""
        self.undone.append(case.id)
        return Done(ok=True, text="undone")


class Plane:
    """A control plane's healing; whether it leads is said by the test."""

    def __init__(
        self,
        store: Store,
        *,
        leads: bool = True,
        needs_person: frozenset[Action] = frozenset(),
        clock: Clock = SYSTEM,
    ) -> None:
        self.leads = leads
        self.hands = Hands()
        self.watched: list[Watched] = []
        self.background = Background()
        hands: Any = self.hands
        self.healing = HealingService(
            store,
            clock,
            self.observe,
            hands,
            self.background,
            may_act=lambda: self.leads,
            ages=clock,
            needs_person=lambda action: action in needs_person,
        )

    async def observe(self, watched: Watched) -> list[Observation]:
        """See a full disk."""
        self.watched.append(watched)
        return FULL

    async def look(self) -> None:
        """Look as the loop does, and let what it begins end."""
        if await self.healing._takes_part():
            await self.healing.look()
        await self.background.aclose(5)


@pytest.fixture
async def store() -> Store:
    """A store."""
    return Store()


async def with_book(store: Store, mode: Mode, *, leads: bool = True) -> Plane:
    """Return a plane that has the runbook and no other that matches."""
    plane = Plane(store, leads=leads)
    await plane.healing.books.put(replace(BOOK, mode=mode))
    for kept in plane.healing.books.all():
        if kept.runbook.name != "b" and kept.runbook.condition is Condition.DISK:
            await plane.healing.books.put(replace(kept.runbook, mode=Mode.OFF))
    await plane.healing.load()
    return plane


async def test_what_needs_a_person_waits_for_one(store: Store) -> None:
    """Whatever the mode of its runbook says, as tuning where policies take two people."""
    plane = Plane(store, needs_person=frozenset({BOOK.action}))
    await plane.healing.books.put(replace(BOOK, mode=Mode.AUTO))
    await plane.healing.load()
    await plane.look()
    assert plane.hands.done == []
    (case,) = (one for one in plane.healing.open_cases if one.runbook.name == "b")
    assert (case.state, case.runbook.mode) == (State.PROPOSED, Mode.APPROVE)
    shown = [one for found in await plane.healing.diagnose() for one in found.verdicts if one.runbook == "b"]
    assert [one.mode for one in shown] == [Mode.APPROVE]
    plane.background = plane.healing._background = Background()
    approved = await plane.healing.approve(case.id, actor="ann")
    await plane.background.aclose(5)
    assert (plane.hands.done, approved.actor) == ([case.id], "ann")
    assert plane.healing.books.get("b").runbook.mode is Mode.AUTO


async def test_a_case_that_could_not_be_recorded_begins_anew(store: Store) -> None:
    """It was taken for running for ever, and its subject was healed no more until the next start."""
    plane = await with_book(store, Mode.AUTO)
    store.away = True
    await plane.look()
    assert plane.hands.done == []
    assert [*plane.healing.open_cases] == []
    store.away = False
    await plane.look()
    assert len(plane.hands.done) == 1
    assert [case.state for case in plane.healing.open_cases] == [State.VERIFYING]


async def test_an_approval_that_could_not_be_recorded_can_be_given_again(store: Store) -> None:
    """Whoever gave it was told that it did not go through."""
    plane = await with_book(store, Mode.APPROVE)
    await plane.look()
    (case,) = plane.healing.open_cases
    store.away = True
    with pytest.raises(StoreUnavailable):
        await plane.healing.approve(case.id, actor="ann")
    store.away = False
    await plane.healing.approve(case.id, actor="ann")
    await plane.background.aclose(5)
    assert plane.hands.done == [case.id]


async def test_whoever_takes_over_knows_what_was_done(store: Store) -> None:
    """Its cases go on here under their ids, and new ones get others; nothing is begun a second time."""
    first = await with_book(store, Mode.AUTO)
    second = Plane(store, leads=False)
    await second.healing.load()
    await first.look()
    (case,) = first.healing.open_cases
    first.leads, second.leads = False, True
    await second.look()
    assert second.hands.done == []
    assert [case.id for case in second.healing.open_cases] == [case.id]


async def test_only_the_one_that_acts_takes_answers(store: Store) -> None:
    """A proposal that was read at the start may have run elsewhere since."""
    first = await with_book(store, Mode.APPROVE)
    await first.look()
    second = Plane(store, leads=False)
    await second.healing.load()
    (case,) = first.healing.open_cases
    await first.healing.approve(case.id, actor="ann")
    await asyncio.sleep(0)
    with pytest.raises(PreconditionFailed, match="another control plane"):
        await second.healing.approve(case.id, actor="bob")
    with pytest.raises(PreconditionFailed, match="another control plane"):
        await second.healing.reject(case.id, actor="bob", reason="no")
    assert second.hands.done == []
    await first.background.aclose(5)


async def test_what_no_runbook_is_about_is_not_looked_at(store: Store) -> None:
    """Groups were read every ten seconds, whatever the runbooks; where all are off nothing is looked at."""
    plane = await with_book(store, Mode.AUTO)
    await plane.healing.look()
    (watched,) = plane.watched
    assert watched is not None
    assert Condition.GROUP_EVENTS not in watched
    await plane.background.aclose(5)
    resting = Plane(Store())
    for kept in resting.healing.books.all():
        await resting.healing.books.put(replace(kept.runbook, mode=Mode.OFF))
    await resting.healing.look()
    assert resting.watched == []


async def test_what_the_version_before_has_written_is_read(store: Store) -> None:
    """Its times were in seconds; an entry that cannot be read at all is left out."""
    plane = await with_book(store, Mode.APPROVE)
    old = {
        "id": "heal-7",
        "runbook": plain(replace(BOOK, mode=Mode.APPROVE)),
        "subject": "disk/a",
        "state": "proposed",
        "started_s": 1_700_000_000.25,
        "evidence": "it is full",
        "value": 0.95,
        "changed_s": 1_700_000_001.5,
        "outcome": "",
        "undo": "",
        "actor": "",
    }
    await store.commit([Append(TOPIC, json.dumps(old)), Append(TOPIC, "{}")], at_us=1)
    await plane.healing.load()
    (case,) = plane.healing.open_cases
    assert (case.started_us, case.changed_us) == (1_700_000_000_250_000, 1_700_000_001_500_000)
    assert [c.id for c in (await plane.healing.journal.page()).cases] == ["heal-7"]
    assert case_of(case_text(case)) == case


async def test_whoever_decides_is_told_what_would_be_done(store: Store) -> None:
    """A proposal and a dry run say it; what acts by itself says what it did."""
    plane = await with_book(store, Mode.APPROVE)
    await plane.look()
    (case,) = plane.healing.open_cases
    assert case.plan == "would heal disk/a"
    (told,) = (await plane.healing.journal.page()).cases
    assert told == case
    plane.hands.how = "would heal otherwise"
    approved = await plane.healing.approve(case.id, actor="ann")
    assert approved.plan == "would heal otherwise disk/a", "what is true when it is approved"
    await plane.background.aclose(5)
    dry = await with_book(Store(), Mode.DRY_RUN)
    await dry.look()
    (told,) = (await dry.healing.journal.page()).cases
    assert (told.state, told.plan) == (State.DRY_RUN, "would heal disk/a")
    assert dry.hands.done == []


@pytest.mark.parametrize("mode", [Mode.APPROVE, Mode.AUTO])
async def test_nobody_is_asked_in_vain(store: Store, mode: Mode) -> None:
    """What has nothing to act on is neither proposed nor begun; it is on record, with why, and rests."""
    plane = await with_book(store, mode)
    plane.hands.nothing = "nobody is to blame"
    for _ in range(3):
        await plane.look()
    (told,) = (await plane.healing.journal.page()).cases
    assert (told.state, told.outcome) == (State.EXPIRED, "nothing to do: nobody is to blame")
    assert (plane.healing.open_cases, plane.hands.done) == ((), [])


async def test_a_runbook_is_run_by_hand(store: Store) -> None:
    """Whatever its mode; first only to see what it would do. One at a time for each subject."""
    plane = await with_book(store, Mode.OFF)
    await plane.healing._takes_part()
    tried = await plane.healing.run_now("b", validate_only=True, actor="ann")
    assert (tried.id, tried.plan, tried.subject) == ("", "would heal disk/a", "disk/a")
    assert (await plane.healing.journal.page()).cases == []
    case = await plane.healing.run_now("b", actor="ann")
    assert (case.state, case.actor, case.evidence) == (State.RUNNING, "ann", "it is full")
    with pytest.raises(PreconditionFailed, match="is under way for disk/a"):
        await plane.healing.run_now("b", actor="bob")
    await plane.background.aclose(5)
    assert plane.hands.done == [case.id]
    other = await plane.healing.run_now("b", subject="disk/none", validate_only=True)
    assert "nothing is measured" in other.evidence
    with pytest.raises(NotFound):
        await plane.healing.run_now("none")
    await plane.healing.books.put(replace(BOOK, mode=Mode.OFF, subject="disk/x"))
    with pytest.raises(InvalidRequest, match="is for disk/x"):
        await plane.healing.run_now("b", subject="disk/a")
    with pytest.raises(PreconditionFailed, match="name the subject"):
        await plane.healing.run_now("b")
    plane.leads = False
    with pytest.raises(PreconditionFailed, match="another control plane"):
        await plane.healing.run_now("b", subject="disk/x")


async def test_what_was_begun_by_hand_and_not_recorded_is_gone(store: Store) -> None:
    """Whoever asked for it was told; it is no proposal that somebody else could approve."""
    plane = await with_book(store, Mode.OFF)
    await plane.healing._takes_part()
    store.away = True
    with pytest.raises(StoreUnavailable):
        await plane.healing.run_now("b", actor="ann")
    assert plane.healing.open_cases == ()


async def test_cases_are_filtered_page_by_page(store: Store) -> None:
    """Every case that matches is there once, whatever the size of the pages."""
    plane = await with_book(store, Mode.DRY_RUN)
    for number in range(7):
        subject = f"disk/{'ab'[number % 2]}"
        case = replace(
            (await plane.healing.run_now("b", subject=subject, validate_only=True)), id=f"heal-{number}"
        )
        await store.commit([Append(TOPIC, case_text(case))], at_us=1)
    wanted = 'subject = "disk/a"'
    found: list[str] = []
    token = ""
    while True:
        page = await plane.healing.journal.page(filter_text=wanted, size=2, token=token)
        found += [case.id for case in page.cases]
        token = page.next_token
        if not token:
            break
    assert found == ["heal-6", "heal-4", "heal-2", "heal-0"]
    with pytest.raises(InvalidPageToken):
        await plane.healing.journal.page(
            size=2, token=(await plane.healing.journal.page(filter_text=wanted, size=2)).next_token
        )
