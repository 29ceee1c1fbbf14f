"""Starting, watching and ending real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 60.0
"""How long a condition is waited for. No test takes so long unless it fails: a machine that does seven other
things is slow, and that is no fault of the code.
"""
READY_LIMIT_S = 2 * PATIENCE_S
_held: deque[socket.socket] = deque(maxlen=300)
"""Sockets that keep ports; the oldest are let go."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody else is given as long as this process lives.

    A socket is bound to it and does not listen: the kernel hands the port out to no other process, and who
    asks for this very port, with SO_REUSEADDR as servers do, gets it. While nobody listens, it refuses.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    if len(_held) == _held.maxlen:
        _held.popleft().close()
    _held.append(held)
    port: int = held.getsockname()[1]
    return port


def wait_until(done: Callable[[], Any], what: str, limit_s: float = PATIENCE_S) -> Any:
    """Return the first true value of `done`; fail with `what` when there is none in time."""
    until = time.monotonic() + limit_s
    while True:
        value = done()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"not within {limit_s:g} s: {what}")
        time.sleep(0.02)


def environment() -> dict[str, str]:
    """Return the environment of a child: the tree's packages importable, no telemetry of the machine's."""
    result = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    paths = [str(ROOT / part) for part in ("proxy", "control", "clients/python", ".")]
    result["PYTHONPATH"] = os.pathsep.join(paths)
    return result


@dataclass
class Child:
    """A child process with its log."""

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path
    ready: dict[str, Any] = field(default_factory=dict)

    def log(self) -> str:
        """Return what it has written to standard error so far."""
        return self.log_path.read_text(errors="replace")

    def kill(self) -> None:
        """End it with SIGKILL and wait. Whoever has ended before cannot be killed, and proves nothing."""
        self.process.send_signal(signal.SIGKILL)
        code = self.process.wait(PATIENCE_S)
        assert code == -signal.SIGKILL, f"{self.name} had ended by itself with {code}:\n{self.log()}"

    def terminate(self, limit_s: float = PATIENCE_S) -> int:
        """End it with SIGTERM; return its exit code."""
        self.process.terminate()
        return self.process.wait(limit_s)

    def wait_for_log(self, text: str, limit_s: float = PATIENCE_S) -> None:
        """Wait until its log holds `text`."""
        try:
            wait_until(lambda: text in self.log(), f"{self.name} says {text!r}", limit_s)
        except AssertionError as error:
            error.add_note(self.log())
            raise

    def wait_ready(self) -> dict[str, Any]:
        """Wait for the line of JSON with the event `ready`; return it."""

        def find() -> dict[str, Any] | None:
            for line in self.log().splitlines(keepends=True):
                # A line without an end is still being written.
                if line.startswith("{") and '"ready"' in line and line.endswith("\n"):
                    found = json.loads(line)
                    if found.get("event") == "ready":
                        return dict(found)
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log()}")
            return None

        self.ready = wait_until(find, f"{self.name} is ready", READY_LIMIT_S)
        return self.ready


def start(name: str, arguments: list[str], folder: Path, env: dict[str, str] | None = None) -> Child:
    """Start `python ARGUMENTS`; its standard error goes to a file of its own."""
    handle, path = tempfile.mkstemp(prefix=f"{name}-", suffix=".log", dir=folder)
    with os.fdopen(handle, "wb") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**environment(), **(env or {})},
            stdout=subprocess.PIPE if name.startswith("upstream") else subprocess.DEVNULL,
            stderr=log,
        )
    return Child(name, process, Path(path))


def end(child: Child) -> None:
    """Make sure that it is gone."""
    if child.process.poll() is None:
        child.process.kill()
    child.process.wait(PATIENCE_S)
    if child.process.stdout is not None:
        child.process.stdout.close()


@contextmanager
def running(
    name: str, arguments: list[str], folder: Path, env: dict[str, str] | None = None
) -> Iterator[Child]:
    """Run a child for the length of the block."""
    child = start(name, arguments, folder, env)
    try:
        yield child
    finally:
        end(child)


def http_get(address: str, path: str) -> tuple[int, str]:
    """Return status and body of a GET."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=PATIENCE_S) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
