"""What is read of the kernel's numbers, and what is made of those that are not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seawall_policy import overload
from seawall_proxy.runtime.readings import (
    CGROUP,
    CONFIGURED,
    NONE,
    Descriptors,
    Memory,
    cgroup_limit,
    find_memory,
    working_set,
)

MIB = 1 << 20
V1_NO_LIMIT = "9223372036854771712\n"


def group(folder: Path, **files: str) -> Path:
    """Make a control group of these files; `_` stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("memory_", "memory.", 1)).write_text(text)
    return folder


def listing(tmp_path: Path, text: str) -> Path:
    """Write a /proc/self/cgroup."""
    path = tmp_path / "cgroup"
    path.write_text(text)
    return path


def test_the_tightest_of_the_group_and_its_parents_counts(tmp_path: Path) -> None:
    """Version 2: a limit of a parent applies too; `max` is none."""
    root = tmp_path / "fs"
    group(root / "a", memory_max=f"{64 * MIB}\n")
    group(root / "a/b", memory_max=f"{128 * MIB}\n")
    group(root / "a/b/c", memory_max="max\n")
    assert cgroup_limit(listing(tmp_path, "0::/a/b/c\n"), root) == (root / "a", 64 * MIB)
    assert cgroup_limit(listing(tmp_path, "0::/elsewhere\n"), root) == (None, 0)


def test_version_1_has_a_folder_for_memory_and_a_number_for_no_limit(tmp_path: Path) -> None:
    """The memory controller's line decides, also where it shares one; the largest number is no limit."""
    root = tmp_path / "fs"
    group(root / "memory/docker/x", memory_limit_in_bytes=f"{32 * MIB}\n")
    group(root / "memory", memory_limit_in_bytes=V1_NO_LIMIT)
    lines = "4:cpu,cpuacct:/wrong\n3:memory,other:/docker/x\n1:name=systemd:/y\n0::/z\n"
    assert cgroup_limit(listing(tmp_path, lines), root) == (root / "memory/docker/x", 32 * MIB)
    group(root / "memory/docker/x", memory_limit_in_bytes=V1_NO_LIMIT)
    assert cgroup_limit(listing(tmp_path, lines), root) == (None, 0)


def test_a_container_sees_its_own_group_at_the_root(tmp_path: Path) -> None:
    """The path is the host's and is not there; the root of the mount is the container's group."""
    root = tmp_path / "fs"
    group(root / "memory", memory_limit_in_bytes=f"{16 * MIB}\n")
    found = cgroup_limit(listing(tmp_path, "3:memory:/kubepods/burstable/pod-1:x/2\n"), root)
    assert found == (root / "memory", 16 * MIB)


@pytest.mark.parametrize("text", ["", "\n", "nonsense\n", "0::\n", ":::\n"])
def test_a_listing_that_says_nothing_is_no_limit(tmp_path: Path, text: str) -> None:
    """An odd line is passed over; so is a listing that is not there."""
    assert cgroup_limit(listing(tmp_path, text), tmp_path / "fs") == (None, 0)
    assert cgroup_limit(tmp_path / "none", tmp_path / "fs") == (None, 0)


def test_the_working_set_is_without_inactive_page_cache(tmp_path: Path) -> None:
    """Both versions, each with its own words; never below zero."""
    stat = "anon 5\ninactive_file 300\ntotal_inactive_file 400\n"
    two = group(tmp_path / "2", memory_current="1000\n", memory_stat=stat)
    one = group(tmp_path / "1", memory_usage_in_bytes="1000\n", memory_stat=stat)
    odd = group(tmp_path / "0", memory_current="100\n", memory_stat=stat)
    assert [working_set(two), working_set(one), working_set(odd)] == [700, 600, 0]
    assert working_set(tmp_path / "none") == 0


def test_memory_is_a_share_of_its_limit(tmp_path: Path) -> None:
    """Of a group the group's; of a configured limit the process's own, of which each worker has a part."""
    two = group(tmp_path / "2", memory_current="1000\n", memory_stat="inactive_file 200\n")
    memory = Memory(CGROUP, 1600, two)
    assert (memory.read(), memory.used_bytes) == (0.5, 800)
    (two / "memory.stat").unlink()
    assert (memory.read(), memory.used_bytes) == (0.0, 0), "without numbers there is nothing to decide on"
    mine = find_memory(64 * MIB, 4)
    assert (mine.kind, mine.limit_bytes) == (CONFIGURED, 16 * MIB)
    assert find_memory(overload.OFF, 4).kind == NONE


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_resident_memory_is_this_process() -> None:
    """A Python process has some megabytes."""
    memory = find_memory(1 << 40, 1)
    assert memory.read() > 0.0
    assert MIB < memory.used_bytes < 64 << 30


def test_descriptors_are_counted() -> None:
    """Opening one is seen, by whichever way this system tells."""
    before = Descriptors()
    before.read()
    reader, writer = os.pipe()
    try:
        after = Descriptors()
        share = after.read()
    finally:
        os.close(reader)
        os.close(writer)
    assert after.used == before.used + 2
    assert share == after.used / after.limit


def test_descriptors_without_a_folder_are_none(tmp_path: Path) -> None:
    """Where nothing tells the number, accepted connections must not add up for ever."""
    descriptors = Descriptors(str(tmp_path / "none"))
    descriptors.used = 5000
    assert (descriptors.read(), descriptors.used) == (0.0, 0)


def test_many_that_were_counted_up_are_listed_again(tmp_path: Path) -> None:
    """Connections that came and went between two listings are not taken for open ones."""
    folder = tmp_path / "fd"
    folder.mkdir()
    for number in range(3):
        (folder / str(number)).touch()
    descriptors = Descriptors(str(folder))
    descriptors.read()
    assert descriptors.used == 3
    descriptors.used += 10
    descriptors.read()
    assert descriptors.used == 13, "a few wait for the next listing"
    descriptors.used += 5000
    descriptors.read()
    assert descriptors.used == 3


def test_no_descriptor_left_to_look_with_is_all_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """EMFILE is the answer to the question."""

    def refuse(path: str) -> list[str]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "listdir", refuse)
    assert Descriptors(str(tmp_path)).read() == 1.0
