"""Alerts while the store or what is read from it is not well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from seawall_control.domain.errors import StoreUnavailable
from seawall_control.server import ControlPlane
from seawall_control.services.alerting.records import ALERT
from seawall_control.store.port import Elsewhere
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration


async def test_rules_are_asked_while_changes_of_others_cannot_be_read(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was changed is read once it can be: an acknowledgement was lost with the first failure."""
    evaluator = plane.alerting.evaluator
    asked: list[str] = []

    async def away(kind: str, name: str) -> Any:
        asked.append(name)
        raise StoreUnavailable("failing over")

    async def back(kind: str, name: str) -> Any:
        asked.append(name)

    monkeypatch.setattr(plane.store, "document", away)
    evaluator._told(Elsewhere(documents=frozenset({(ALERT, "a1")})))
    before = evaluator.ticks
    await evaluator.tick()
    assert (evaluator.ticks > before, asked[0]) == (True, "a1")
    monkeypatch.setattr(plane.store, "document", back)
    asked.clear()
    await evaluator.tick()
    assert asked == ["a1"]
    asked.clear()
    await evaluator.tick()
    assert asked == []


async def test_events_are_followed_again_after_an_unexpected_error(plane: ControlPlane) -> None:
    """Where a database is shared, rules see events by this alone."""
    begun = asyncio.Event()

    class Feed:
        times = 0

        async def follow(self, wanted: Any, *, after: Any) -> AsyncGenerator[Any, None]:
            self.times += 1
            if self.times == 1:
                raise ZeroDivisionError("nobody expected this")
            begun.set()
            await asyncio.Event().wait()
            yield

    feed: Any = Feed()
    following = asyncio.create_task(plane.alerting.evaluator._signals._follow(feed))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await begun.wait()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
