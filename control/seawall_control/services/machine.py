"""Looks at the machine, once for all who want to know: healing, alert rules and forecasts.

The definitions are those of domain/machine.py. A file system that hangs holds up one thread and nobody else:
while it does not answer, the disk is unknown, and it is not asked a second time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from seawall_control.domain.machine import Disk, Sample, Usage, disk_of
from seawall_control.services.edge import Clock

FRESH_S: Final = 9.0
"""A look this old is good enough for those who look every ten seconds."""
SAMPLE_S: Final = 60.0
SAMPLES: Final = 24 * 60
"""A day of samples is kept."""
PATIENCE_S: Final = 1.0
"""How long a file system may take to answer."""
_PROC: Final = Path("/proc")
_CGROUPS: Final = Path("/sys/fs/cgroup")

_log = logging.getLogger("seawall.control.machine")


class Machine:
    """This process's machine."""

    def __init__(
        self,
        clock: Clock,
        directory: Path | None,
        *,
        disk: Callable[[Path], Disk] | None = None,
        process: Callable[[], Usage] | None = None,
    ) -> None:
        """`directory` is where the store lies; None where that is not on this machine."""
        self.directory = directory
        self._clock = clock
        self._disk = disk or disk_at
        self._process = process or process_usage
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)
        self._last: Sample | None = None
        self._asking: asyncio.Future[Disk] | None = None
        self._complained = False

    @property
    def samples(self) -> Sequence[Sample]:
        """One look a minute, of the last day at most, oldest first."""
        return tuple(self._samples)

    async def run(self) -> None:
        """Take a sample once a minute, until cancelled."""
        while True:
            await self.sample()
            await asyncio.sleep(SAMPLE_S)

    async def sample(self) -> None:
        """Take a sample."""
        used = await self.look()
        self._samples.append(Sample(self._clock.monotonic_s(), used))

    async def look(self, *, max_age_s: float = FRESH_S) -> Usage:
        """Return a look that is at most so old; 0 looks anew. Never raises."""
        now_s = self._clock.monotonic_s()
        if self._last is not None and now_s - self._last.at_s < max_age_s:
            return self._last.usage
        used = await asyncio.to_thread(self._process)
        used = replace(used, disk=await self._look_at_disk())
        self._last = Sample(now_s, used)
        return used

    async def _look_at_disk(self) -> Disk | None:
        if self.directory is None:
            return None
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(asyncio.to_thread(self._disk, self.directory))
            # Whoever has gone away meanwhile does not ask for the error.
            self._asking.add_done_callback(lambda asked: None if asked.cancelled() else asked.exception())
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await asyncio.shield(self._asking)
        except (OSError, TimeoutError) as error:
            if not self._complained:
                _log.warning(
                    "the disk of the store cannot be looked at; what is said of it rests until it can",
                    extra={"fields": {"directory": str(self.directory), "error": str(error)}},
                )
            self._complained = True
            return None
        self._complained = False
        return found


def disk_at(directory: Path) -> Disk:
    """Return the disk that a directory is on. Blocking. Raise OSError."""
    found = os.statvfs(directory)
    return disk_of(
        blocks=found.f_blocks, free=found.f_bfree, available=found.f_bavail, block_bytes=found.f_frsize
    )


def process_usage() -> Usage:
    """Return what this process uses, and may use. Blocking, but not for long."""
    resident = files = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int((_PROC / "self/statm").read_text(encoding="ascii").split()[1])
        resident = pages * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError):
        # The listing itself has one open.
        files = sum(1 for _ in (_PROC / "self/fd").iterdir()) - 1
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Usage(
        resident_bytes=resident,
        memory_limit_bytes=memory_limit(_PROC, _CGROUPS),
        cpu_s=time.process_time(),
        open_files=files,
        open_files_limit=0 if soft == resource.RLIM_INFINITY else soft,
    )


def memory_limit(proc: Path, cgroups: Path) -> int:
    """Return how much memory the process may have: the least of the machine's and of the limits of its
    control groups (version 2, else version 1); 0 where neither says so.
    """
    limits = [*_machine_memory(proc)]
    with contextlib.suppress(OSError, ValueError):
        for line in (proc / "self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                limits += _group_limits(cgroups, path, "memory.max")
            elif "memory" in controllers.split(","):
                limits += _group_limits(cgroups / "memory", path, "memory.limit_in_bytes")
    return min(limits, default=0)


def _machine_memory(proc: Path) -> list[int]:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (proc / "meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemTotal:"):
                return [int(line.split()[1]) * 1024]
    return []


def _group_limits(root: Path, path: str, name: str) -> list[int]:
    """Return the limits of a group and of those that it is in. In a container the path may be one of the
    host, which is not to be seen there; the root of what is to be seen is the container's own group.
    """
    found = []
    group = root / path.lstrip("/")
    for place in {root, group, *(p for p in group.parents if p.is_relative_to(root))}:
        with contextlib.suppress(OSError, ValueError):
            text = (place / name).read_text(encoding="ascii").strip()
            if text != "max":
                found.append(int(text))
    return found
