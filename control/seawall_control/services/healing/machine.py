"""What this process takes of its machine."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_STATM: Final = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Usage:
    """One look at the machine."""

    resident_bytes: int
    """0 where the system does not say it (it is read from /proc, so on Linux)."""
    cpu_s: float
    """Processor time of the process since its start."""
    disk_used_bytes: int
    disk_total_bytes: int
    """0 where there is no such directory."""


def usage(directory: Path | None) -> Usage:
    """Return what the process uses, and how full the disk of a directory is. Blocking, but not for long."""
    resident = 0
    try:
        resident = int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        resident = 0
    used = total = 0
    if directory is not None:
        try:
            disk = shutil.disk_usage(directory)
            # What is kept back for root is not free for us.
            total, used = disk.used + disk.free, disk.used
        except OSError:
            total = 0
    return Usage(resident, time.process_time(), used, total)
