"""The command line, `seawall` and `python -m seawall`. What a command needs is imported when it runs, so that
it starts fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    # What gRPC's core says of a handshake we say ourselves; it asks for this when it is first imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from seawall.cli.root import run

    return run(sys.argv[1:] if arguments is None else list(arguments))
