"""Libraries of a test that stand before the system's in a process: LD_PRELOAD."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def built(source: Path, folder: Path) -> Path:
    """Return a library, compiled into a folder; the test is skipped where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip(f"there is no C compiler to build {source.name} with")
    library = folder / f"{source.stem}.so"
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"{source.name} cannot be built here: {done.stderr[:200]}")
    return library
