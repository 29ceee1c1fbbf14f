"""`seawall check` where the control plane serves TLS, and in a container that runs only a part."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.processes import Child, environment, free_port, running

pytestmark = pytest.mark.integration


def check(*arguments: str, cwd: Path) -> dict[str, dict[str, str]]:
    """Return what `seawall check` found, by name."""
    done = subprocess.run(
        [sys.executable, "-m", "seawall", "check", "-o", "json", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    return {one["name"]: one for one in json.loads(done.stdout)["checks"]}


def statuses(wanted: dict[str, str], *arguments: str, cwd: Path) -> dict[str, str]:
    """Return the status of each part; asked again while that is not what is wanted, a few times: whoever
    answers has two seconds, and the machine may be busy.
    """
    found: dict[str, str] = {}
    for _ in range(5):
        found = {name: one["status"] for name, one in check(*arguments, cwd=cwd).items()}
        if found == wanted:
            break
    return found


def test_the_options_of_tls_are_for_http_too(tmp_path: Path) -> None:
    """Whoever names the authority means both listeners; an address may say https:// itself."""
    arguments = ["-m", "seawall", "control", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--tls"]
    arguments += ["--log", "json", "--data-dir", str(tmp_path / "data")]
    with running("control", arguments, tmp_path) as child:
        ready = child.wait_ready()
        at = ["--control", ready["grpc"], "--http", ready["http"]]
        authority = str(tmp_path / "data" / "authority" / "authority.pem")
        secure = ("--no-proxy", *at, "--ca-file", authority)
        assert statuses({"control plane": "ok"}, *secure, "--quick", cwd=tmp_path) == {"control plane": "ok"}
        found = check(*secure, cwd=tmp_path)
        for _ in range(4):
            # It has three seconds for the API.
            if "control API" in found:
                found = check(*secure, cwd=tmp_path)
        assert "control API" not in found, found
        plain = check("--no-proxy", *at, "--quick", cwd=tmp_path)
        assert f"no answer from http://{ready['http']}/health" in plain["control plane"]["message"]
        assert "--ca-file" in plain["control plane"]["hint"]
        at = ["--no-proxy", "--quick", "--http", f"https://{ready['http']}", "--ca-file", authority]
        assert statuses({"control plane": "ok"}, *at, cwd=tmp_path) == {"control plane": "ok"}


def test_the_probe_of_a_container_is_about_what_runs_there(control: Child, tmp_path: Path) -> None:
    """A part that does not listen is left out, unless no part does; one that is ill is not."""
    nobody = f"127.0.0.1:{free_port()}"
    here = control.ready["http"]
    wanted = {"control plane": "ok"}
    present = ("--quick", "--present")
    assert statuses(wanted, *present, "--http", here, "--admin", nobody, cwd=tmp_path) == wanted
    # Somebody listens there who is no proxy that is well.
    ill = control.ready["grpc"]
    wanted = {"proxy": "failed"}
    assert statuses(wanted, *present, "--http", nobody, "--admin", ill, cwd=tmp_path) == wanted
    wanted = {"proxy": "failed", "control plane": "failed"}
    assert statuses(wanted, *present, "--http", nobody, "--admin", nobody, cwd=tmp_path) == wanted
    wanted = {"proxy": "failed", "control plane": "ok"}
    assert statuses(wanted, "--quick", "--http", here, "--admin", nobody, cwd=tmp_path) == wanted
