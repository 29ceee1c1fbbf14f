"""What a process has recorded and nobody has numbered yet, kept where a `kill -9` does not reach.

A process of the proxy, a worker or the one in front, counts what it records; whoever has the spool, what of
that has a number or is declared lost. Both counts are in a page that the two have mapped: to count costs a
store into memory. When the process is gone the difference is known to the event. The page is a file beside
the spool, so whoever has the spool next finds it; its lock, which a worker and the process in front both
hold, says whether one of them is still there. What is about to be numbered is claimed there first (claim.py),
so that whoever is killed in between leaves nothing that counts twice.

The page is never synced: after a crash of the machine it says nothing, which the identity of the kernel's
boot in it tells.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from collections.abc import Callable, Mapping
from errno import ENOSPC
from pathlib import Path
from struct import Struct
from threading import Lock
from typing import Final

from seawall_proxy.telemetry.spool.claim import CLAIM_BYTES, Claim, decode_claim
from seawall_proxy.telemetry.spool.terms import LOST_IN_CRASH, WORKER_DIED

MAGIC: Final = b"SWWORK01"
MAGIC_BEFORE: Final = b"SWWAIT01"
"""Of the page that the process in front had in earlier versions: what waits, and nothing that is settled."""
BYTES: Final = 4096
WORKER: Final = "worker-"
FRONT: Final = "front-"
SUFFIX: Final = ".waiting"
MAX_BELIEVED: Final = 1_000_000
"""More than any ring holds and could have dropped between two looks: such a count is damage."""

_BEFORE: Final = "waiting"
_STATE: Final = Struct("=8s16sQQ")
# Native, so that it is one store: whoever is killed leaves the old count or the new one.
_COUNT: Final = Struct("@Q")
_RECORDED_AT: Final = 24
_SETTLED_AT: Final = 32
_CLAIM_AT: Final = 64


class SourceMark:
    """The page. The process that records alone counts that, whoever has the spool what is settled."""

    def __init__(self, fd: int, page: mmap.mmap, path: Path | None) -> None:
        self._fd: int = fd
        self._page: mmap.mmap = page
        self._path: Path | None = path
        self._is_open: bool = True
        self._last: tuple[int, int] = (0, 0)
        self._guard: Lock = Lock()
        """The thread of the spool may be at it when it is let go of."""

    @classmethod
    def create(cls, directory: Path | None, boot: bytes, prefix: str = WORKER) -> SourceMark:
        """Make one beside the spool, or without a directory one that outlives a worker alone. `boot` is the
        digest of the kernel's boot identity. Raises OSError.
        """
        if directory is None:
            return cls._begun(os.memfd_create("seawall-worker", os.MFD_CLOEXEC), None, boot)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(SUFFIX, prefix, directory)
        fcntl.flock(fd, fcntl.LOCK_EX)
        return cls._begun(fd, Path(name), boot)

    @classmethod
    def _begun(cls, fd: int, path: Path | None, boot: bytes) -> SourceMark:
        try:
            # Written, not only lengthened: a page without room on the disk ends who touches it (SIGBUS).
            if os.pwrite(fd, _STATE.pack(MAGIC, boot, 0, 0).ljust(BYTES, b"\0"), 0) < BYTES:
                raise OSError(ENOSPC, "there is no room for what says how many events wait")
            return cls(fd, mmap.mmap(fd, BYTES), path)
        except OSError:
            os.close(fd)
            if path is not None:
                path.unlink(missing_ok=True)
            raise

    @classmethod
    def inherited(cls, fd: int) -> SourceMark:
        """Take over the one that a worker was given; the lock is held as long as the worker lives."""
        os.set_inheritable(fd, False)
        return cls(fd, mmap.mmap(fd, BYTES), None)

    @classmethod
    def named(cls, directory: Path, name: str) -> SourceMark:
        """Open the one that another process has and speaks of, without its lock. Raises OSError."""
        if not (name.startswith((WORKER, FRONT)) and name.endswith(SUFFIX) and "/" not in name):
            raise FileNotFoundError(f"{name!r} is no name of a page in {directory}")
        mark = cls.opened(directory / name, lock=False)
        if mark is None:
            raise OSError(f"{directory / name} is damaged")
        return mark

    @classmethod
    def opened(cls, path: Path, *, lock: bool) -> SourceMark | None:
        """Open one that another process has, or left: None when it is damaged, and with `lock` removed.
        Raises OSError, and BlockingIOError when somebody holds it.
        """
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if lock:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_size >= BYTES:
                return cls(fd, mmap.mmap(fd, BYTES), path)
            if lock:
                path.unlink(missing_ok=True)
        except OSError:
            os.close(fd)
            raise
        os.close(fd)
        return None

    def fileno(self) -> int:
        """Return the descriptor that a worker inherits."""
        return self._fd

    @property
    def name(self) -> str:
        """Of the file, by which another process finds it; empty when there is none."""
        return "" if self._path is None else self._path.name

    @property
    def recorded(self) -> int:
        """Events that were recorded since it was made, as far as is known when it was let go of."""
        return self._counts()[0]

    @property
    def settled(self) -> int:
        """Events of those that are numbered, or declared."""
        return self._counts()[1]

    def _counts(self) -> tuple[int, int]:
        if not self._is_open:
            return self._last
        (recorded,) = _COUNT.unpack_from(self._page, _RECORDED_AT)
        (settled,) = _COUNT.unpack_from(self._page, _SETTLED_AT)
        return int(recorded), int(settled)

    def record(self, count: int) -> None:
        """Say how many were recorded since it was made."""
        _COUNT.pack_into(self._page, _RECORDED_AT, count)

    def claim(self, spool_id: bytes, first: int, count: int) -> None:
        """Note that the next `count` events are about to get the numbers from `first` on."""
        with self._guard:
            if self._is_open:
                claim = Claim(spool_id, first, count, self.settled).encode()
                self._page[_CLAIM_AT : _CLAIM_AT + CLAIM_BYTES] = claim

    def settle(self, count: int) -> None:
        """Note that so many more are numbered, or declared. A page that was let go of stays as it is."""
        with self._guard:
            if self._is_open:
                _COUNT.pack_into(self._page, _SETTLED_AT, self.settled + count)

    def left(self, boot: bytes) -> int:
        """Return how many events are to be declared when nobody has it any more; 0 when it is not of this
        boot of the machine, or damaged.
        """
        recorded, settled = self._counts()
        left = recorded - settled
        return left if self._is_of(boot) and 0 < left <= MAX_BELIEVED else 0

    def resolve(self, boot: bytes, ends: Mapping[bytes, int]) -> None:
        """Settle what whoever had the spool before had claimed, as far as it was numbered."""
        claim = decode_claim(self._page[_CLAIM_AT : _CLAIM_AT + CLAIM_BYTES])
        if claim is not None and self._is_of(boot):
            self.settle(claim.settled(self.settled, ends) - self.settled)

    def _is_of(self, boot: bytes) -> bool:
        magic, told_boot, _, _ = _STATE.unpack_from(self._page)
        return magic in (MAGIC, MAGIC_BEFORE) and told_boot == boot and any(boot)

    def close(self) -> None:
        """Let go of it; the file stays for whoever has the spool next."""
        with self._guard:
            if self._is_open:
                self._last = self._counts()
                self._is_open = False
                # The mapping has a descriptor of its own, and with it the lock.
                self._page.close()
                os.close(self._fd)

    def remove(self) -> None:
        """Let go of it for good: there is nothing to declare."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.close()

    def leave(self) -> None:
        """Let go of it, and leave the file if there is something to declare."""
        recorded, settled = self._counts()
        if settled >= recorded:
            self.remove()
        else:
            self.close()


Declare = Callable[[SourceMark, int, str], object]
"""Has so many events of a source declared, for a reason, and settled there."""


def resolve(directory: Path, boot: bytes, ends: Mapping[bytes, int]) -> list[OSError]:
    """Settle in all pages what whoever had the spool before had claimed, whether anybody holds them or not;
    `ends` has the last number that each spool has given out. To be called before another one is given.
    Returns what went wrong.
    """
    trouble: list[OSError] = []
    for path in _pages(directory):
        try:
            mark = SourceMark.opened(path, lock=False)
            if mark is not None:
                mark.resolve(boot, ends)
                mark.close()
        except FileNotFoundError:
            continue
        except OSError as error:
            trouble.append(error)
    return trouble


def collect(directory: Path, boot: bytes, declare: Declare) -> None:
    """Have declared what processes had whose pages nobody holds any more, and remove those. Raises OSError
    after all were looked at.
    """
    trouble: OSError | None = None
    for path in _pages(directory):
        try:
            _collect_one(path, boot, declare)
        except (FileNotFoundError, BlockingIOError):
            continue
        except OSError as error:
            trouble = error
    if trouble is not None:
        raise trouble


def take_over_before(directory: Path) -> None:
    """Give the page that an earlier version's process in front has left its name of now. Raises OSError."""
    before = directory / _BEFORE
    after = directory / f"{FRONT}before{SUFFIX}"
    if before.is_file() and not after.exists():
        before.rename(after)


def _pages(directory: Path) -> list[Path]:
    return sorted(path for prefix in (WORKER, FRONT) for path in directory.glob(f"{prefix}*{SUFFIX}"))


def _collect_one(path: Path, boot: bytes, declare: Declare) -> None:
    mark = SourceMark.opened(path, lock=True)
    if mark is None:
        return
    try:
        left = mark.left(boot)
        if left:
            declare(mark, left, LOST_IN_CRASH if path.name.startswith(FRONT) else WORKER_DIED)
        path.unlink(missing_ok=True)
    finally:
        mark.close()
