"""System calls of a process, recorded or tampered with by strace.

Recording gives what a process asked of the disk, in order, and what it said on stdout in between: enough to
build the disk that a power cut at any of these moments would have left (tests/kit/disk.py). Tampering ends
the process at its n-th call of a kind, or makes the call fail.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from tests.kit.processes import PATIENCE_S, wait_until

LIMIT_S: Final = 120.0
_CALLS: Final = "openat,pwrite64,write,fsync,fdatasync,ftruncate,fallocate,unlink,unlinkat,rename,linkat"
_LINE: Final = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$", re.DOTALL)
_UNFINISHED: Final = " <unfinished ...>"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a process did."""

    kind: str
    """`create`, `write`, `truncate`, `sync`, `unlink`, or `said`."""
    path: str = ""
    offset: int = 0
    data: bytes = b""
    """What was written or said."""
    size: int = 0


def why_not() -> str:
    """Return why strace cannot be used here; empty when it can."""
    found = shutil.which("strace")
    if found is None:
        return "strace is not installed"
    tried = subprocess.run(
        [found, "-f", "-qq", "-o", os.devnull, "true"],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()[:200]}"


def record(command: Sequence[str], below: Path, *, cwd: Path) -> tuple[list[Step], str]:
    """Run a command to its end; return what it did to files in a directory, and what it said."""
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        done = subprocess.run(
            ["strace", "-f", "-qq", "-y", "-xx", "-s", "200000", "-e", f"trace={_CALLS}", "-e", "signal=none",
             "-o", str(log), *command],
            cwd=cwd, capture_output=True, text=True, check=False, timeout=LIMIT_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        with log.open(encoding="ascii", errors="replace") as lines:
            return list(_steps(lines, str(below))), done.stdout


class Tampered(NamedTuple):
    """How a command fared that was tampered with."""

    code: int
    """As it ended; negative: by a signal."""
    said: str
    failed: int
    """Calls that were made to fail. A fault that never came proves nothing."""


def tampered(command: Sequence[str], inject: str, *, path: Path | None, cwd: Path) -> Tampered:
    """Run a command with strace's `inject`."""
    only = [] if path is None else ["-P", str(path)]
    calls = inject.partition(":")[0]
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", str(log), *only, "-e", f"trace={calls}", "-e", f"inject={inject}",
             *command],
            cwd=cwd, capture_output=True, text=True, check=False, timeout=LIMIT_S,
        )  # fmt: skip
        failed = log.read_bytes().count(b"(INJECTED)\n")
    # strace ends as its child did.
    code = done.returncode
    code = -signal.SIGKILL if code in (-signal.SIGKILL, 128 + signal.SIGKILL) else code
    return Tampered(code, done.stdout, failed)


@contextlib.contextmanager
def attached(pid: int, inject: str, path: Path | None = None) -> Iterator[Callable[[], int]]:
    """Tamper with a process that is running, for the length of the block. Gives a function that tells how
    many calls were made to fail until now.
    """
    with tempfile.TemporaryDirectory() as scratch:
        log, calls = Path(scratch) / "log", Path(scratch) / "calls"
        names = inject.partition(":")[0]
        with log.open("wb") as said:
            tracer = subprocess.Popen(
                ["strace", "-f", "-o", str(calls), *([] if path is None else ["-P", str(path)]),
                 "-e", f"trace={names}", "-e", f"inject={inject}", "-p", str(pid)],
                stdout=subprocess.DEVNULL, stderr=said,
            )  # fmt: skip
        try:
            wait_until(lambda: b"attached" in log.read_bytes(), f"strace is attached to {pid}")
            yield lambda: calls.read_bytes().count(b"(INJECTED)\n")
        finally:
            tracer.terminate()
            tracer.wait(PATIENCE_S)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _steps(lines: Iterable[str], below: str) -> Iterator[Step]:
    """Yield the steps of a log. A call counts from when it has returned: what was not finished when the power
    went may not have happened.
    """
    waiting: dict[tuple[str, str], str] = {}
    known: set[str] = set()
    for line in lines:
        match = _LINE.match(line.rstrip("\n"))
        if match is None:
            continue
        pid, name, rest = match.groups()
        if rest.endswith(_UNFINISHED):
            waiting[pid, name] = rest.removesuffix(_UNFINISHED)
            continue
        rest = waiting.pop((pid, name), "") + rest
        arguments, _, result = rest.rpartition(") ")
        if not result.strip().startswith("=") or "= -1" in result:
            continue
        yield from _step(name, arguments, result, below, known)


def _path(text: str) -> str:
    found = re.search(r"<([^>]*)>", text)
    inside = found.group(1) if found else ""
    return _bytes(inside).decode() if inside.startswith("\\x") else inside


def _step(name: str, arguments: str, result: str, below: str, known: set[str]) -> Iterator[Step]:
    quoted = re.findall(r'"((?:\\x[0-9a-f]{2})*)"', arguments)
    if name == "write":
        if arguments.startswith("1<"):
            yield Step("said", data=_bytes(quoted[0]))
        elif _path(arguments).startswith(below):
            raise AssertionError(f"a write without an offset: {arguments[:80]}")
        return
    if name in ("unlink", "unlinkat", "rename", "linkat"):
        path = _bytes(quoted[0]).decode()
        if path.startswith(below):
            assert name.startswith("unlink"), f"{name} is not in the model"
            known.discard(path)
            yield Step("unlink", path)
        return
    if name == "openat":
        path = _path(result)
        if path.startswith(below) and "O_CREAT" in arguments and path not in known:
            known.add(path)
            yield Step("create", path)
        return
    path = _path(arguments)
    if not path.startswith(below):
        return
    numbers = [int(n) for n in re.findall(r", (\d+)", re.sub(r'"[^"]*"', "", arguments))]
    if name == "pwrite64":
        data = _bytes(quoted[0])
        written = int(result.split("=")[1])
        yield Step("write", path, numbers[-1], data[:written])
    elif name == "ftruncate":
        yield Step("truncate", path, size=numbers[-1])
    elif name in ("fsync", "fdatasync"):
        yield Step("sync", path)
    elif name == "fallocate":
        raise AssertionError("fallocate is not in the model")
