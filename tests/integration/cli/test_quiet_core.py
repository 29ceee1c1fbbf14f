"""What gRPC's core writes of its own accord reaches nobody's terminal or log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.system.test_secured import POLICY
from tests.kit.certificates import Authority
from tests.kit.processes import ROOT, Child, environment, running

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An authority that has nothing to do with the control plane; and nobody has asked gRPC to speak."""
    monkeypatch.delenv("GRPC_VERBOSITY", raising=False)
    path = tmp_path / "ca.pem"
    path.write_bytes(Authority(tmp_path).path.read_bytes())
    return path


def test_a_command_that_cannot_connect_says_why_and_no_more(control: Child, ca: Path) -> None:
    """TLS with a control plane that speaks plaintext: two lines of ours."""
    arguments = ["-m", "seawall", "get", "proxies", "--control", control.ready["grpc"], "--ca-file", str(ca)]
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True, text=True, check=False, timeout=120, cwd=ROOT, env=environment(),
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stderr.startswith("error: cannot reach the control plane")
    assert "ssl_transport_security" not in done.stderr


def test_every_line_of_a_proxys_log_is_json(control: Child, tmp_path: Path) -> None:
    """Also while its link fails in the handshake."""
    config = tmp_path / "proxy.yaml"
    link = {"target": control.ready["grpc"], "node": "one", "tls": {"ca_file": "ca.pem"}}
    config.write_text(POLICY.format(control=json.dumps(link)))
    arguments = ["-m", "seawall_proxy", "--config", str(config), "--data-dir", str(tmp_path / "proxy")]
    with running("proxy", [*arguments, "--log", "json"], tmp_path) as proxy:
        proxy.wait_ready()
        proxy.wait_for_log("cannot reach the control plane")
    assert [line for line in proxy.log().splitlines() if not line.startswith("{")] == []
