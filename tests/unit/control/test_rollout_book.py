"""The record of rollouts where two control planes write it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall_control.domain.errors import StoreUnavailable
from seawall_control.domain.rollout.codec import Saved
from seawall_control.domain.rollout.machine import Rollout, State
from seawall_control.domain.rollout.strategy import Strategy
from seawall_control.services.rollout_book import RolloutBook
from seawall_control.store.memory import MemoryStore


class Clock:
    """Goes on with each look."""

    def __init__(self) -> None:
        self.now = 1_790_000_000_000_000

    def now_us(self) -> int:
        """Return microseconds."""
        self.now += 1
        return self.now

    def monotonic_s(self) -> float:
        """Return seconds."""
        return self.now / 1e6


RUNNING = Rollout(
    policy_set="default",
    revision=2,
    hash="b",
    stable_revision=1,
    stable_hash="a",
    strategy=Strategy(),
    actor="ann",
    message="",
    create_time_us=1,
    state=State.RUNNING,
)


async def state_of(book: RolloutBook) -> State:
    """Return what is stored."""
    found = await book.find(RUNNING)
    assert found is not None
    return found.state


async def test_what_an_operator_said_elsewhere_is_not_written_over() -> None:
    """The leading control plane saves what it has counted every few seconds, and undid a pause with that."""
    store, clock = MemoryStore(), Clock()
    leading, other = RolloutBook(store, clock), RolloutBook(store, clock)
    await leading.keep(Saved(RUNNING), "started")
    await leading.keep(Saved(RUNNING))
    await other.keep(Saved(replace(RUNNING, state=State.PAUSED)), "paused")
    with pytest.raises(StoreUnavailable, match="another control plane"):
        await leading.keep(Saved(RUNNING))
    assert await state_of(leading) is State.PAUSED
    stored = await leading.find(RUNNING)
    assert stored is not None
    leading.took(stored)
    await leading.keep(Saved(replace(RUNNING, state=State.RUNNING)), "resumed")
    assert await state_of(other) is State.RUNNING


async def test_an_end_is_written_in_any_case() -> None:
    """The revision that brings the stable content back is there already."""
    store, clock = MemoryStore(), Clock()
    leading, other = RolloutBook(store, clock), RolloutBook(store, clock)
    await leading.keep(Saved(RUNNING), "started")
    await other.keep(Saved(replace(RUNNING, state=State.PAUSED)), "paused")
    await leading.keep(Saved(replace(RUNNING, state=State.ROLLED_BACK)), "rolled back")
    assert await state_of(other) is State.ROLLED_BACK
    with pytest.raises(StoreUnavailable):
        await other.keep(Saved(replace(RUNNING, state=State.PAUSED)))
