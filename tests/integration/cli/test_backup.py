"""`seawall backup` and `seawall restore` on a control plane's directory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from seawall.client import Seawall
from tests.integration.cli.conftest import POLICY
from tests.kit.processes import running

pytestmark = pytest.mark.integration


def seawall(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return subprocess.run(
        [sys.executable, "-m", "seawall", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_backup_while_it_runs_and_restore_after(tmp_path: Path) -> None:
    """What was applied before the backup is there after the restore, what came later is not; a control plane
    that runs is not restored over.
    """
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    control = ["-m", "seawall", "control", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log", "json"]
    with running("control", [*control, "--data-dir", str(tmp_path / "data")], tmp_path) as child:
        grpc = child.wait_ready()["grpc"]
        assert seawall("apply", str(policy), "--control", grpc, cwd=tmp_path).returncode == 0
        made = seawall("backup", "copy.db", "--data-dir", "data", "-o", "json", cwd=tmp_path)
        assert made.returncode == 0, made.stderr
        assert json.loads(made.stdout)["revisions"] == 1
        policy.write_text(POLICY.replace("2s", "3s"))
        assert seawall("apply", str(policy), "--control", grpc, cwd=tmp_path).returncode == 0
        again = seawall("backup", "copy.db", "--data-dir", "data", cwd=tmp_path)
        assert again.returncode == 1
        assert "--overwrite" in again.stderr
        refused = seawall("restore", "copy.db", "--data-dir", "data", cwd=tmp_path)
        assert refused.returncode == 1
        assert "in use by another control plane" in refused.stderr
        assert not refused.stderr.rstrip().endswith("..")
        assert child.terminate() == 0
    restored = seawall("restore", "copy.db", "--data-dir", "data", "-o", "json", cwd=tmp_path)
    assert restored.returncode == 0, restored.stderr
    assert Path(tmp_path / json.loads(restored.stdout)["before"]).exists()
    with (
        running("control", [*control, "--data-dir", str(tmp_path / "data")], tmp_path) as child,
        Seawall(child.wait_ready()["grpc"]) as client,
    ):
        assert [r.revision for r in client.policies.history()] == [1]
