"""What the built-in runbooks do to this process is really done."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import pytest

from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.engine import State
from seawall_control.server import ControlPlane
from tests.integration.control.test_healing import ALWAYS, states

pytestmark = pytest.mark.integration


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
