"""Child processes of a benchmark: started, waited for, their CPU time and memory read, ended."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Running:
    """A proxy under test."""

    name: str
    pid: int
    address: str

    @property
    def port(self) -> str:
        return self.address.rpartition(":")[2]

    def cpu_seconds(self) -> float:
        """Return user and system time of the process and its descendants so far.

        Read from their CPU-time clocks (see clock_getcpuclockid(3)), which count nanoseconds, where
        /proc/PID/stat counts hundredths of a second.
        """
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in tree(self.pid))

    def resident_bytes(self) -> int:
        """Return the resident memory of the process and its descendants."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in tree(self.pid))
        return pages * os.sysconf("SC_PAGE_SIZE")


def waited_seconds(pid: int) -> float:
    """Return how long the threads of a process and its descendants have been ready to run and not run so far
    (the second number of /proc/PID/schedstat).
    """
    waited = 0
    for each in tree(pid):
        for task in Path(f"/proc/{each}/task").iterdir():
            waited += int((task / "schedstat").read_text().split()[1])
    return waited * 1e-9


def tree(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, child: subprocess.Popen[bytes], limit_s: float = 30.0) -> None:
    """Wait until something listens; raise when the process ends or takes too long."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        if child.poll() is not None:
            raise RuntimeError(f"it ended with {child.returncode} before it listened{_last_words(child)}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {limit_s:g} s{_last_words(child)}")


def _last_words(child: subprocess.Popen[bytes]) -> str:
    log = getattr(child, "log_path", None)
    lines = [] if log is None else Path(log).read_text(errors="replace").strip().splitlines()
    # A mistake in a policy is shown with its place below it; the line that says what is wrong is the first.
    said = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "")
    return f": {said.strip()}" if said else ""


@contextmanager
def process(
    arguments: list[str], environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a child process for the length of the block."""
    with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".log") as log:
        child = subprocess.Popen(
            arguments,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        child.log_path = log.name  # type: ignore[attr-defined]
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    stream.close()
