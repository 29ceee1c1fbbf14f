"""The life of a control plane in its process."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc
from seawall_control.server import look_for_cycles_seldom
look_for_cycles_seldom()
print(gc.isenabled(), gc.get_freeze_count() > 10_000, gc.get_threshold()[0])
"""


def test_cycles_are_looked_for_seldom_and_not_in_what_was_loaded() -> None:
    """They still are looked for. In a process of its own: this is for all that a process has."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "50000"]
