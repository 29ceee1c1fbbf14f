"""Rules of the distribution: one version, fresh stubs, types for users, a front door that lists itself."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import seawall

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_version_has_one_source() -> None:
    """`seawall.__version__` is what pyproject.toml says, by way of the installed metadata."""
    assert seawall.__version__ == PROJECT["project"]["version"] == importlib.metadata.version("seawall")


def test_unknown_attribute_of_the_package_is_an_error() -> None:
    """The lazy version does not make up other names."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        seawall.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_every_package_of_the_wheel_is_typed() -> None:
    """Each top-level package carries py.typed, so that users' type checkers read its annotations."""
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert [package for package in packages if not (ROOT / package / "py.typed").exists()] == []


def test_extras_named_by_all_exist() -> None:
    """`all` is made of the other extras, by their names."""
    extras = PROJECT["project"]["optional-dependencies"]
    [everything] = extras["all"]
    named = set(re.fullmatch(r"seawall\[(.*)\]", everything).group(1).split(","))  # type: ignore[union-attr]
    assert named <= extras.keys() - {"all", "dev"}


def test_front_door_lists_the_promised_targets() -> None:
    """`make` without a target lists the developer's life."""
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    targets = set(re.findall(r"(?m)^  make (\w+)", listed.stdout))
    assert {"demo", "test", "check", "proto", "build", "bench", "clean", "help"} <= targets


@pytest.mark.slow
def test_generated_stubs_are_fresh() -> None:
    """The committed stubs are what the generator makes of proto/ now."""
    command = [sys.executable, str(ROOT / "scripts" / "gen_proto.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
