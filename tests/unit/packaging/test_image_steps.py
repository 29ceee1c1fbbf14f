"""The Dockerfile: its build steps work as plain commands, and it promises what it should about running."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import seawall

ROOT = Path(__file__).resolve().parents[3]
STEPS = ROOT / "scripts" / "image_steps.py"
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def final_stage() -> str:
    """The lines that make the image that is run."""
    return re.split(r"(?m)^FROM ", DOCKERFILE)[-1]


def test_image_runs_without_root_and_hears_its_signals() -> None:
    """The process is PID 1 in exec form, runs as a numbered user, stops on SIGTERM, is asked for health."""
    stage = final_stage()
    assert re.search(r"(?m)^USER 10001(:10001)?$", stage)
    assert 'ENTRYPOINT ["seawall"]' in stage
    assert "STOPSIGNAL SIGTERM" in stage
    assert 'CMD ["seawall", "check", "--quick", "--present"]' in stage
    assert "VOLUME /data" in stage


def test_every_copied_path_exists_and_reaches_the_context() -> None:
    """COPY names only what is in the tree and what .dockerignore lets through."""
    spec = importlib.util.spec_from_file_location("image_steps", STEPS)
    assert spec is not None
    assert spec.loader is not None
    steps = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(steps)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        source
        for word, rest in steps.instructions(DOCKERFILE, "build")
        if word == "COPY"
        for source in rest.split()[:-1]
    ]
    assert copied, "the build stage copies the sources"
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert [source for source in copied if source not in allowed] == []


@pytest.mark.slow
@pytest.mark.integration
def test_build_stage_runs_as_plain_commands(tmp_path: Path, compiler_works: bool) -> None:
    """The Dockerfile's own steps make a wheel and a fresh environment, and Seawall's command runs there."""
    image = tmp_path / "image"
    command = [sys.executable, str(STEPS), str(image), *([] if compiler_works else ["--interpreted"])]
    environment = os.environ | {
        "SEAWALL_NATIVE_CACHE": str(ROOT / "build" / "native")
    }  # compile what changed, once
    environment.pop("SEAWALL_SKIP_NATIVE", None)
    environment.pop("SEAWALL_INTERPRETED", None)
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout

    wheel = next((image / "src" / "dist").glob("seawall-*.whl"))
    assert ("none-any" in wheel.name) is not compiler_works
    names = set(zipfile.ZipFile(wheel).namelist())
    top = {name.split("/")[0].split(".")[0] for name in names if ".dist-info" not in name}
    assert top - {"seawall__mypyc"} == {"seawall", "seawall_policy", "seawall_proxy", "seawall_control"}
    assert {f"{package}/py.typed" for package in top - {"seawall__mypyc"}} <= names
    assert "seawall/v1/policy.proto" in names, "the contract travels with the stubs"

    python = image / "opt" / "seawall" / "bin" / "python"
    program = "import seawall as s, seawall_policy._native as n; print(s.__version__, n.build_info().state)"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SEAWALL"))}
    answer = subprocess.run(
        [str(python), "-c", program],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert answer.stdout.split() == [seawall.__version__, "compiled" if compiler_works else "interpreted"]


def test_units_use_commands_and_options_that_there_are() -> None:
    """What systemd is told to run is on the page of the command line."""
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    units = sorted((ROOT / "deploy").glob("*.service"))
    assert len(units) == 2
    for unit in units:
        (start,) = re.findall(
            r"^ExecStart=\S+/(seawall \w+)(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE
        )
        section = page.partition(f"\n## {start[0]}\n")[2].partition("\n## ")[0]
        assert section, start[0]
        assert [option for option in re.findall(r"--[\w-]+", start[1]) if option not in section] == []
