"""Running a load on a proxy, and what it cost.

Every load program speaks alike: it connects and warms up, prints `begin`, waits for a line, does its work and
prints one line of JSON. The proxy's CPU clocks are read at `begin` and at the end.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import tools
from benchmarks.processes import Running, process

LIMIT_S = 150.0


@dataclass(frozen=True)
class Load:
    """A load of `native/load.c`; see there."""

    connections: int = 1
    in_flight: int = 1
    calls: int = 10_000
    request_bytes: int = 100
    response_bytes: int = 105
    """A complete response body: each message and its prefix of five octets."""
    rate: float = 0.0
    """Calls a second begun whatever happens (open loop); 0: closed loop."""
    seconds: float = 5.0
    varying: bool = False
    warm_up: int = 20
    paths: int = 1
    path_step: int = 1

    def command(self, port: str) -> list[str]:
        """Return the program with its arguments."""
        command = [str(tools.native("load")), "-c", str(self.connections), "-m", str(self.in_flight)]
        command += ["-n", str(self.calls), "-s", str(self.request_bytes), "-e", str(self.response_bytes)]
        command += ["-w", str(self.warm_up), "-p", str(self.paths), "-k", str(self.path_step)]
        if self.rate:
            command += ["-r", str(self.rate), "-t", str(self.seconds)]
        if self.varying:
            command.append("-v")
        return [*command, "127.0.0.1", port]


@dataclass(frozen=True)
class Sample:
    """One load on one proxy."""

    cpu_us: float
    """CPU time of the proxy per call."""
    per_second: float
    errors: int
    latency_us: dict[str, float] = field(default_factory=dict)
    """By percentile: p50, p99, p999."""


def run(target: Running | str, load: Load) -> Sample:
    """Run a load on a proxy, or on a port directly."""
    port = target if isinstance(target, str) else target.port
    return run_command(target if isinstance(target, Running) else None, load.command(port))


def run_command(target: Running | None, command: list[str]) -> Sample:
    """Run a load program; raise RuntimeError when it fails."""
    with process(command) as child:
        # A proxy that stalls must not stop the benchmark.
        watchdog = threading.Timer(LIMIT_S, child.kill)
        watchdog.start()
        try:
            _expect(child, "begin")
            before = 0.0 if target is None else target.cpu_seconds()
            _say(child, "\n")
            text = _line(child)
            cpu = 0.0 if target is None else target.cpu_seconds() - before
            child.wait(10)
        finally:
            watchdog.cancel()
    result = json.loads(text)
    calls = int(result["calls"])
    latency = {name: float(result[f"{name}_us"]) for name in ("p50", "p99", "p999") if f"{name}_us" in result}
    return Sample(cpu / calls * 1e6, calls / result["seconds"], int(result["errors"]), latency)


@contextmanager
def holding(target: Running, connections: int, streams: int) -> Iterator[None]:
    """Keep connections open, each with so many streams whose requests do not end."""
    command = [
        str(tools.native("load")),
        "-c",
        str(connections),
        "-H",
        str(streams),
        "127.0.0.1",
        target.port,
    ]
    with process([*command, "hold"]) as child:
        _expect(child, "holding")
        yield
        _say(child, "\n")
        _line(child)


def _expect(child: subprocess.Popen[bytes], word: str) -> None:
    line = _line(child).strip()
    if line != word:
        raise RuntimeError(f"the load said {line!r} instead of {word!r}")


def _line(child: subprocess.Popen[bytes]) -> str:
    assert child.stdout is not None
    line = child.stdout.readline().decode()
    if not line:
        child.wait(10)
        log_path = Path(child.log_path)  # type: ignore[attr-defined]
        said = log_path.read_text(errors="replace").strip().splitlines()
        raise RuntimeError(f"the load ended with {child.returncode}: {said[-1] if said else 'no word'}")
    return line


def _say(child: subprocess.Popen[bytes], text: str) -> None:
    assert child.stdin is not None
    child.stdin.write(text.encode())
    child.stdin.flush()


@contextmanager
def upstream(message_bytes: int = 100, messages: int = 1, *, silent: bool = False) -> Iterator[int]:
    """Run the upstream that answers every call with the same messages, or not at all; give its port."""
    command = [str(tools.native("backend")), "0", str(message_bytes), str(messages)]
    with process([*command, "hold"] if silent else command) as child:
        assert child.stdout is not None
        yield int(child.stdout.readline())
