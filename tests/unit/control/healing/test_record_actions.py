"""Room on the disk: in the order that a cautious operator would choose, no more than is asked for, and said
beforehand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seawall_control.domain.events import MICROS, Event, Severity
from seawall_control.domain.healing.actions import Action
from seawall_control.domain.healing.conditions import Condition
from seawall_control.domain.healing.engine import Case, State
from seawall_control.domain.healing.runbooks import Mode, Runbook
from seawall_control.domain.machine import GIB, Disk
from seawall_control.services.archives import Archives
from seawall_control.services.edge import SystemClock
from seawall_control.services.healing.actions import record
from seawall_control.services.healing.actions.base import Reach
from seawall_control.services.machine import Machine
from seawall_control.store.memory import MemoryStore
from seawall_control.store.port import StoreReport

NOW = SystemClock().now_us()
DAY = 86_400 * MICROS
EACH = GIB // 100
"""Bytes that an event takes here: a hundred are one GiB."""


class Store(MemoryStore):
    """Its events take room on a disk of ten GiB, of which eight are others'."""

    async def report_state(self) -> StoreReport:
        """Say how large it is."""
        return StoreReport("memory", "1", "ok", "", size_bytes=len(self._events) * EACH)

    def disk(self, _: Path) -> Disk:
        """Return the disk."""
        used = 8 * GIB + len(self._events) * EACH
        return Disk(used, 10 * GIB - used)


def event(number: int, days: float, severity: Severity, *, resolved: bool = True) -> Event:
    """Return an event so many days old."""
    return Event(
        id=f"00000000-0000-4000-8000-{number:012d}",
        timestamp_us=NOW - int(days * DAY) + number,
        severity=severity,
        component="test",
        resolved=resolved,
    )


def case(action: Action, **parameters: Any) -> Case:
    """Return a case of an action."""
    book = Runbook(
        name="r",
        condition=Condition.DISK,
        threshold=0.9,
        action=action,
        parameters=parameters,
        mode=Mode.AUTO,
    )
    return Case(
        id="heal-1",
        runbook=book,
        subject="disk/d",
        state=State.RUNNING,
        started_us=0,
        evidence="full",
        value=1.0,
        changed_us=0,
    )


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk here changes at once."""
    monkeypatch.setattr(record, "SETTLE_S", 0.02)
    monkeypatch.setattr(record, "_LOOK_S", 0.01)
    monkeypatch.setattr(record, "BATCH", 10)


@pytest.fixture
async def store() -> Store:
    """A store with 190 events: 1.9 GiB, so that 1 % of the disk is free."""
    store = Store()
    await store.report(
        [
            *(event(n, 40, Severity.CRITICAL) for n in range(30)),
            *(event(n, 40, Severity.LOW) for n in range(30, 60)),
            *(event(n, 20, Severity.LOW) for n in range(60, 100)),
            *(event(n, 40, Severity.LOW, resolved=False) for n in range(100, 190)),
        ]
    )
    return store


def reach(store: Store, tmp_path: Path, *, directory: Path | None = None) -> Reach:
    """Return what the actions need; the rest is not theirs."""
    clock = SystemClock()
    nothing: Any = None
    return Reach(
        store=store,
        fleet=nothing,
        policies=nothing,
        rollouts=nothing,
        recommender=nothing,
        operations=nothing,
        groups=nothing,
        archives=Archives(tmp_path / "archives", store, clock),
        asker=nothing,
        signals=nothing,
        clock=clock,
        ages=clock,
        machine=Machine(clock, directory, disk=store.disk),
        hooks={},
    )


async def numbers(store: Store) -> set[int]:
    """Return which events are left."""
    return {int(event_id[-12:]) for event_id in store._events}


async def test_the_least_severe_of_the_oldest_go_first(store: Store, tmp_path: Path) -> None:
    """And no more than is asked for: 3 % free are twenty events more, which thirty old LOW ones cover."""
    action = record.CleanDisk(reach(store, tmp_path, directory=tmp_path))
    wanted = case(Action.CLEAN_DISK, free_share=0.03)
    assert await action.preview(wanted) == (
        "would delete about 20 resolved events older than 30 days, the least severe first, to free 0.20 GiB"
    )
    assert len(store._events) == 190
    done = await action.do(wanted)
    assert done.ok
    assert done.text.startswith("20 resolved events deleted, 3% of the disk is free")
    assert await numbers(store) == set(range(30)) | set(range(50, 190))


async def test_what_is_unresolved_stays_however_full_it_is(store: Store, tmp_path: Path) -> None:
    """All that is resolved goes, and what is missing is said; a second time nothing is left to do."""
    action = record.CleanDisk(reach(store, tmp_path, directory=tmp_path))
    wanted = case(Action.CLEAN_DISK, free_share=0.5)
    assert "which is not enough: 4.90 GiB are missing" in await action.preview(wanted)
    done = await action.do(wanted)
    assert done.ok
    assert await numbers(store) == set(range(100, 190))
    again = await action.do(wanted)
    assert not again.ok
    assert "unresolved events are never deleted" in again.text


async def test_where_there_is_room_nothing_goes(store: Store, tmp_path: Path) -> None:
    """Also when somebody runs it by hand."""
    action = record.CleanDisk(reach(store, tmp_path, directory=tmp_path))
    wanted = case(Action.CLEAN_DISK, free_share=0.01)
    assert await action.preview(wanted) == "would delete nothing: 1% of the disk is free"
    assert (await action.do(wanted)).text.startswith("0 resolved events deleted")


async def test_a_database_elsewhere_is_not_cleaned_for_this_disk(store: Store, tmp_path: Path) -> None:
    """Deleting there frees nothing here."""
    action = record.CleanDisk(reach(store, tmp_path))
    with pytest.raises(Exception, match="not on this machine's disk"):
        await action.do(case(Action.CLEAN_DISK))
    assert len(store._events) == 190


async def test_old_events_are_archived(store: Store, tmp_path: Path) -> None:
    """It says how many and how large before, and where they are after."""
    with_archives = reach(store, tmp_path, directory=tmp_path)
    action = record.ArchiveEvents(with_archives)
    wanted = case(Action.ARCHIVE_EVENTS, older_than_days=30)
    assert "would archive 60 resolved events older than 30 days, which take about 614.4 MiB" in (
        await action.preview(wanted)
    )
    done = await action.do(wanted)
    (archive,) = await with_archives.archives.all()
    assert archive.name in done.text
    assert (archive.actor, archive.reason) == ("seawall-healing", "heal-1: full")
    assert await numbers(store) == set(range(60, 190))
    assert "nothing was archived" in (await action.do(wanted)).text
