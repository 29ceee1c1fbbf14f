"""What the tests of the packaging need to know about the machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BUILD = Path(__file__).resolve().parents[3] / "scripts" / "build_native.py"


@pytest.fixture(scope="session")
def compiler_works() -> bool:
    """Tell whether this machine can compile for this Python, in the build's own judgement."""
    probe = subprocess.run(
        [sys.executable, str(BUILD), "--probe"], capture_output=True, timeout=60, check=False
    )
    return probe.returncode == 0


@pytest.fixture
def compiler(compiler_works: bool) -> None:
    """Skip a test that compiles on a machine that cannot."""
    if not compiler_works:
        pytest.skip("this machine cannot compile C for this Python: scripts/build_native.py --probe says why")
