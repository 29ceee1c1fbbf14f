"""Rules of scripts/build_native.py, each on a small tree of its own that is really compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "scripts" / "build_native.py"
PROGRAM = """
import seawall_policy.tiny as tiny, seawall_policy.user as user
from seawall_policy._native import build_info
print(build_info().state, tiny.__file__.rsplit(".", 1)[-1], user.thrice(14))
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project with two hot modules, of which one calls the other, and the real `_native`."""
    package = tmp_path / "proxy" / "seawall_policy"
    package.mkdir(parents=True)
    for name in ("__init__.py", "_native.py"):
        shutil.copy(ROOT / "proxy" / "seawall_policy" / name, package / name)
    (package / "tiny.py").write_text("def double(x: int) -> int:\n    return x * 2\n")
    (package / "user.py").write_text(
        "from seawall_policy.tiny import double\n\n\ndef thrice(x: int) -> int:\n    return double(x) + x\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        "[tool.seawall.native]\n"
        'modules = ["seawall_policy/tiny.py", "seawall_policy/use*.py", "seawall_policy/gone.py"]\n'
    )
    return tmp_path


def build(tree: Path, *arguments: str, **variables: str) -> tuple[int, list[str]]:
    """Run the script on the tree; return its exit code and its lines."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEAWALL_")}
    done = subprocess.run(
        [sys.executable, str(BUILD), "--root", str(tree), *arguments],
        env=environment | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def imported(tree: Path, **variables: str) -> list[str]:
    """Import the hot modules in a fresh interpreter; return the state, the file's suffix and the result."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEAWALL_")}
    environment |= {"PYTHONPATH": str(tree / "proxy"), "PYTHONDONTWRITEBYTECODE": "1"} | variables
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


@pytest.mark.usefixtures("compiler")
def test_life_of_a_build(tree: Path) -> None:
    """Compile, run compiled and forced interpreted, notice a change, rebuild, reuse, clean."""
    code, lines = build(tree)
    assert code == 0, lines
    assert lines[-1].startswith("seawall: compiled 2 modules with mypyc")
    assert imported(tree) == ["compiled", "so", "42"]
    assert imported(tree, SEAWALL_INTERPRETED="1") == ["interpreted", "py", "42"]
    assert build(tree) == (0, ["seawall: 2 modules are compiled and up to date"])

    tiny = tree / "proxy" / "seawall_policy" / "tiny.py"
    original = tiny.read_text()
    tiny.write_text(original.replace("x * 2", "x * 3"))
    assert imported(tree) == ["stale", "so", "42"]
    assert imported(tree, SEAWALL_INTERPRETED="1") == ["interpreted", "py", "56"]
    assert build(tree)[0] == 0
    assert imported(tree) == ["compiled", "so", "56"]

    tiny.write_text(original)
    code, lines = build(tree)
    assert (code, len(lines)) == (0, 1), "the first build is still kept, so nothing is compiled"
    assert imported(tree) == ["compiled", "so", "42"]

    assert build(tree, "--clean")[0] == 0
    assert imported(tree) == ["interpreted", "py", "42"]
    assert not [path for path in (tree / "proxy").rglob("*") if path.suffix in {".so", ".json"}]


@pytest.mark.usefixtures("compiler")
def test_source_that_does_not_compile_is_left_to_the_interpreter(tree: Path) -> None:
    """A compile error names the reason and the log, removes the older build, and fails only on demand."""
    assert build(tree)[0] == 0
    (tree / "proxy" / "seawall_policy" / "tiny.py").write_text(
        'def double(x: int) -> int:\n    return x * "2"\n'
    )
    code, lines = build(tree)
    assert code == 0
    assert "seawall_policy/tiny.py:2: error:" in lines[-1]
    assert f"log: {tree / 'build' / 'native' / 'build.log'}" in lines[-1]
    assert not list((tree / "proxy").rglob("*.so"))
    assert build(tree, SEAWALL_REQUIRE_COMPILED="1")[0] == 1


def test_without_a_compiler_the_source_runs_interpreted(tree: Path) -> None:
    """No compiler is no error: one line says so, and the same source runs; unless compiling is required."""
    code, lines = build(tree, CC="/nonexistent/cc")
    assert (code, lines[-1]) == (0, "seawall: no C compiler found, running interpreted (same source, slower)")
    assert imported(tree) == ["interpreted", "py", "42"]
    assert build(tree, CC="/nonexistent/cc", SEAWALL_REQUIRE_COMPILED="1")[0] == 1


def test_skipping_leaves_everything_alone(tree: Path) -> None:
    """A build that is compiled in a later step asks for nothing to be done now."""
    assert build(tree, SEAWALL_SKIP_NATIVE="1") == (
        0,
        ["seawall: SEAWALL_SKIP_NATIVE is set, nothing compiled"],
    )
    assert not (tree / "build").exists()
