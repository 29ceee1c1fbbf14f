"""Events of workers on their way into the spool, and what of them dead workers had."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import cast

import pytest

from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.runtime.frames import Frame, Head, Kind, pack
from seawall_proxy.runtime.workers import events as module
from seawall_proxy.runtime.workers.events import WorkerEvents
from seawall_proxy.runtime.workers.handle import WorkerHandle
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.telemetry.spool import RING_FULL, WORKER_DIED
from seawall_proxy.telemetry.spool.source_mark import SourceMark


class Worker:
    """What is known of a worker process, without one."""

    def __init__(self, mark: SourceMark) -> None:
        self.mark = mark
        self.received = 0
        self.alive = True
        self.said: list[tuple[Kind, Head]] = []

    def say(self, kind: Kind, head: Head) -> None:
        """Hear an answer."""
        self.said.append((kind, head))


def pump_in(folder: Path | None) -> EventPump:
    """Return a pump whose spool is in a folder."""
    counters = ProxyCounters()
    return EventPump(EventRecorder(counters), counters, "n", os.urandom, folder)


def marks(folder: Path) -> list[Path]:
    """Return the marks that are there."""
    return list(folder.glob("worker-*.waiting"))


async def test_what_a_worker_still_had_is_declared_and_its_mark_goes(tmp_path: Path) -> None:
    """What it handed on is spooled, what its ring dropped is declared as that, the rest is known exactly."""
    pump = pump_in(tmp_path / "spool")
    events = WorkerEvents(pump)
    worker = Worker(await events.mark())
    handle = cast("WorkerHandle", worker)
    worker.mark.record(9)
    events.take(handle, Frame(Kind.EVENTS, {"seq": 1, "dropped": 2}, pack([b"", b""])))
    await events.settled()
    assert worker.said == [(Kind.EVENTS_KEPT, {"seq": 1})]
    assert (worker.received, worker.mark.settled, len(marks(tmp_path / "spool"))) == (4, 4, 1)
    worker.alive = False
    assert events.ended(handle) == 5
    await events.settled()
    assert marks(tmp_path / "spool") == []
    batch = await pump.take(100, 1 << 20)
    assert batch is not None
    assert sorted((gap.reason, gap.last - gap.first + 1) for gap in batch.gaps) == [
        (RING_FULL, 2),
        (WORKER_DIED, 5),
    ]
    assert len(batch.events) == 2
    await pump.release()


async def test_a_worker_that_ends_in_order_leaves_nothing(tmp_path: Path) -> None:
    """All that it recorded is spooled."""
    pump = pump_in(tmp_path / "spool")
    events = WorkerEvents(pump)
    worker = Worker(await events.mark())
    handle = cast("WorkerHandle", worker)
    worker.mark.record(1)
    events.take(handle, Frame(Kind.EVENTS, {"seq": 1, "dropped": 0}, pack([b""])))
    worker.alive = False
    assert events.ended(handle) == 0
    await events.settled()
    assert marks(tmp_path / "spool") == []
    await pump.release()


@pytest.mark.parametrize("how", ["refuses", "is slow"])
async def test_a_disk_that_has_no_room_for_a_mark_holds_up_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It gets one that outlives the worker, and not the process in front."""
    monkeypatch.setattr(module, "MARK_LIMIT_S", 0.05)
    real = SourceMark.create
    late, made = threading.Event(), threading.Event()

    def create(directory: Path | None, boot: bytes) -> SourceMark:
        if directory is not None and how == "refuses":
            raise OSError(28, "No space left on device")
        if directory is not None:
            late.wait(60)
        mark = real(directory, boot)
        if directory is not None:
            made.set()
        return mark

    monkeypatch.setattr(SourceMark, "create", create)
    pump = pump_in(tmp_path / "spool")
    events = WorkerEvents(pump)
    mark = await events.mark()
    mark.record(3)
    assert mark.recorded == 3
    mark.remove()
    late.set()
    assert how == "refuses" or await asyncio.to_thread(made.wait, 60)
    async with asyncio.timeout(60):
        # One that comes late is nobody's.
        while marks(tmp_path / "spool"):  # noqa: ASYNC110 - a thread does it
            await asyncio.sleep(0.01)
