"""How much of the process's memory and descriptors is used: numbers of the kernel, read a few times a second.

The memory limit is the configured one, else the cgroup's (v2 or v1), else RLIMIT_AS, else there is none. What
is compared with it is measured where the limit applies: resident memory for a configured limit (each worker
has its share), the working set of the whole group (usage without inactive page cache, as kubelet counts) for
a cgroup's, the size of the address space for RLIMIT_AS.
"""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import Final

from seawall_policy import overload

CONFIGURED: Final = "configured"
CGROUP: Final = "cgroup"
ADDRESS_SPACE: Final = "rlimit_as"
NONE: Final = "none"

_STATM: Final = Path("/proc/self/statm")
_PROC: Final = "/proc/self/fd"
_DESCRIPTORS: Final = _PROC if Path(_PROC).is_dir() else "/dev/fd"
"""The latter on macOS and the BSDs."""
_CGROUP: Final = Path("/proc/self/cgroup")
_CGROUP_ROOT: Final = Path("/sys/fs/cgroup")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_LIST_EVERY: Final = 4
_MANY: Final = 2000
"""Descriptors beyond which they are listed more rarely, for that takes half a microsecond each."""
_DRIFT: Final = 256
"""So many new ones, or a quarter of what was listed, are reason to list them now: some will be gone again."""


class Memory:
    """What is used of the limit."""

    def __init__(self, kind: str, limit_bytes: int, group: Path | None = None) -> None:
        self.kind: str = kind
        self.limit_bytes: int = limit_bytes
        """0 where there is none."""
        self.used_bytes: int = 0
        self._group: Path | None = group

    def read(self) -> float:
        """Measure; return the share of the limit that is used, 0.0 where there is none."""
        try:
            self.used_bytes = self._read()
        except (OSError, ValueError, IndexError):
            # Without numbers there is nothing to decide on; the limit itself still holds.
            self.used_bytes = 0
        return self.used_bytes / self.limit_bytes if self.limit_bytes > 0 else 0.0

    def _read(self) -> int:
        if self._group is not None:
            return working_set(self._group)
        fields = _STATM.read_text("ascii").split()
        return int(fields[0 if self.kind == ADDRESS_SPACE else 1]) * _PAGE


def find_memory(configured: int, workers: int) -> Memory:
    """Return what to watch: `configured` is bytes, overload.DETECT or overload.OFF."""
    if configured == overload.OFF:
        return Memory(NONE, 0)
    if configured > 0:
        return Memory(CONFIGURED, configured // workers)
    group, limit = cgroup_limit(_CGROUP, _CGROUP_ROOT)
    if group is not None:
        return Memory(CGROUP, limit, group)
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        return Memory(ADDRESS_SPACE, soft)
    return Memory(NONE, 0)


def cgroup_limit(listing: Path, root: Path) -> tuple[Path | None, int]:
    """Return the folder of the control group whose memory limit is the tightest, and the limit in bytes;
    (None, 0) where there is none. `listing` is the process's /proc/self/cgroup.
    """
    best: tuple[Path | None, int] = (None, 0)
    for folder in _groups(listing, root):
        for name in ("memory.max", "memory.limit_in_bytes"):
            try:
                limit = int((folder / name).read_text("ascii"))
            except (OSError, ValueError):  # "max", or not this version
                continue
            # Version 1 writes "no limit" as the largest multiple of the page size.
            if 0 < limit < 1 << 60 and (best[0] is None or limit < best[1]):
                best = (folder, limit)
    return best


def _groups(listing: Path, root: Path) -> list[Path]:
    """Return the process's groups with their parents, as they are seen from inside a container too."""
    try:
        lines = listing.read_text("ascii", "replace").splitlines()
    except OSError:
        return []
    found: list[Path] = []
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        base = root / "memory" if controllers else root
        folder = base / path.lstrip("/")
        found.extend(place for place in (folder, *folder.parents) if place.is_relative_to(base))
    return found


def working_set(group: Path) -> int:
    """Return the bytes that a control group uses, without page cache that can go at once."""
    for name, word in (
        ("memory.current", "inactive_file"),
        ("memory.usage_in_bytes", "total_inactive_file"),
    ):
        path = group / name
        if path.exists():
            used = int(path.read_text("ascii"))
            for line in (group / "memory.stat").read_text("ascii").splitlines():
                key, _, value = line.partition(" ")
                if key == word:
                    used -= int(value)
            return max(used, 0)
    return 0


class Descriptors:
    """What is used of RLIMIT_NOFILE. `used` may be counted up between two readings."""

    def __init__(self, folder: str = _DESCRIPTORS) -> None:
        """`folder` has an entry for each open descriptor of this process."""
        self.limit: int = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.used: int = 0
        self._folder: str = folder
        self._looks: int = 0
        self._listed: int = 0

    def read(self) -> float:
        """Measure; return the share of the limit that is used."""
        try:
            self.used = self._read()
        except OSError as error:
            # EMFILE: even looking needs a descriptor. Without numbers there is nothing to decide on, and what
            # was counted up must not stay: nobody counts it down.
            self.used = self.limit if error.errno == errno.EMFILE else 0
        return self.used / self.limit if self.limit > 0 else 0.0

    def _read(self) -> int:
        # Linux 6.2 and later tell the number as the folder's size.
        size = os.stat(self._folder).st_size  # noqa: PTH116 - four times a second for ever
        if size > 0 and self._folder == _PROC:
            return size
        self._looks += 1
        due = _LIST_EVERY if self.used < _MANY else 10 * _LIST_EVERY
        drift = self.used - self._listed
        if self.used and self._looks % due and drift < max(_DRIFT, self._listed // 4):
            return self.used
        self._listed = len(os.listdir(self._folder))  # noqa: PTH208 - names only, no objects
        return self._listed
