"""What a killed process had recorded and not numbered is declared by the next one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from struct import pack

import pytest

from seawall.v1 import event_pb2
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.events import SystemRecord
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.telemetry.spool import DISK_ERROR, LOST_IN_CRASH
from seawall_proxy.telemetry.spool.mark import boot_digest
from seawall_proxy.telemetry.spool.opening import boot_id
from seawall_proxy.telemetry.spool.source_mark import MAGIC_BEFORE, SourceMark


def record() -> SystemRecord:
    """Return something to record."""
    return SystemRecord(event_pb2.EVENT_KIND_SYSTEM, event_pb2.SEVERITY_LOW, "proxy/test", "t", "m", 1.0)


def killed(pump: EventPump) -> None:
    """Do what a kill does: files are closed, and nothing else."""
    assert pump.spool is not None and pump._mark is not None and pump._disk is not None
    pump._disk.shutdown()
    pump.spool.abandon()
    pump._mark.close()


@pytest.mark.parametrize(
    ("boot", "count", "declared"), [("ours", 4, 4), ("other", 4, 0), ("ours", 1 << 40, 0)]
)
async def test_what_an_earlier_version_left_is_declared_once(
    tmp_path: Path, boot: str, count: int, declared: int
) -> None:
    """Its page has another name, and nothing that is settled; what cannot be believed is removed."""
    spool = tmp_path / "spool"
    spool.mkdir()
    told = boot_digest(boot_id()) if boot == "ours" else b"c" * 16
    (spool / "waiting").write_bytes(pack("<8s16sQ", MAGIC_BEFORE, told, count).ljust(4096, b"\0"))
    for _ in range(2):
        counters = ProxyCounters()
        pump = EventPump(EventRecorder(counters), counters, "n", os.urandom, spool)
        await pump.pump()
        batch = await pump.take(100, 1 << 20)
        gaps = [] if batch is None else [(gap.first, gap.last, gap.reason) for gap in batch.gaps]
        assert gaps == ([(1, declared, LOST_IN_CRASH)] if declared else [])
        await pump.release()
        await pump._finish()
    assert sorted(path.name for path in spool.glob("*wait*")) == []


async def test_a_spool_does_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file cannot be had, as on a full disk, events are spooled all the same."""

    def refused(*_: object) -> SourceMark:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SourceMark, "create", refused)
    counters = ProxyCounters()
    pump = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    pump._recorder.system(record())
    await pump.pump()
    assert pump.spool is not None and pump.spool.status().last == 1
    await pump.release()


async def test_records_in_the_ring_of_a_killed_process_are_declared(tmp_path: Path) -> None:
    """They have no number yet; the next process gives them some, as a gap, exactly as many."""
    counters = ProxyCounters()
    before = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    recorder = before._recorder
    recorder.system(record())
    await before.pump()
    for _ in range(5):
        recorder.system(record())
    killed(before)
    counters = ProxyCounters()
    after = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    await after.pump()
    batch = await after.take(100, 1 << 20)
    assert batch is not None
    assert [number for number, _ in batch.events] == [1]
    assert [(gap.first, gap.last, gap.reason) for gap in batch.gaps] == [(2, 6, LOST_IN_CRASH)]
    await after.release()
    await after._finish()
    # A stop in good order leaves nothing to declare.
    counters = ProxyCounters()
    third = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    await third.pump()
    assert third.spool is not None and third.spool.status().last == 6
    await third.release()
    await third._finish()
    assert not list((tmp_path / "spool").glob("front-*"))


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
    assert pump._mark is not None and (pump._mark.recorded, pump._mark.settled) == (1, 1)
    await pump.release()


async def test_records_that_come_while_the_spool_is_handed_over_count_once(tmp_path: Path) -> None:
    """Whoever has the spool then does not take what the one before still has for lost: it gets that handed
    on, and settles it in its page; only what never comes is declared, and not before the other one is gone.
    """
    counters = ProxyCounters()
    before = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    await before.pump()
    await before.release()
    before._recorder.system(record())
    counters = ProxyCounters()
    after = EventPump(EventRecorder(counters), counters, "n", os.urandom, tmp_path / "spool")
    after.hold()
    after.take_over()
    gone = False

    async def relay(payloads: list[bytes], dropped: int, reason: str, name: str) -> bool:
        if gone:
            raise ConnectionError("gone")
        source = SourceMark.named(tmp_path / "spool", name)
        await after.submit(payloads, dropped, reason, source)
        source.close()
        return True

    before.relay = relay
    await after.pump()
    await before.pump()
    gone = True
    before._recorder.system(record())
    await before._finish()
    for _ in range(2):
        after._look_at = after._tick_at = 0.0
        await after.pump()
        batch = await after.take(100, 1 << 20)
        assert batch is not None
        assert [number for number, _ in batch.events] == [1]
        gaps = [(gap.first, gap.last, gap.reason) for gap in batch.gaps]
        assert gaps == ([] if after._shared else [(2, 2, LOST_IN_CRASH)])
        after.alone()
    await after.release()
    await after._finish()
