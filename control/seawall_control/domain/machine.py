"""What a process takes of its machine, and how full what it lives on is.

Everything that looks at the disk, memory or open files goes by these definitions: runbooks, alert rules and
forecasts say the same number for the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

GIB: Final = 2**30
MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system, as a process without privileges finds it."""

    used_bytes: int
    free_bytes: int
    """What such a process can still write. What the file system keeps back for root is neither used nor free,
    as in the column `Use%` of df (POSIX.1-2024, df): a disk is full when nothing more can be written to it.
    """

    @property
    def total_bytes(self) -> int:
        """What such a process could write to the empty disk."""
        return self.used_bytes + self.free_bytes

    @property
    def used_share(self) -> float:
        """0 to 1; 1 is a disk that takes nothing more, and one without a size."""
        return self.used_bytes / self.total_bytes if self.total_bytes > 0 else 1.0


def disk_of(*, blocks: int, free: int, available: int, block_bytes: int) -> Disk:
    """Return the disk of what statvfs says: `free` blocks are there, `available` of them for everybody."""
    return Disk((blocks - free) * block_bytes, available * block_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One look. 0 where the system does not say it (it is read from /proc, so on Linux)."""

    resident_bytes: int = 0
    memory_limit_bytes: int = 0
    """What its control group or the machine allows, whichever is less."""
    cpu_s: float = 0.0
    """Processor time of the process since its start."""
    open_files: int = 0
    """File descriptors, connections included."""
    open_files_limit: int = 0
    disk: Disk | None = None
    """Of the store; None where that is not on this machine, or the file system does not answer."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A look, and when it was in monotonic seconds."""

    at_s: float
    usage: Usage


@dataclass(frozen=True, slots=True)
class Fill:
    """How full something was over time."""

    resource: str
    used: float
    """Share at the last look, 0 to 1."""
    shares: Sequence[tuple[float, float]]
    """(monotonic seconds, share), oldest first."""


def fills(samples: Sequence[Sample]) -> tuple[Fill, ...]:
    """Return how full the disk, the memory and the table of open files were; what is unknown is left out."""
    looks = [(sample.at_s, sample.usage) for sample in samples]
    found = (
        _fill("disk", ((at_s, u.disk.used_share) for at_s, u in looks if u.disk is not None)),
        _fill("memory", ((at_s, _share(u.resident_bytes, u.memory_limit_bytes)) for at_s, u in looks)),
        _fill("open_files", ((at_s, _share(u.open_files, u.open_files_limit)) for at_s, u in looks)),
    )
    return tuple(fill for fill in found if fill is not None)


def _share(used: int, limit: int) -> float:
    return used / limit if used > 0 and limit > 0 else -1.0


def _fill(resource: str, shares: Iterable[tuple[float, float]]) -> Fill | None:
    known = [(at_s, share) for at_s, share in shares if share >= 0]
    return Fill(resource, known[-1][1], known) if known else None
