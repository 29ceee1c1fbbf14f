"""The wall clock of processes, off by as much as a test sets it to: offset_clock.c, preloaded."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.kit.processes import ROOT

SOURCE = ROOT / "tests" / "kit" / "offset_clock.c"


def built(folder: Path) -> Path:
    """Return the library, compiled into a folder; the test is skipped where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to build the clock with")
    library = folder / "offset_clock.so"
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"the clock cannot be built here: {done.stderr[:200]}")
    return library


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
