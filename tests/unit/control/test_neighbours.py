"""What other control planes change is taken in, whatever happens here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from seawall_control.services import neighbours as module
from seawall_control.services.background import MAX_TASKS, Background
from seawall_control.services.neighbours import Neighbours
from seawall_control.store.memory import MemoryStore
from seawall_control.store.port import Elsewhere


class Pushes:
    """Knows of no sets."""

    def __init__(self) -> None:
        self.pushes = self

    def policy_sets(self) -> frozenset[str]:
        """Return none."""
        return frozenset()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it does."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


@pytest.fixture
def read() -> list[str]:
    """What was read."""
    return []


def made(background: Background, read: list[str]) -> Neighbours:
    """Return what follows two kinds, of which one cannot be read."""
    fleet: Any = SimpleNamespace(pushes=Pushes())
    found = Neighbours(MemoryStore(), fleet, background)

    async def good() -> None:
        read.append("good")

    async def bad() -> None:
        read.append("bad")
        raise KeyError("of a newer version")

    found.follow("good", good)
    found.follow("bad", bad)
    return found


async def test_a_moment_without_room_costs_no_change(
    monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    """It was taken for being read for ever, and nothing that others changed was seen any more."""
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    background, busy = Background(), asyncio.Event()
    for _ in range(MAX_TASKS):
        background.start(busy.wait(), "busy")
    neighbours = made(background, read)
    neighbours.told(Elsewhere(documents=frozenset({("good", "x")})))
    await asyncio.sleep(0.05)
    assert read == []
    busy.set()
    await until(lambda: read == ["good"])


async def test_what_cannot_be_read_keeps_nothing_else_from_it(read: list[str]) -> None:
    """The others are read, and the next hint is taken."""
    neighbours = made(Background(), read)
    neighbours.told(Elsewhere(everything=True))
    await until(lambda: sorted(read) == ["bad", "good"])
    await asyncio.sleep(0.01)
    neighbours.told(Elsewhere(documents=frozenset({("good", "x")})))
    await until(lambda: read.count("good") == 2)
