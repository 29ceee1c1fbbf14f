"""Files that are whole and on the disk, or as they were: the one way in which this process writes them.

A file is written under another name, synced, and renamed; then its directory is synced, for the new name is
not on the disk before that (fsync(2)). Blocking calls: use a thread.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

STAGED: Final = ".new"


def write_durably(path: Path, data: bytes) -> None:
    """Put a file in the place of the one of that name, readable by its owner only. Raises OSError; the old
    file is there then as it was, and nothing else is left.
    """
    put_in_place(staged(path, data), path)


def staged(path: Path, data: bytes) -> Path:
    """Write and sync what is to become a file, and return it, for `put_in_place`. Raises OSError."""
    # Two generations of the proxy may write one file: each has a name of its own on the way there.
    fresh = path.with_name(f".{path.name}.{os.getpid()}{STAGED}")
    _remove_left_over(path, fresh)
    try:
        os.close(create_durably(fresh, data))
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    return fresh


def put_in_place(fresh: Path, path: Path) -> None:
    """Give a staged file its name, in the place of the one that has it, durably. Raises OSError."""
    try:
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def create_durably(path: Path, data: bytes) -> int:
    """Write and sync a file, readable by its owner only, and return it open for reading and writing; its name
    is not durable yet. Raises OSError.
    """
    fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, data)
        os.fsync(fd)
    except OSError:
        os.close(fd)
        raise
    return fd


def write_all(fd: int, data: bytes) -> None:
    """Write every byte; raise OSError when the disk takes no more."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_directory(path: Path) -> None:
    """Make created, renamed and removed names of a directory durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove_left_over(path: Path, ours: Path) -> None:
    """Remove what processes that were killed in the middle of a write have left."""
    prefix = f".{path.name}."
    for other in path.parent.glob(f"{prefix}*{STAGED}"):
        writer = other.name[len(prefix) : -len(STAGED)]
        if other != ours and writer.isdecimal() and not Path("/proc", writer).exists():
            other.unlink(missing_ok=True)
