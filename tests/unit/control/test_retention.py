"""Clean-up as a whole: what goes, what stays, and that it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from seawall_control.domain import group_changes as by_hand
from seawall_control.domain import groups as g
from seawall_control.domain.events import Event, Severity
from seawall_control.domain.machine import Disk
from seawall_control.domain.retention import Keeping
from seawall_control.domain.rollups import RollupQuery, Width
from seawall_control.services import archives as archiving
from seawall_control.services import retention
from seawall_control.services.archives import Archives
from seawall_control.services.retention import Retention
from seawall_control.store.memory import MemoryStore
from seawall_control.store.port import StoreReport

DAY_US = 24 * 3600 * 1_000_000
NOW_US = 20_000 * DAY_US


@dataclass
class Stopped:
    """A clock that stands."""

    at_us: int = NOW_US

    def now_us(self) -> int:
        """Return the time."""
        return self.at_us

    def monotonic_s(self) -> float:
        """Return the time."""
        return self.at_us / 1e6


def event(number: int, days: int, *, resolved: bool = True, severity: Severity = Severity.LOW) -> Event:
    """Return an event of some days ago."""
    return Event(
        id=str(number),
        timestamp_us=NOW_US - days * DAY_US,
        severity=severity,
        component="c",
        fingerprint=f"v1:{number}",
        resolved=resolved,
    )


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAUSE_S", 0.0)


async def left(store: MemoryStore) -> list[str]:
    """Return the ids that are stored."""
    return sorted(store._events)


async def test_age_by_severity_and_muting() -> None:
    """Unresolved ones stay whatever their age, unless their group is muted and that is wanted."""
    store = MemoryStore()
    await store.report(
        [
            event(1, 40),
            event(2, 10),
            event(3, 40, severity=Severity.CRITICAL),
            event(4, 400, severity=Severity.CRITICAL),
            event(5, 400, resolved=False),
            event(6, 400, resolved=False),
        ]
    )
    await store.change_group(
        "v1:6", lambda one: by_hand.archived(one, g.Until.FOREVER, 0, at_us=NOW_US, actor="")
    )
    keeping = Keeping(days=30, severity_days={Severity.CRITICAL: 365})
    assert await Retention(store, keeping, Stopped()).once() == 2
    assert await left(store) == ["2", "3", "5", "6"]
    assert await Retention(store, replace(keeping, muted_days=90), Stopped()).once() == 1
    assert await left(store) == ["2", "3", "5"]


async def test_the_one_that_leads_cleans_up_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start and after each pause; the others only ask whether they have come to lead."""
    monkeypatch.setattr(retention, "EVERY_S", 0.0)
    store = MemoryStore()
    await store.report([event(1, 40)])
    asked: list[bool] = []

    def leads() -> bool:
        asked.append(len(asked) >= 3)
        return asked[-1]

    task = asyncio.create_task(Retention(store, Keeping(days=30), Stopped()).run(leads))
    while not asked or not asked[-1]:
        assert await left(store) == ["1"]
        await asyncio.sleep(0)
    async with asyncio.timeout(60):
        while await left(store):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await store.report([event(2, 40)])
        while await left(store):  # noqa: ASYNC110
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_goes_when_days_are_zero() -> None:
    """But counts do, at their own age."""
    store = MemoryStore()
    await store.report([event(1, 400)])
    assert await Retention(store, Keeping(days=0), Stopped()).once() == 0
    assert await store.rollups(RollupQuery(Width.MINUTE, 0, 2**40)) == []
    assert len(await store.rollups(RollupQuery(Width.DAY, 0, 2**40))) == 1


async def test_store_that_is_too_large_loses_its_oldest_resolved_events(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some at a time until it fits; it says so once when only unresolved ones are left."""
    monkeypatch.setattr(retention, "BATCH", 2)

    class Sized(MemoryStore):
        async def report_state(self) -> StoreReport:
            return StoreReport("memory", "1", "ok", "", size_bytes=100 * len(self._events))

    store = Sized()
    await store.report([event(n, 10 - n, resolved=n > 2) for n in range(10)])
    job = Retention(store, Keeping(days=0, max_bytes=600), Stopped())
    assert await job.once() == 4
    assert await left(store) == ["0", "1", "2", "7", "8", "9"]
    job = Retention(store, Keeping(days=0, max_bytes=100), Stopped())
    assert await job.once() == 3
    assert await job.once() == 0
    assert await left(store) == ["0", "1", "2"]
    assert caplog.text.count("larger than it should be") == 1


async def test_database_that_does_not_get_smaller_loses_no_more_than_it_has_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostgreSQL keeps its size when events go, and fills the room first: what is too much goes once, also
    when the control plane starts again, and again only when the database has grown.
    """
    monkeypatch.setattr(retention, "BATCH", 7)

    class Database(MemoryStore):
        size_bytes = 12_000

        async def report_state(self) -> StoreReport:
            return StoreReport("memory", "1", "ok", "", size_bytes=self.size_bytes)

    store = Database()
    await store.report([event(n, 200 - n) for n in range(120)])
    job = Retention(store, Keeping(days=0, max_bytes=10_000), Stopped())
    assert await job.once() == 20
    for deleted in (0, 0):
        job = Retention(store, Keeping(days=0, max_bytes=10_000), Stopped())
        assert (await job.once(), await job.once()) == (deleted, 0)
    await store.report([event(n, 1) for n in range(1000, 1010)])
    assert await job.once() == 10
    store.size_bytes = 12_500
    assert await job.once() == 20
    for most_bytes, deleted in ((11_000, 0), (5_000, 40)):
        job = Retention(store, Keeping(days=0, max_bytes=most_bytes), Stopped())
        assert await job.once() == deleted, "what it may be has changed"
    store.size_bytes = 4_000
    assert await job.once() == 0
    assert await store.document(retention.KIND, retention.NAME) is None


async def test_what_is_over_goes_to_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a day, each severity at its age; what cannot be archived stays. Muted ones are deleted still."""
    store, clock = MemoryStore(), Stopped()
    await store.report(
        [
            event(1, 40),
            event(2, 10),
            event(3, 40, severity=Severity.CRITICAL),
            event(4, 400, severity=Severity.CRITICAL),
            event(5, 400, resolved=False),
            event(6, 400, resolved=False),
        ]
    )
    await store.change_group(
        "v1:6", lambda one: by_hand.archived(one, g.Until.FOREVER, 0, at_us=NOW_US, actor="")
    )
    keeping = Keeping(days=30, severity_days={Severity.CRITICAL: 365}, muted_days=90, archive=True)
    archives = Archives(tmp_path, store, clock)
    job = Retention(store, keeping, clock, archives)
    with monkeypatch.context() as full:
        full.setattr(archiving, "disk_at", lambda _: Disk(1, 0))
        assert await job.once() == 1
    assert await left(store) == ["1", "2", "3", "4", "5"]
    assert await job.once() == 2
    assert await left(store) == ["2", "3", "5"]
    (made,) = await archives.all()
    assert (made.events, made.actor) == (2, "seawall-retention")
    await store.report([event(7, 40)])
    assert await job.once() == 0, "there was one today"
    assert await Retention(store, keeping, clock, archives).once() == 0, "also after a restart"
    clock.at_us += DAY_US
    assert await job.once() == 1
    assert len(await archives.all()) == 2
    assert await Retention(store, replace(keeping, days=0, severity_days={}), clock, archives).once() == 0
