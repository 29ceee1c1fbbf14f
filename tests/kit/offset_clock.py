"""The wall clock of processes, off by as much as a test sets it to: offset_clock.c, preloaded."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.kit import preloading
from tests.kit.processes import ROOT

SOURCE = ROOT / "tests" / "kit" / "offset_clock.c"


def built(folder: Path) -> Path:
    """Return the library, compiled into a folder; the test is skipped where there is no compiler."""
    return preloading.built(SOURCE, folder)


class OffsetClock:
    """The wall clock of processes that are started with `env`."""

    def __init__(self, library: Path, path: Path) -> None:
        self._path = path
        path.write_bytes(bytes(8))
        self.env = {"LD_PRELOAD": str(library), "OFFSET_CLOCK": str(path)}

    def set(self, seconds: int) -> None:
        """Let it jump."""
        with self._path.open("r+b", buffering=0) as file:
            file.write(struct.pack("<q", seconds))
