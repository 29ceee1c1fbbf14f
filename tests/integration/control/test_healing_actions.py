"""What runbooks do to this process is really done, and what they need is there."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import pytest

from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.engine import State
from seawall_control.server import ControlPlane
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
