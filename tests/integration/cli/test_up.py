"""`seawall up` with the real control plane and the real proxy."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.client import Seawall, SeawallError
from tests.integration.cli.conftest import POLICY
from tests.kit.processes import (
    PATIENCE_S,
    READY_LIMIT_S,
    Child,
    end,
    free_port,
    http_get,
    start,
    wait_until,
)

pytestmark = pytest.mark.integration


class Up:
    """A running `seawall up`, and where its parts are."""

    def __init__(self, folder: Path, text: str = POLICY) -> None:
        self.folder = folder
        self.policy = folder / "policy.yaml"
        self.policy.write_text(text)
        self.grpc, self.http, self.admin = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.child = self._start()

    def _start(self) -> Child:
        arguments = [
            "-m",
            "seawall",
            "up",
            "--config",
            str(self.policy),
            "--data-dir",
            str(self.folder / "data"),
        ]
        arguments += ["--grpc", self.grpc, "--http", self.http, "--admin", self.admin]
        child = start("up", arguments, self.folder)
        child.wait_for_log("Seawall is up", READY_LIMIT_S)
        return child

    def again(self) -> None:
        """Start it once more, after it has ended."""
        self.child = self._start()

    def pids(self) -> dict[str, int]:
        """Return the process ids of its children by module."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if parent == self.child.process.pid and len(words) > 2:
                found[words[2].decode()] = int(folder.name)
        return found


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Run `seawall up`."""
    made = Up(tmp_path)
    yield made
    if made.child.process.poll() is None:
        made.child.terminate()
    end(made.child)


def test_first_start_makes_the_file_revision_1_and_sigterm_ends_it(up: Up) -> None:
    """The proxy follows the control plane; both end in order, exit 0."""
    with Seawall(up.grpc) as seawall:
        assert seawall.policies.revision().revision == 1
        wait_until(lambda: seawall.policies.rollout().applied == 1, "the proxy has revision 1 in effect")
    assert http_get(up.admin, "/ready")[0] == 200
    assert up.child.terminate() == 0, up.child.log()
    log = up.child.log()
    assert "is revision 1" in log
    assert "stopping: the proxy drains first" in log
    assert re.search(r"proxy +│", log)
    assert re.search(r"control +│", log)


def test_a_later_start_keeps_the_newest_revision_and_says_what_differs(up: Up) -> None:
    """The file of the second start is not applied; the message says how to."""
    assert up.child.terminate() == 0
    up.policy.write_text(POLICY.replace("timeout: 2s", "timeout: 3s"))
    up.again()
    with Seawall(up.grpc) as seawall:
        assert seawall.policies.revision().revision == 1
    assert "differs from it (1 change)" in up.child.log()
    assert "seawall apply" in up.child.log()


@pytest.mark.parametrize("module", ["seawall_control", "seawall_proxy"])
def test_a_part_that_is_killed_comes_back(up: Up, module: str) -> None:
    """After kill -9 the part is another process, and the proxy is connected again."""
    before = up.pids()
    os.kill(before[module], signal.SIGKILL)
    wait_until(lambda: up.pids().get(module, before[module]) != before[module], "there is a new process")

    def connected() -> bool:
        try:
            with Seawall(up.grpc, timeout_s=20) as seawall:
                rollout = seawall.policies.rollout()
        except SeawallError:
            return False
        return rollout.connected == rollout.applied == 1

    wait_until(connected, "the proxy is connected again", READY_LIMIT_S)
    assert "ended with SIGKILL; starting it again" in up.child.log()


def test_sigusr2_ends_nothing(up: Up) -> None:
    """A proxy hands over by itself only; the supervisor says so and keeps both parts."""
    before = up.pids()
    os.kill(up.child.process.pid, signal.SIGUSR2)
    up.child.wait_for_log("SIGUSR2 does nothing here")
    assert up.child.process.poll() is None
    assert up.pids() == before


def test_a_port_that_is_taken_ends_the_start(tmp_path: Path, up: Up) -> None:
    """Nothing is started beside another instance, whose answers would pass for ours; the message names the
    address and the option, and the exit code is 1.
    """
    data = str(tmp_path / "other")
    arguments = ["-m", "seawall", "up", "--config", str(up.policy), "--data-dir", data, "--grpc", up.grpc]
    other = start("second", [*arguments, "--http", up.http, "--admin", up.admin], tmp_path)
    try:
        assert other.process.wait(PATIENCE_S) == 1
        assert f"{up.grpc} is in use" in other.log()
        assert "choose another with --grpc" in other.log()
        assert "Seawall is up" not in other.log()
    finally:
        end(other)
