"""Who may let a proposal run, and what of: what was looked at is what is done, and two people are two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from seawall_control.domain.errors import (
    NotFound,
    NotKnownYet,
    PermissionDenied,
    PreconditionFailed,
    StoreUnavailable,
)
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.codec import case_of, case_text
from seawall_control.domain.healing.engine import Case, State
from seawall_control.domain.healing.owed import OWED_US
from seawall_control.domain.healing.runbooks import Mode
from seawall_control.domain.records import Append
from seawall_control.services.background import Background
from seawall_control.services.healing.journal import TOPIC
from tests.unit.control.healing.test_service import BOOK, Plane, Store, with_book


@pytest.fixture
async def store() -> Store:
    """A store."""
    return Store()


async def proposed(store: Store) -> tuple[Plane, Case]:
    """Return a plane with a proposal that stands on `first`."""
    plane = await with_book(store, Mode.APPROVE)
    plane.hands.stands_on = "first"
    await plane.look()
    plane.background = plane.healing._background = Background()
    (case,) = plane.healing.open_cases
    return plane, case


async def recorded(store: Store) -> list[Case]:
    """Return what the journal says, newest first."""
    return [case_of(entry.body) for entry in await store.entries(TOPIC)]


async def test_another_plan_takes_another_look(store: Store) -> None:
    """What was approved was another change than would have been made: it waits with the new plan instead."""
    plane, case = await proposed(store)
    plane.hands.stands_on, plane.hands.how = "second", "would rather change"
    with pytest.raises(PreconditionFailed, match=r"another change by now.*would rather change disk/a"):
        await plane.healing.approve(case.id, actor="ann")
    await plane.background.aclose(5)
    assert plane.hands.done == []
    (waiting,) = plane.healing.open_cases
    assert (waiting.state, waiting.plan, waiting.basis, waiting.actor) == (
        State.PROPOSED,
        "would rather change disk/a",
        "second",
        "",
    )
    assert (await recorded(store))[0] == waiting
    await plane.healing.approve(case.id, actor="ann")
    await plane.background.aclose(5)
    assert plane.hands.done == [case.id]


async def test_two_answers_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds another plan while somebody else lets the case run changes nothing of it or its record."""
    plane, case = await proposed(store)
    true = plane.hands.preview

    async def slow(one: Case) -> str:
        monkeypatch.setattr(plane.hands, "preview", true)
        plane.hands.stands_on = "first"
        await plane.healing.approve(case.id, actor="ann")
        return "would rather change"

    plane.hands.stands_on = "second"
    monkeypatch.setattr(plane.hands, "preview", slow)
    with pytest.raises(PreconditionFailed, match="it waits for no answer"):
        await plane.healing.approve(case.id, actor="bob")
    await plane.background.aclose(5)
    states = [one.state for one in await recorded(store)]
    assert states == [State.VERIFYING, State.RUNNING, State.PROPOSED]
    assert plane.hands.done == [case.id]


@pytest.mark.parametrize("answer", ["approve", "reject"])
async def test_an_answer_while_the_plan_is_made(
    store: Store, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """A case is seen before its proposal is on record: what is recorded last is what became of it, or the
    next start would ask again for what was done or refused.
    """
    plane = await with_book(store, Mode.APPROVE)
    true = plane.hands.preview

    async def slow(case: Case) -> str:
        monkeypatch.setattr(plane.hands, "preview", true)
        if answer == "approve":
            await plane.healing.approve(case.id, actor="ann")
        else:
            await plane.healing.reject(case.id, actor="ann", reason="no")
        return await true(case)

    monkeypatch.setattr(plane.hands, "preview", slow)
    await plane.look()
    states = [one.state for one in await recorded(store)]
    assert states == ([State.VERIFYING, State.RUNNING] if answer == "approve" else [State.REJECTED])
    later = Plane(store)
    await later.healing.load()
    assert State.PROPOSED not in [one.state for one in later.healing.open_cases]


async def test_nothing_to_do_ends_no_case_that_was_approved(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looked whether there is something to do was slower than who said that it be done."""
    plane = await with_book(store, Mode.APPROVE)

    async def slow(case: Case) -> str:
        await plane.healing.approve(case.id, actor="ann")
        return "nothing is left"

    monkeypatch.setattr(plane.hands, "idle", slow)
    await plane.look()
    assert [one.state for one in await recorded(store)] == [State.VERIFYING, State.RUNNING]
    assert [one.state for one in plane.healing.open_cases] == [State.VERIFYING]


async def test_what_is_not_wanted_any_more_ends(store: Store) -> None:
    """Somebody has done it by hand meanwhile; a store that does not answer ends nothing."""
    plane, case = await proposed(store)
    for error in (StoreUnavailable("away"), NotKnownYet("7 calls are known")):
        plane.hands.stands_on = error
        with pytest.raises(type(error)):
            await plane.healing.approve(case.id, actor="ann")
        assert [one.state for one in plane.healing.open_cases] == [State.PROPOSED]
    plane.hands.stands_on = PreconditionFailed("no recommendation holds now")
    with pytest.raises(PreconditionFailed, match="has ended: no recommendation"):
        await plane.healing.approve(case.id, actor="ann")
    assert (plane.hands.done, plane.healing.open_cases) == ([], ())
    end = (await recorded(store))[0]
    assert (end.state, end.outcome) == (
        State.EXPIRED,
        "it is not wanted any more: no recommendation holds now",
    )


async def test_what_is_over_cannot_be_approved(store: Store) -> None:
    """Though nobody has looked since: looks are ten seconds apart, and fail while the store does."""
    plane, case = await proposed(store)
    late = replace(case, changed_us=case.changed_us - round(case.runbook.approval_ttl_s * 1e6))
    await store.commit([Append(TOPIC, case_text(late))], at_us=1)
    await plane.healing.load()
    with pytest.raises(PreconditionFailed, match="is expired, it waits for no answer"):
        await plane.healing.approve(case.id, actor="ann")
    await plane.background.aclose(5)
    assert plane.hands.done == []
    assert [one.state for one in await recorded(store)] == [State.EXPIRED, State.PROPOSED, State.PROPOSED]


async def test_who_asks_for_what_takes_two_does_not_approve_it(store: Store) -> None:
    """By whichever credential of the same person; the next control plane knows who has asked."""
    first = Plane(store, needs_person=frozenset({BOOK.action}))
    await first.healing.books.put(replace(BOOK, mode=Mode.OFF))
    await first.healing.load()
    case = await first.healing.run_now("b", actor="bob", caller="ann", person="Ann")
    assert (case.state, case.asked_by, case.plan) == (State.PROPOSED, "ann", "would heal disk/a")
    await first.background.aclose(5)
    assert first.hands.done == []

    plane = Plane(store, needs_person=frozenset({BOOK.action}))
    await plane.healing.load()
    for caller, person in (("ann", "Ann"), ("ann-ci", "Ann"), ("ann", "Bob")):
        with pytest.raises(PermissionDenied, match="ann has asked for"):
            await plane.healing.approve(case.id, actor="carl", caller=caller, person=person)
    store.away = True
    with pytest.raises(StoreUnavailable):
        await plane.healing.approve(case.id, actor="", caller="bob", person="Bob")
    (waiting,) = plane.healing.open_cases
    assert (waiting.state, waiting.actor, waiting.asked_by) == (State.PROPOSED, "ann", "ann")
    store.away = False
    done = await plane.healing.approve(case.id, actor="somebody", caller="bob", person="Bob")
    await plane.background.aclose(5)
    assert (done.actor, done.asked_by, plane.hands.done) == ("bob", "ann", [case.id])
    with pytest.raises(PreconditionFailed):
        await plane.healing.approve(case.id, actor="", caller="bob", person="Bob")
    with pytest.raises(NotFound):
        await plane.healing.approve("heal-99", actor="bob")


async def test_what_was_never_begun_counts_toward_no_limit(store: Store) -> None:
    """A store that was away for a minute kept a runbook from its work for an hour."""
    plane = await with_book(store, Mode.AUTO)
    await plane.healing.books.put(replace(BOOK, max_per_hour=1), etag=plane.healing.books.get("b").etag)
    store.away = True
    for _ in range(3):
        await plane.look()
    store.away = False
    await plane.look()
    assert len(plane.hands.done) == 1


async def test_what_was_to_be_taken_back_is_after_the_next_start(store: Store) -> None:
    """The control plane ended when a case had been judged, and nobody took back what had not helped."""
    plane, case = await proposed(store)
    held = replace(BOOK, name="h", action=Action.ARCHIVE_GROUP)
    now_us = plane.healing._clock.now_us()

    def ended(number: int, outcome: str = "muted", **more: Any) -> Append:
        said = {"runbook": held, "state": State.NOT_HELPED, "undo": "group/1", "changed_us": now_us, **more}
        return Append(TOPIC, case_text(replace(case, id=f"heal-{number}", outcome=outcome, **said)))

    entries = [
        ended(21),
        ended(22, outcome="muted; taken back: opened"),
        ended(23, outcome="muted; could not be taken back: gone"),
        ended(24, changed_us=now_us - OWED_US),
        ended(25, undo=""),
        ended(26, state=State.HELPED),
        ended(27, runbook=BOOK),
    ]
    await store.commit(entries, at_us=1)
    later = Plane(store)
    await later.healing.load()
    await later.look()
    assert later.hands.undone == ["heal-21"]
    found = next(one for one in await recorded(store) if one.id == "heal-21")
    assert (found.outcome, found.undo) == ("muted; taken back: undone", "")
    again = Plane(store)
    await again.healing.load()
    await again.look()
    assert again.hands.undone == []
