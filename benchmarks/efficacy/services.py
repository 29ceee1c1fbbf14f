"""The services behind a proxy: real processes that can be made ill, killed, frozen and started again."""

from __future__ import annotations

import signal
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from benchmarks import tools
from benchmarks.processes import ROOT

SLICE_S = 0.1
_COUNTERS = 16
_SLICES = 4096
_DRAIN_LIMIT_S = 3.0


class Service:
    """One `native/service.c`, over all its lives: its board and its port outlive a crash."""

    def __init__(self, folder: Path, number: int, base: float, setup: tuple[str, ...]) -> None:
        self._board = folder / f"service-{number}"
        self._log = (folder / f"service-{number}.log").open("ab")
        self._arguments = [str(self._board), f"{base:.6f}", str(11 + number)]
        self._setup = [line.replace(" ", "-") for line in setup]
        self._child: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.start()

    def start(self) -> None:
        """Begin a life, with everything as it was set up; on the port of the lives before."""
        self._end_of(self._child)
        command = [str(tools.native("service")), str(self.port), *self._arguments, *self._setup]
        self._child = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log
        )
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"a service did not start: {self._said()}")
        self.port = int(line)

    def _said(self) -> str:
        return Path(self._log.name).read_text(errors="replace").strip() or "no word"

    def _end_of(self, child: subprocess.Popen[bytes] | None) -> None:
        """Wait for a life that was told to end."""
        if child is None:
            return
        try:
            child.wait(_DRAIN_LIMIT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()

    def say(self, command: str) -> None:
        """Give a command; see native/service.c."""
        assert self._child is not None
        assert self._child.stdin is not None
        self._child.stdin.write(command.encode() + b"\n")
        self._child.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._child is not None
        self._child.send_signal(number)

    def end(self) -> None:
        """End for good."""
        child = self._child
        if child is not None:
            child.kill()
            self._end_of(child)
            self._child = None
        self._log.close()

    def came_and_well(self) -> list[tuple[int, int]]:
        """Return for each tenth of a second how many calls came, and how many were answered well."""
        raw = self._board.read_bytes()
        return list(struct.iter_unpack("=II", raw[_COUNTERS * 8 : _COUNTERS * 8 + _SLICES * 8]))


@contextmanager
def services(count: int, base: float, setup: tuple[str, ...]) -> Iterator[list[Service]]:
    """Run some services; `base` is the monotonic second in which their boards begin."""
    with tempfile.TemporaryDirectory(prefix="efficacy-") as folder, ExitStack() as stack:
        running = []
        for number in range(count):
            service = Service(Path(folder), number, base, setup)
            stack.callback(service.end)
            running.append(service)
        yield running
