"""Files that are whole and on the disk, or as they were."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from seawall_proxy.durable_files import put_in_place, staged, write_durably


def test_a_file_takes_the_place_of_another_in_the_order_that_a_crash_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is synced before the name is given, and the name after it; only the owner may read it."""
    steps: list[str] = []
    sync, rename = os.fsync, Path.replace

    def synced(fd: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        sync(fd)

    def renamed(old: Path, new: Path) -> Path:
        steps.append("rename")
        return rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    path = tmp_path / "f"
    path.write_bytes(b"old")
    write_durably(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    assert steps == ["file", "rename", "folder"]


@pytest.mark.parametrize("what", ["write", "fsync"])
def test_a_disk_that_does_not_take_it_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """As it was, and nothing beside it."""
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, what, full)
    with pytest.raises(OSError, match="No space"):
        write_durably(path, b"new")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("f", b"old")]


def test_what_killed_processes_have_left_goes(tmp_path: Path) -> None:
    """What another one writes right now stays."""
    path = tmp_path / "f"
    (tmp_path / ".f.4194999.new").write_bytes(b"half")
    (tmp_path / f".f.{os.getppid()}.new").write_bytes(b"whole")
    fresh = staged(path, b"new")
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([f".f.{os.getppid()}.new", fresh.name])
    put_in_place(fresh, path)
    assert path.read_bytes() == b"new"
