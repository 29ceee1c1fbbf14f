"""One look at the machine for everybody, with one definition of full."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from pathlib import Path

import pytest

from seawall_control.domain.machine import Disk, Sample, Usage, disk_of, fills
from seawall_control.services import machine as machines
from seawall_control.services.edge import SystemClock
from seawall_control.services.machine import Machine, disk_at, memory_limit, process_usage


def test_what_root_keeps_is_neither_used_nor_free() -> None:
    """100 blocks, of which root keeps 5: full is when nobody else can write, as df says."""
    empty = disk_of(blocks=100, free=100, available=95, block_bytes=4096)
    assert (empty.used_share, empty.free_bytes) == (0.0, 95 * 4096)
    full = disk_of(blocks=100, free=5, available=0, block_bytes=4096)
    assert (full.used_share, full.free_bytes) == (1.0, 0)
    assert disk_of(blocks=0, free=0, available=0, block_bytes=4096).used_share == 1.0


def test_this_disk(tmp_path: Path) -> None:
    """It is the disk that other tools see."""
    found, other = disk_at(tmp_path), shutil.disk_usage(tmp_path)
    assert found.total_bytes == other.used + other.free


def test_this_process() -> None:
    """Everything is known on Linux."""
    used = process_usage()
    assert used.resident_bytes > 2**20
    assert used.cpu_s > 0
    assert used.memory_limit_bytes > used.resident_bytes
    assert used.open_files >= 3
    assert used.open_files_limit == 0 or used.open_files < used.open_files_limit


async def test_looks_are_shared(tmp_path: Path) -> None:
    """Whoever asks within some seconds gets the same look, unless it must be new."""
    asked: list[Path] = []

    def disk(path: Path) -> Disk:
        asked.append(path)
        return Disk(1, 1)

    machine = Machine(SystemClock(), tmp_path, disk=disk)
    first = await machine.look()
    assert first.disk == Disk(1, 1)
    assert await machine.look() is first
    await machine.look(max_age_s=0)
    assert len(asked) == 2
    await machine.sample()
    assert [sample.usage.disk for sample in machine.samples] == [Disk(1, 1)]


async def test_a_file_system_that_hangs_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked once, however often somebody looks, and is unknown meanwhile; then it is known again."""
    monkeypatch.setattr(machines, "PATIENCE_S", 0.02)
    asked: list[float] = []
    answers = threading.Event()

    def disk(path: Path) -> Disk:
        asked.append(time.monotonic())
        answers.wait(60)
        return Disk(3, 1)

    machine = Machine(SystemClock(), tmp_path, disk=disk)
    try:
        for _ in range(3):
            used = await machine.look(max_age_s=0)
            assert used.disk is None
            assert used.resident_bytes > 0
        while not asked:  # noqa: ASYNC110 - a thread does it
            await asyncio.sleep(0.01)
        assert (await machine.look(max_age_s=0)).disk is None
        assert len(asked) == 1
        monkeypatch.setattr(machines, "PATIENCE_S", 60.0)
    finally:
        answers.set()
    assert (await machine.look(max_age_s=0)).disk == Disk(3, 1)


async def test_a_directory_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Is said once, not at every look."""
    machine = Machine(SystemClock(), tmp_path / "none")
    for _ in range(3):
        assert (await machine.look(max_age_s=0)).disk is None
    assert len(caplog.records) == 1
    assert (await Machine(SystemClock(), None).look()).disk is None


@pytest.mark.parametrize(
    ("cgroup", "files", "limit"),
    [
        ("0::/a/b", {"a/memory.max": "300", "a/b/memory.max": "max"}, 300),
        ("0::/", {"memory.max": "200"}, 200),
        ("0::/host/path/that/is/not/here", {"memory.max": "150"}, 150),
        ("4:cpu:/x\n3:memory:/x", {"memory/x/memory.limit_in_bytes": "120"}, 120),
        ("3:memory:/", {"memory/memory.limit_in_bytes": "9223372036854771712"}, 1024_000),
        ("not a listing", {}, 1024_000),
    ],
)
def test_memory_limits(tmp_path: Path, cgroup: str, files: dict[str, str], limit: int) -> None:
    """The least of what the machine and its control groups allow, in both versions of those."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text(cgroup)
    (proc / "meminfo").write_text("MemTotal:       1000 kB\nMemFree: 1 kB\n")
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text + "\n")
    assert memory_limit(proc, groups) == limit


def test_fills() -> None:
    """What is not known is left out, not taken for empty."""
    known = Usage(resident_bytes=50, memory_limit_bytes=200, open_files=9, open_files_limit=10)
    samples = [Sample(0.0, Usage()), Sample(60.0, known)]
    assert [(fill.resource, fill.used, list(fill.shares)) for fill in fills(samples)] == [
        ("memory", 0.25, [(60.0, 0.25)]),
        ("open_files", 0.9, [(60.0, 0.9)]),
    ]
    with_disk = [Sample(0.0, Usage(disk=Disk(1, 3)))]
    assert [fill.resource for fill in fills(with_disk)] == ["disk"]
