"""The segment at the end, which is appended to."""

from __future__ import annotations

import os
from pathlib import Path

from seawall_proxy.durable_files import sync_directory, write_all
from seawall_proxy.telemetry.spool.format import HEADER_BYTES, SegmentHeader
from seawall_proxy.telemetry.spool.segments import SUFFIX, Segment
from seawall_proxy.telemetry.spool.tally import Tally


class Tail:
    """The open file of the last segment, while there is one. Methods raise OSError unless they say other."""

    def __init__(self, directory: Path, tally: Tally) -> None:
        self._directory: Path = directory
        self._tally: Tally = tally
        self._fd: int = -1
        self._is_new: bool = False
        """Its name may not be on the disk yet."""
        self.unsynced: int = 0
        """Records that wait for a sync."""

    @property
    def is_open(self) -> bool:
        """Whether there is one."""
        return self._fd >= 0

    def begin(self, header: SegmentHeader) -> Segment:
        """Begin a segment; nothing is left when that fails."""
        path = self._directory / f"{header.first:020d}{SUFFIX}"
        fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            write_all(fd, header.encode())
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        self._fd = fd
        self._is_new = True
        return Segment(path, header, header.first, header.first - 1, HEADER_BYTES)

    def write(self, data: bytes) -> None:
        """Append bytes; when that fails a part of them may be there."""
        write_all(self._fd, data)

    def cut(self, size: int) -> None:
        """Cut off what is behind `size` bytes, and go on there."""
        os.ftruncate(self._fd, size)
        os.lseek(self._fd, size, os.SEEK_SET)

    def sync(self) -> None:
        """Make durable what was appended. After a failure the file is closed: its pages may be gone while the
        next sync says that all is well.
        """
        if self._is_new:
            sync_directory(self._directory)
            self._is_new = False
        if self.unsynced == 0:
            return
        self.unsynced = 0
        try:
            os.fsync(self._fd)
        except OSError:
            self._tally.sync_failed()
            self.close()
            raise

    def sync_quietly(self) -> None:
        """Sync; a failure is counted and makes the spool degraded, it stops nothing."""
        try:
            self.sync()
        except OSError:
            self._tally.degraded = True

    def close(self) -> None:
        """Close the file, if one is open. Never fails."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
            self.unsynced = 0
