"""Rules of `seawall_policy._native`: which form of the hot modules runs, and what is said about it."""

from __future__ import annotations

import hashlib
import json
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from seawall_policy._native import MANIFEST_NAME, VARIABLE, SourceFinder, build_info, interpreted_is_forced

SUFFIX = EXTENSION_SUFFIXES[0]
SOURCE = "seawall_policy/tiny.py"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one hot source, its (empty) extension module and a manifest that matches."""
    monkeypatch.delenv(VARIABLE, raising=False)
    package = tmp_path / "seawall_policy"
    package.mkdir()
    (tmp_path / SOURCE).write_text("ANSWER = 42\n")
    (package / f"tiny{SUFFIX}").touch()
    write_manifest(tmp_path, SUFFIX)
    return tmp_path


def write_manifest(root: Path, suffix: str) -> None:
    """Vouch for the source as it is now."""
    digest = hashlib.sha256((root / SOURCE).read_bytes()).hexdigest()
    manifest = {"suffix": suffix, "sources": {SOURCE: digest}}
    (root / "seawall_policy" / MANIFEST_NAME).write_text(json.dumps(manifest))


def test_matching_manifest_and_modules_run_compiled(tree: Path) -> None:
    """Extension modules whose sources have the hashes of the manifest are called compiled, and counted."""
    info = build_info(tree)
    assert (info.state, info.modules, info.changed) == ("compiled", 1, ())
    assert str(info) == "compiled (1 modules)"


def test_changed_source_makes_the_build_stale(tree: Path) -> None:
    """A source that was edited after the build is named, since the extension module hides it."""
    (tree / SOURCE).write_text("ANSWER = 43\n")
    info = build_info(tree)
    assert (info.state, info.stale, info.changed) == ("stale", True, (SOURCE,))
    assert str(info) == f"compiled (1 modules), but the source has changed since: {SOURCE}"


def test_removed_source_makes_the_build_stale(tree: Path) -> None:
    """A source that is gone counts as changed: its extension module would still be imported."""
    (tree / SOURCE).unlink()
    assert build_info(tree).changed == (SOURCE,)


def test_environment_forces_the_source(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable set the compiled modules are present but not in use, and cannot be stale."""
    monkeypatch.setenv(VARIABLE, "1")
    (tree / SOURCE).write_text("ANSWER = 43\n")
    info = build_info(tree)
    assert (info.state, info.forced, info.stale, info.modules) == ("interpreted", True, False, 1)
    assert VARIABLE in str(info)


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", '{"suffix": ".so", "sources": 3}'])
def test_unreadable_manifest_means_interpreted(tree: Path, text: str) -> None:
    """A manifest that is missing its parts vouches for nothing, and starting must not fail for it."""
    (tree / "seawall_policy" / MANIFEST_NAME).write_text(text)
    assert build_info(tree).state == "interpreted"


def test_modules_of_another_interpreter_do_not_count(tree: Path) -> None:
    """Extension modules that this interpreter cannot load leave it interpreted."""
    write_manifest(tree, ".cpython-399-elsewhere.so")
    assert build_info(tree).state == "interpreted"


@pytest.mark.parametrize(
    ("value", "forced"),
    [("1", True), ("yes", True), ("", False), ("0", False), ("False", False), (" no ", False)],
)
def test_variable_is_read_as_a_yes_or_no(value: str, forced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty, 0, no and false leave compiled modules in use; everything else forces the source."""
    monkeypatch.setenv(VARIABLE, value)
    assert interpreted_is_forced() is forced


def test_finder_prefers_the_source_and_minds_its_own_packages(tree: Path) -> None:
    """The finder finds a hot package's submodule as a source, and leaves other names to the usual ones."""
    finder = SourceFinder()
    folder = [str(tree / "seawall_policy")]
    spec = finder.find_spec("seawall_policy.tiny", folder)
    assert spec is not None
    assert spec.origin == str(tree / SOURCE)
    assert finder.find_spec("seawall_policy.absent", folder) is None
    assert finder.find_spec("json.decoder", folder) is None
    assert finder.find_spec("seawall_policy", None) is None
