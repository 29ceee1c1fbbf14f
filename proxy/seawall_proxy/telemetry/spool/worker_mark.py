"""What a worker process has recorded and nobody has numbered yet, kept where a `kill -9` does not reach.

A worker counts what it records, and the process in front of it what of that has a number or is declared
lost. Both counts are in a page that the two have mapped: to count costs a store into memory. When the worker
is gone the difference is known to the event. The page is a file beside the spool, so when the process in
front is gone too, whoever has the spool next finds it; its lock, which both hold, says whether one of them is
still there.

The page is never synced: after a crash of the machine it says nothing, which the identity of the kernel's
boot in it tells. When the process in front is killed between having a batch numbered and saying so, that
batch counts twice, at most one for each worker.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path
from struct import Struct
from typing import Final

from seawall_proxy.telemetry.spool.waiting import MAX_BELIEVED

MAGIC: Final = b"SWWORK01"
BYTES: Final = 4096
PREFIX: Final = "worker-"
SUFFIX: Final = ".waiting"

_STATE: Final = Struct("<8s16sQQ")
_COUNT: Final = Struct("<Q")
_RECORDED_AT: Final = 24
_SETTLED_AT: Final = 32


class WorkerMark:
    """The page. The worker alone counts what is recorded, the process in front what is settled."""

    def __init__(self, fd: int, page: mmap.mmap, path: Path | None) -> None:
        self._fd: int = fd
        self._page: mmap.mmap = page
        self._path: Path | None = path
        self._is_open: bool = True
        self._recorded: int = 0

    @classmethod
    def create(cls, directory: Path | None, boot: bytes) -> WorkerMark:
        """Make one beside the spool, or without a directory one that outlives the worker alone. `boot` is the
        digest of the kernel's boot identity. Raises OSError.
        """
        if directory is None:
            return cls._mapped(os.memfd_create("seawall-worker", os.MFD_CLOEXEC), None, boot)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(SUFFIX, PREFIX, directory)
        fcntl.flock(fd, fcntl.LOCK_EX)
        return cls._mapped(fd, Path(name), boot)

    @classmethod
    def _mapped(cls, fd: int, path: Path | None, boot: bytes) -> WorkerMark:
        try:
            # Written, not only lengthened: a page without room on the disk ends who touches it (SIGBUS).
            if os.pwrite(fd, _STATE.pack(MAGIC, boot, 0, 0).ljust(BYTES, b"\0"), 0) < BYTES:
                raise OSError(ENOSPC, "there is no room for the mark of a worker")
            return cls(fd, mmap.mmap(fd, BYTES), path)
        except OSError:
            os.close(fd)
            if path is not None:
                path.unlink(missing_ok=True)
            raise

    @classmethod
    def inherited(cls, fd: int) -> WorkerMark:
        """Take over the one that a worker was given; the lock is held as long as the worker lives."""
        os.set_inheritable(fd, False)
        return cls(fd, mmap.mmap(fd, BYTES), None)

    def fileno(self) -> int:
        """Return the descriptor that a worker inherits."""
        return self._fd

    @property
    def recorded(self) -> int:
        """Events that the worker has recorded since its start, as far as is known when it was let go of."""
        if not self._is_open:
            return self._recorded
        (count,) = _COUNT.unpack_from(self._page, _RECORDED_AT)
        return int(count)

    def record(self, count: int) -> None:
        """Say how many the worker has recorded."""
        _COUNT.pack_into(self._page, _RECORDED_AT, count)

    def settle(self, count: int) -> None:
        """Say how many of them are numbered, or declared. A page that was let go of stays as it is."""
        if self._is_open:
            _COUNT.pack_into(self._page, _SETTLED_AT, count)

    def close(self) -> None:
        """Let go of it; the file stays for whoever has the spool next."""
        if self._is_open:
            self._is_open = False
            self._recorded = self.recorded
            # The mapping has a descriptor of its own, and with it the lock.
            self._page.close()
            os.close(self._fd)

    def remove(self) -> None:
        """Let go of it for good: there is nothing to declare."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.close()


def collect(directory: Path, boot: bytes, declare: Callable[[int], object], done: set[str]) -> None:
    """Have declared what workers had whose pages nobody holds any more, and remove those. `done` has the
    names of those that were declared and could not be removed, and is kept up to date. Raises OSError after
    all were looked at.
    """
    trouble: OSError | None = None
    for path in directory.glob(f"{PREFIX}*{SUFFIX}"):
        try:
            _collect_one(path, boot, declare, done)
        except (FileNotFoundError, BlockingIOError):
            continue
        except OSError as error:
            trouble = error
    if trouble is not None:
        raise trouble


def _collect_one(path: Path, boot: bytes, declare: Callable[[int], object], done: set[str]) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        left = _left(os.read(fd, _STATE.size), boot)
        if left and path.name not in done:
            declare(left)
            done.add(path.name)
        # Only then: when this process is killed in between, they count twice and not never.
        path.unlink(missing_ok=True)
        done.discard(path.name)
    finally:
        os.close(fd)


def _left(raw: bytes, boot: bytes) -> int:
    if len(raw) < _STATE.size or not any(boot):
        return 0
    magic, told_boot, recorded, settled = _STATE.unpack(raw)
    left = int(recorded) - int(settled)
    return left if (magic, told_boot) == (MAGIC, boot) and 0 < left <= MAX_BELIEVED else 0
