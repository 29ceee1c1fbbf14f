"""What a killed process had recorded and not numbered is declared by the next one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from seawall.v1 import event_pb2
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.events import SystemRecord
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.telemetry.spool import DISK_ERROR, LOST_IN_CRASH
from seawall_proxy.telemetry.spool.waiting import BYTES, MAX_BELIEVED, WaitingMark

BOOT = b"b" * 16


def record() -> SystemRecord:
    """Return something to record."""
    return SystemRecord(event_pb2.EVENT_KIND_SYSTEM, event_pb2.SEVERITY_LOW, "proxy/test", "t", "m", 1.0)


def test_what_was_said_last_is_there_under_the_same_boot(tmp_path: Path) -> None:
    """Without a call to write it; another boot of the machine, or an unknown one, says nothing."""
    path = tmp_path / "waiting"
    mark, lost = WaitingMark.open(path, BOOT)
    assert lost == 0
    mark.set(3)
    mark.set(7)
    # Another look, as after a kill: nothing was closed.
    assert WaitingMark.open(path, BOOT)[1] == 7
    assert WaitingMark.open(path, b"c" * 16)[1] == 0
    assert WaitingMark.open(path, bytes(16))[1] == 0


def test_damage_is_not_believed(tmp_path: Path) -> None:
    """A file that is short, torn or says too much."""
    path = tmp_path / "waiting"
    path.write_bytes(b"SW")
    mark, lost = WaitingMark.open(path, BOOT)
    assert lost == 0 and path.stat().st_size == BYTES
    mark.set(MAX_BELIEVED + 1)
    assert WaitingMark.open(path, BOOT)[1] == 0


async def test_a_spool_does_without_it(tmp_path: Path) -> None:
    """Where the file cannot be had, as on a full disk, events are spooled all the same."""
    (tmp_path / "spool" / "waiting").mkdir(parents=True)
    counters = ProxyCounters()
    pump = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    pump._recorder.system(record())
    await pump.pump()
    assert pump.spool is not None and pump.spool.status().last == 1
    await pump.release()


async def test_records_in_the_ring_of_a_killed_process_are_declared(tmp_path: Path) -> None:
    """They have no number yet; the next process gives them some, as a gap, exactly as many."""
    counters = ProxyCounters()
    killed = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    recorder = killed._recorder
    recorder.system(record())
    await killed.pump()
    for _ in range(5):
        recorder.system(record())
    assert killed.spool is not None
    # What a kill does: files are closed, and nothing else.
    killed.spool.abandon()
    counters = ProxyCounters()
    after = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    await after.pump()
    batch = await after.take(100, 1 << 20)
    assert batch is not None
    assert [number for number, _ in batch.events] == [1]
    assert [(gap.first, gap.last, gap.reason) for gap in batch.gaps] == [(2, 6, LOST_IN_CRASH)]
    await after.release()
    # A stop in good order leaves nothing to declare.
    counters = ProxyCounters()
    third = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    await third.pump()
    assert third.spool is not None and third.spool.status().last == 6
    await third.release()
    assert killed._disk is not None
    killed._disk.shutdown()


async def test_a_deleted_spool_is_begun_anew_and_what_it_had_is_declared(tmp_path: Path) -> None:
    """Written on, it would be found by nobody after the next start."""
    counters = ProxyCounters()
    pump = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    recorder = pump._recorder
    for _ in range(3):
        recorder.system(record())
    await pump.pump()
    first = pump.spool
    assert first is not None and first.depth == 3
    shutil.rmtree(tmp_path / "spool")
    recorder.system(record())
    await pump.pump()
    second = pump.spool
    assert second is not None and second.spool_id != first.spool_id
    recorder.system(record())
    await pump.pump()
    batch = await pump.take(100, 1 << 20)
    assert batch is not None
    assert [(gap.first, gap.last, gap.reason) for gap in batch.gaps] == [(1, 4, DISK_ERROR)]
    assert [number for number, _ in batch.events] == [5]
    await pump.release()


async def test_without_a_spool_nothing_is_counted_twice(tmp_path: Path) -> None:
    """Records that were dropped because there was no spool are settled: they are not declared later."""
    blocked = tmp_path / "spool"
    blocked.write_text("in the way")
    counters = ProxyCounters()
    pump = EventPump(EventRecorder(counters), counters, "n", os.urandom, blocked)
    pump._recorder.system(record())
    await pump.pump()
    assert counters.events_dropped == 1
    blocked.unlink()
    pump._reopen_at = 0.0
    pump._recorder.system(record())
    await pump.pump()
    assert pump.spool is not None and pump.spool.status().last == 1
    assert WaitingMark.open(blocked / "waiting", pump._waiting._boot if pump._waiting else b"")[1] == 0
    await pump.release()
