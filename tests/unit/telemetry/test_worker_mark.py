"""What a worker had recorded and nobody had numbered is known when it is gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seawall.v1 import event_pb2
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.events import SystemRecord
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.telemetry.spool import NOT_BUILT, WORKER_DIED
from seawall_proxy.telemetry.spool.mark import boot_digest
from seawall_proxy.telemetry.spool.opening import boot_id
from seawall_proxy.telemetry.spool.worker_mark import WorkerMark, collect

BOOT = b"b" * 16


def collected(directory: Path, boot: bytes = BOOT) -> list[int]:
    """Return what is declared."""
    found: list[int] = []
    collect(directory, boot, found.append, set())
    return found


def test_both_sides_count_in_one_page_and_the_lock_is_held_by_either(tmp_path: Path) -> None:
    """It is nobody else's while one of them lives; then it is counted once and removed."""
    front = WorkerMark.create(tmp_path, BOOT)
    worker = WorkerMark.inherited(os.dup(front.fileno()))
    worker.record(7)
    front.settle(4)
    assert front.recorded == 7
    assert collected(tmp_path) == []
    front.close()
    assert collected(tmp_path) == [], "the worker lives"
    worker.record(9)
    worker.close()
    assert collected(tmp_path) == [5]
    assert collected(tmp_path) == [] and not list(tmp_path.iterdir())


def test_what_cannot_be_believed_is_removed(tmp_path: Path) -> None:
    """Of another boot, unknown, damaged, or settled."""
    for boot, recorded, settled in ((b"c" * 16, 5, 0), (BOOT, 5, 5), (BOOT, 1 << 40, 0), (BOOT, 1, 2)):
        mark = WorkerMark.create(tmp_path, boot)
        mark.record(recorded)
        mark.settle(settled)
        mark.close()
    (tmp_path / "worker-torn.waiting").write_bytes(b"SW")
    assert collected(tmp_path) == [] and not list(tmp_path.iterdir())
    mark = WorkerMark.create(tmp_path, bytes(16))
    mark.record(3)
    mark.close()
    assert collected(tmp_path, bytes(16)) == []


def test_a_mark_that_cannot_be_removed_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that has become read-only; the others are looked at all the same."""
    for count in (3, 4):
        mark = WorkerMark.create(tmp_path, BOOT)
        mark.record(count)
        mark.close()
    found: list[int] = []
    done: set[str] = set()
    with monkeypatch.context() as patch:

        def refused(*_: object, **__: object) -> None:
            raise OSError(30, "Read-only file system")

        patch.setattr(Path, "unlink", refused)
        for _ in range(3):
            with pytest.raises(OSError, match="Read-only"):
                collect(tmp_path, BOOT, found.append, done)
    assert sorted(found) == [3, 4] and len(done) == 2
    collect(tmp_path, BOOT, found.append, done)
    assert sorted(found) == [3, 4] and not done and not list(tmp_path.iterdir())


def test_without_a_directory_the_page_outlives_the_worker_alone() -> None:
    """A proxy without a spool knows what a killed worker had, too."""
    front = WorkerMark.create(None, BOOT)
    worker = WorkerMark.inherited(os.dup(front.fileno()))
    worker.record(3)
    worker.close()
    assert front.recorded == 3
    front.remove()


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without room on the disk would end who touches it."""
    monkeypatch.setattr(os, "pwrite", lambda *_: 100)
    with pytest.raises(OSError, match="no room"):
        WorkerMark.create(tmp_path, BOOT)
    assert not list(tmp_path.iterdir())


async def test_the_next_run_declares_what_workers_of_the_last_had(tmp_path: Path) -> None:
    """At its start, and later for those that were still draining then."""
    directory = tmp_path / "spool"
    boot = boot_digest(boot_id())
    gone, draining = WorkerMark.create(directory, boot), WorkerMark.create(directory, boot)
    gone.record(4)
    gone.settle(1)
    gone.close()
    counters = ProxyCounters()
    pump = EventPump(EventRecorder(counters), counters, "n", os.urandom, directory)
    await pump.pump()
    draining.record(2)
    draining.close()
    pump._look_at = pump._tick_at = 0.0
    await pump.pump()
    batch = await pump.take(100, 1 << 20)
    assert batch is not None
    assert [(gap.first, gap.last, gap.reason) for gap in batch.gaps] == [
        (1, 3, WORKER_DIED),
        (4, 5, WORKER_DIED),
    ]
    assert counters.events_dropped == 5
    await pump.release()


async def test_a_record_of_which_no_event_can_be_made_is_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a number, as a gap: what was recorded is stored or declared."""
    counters = ProxyCounters()
    pump = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    monkeypatch.setattr(pump._builder, "_from_system", lambda _: 1 / 0)
    low = event_pb2.SEVERITY_LOW
    pump._recorder.system(SystemRecord(event_pb2.EVENT_KIND_SYSTEM, low, "proxy/test", "t", "m", 1.0))
    await pump.pump()
    batch = await pump.take(100, 1 << 20)
    assert batch is not None
    assert [(gap.first, gap.last, gap.reason) for gap in batch.gaps] == [(1, 1, NOT_BUILT)]
    assert counters.events_dropped == 1
    await pump.release()
