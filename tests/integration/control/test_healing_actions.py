"""What runbooks do to this process is really done, and what they need is there."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import replace

import pytest

from seawall_control.domain.analysis.promises import Share
from seawall_control.domain.events import MICROS
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.engine import Case, State
from seawall_control.server import ControlPlane
from seawall_control.services.edge import derived_id
from seawall_control.services.healing.actions.base import ACTOR
from seawall_control.services.healing.actions.tuning import Trial
from tests.integration.control.kit import Later, document
from tests.integration.control.test_healing import ALWAYS, states
from tests.integration.control.web import ask

pytestmark = pytest.mark.integration


async def test_a_hook_that_is_not_there_is_missed_when_the_runbook_is_set(plane: ControlPlane) -> None:
    """And not at night, when it should act; one that only says what it would do may be set before."""
    path = "/api/v1/seawall.v1.HealingService/SetRunbook"
    book = {
        "name": "restart-shop",
        "condition": "backlog",
        "threshold": 5,
        "action": "command",
        "parameters": {"hook": "restart-shop"},
    }
    for mode, status in (("AUTO", 400), ("APPROVE", 400), ("DRY_RUN", 200), ("OFF", 200)):
        body = {"runbook": {**book, "mode": f"RUNBOOK_MODE_{mode}"}}
        got = await ask(plane.addresses.http, path, method="POST", body=body)
        assert got.status == status, mode
        if status == 400:
            (problem,) = got.json["error"]["violations"]
            assert problem["field"] == "runbook.parameters.hook"
            assert "--hook restart-shop=COMMAND" in got.json["error"]["message"]


async def test_memory_is_given_back(plane: ControlPlane) -> None:
    """What only cycles hold is gone, without waiting for the collector; the sizes are said."""

    class Held:
        """Something that holds itself."""

        def __init__(self) -> None:
            self.me = self

    gc.disable()
    try:
        gone = weakref.ref(Held())
        assert gone() is not None
        await plane.healing.books.put(replace(ALWAYS, action=Action.FREE_MEMORY))
        said = (await states(plane, State.VERIFYING))[0]
        assert gone() is None
    finally:
        gc.enable()
    assert "MiB before, " in said and said.endswith("MiB after")


def ended(action: Action, undo: str) -> Case:
    """Return a case that did not help."""
    runbook = replace(ALWAYS, action=action)
    return Case(
        id="heal-7",
        runbook=runbook,
        subject="route/all",
        state=State.NOT_HELPED,
        started_us=1,
        evidence="",
        value=0.0,
        changed_us=1,
        undo=undo,
    )


@pytest.mark.parametrize("by_case", [False, True])
async def test_a_trial_finds_the_revision_that_it_made(plane: ControlPlane, by_case: bool) -> None:
    """The control plane ended before it knew the number: the next revision of Seawall may be another one, and
    was taken back in its place. It is known by what the trial has on record (of the version before: by the
    case), though the times of the case are others since the clock was set.
    """
    request_id = derived_id("tune", "heal-7", "1")
    trial = Trial(
        policy_set="default", stable=2, made=0, kind="retry", before=Share(9, 99), request=request_id
    )
    kept = json.loads(trial.text)
    if by_case:
        del kept["request"]
    case = replace(ended(Action.TUNE, json.dumps(kept)), started_us=1 if by_case else 2)
    await plane.policies.apply(document(1))
    await plane.policies.apply(document(2))
    await plane.policies.rollback(revision=1, author=ACTOR)
    nothing = await plane.healing._actuators.undo(case)
    assert (nothing.ok, nothing.text) == (True, "nothing had been changed")
    await plane.policies.apply(document(4), author=ACTOR, request_id=request_id)
    back = await plane.healing._actuators.undo(case)
    assert back.text == "back to the content of revision 2 as revision 5"
    assert (await plane.policies.revision()).hash == (await plane.policies.revision(number=2)).hash


async def test_a_revision_of_next_year_is_not_blamed(plane: ControlPlane) -> None:
    """It was made while the clock was ahead, and would have been young for a year."""
    case = ended(Action.ROLL_BACK_POLICY, "")
    await plane.policies.apply(document(1))
    await plane.policies.apply(document(2))
    assert await plane.healing._actuators.idle(case) == ""
    clock = plane.policies._clock
    ahead = Later()
    ahead.by_us = 365 * 86_400 * MICROS
    plane.policies._clock = ahead
    await plane.policies.apply(document(3))
    plane.policies._clock = clock
    assert "clock that was ahead" in await plane.healing._actuators.idle(case)


async def test_a_policy_is_brought_back_once(plane: ControlPlane) -> None:
    """Whoever ended in between finds that it was."""
    for number in (1, 2):
        await plane.policies.apply(document(number))
    made = await plane.policies.rollback(revision=1, author=ACTOR)
    case = ended(Action.ROLL_BACK_POLICY, f"default/2/{made.applied.revision.revision}")
    first = await plane.healing._actuators.undo(case)
    assert first.text == "back to the content of revision 2 as revision 4"
    again = await plane.healing._actuators.undo(case)
    assert (again.ok, again.text) == (True, "revision 4 has the content of revision 2 again")
    assert (await plane.policies.revision()).revision == 4
