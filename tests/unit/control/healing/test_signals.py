"""What is looked at, and what is seen while the store cannot be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seawall_control.domain.errors import StoreUnavailable
from seawall_control.domain.fleet_share import EndpointSight
from seawall_control.domain.healing.conditions import Condition
from seawall_control.domain.machine import Disk
from seawall_control.services.edge import SystemClock
from seawall_control.services.healing.signals import Signals
from seawall_control.services.machine import Machine
from seawall_control.store.memory import MemoryStore


class Store(MemoryStore):
    """Counts what it is asked, and may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.away = False

    async def groups(self, query: Any) -> Any:
        """Count it."""
        self.asked.append("groups")
        if self.away:
            raise StoreUnavailable("away")
        return await super().groups(query)

    async def group(self, group_id: str) -> Any:
        """Count it."""
        self.asked.append(group_id)
        return await super().group(group_id)


class Proxies:
    """No proxies."""

    def __init__(self) -> None:
        self.view = self

    def known(self) -> list[Any]:
        """There is none."""
        return []

    def lately(self, _: float) -> dict[str, Any]:
        """No calls."""
        return {}

    def endpoints(self) -> dict[tuple[str, str], EndpointSight]:
        """Nothing is reported."""
        return {}


class Recommender:
    """Asks a store that is away."""

    async def tunable(self) -> Any:
        """Fail."""
        raise StoreUnavailable("away")


def signals(store: Store, tmp_path: Path) -> Signals:
    """Return what is looked with."""
    clock = SystemClock()
    fleet: Any = Proxies()
    recommender: Any = Recommender()
    machine = Machine(clock, tmp_path, disk=lambda _: Disk(19, 1))
    return Signals(store, fleet, clock, machine, recommender)


async def test_a_full_disk_is_seen_while_the_store_is_away(tmp_path: Path) -> None:
    """Nothing of the look was seen when groups or recommendations could not be read."""
    store = Store()
    store.away = True
    found = {one.condition: one for one in await signals(store, tmp_path).observe()}
    assert found[Condition.DISK].value == 0.95
    assert Condition.GROUP_EVENTS not in found
    assert Condition.TUNABLE not in found


async def test_only_what_is_watched_is_asked_for(tmp_path: Path) -> None:
    """A runbook about one group asks for that one; one that is gone is unknown."""
    store = Store()
    looking = signals(store, tmp_path)
    found = await looking.observe({Condition.DISK: frozenset({"*"})})
    assert Condition.DISK in {one.condition for one in found}
    assert store.asked == []
    found = await looking.observe({Condition.GROUP_EVENTS: frozenset({"group/v1:a"})})
    assert store.asked == ["v1:a"]
    assert found == []
    await looking.observe({Condition.GROUP_EVENTS: frozenset({"group/*"})})
    assert store.asked == ["v1:a", "groups"]
