"""What a worker had recorded and nobody had numbered is known when it is gone."""

from __future__ import annotations

import os
from errno import ELOOP
from pathlib import Path

import pytest

from seawall.v1 import event_pb2
from seawall_proxy.runtime.event_pump import EventPump
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.events import SystemRecord
from seawall_proxy.telemetry.recorder import EventRecorder
from seawall_proxy.telemetry.spool import DISK_ERROR, NOT_BUILT, WORKER_DIED, Spool
from seawall_proxy.telemetry.spool.mark import boot_digest
from seawall_proxy.telemetry.spool.opening import boot_id
from seawall_proxy.telemetry.spool.source_mark import SourceMark, collect, resolve

BOOT = b"b" * 16


def collected(directory: Path, boot: bytes = BOOT) -> list[int]:
    """Return what is declared."""
    found: list[int] = []

    def declare(source: SourceMark, left: int, _: str) -> None:
        found.append(left)
        source.settle(left)

    collect(directory, boot, declare)
    return found


def test_both_sides_count_in_one_page_and_the_lock_is_held_by_either(tmp_path: Path) -> None:
    """It is nobody else's while one of them lives; then it is counted once and removed."""
    front = SourceMark.create(tmp_path, BOOT)
    worker = SourceMark.inherited(os.dup(front.fileno()))
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
        mark = SourceMark.create(tmp_path, boot)
        mark.record(recorded)
        mark.settle(settled)
        mark.close()
    (tmp_path / "worker-torn.waiting").write_bytes(b"SW")
    assert collected(tmp_path) == [] and not list(tmp_path.iterdir())
    mark = SourceMark.create(tmp_path, bytes(16))
    mark.record(3)
    mark.close()
    assert collected(tmp_path, bytes(16)) == []


@pytest.mark.parametrize(
    ("ends", "left"),
    [({}, 6), ({b"s" * 16: 9}, 6), ({b"s" * 16: 11}, 4), ({b"s" * 16: 40}, 3), ({b"t" * 16: 40}, 6)],
)
def test_what_was_being_numbered_counts_as_far_as_it_has_numbers(
    tmp_path: Path, ends: dict[bytes, int], left: int
) -> None:
    """None of it, a part or all; numbers of another spool are not its. Said twice it is the same."""
    mark = SourceMark.create(tmp_path, BOOT)
    mark.record(8)
    mark.settle(2)
    mark.claim(b"s" * 16, 10, 3)
    mark.close()
    for _ in range(2):
        assert resolve(tmp_path, BOOT, ends) == []
    assert collected(tmp_path) == [left]


def test_a_claim_is_over_once_it_is_settled(tmp_path: Path) -> None:
    """Numbers that come after it are others'."""
    mark = SourceMark.create(tmp_path, BOOT)
    mark.record(8)
    mark.claim(b"s" * 16, 10, 3)
    mark.settle(3)
    mark.close()
    assert resolve(tmp_path, BOOT, {b"s" * 16: 40}) == []
    assert collected(tmp_path) == [5]


@pytest.mark.parametrize("harm", ["torn", "another boot", "cut off"])
def test_a_claim_that_cannot_be_believed_is_none(tmp_path: Path, harm: str) -> None:
    """Whoever was killed while it was written had not numbered anything."""
    mark = SourceMark.create(tmp_path, BOOT)
    mark.record(8)
    mark.claim(b"s" * 16, 10, 3)
    mark.close()
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[64 + 20] ^= 1
    if harm == "torn":
        path.write_bytes(data)
    elif harm == "cut off":
        path.write_bytes(data[:70])
    boot = b"c" * 16 if harm == "another boot" else BOOT
    assert resolve(tmp_path, boot, {b"s" * 16: 40}) == []
    assert collected(tmp_path) == ([] if harm == "cut off" else [8])


def test_a_page_that_cannot_be_opened_is_told_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """As one on a disk that has become read-only."""
    marks = [SourceMark.create(tmp_path, BOOT) for _ in range(2)]
    for mark in marks:
        mark.record(3)
        mark.claim(b"s" * 16, 1, 3)
        mark.close()
    odd = tmp_path / "front-odd.waiting"
    odd.symlink_to(tmp_path / marks[0].name)
    (trouble,) = resolve(tmp_path, BOOT, {b"s" * 16: 3})
    assert trouble.errno == ELOOP
    odd.unlink()
    assert collected(tmp_path) == []


@pytest.mark.parametrize("name", ["", "mark", "worker-x", "../worker-a.waiting", "worker-none.waiting"])
def test_a_page_is_opened_by_its_name_alone(tmp_path: Path, name: str) -> None:
    """What another process says is no path."""
    SourceMark.create(tmp_path, BOOT).close()
    (tmp_path / "spool").mkdir()
    with pytest.raises(FileNotFoundError):
        SourceMark.named(tmp_path / "spool", name)


def test_what_the_disk_does_not_take_is_settled_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is declared by the spool, as what the disk has refused, and not by the source, too."""
    spool = Spool.open(tmp_path, now_s=1.0, boot="b", random_bytes=os.urandom)
    mark = SourceMark.create(tmp_path, boot_digest("b"))
    mark.record(5)
    spool.append([b"one"], 1.0, mark)
    with monkeypatch.context() as patch:

        def refused(*_: object) -> int:
            raise OSError(28, "No space left on device")

        patch.setattr(os, "write", refused)
        assert len(spool.append([b"two", b"three"], 1.0, mark)) == 0
    assert mark.settled == 3
    spool.append([b"four", b"five"], 1.0, mark)
    spool.abandon()
    mark.close()
    spool = Spool.open(tmp_path, now_s=1.0, boot="b", random_bytes=os.urandom)
    batch = spool.take(100, 1 << 20)
    assert batch is not None
    assert [number for number, _ in batch.events] == [1, 4, 5]
    assert [(gap.first, gap.last, gap.reason) for gap in batch.gaps] == [(2, 3, DISK_ERROR)]
    assert collected(tmp_path, boot_digest("b")) == []
    spool.close()


def test_a_mark_that_cannot_be_removed_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that has become read-only; the others are looked at all the same."""
    for count in (3, 4):
        mark = SourceMark.create(tmp_path, BOOT)
        mark.record(count)
        mark.close()
    found: list[int] = []

    def declare(source: SourceMark, left: int, _: str) -> None:
        found.append(left)
        source.settle(left)

    with monkeypatch.context() as patch:

        def refused(*_: object, **__: object) -> None:
            raise OSError(30, "Read-only file system")

        patch.setattr(Path, "unlink", refused)
        for _ in range(3):
            with pytest.raises(OSError, match="Read-only"):
                collect(tmp_path, BOOT, declare)
    assert sorted(found) == [3, 4]
    collect(tmp_path, BOOT, declare)
    assert sorted(found) == [3, 4] and not list(tmp_path.iterdir())


def test_without_a_directory_the_page_outlives_the_worker_alone() -> None:
    """A proxy without a spool knows what a killed worker had, too."""
    front = SourceMark.create(None, BOOT)
    worker = SourceMark.inherited(os.dup(front.fileno()))
    worker.record(3)
    worker.close()
    assert front.recorded == 3
    front.remove()


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without room on the disk would end who touches it."""
    monkeypatch.setattr(os, "pwrite", lambda *_: 100)
    with pytest.raises(OSError, match="no room"):
        SourceMark.create(tmp_path, BOOT)
    assert not list(tmp_path.iterdir())


async def test_the_next_run_declares_what_workers_of_the_last_had(tmp_path: Path) -> None:
    """At its start, and later for those that were still draining then."""
    directory = tmp_path / "spool"
    boot = boot_digest(boot_id())
    gone, draining = SourceMark.create(directory, boot), SourceMark.create(directory, boot)
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
