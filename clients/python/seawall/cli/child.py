"""`python -m seawall.cli.child PARENT COMMAND...`: become COMMAND, and end when the process PARENT does.

A supervisor that is killed cannot end its children, so on Linux the kernel does it (prctl(2),
PR_SET_PDEATHSIG; it survives exec). This is a step of its own, between fork and the real program, because
gRPC's threads in the parent forbid running Python between fork and exec.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def command(arguments: Sequence[str]) -> list[str]:
    """Return the command line that runs `arguments` bound to this process's life; as it is where that is not
    possible.
    """
    if sys.platform != "linux":
        return list(arguments)
    return [sys.executable, "-m", "seawall.cli.child", str(os.getpid()), *arguments]


def main() -> None:
    """Bind this process to its parent's life and become the command."""
    import ctypes

    parent, program = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 (that is what this is for)


if __name__ == "__main__":
    main()
