"""Exit codes; scripts rely on them, and the reference page lists them."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILED: Final = 1
"""The command was understood and did not succeed: mistakes in a file, a refusing proxy, a failed check, a
difference.
"""
USAGE: Final = 2
"""The command was not understood, or a file could not be read."""
UNREACHABLE: Final = 3
"""The control plane cannot be reached, or did not answer in time."""
INTERRUPTED: Final = 130
"""Ended by Ctrl-C."""

TEXT: Final = """\
Exit codes: 0 success; 1 the command did not succeed (lint found mistakes, diff found a difference, a proxy
refused, a check failed); 2 wrong usage or a file that cannot be read; 3 the control plane cannot be reached;
130 interrupted."""
