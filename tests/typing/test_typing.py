"""The public API as mypy sees it in strict mode: signatures stay, mistakes are found, nothing is Any."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from seawall import resilience

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

pytestmark = pytest.mark.slow


def check(file: Path, cache: Path) -> list[str]:
    """Return mypy's errors about a file."""
    from mypy import api

    arguments = [
        "--config-file",
        str(ROOT / "pyproject.toml"),
        "--cache-dir",
        str(cache),
        "--no-error-summary",
    ]
    out, err, _ = api.run([*arguments, str(file)])
    assert not err, err
    return [line for line in out.splitlines() if ": error:" in line]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the file."""
    return tmp_path_factory.mktemp("mypy")


def test_correct_use_has_no_errors(cache: Path) -> None:
    """Every assert_type holds."""
    assert check(HERE / "correct.py", cache) == []


def test_mistakes_are_found(cache: Path) -> None:
    """Each marked line has exactly its error, no other line has one."""
    text = (HERE / "mistakes.txt").read_text(encoding="utf-8")
    file = cache / "mistakes.py"
    file.write_text(text, encoding="utf-8")
    lines = text.splitlines()
    expected = {
        (number, match.group(1))
        for number, line in enumerate(lines, 1)
        if (match := re.search(r"# E: ([\w-]+)$", line))
    }
    found = set()
    for line in check(file, cache):
        match = re.search(r"mistakes\.py:(\d+): error: .*\[([\w-]+)\]$", line)
        assert match, line
        found.add((int(match.group(1)), match.group(2)))
    assert found == expected


def test_the_public_names() -> None:
    """`__all__` is sorted, complete, and every class and function in it has a docstring."""
    names = resilience.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    for name in names:
        value = getattr(resilience, name)
        if callable(value):
            assert value.__doc__, name
