"""The demonstration keeps what it promises, ends by itself, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.kit.processes import PATIENCE_S, ROOT, environment, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def _start(tmp_path: Path, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "examples.shop.demo"],
        cwd=ROOT,
        env=environment() | {"TMPDIR": str(tmp_path), "NO_COLOR": "1"} | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _left_over(tmp_path: Path) -> list[str]:
    """Return the command lines of processes that the demonstration started and that are still there."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes()
            if f"TMPDIR={tmp_path}".encode() in variables and int(folder.name) != os.getpid():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if line]


def test_every_promise_holds(tmp_path: Path) -> None:
    """Exit 0, each check ✓, a line a second, and all of its children are gone."""
    begun = time.monotonic()
    demo = _start(tmp_path)
    try:
        output, _ = demo.communicate(timeout=600)
    finally:
        demo.kill()
    assert demo.returncode == 0, output
    assert "×" not in output.partition("What was promised")[2]
    held = re.search(r"(\d+) of (\d+) hold", output)
    assert held is not None, output
    assert held.group(1) == held.group(2)
    assert int(held.group(1)) >= 12
    assert len(re.findall(r"^ +\d+s +\d+ calls", output, re.MULTILINE)) > 30, output
    assert time.monotonic() - begun < 400
    wait_until(lambda: not _left_over(tmp_path), "everything has ended")
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_ended_at_any_time(tmp_path: Path) -> None:
    """Ctrl-C in the middle ends it and everything it started."""
    demo = _start(tmp_path)
    try:
        assert demo.stdout is not None
        for line in demo.stdout:
            if re.match(r" +\d+s +\d+ calls", line):
                break
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=PATIENCE_S)
    finally:
        demo.kill()
    assert demo.returncode == 130
    wait_until(lambda: not _left_over(tmp_path), "everything has ended")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends orphans on Linux only")
def test_a_kill_leaves_nothing_behind(tmp_path: Path) -> None:
    """Even after kill -9 the services, the proxy and the control plane end."""
    demo = _start(tmp_path)
    try:
        assert demo.stdout is not None
        for line in demo.stdout:
            if re.match(r" +\d+s +\d+ calls", line):
                break
    finally:
        demo.kill()
        demo.communicate()
    wait_until(lambda: not _left_over(tmp_path), "everything has ended")
