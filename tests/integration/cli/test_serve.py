"""`seawall proxy` and `seawall control`, each alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall.client import Seawall
from tests.integration.cli.conftest import POLICY
from tests.kit.processes import PATIENCE_S, free_port, http_get, running

pytestmark = pytest.mark.integration


def test_proxy_runs_alone_from_a_file_and_drains_on_sigterm(tmp_path: Path) -> None:
    """Ready when it says so, exit 0 when it is told to end."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    admin = f"127.0.0.1:{free_port()}"
    arguments = ["-m", "seawall", "proxy", "--config", str(policy), "--admin", admin, "--log", "json"]
    with running("proxy", [*arguments, "--data-dir", str(tmp_path / "data")], tmp_path) as child:
        child.wait_ready()
        assert http_get(admin, "/ready")[0] == 200
        assert child.terminate() == 0, child.log()


def test_control_serves_both_ports_and_ends_on_sigterm(tmp_path: Path) -> None:
    """The same options as the program that it stands for."""
    arguments = [
        "-m",
        "seawall",
        "control",
        "--grpc",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--log",
        "json",
    ]
    with running("control", [*arguments, "--data-dir", str(tmp_path / "data")], tmp_path) as child:
        ready = child.wait_ready()
        with Seawall(ready["grpc"]) as seawall:
            assert seawall.operations.health().status == "healthy"
        assert http_get(ready["http"], "/health")[0] == 200
        assert child.terminate() == 0, child.log()


def test_proxy_with_mistakes_in_its_file_does_not_start(tmp_path: Path) -> None:
    """The mistakes are shown with line and column, the exit code is not 0."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY + "nonsense: 1\n")
    arguments = ["-m", "seawall", "proxy", "--config", str(policy), "--admin", "127.0.0.1:0"]
    with running("proxy", [*arguments, "--data-dir", str(tmp_path / "data")], tmp_path) as child:
        assert child.process.wait(PATIENCE_S) != 0
        assert "policy.yaml:7:1" in child.log()
