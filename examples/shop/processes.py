"""The demonstration's child processes: started in sessions of their own, written to log files, and always
ended.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from seawall.cli import child

STOP_S = 15.0


def free_port(wanted: int) -> int:
    """Return `wanted` if it can be bound on the loopback address, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


class Processes:
    """Children by name."""

    def __init__(self, logs: Path, env: dict[str, str]) -> None:
        self.logs = logs
        self.env = os.environ | env
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        atexit.register(self.kill_all)

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start `python -m module arguments` with its output in a log file, which a restart continues."""
        with (self.logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                child.command([sys.executable, "-m", module, *arguments]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """End a child as a crash would."""
        process = self._running[name]
        process.kill()
        process.wait()

    def died(self) -> list[str]:
        """Return the children that have ended."""
        return [name for name, process in self._running.items() if process.poll() is not None]

    async def stop_all(self) -> None:
        """End the children gently, last started first; what does not end in time is killed."""
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError, subprocess.TimeoutExpired):
            async with asyncio.timeout(STOP_S):
                for process in self._running.values():
                    await asyncio.to_thread(process.wait, STOP_S)
        self.kill_all()

    def kill_all(self) -> None:
        """End what is left, with everything that it started."""
        for process in self._running.values():
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def tail(self, name: str, lines: int = 15) -> str:
        """Return the last lines of a child's log."""
        try:
            text = (self.logs / f"{name}.log").read_text("utf-8", "replace")
        except OSError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])


async def run_command(
    arguments: Sequence[str], env: dict[str, str], *, within_s: float = 30.0
) -> tuple[int, str]:
    """Run a `seawall` command as a person would; return its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "seawall", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | env,
    )
    try:
        async with asyncio.timeout(within_s):
            output, _ = await process.communicate()
    except (TimeoutError, asyncio.CancelledError):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return process.returncode or 0, output.decode("utf-8", "replace").rstrip()
