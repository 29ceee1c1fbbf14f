"""The page of protocol rules names tests that exist, and leaves no rule out."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT, read

RULES = 28


def test_every_rule_has_its_row() -> None:
    """P1 to P28 are there, in order, each with a test."""
    rows = re.findall(r"^\| P(\d+) .*$", read("reference/protocol.md"), re.MULTILINE)
    assert rows == [str(number) for number in range(1, RULES + 1)]
    for row in re.findall(r"^\| P\d+ .*$", read("reference/protocol.md"), re.MULTILINE):
        assert "::test_" in row, row


def test_the_tests_exist() -> None:
    """Every test that the page names can be found in its file."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", read("reference/protocol.md"))
    assert len(named) > 2 * RULES
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file() or f"def {name}(" not in (ROOT / path).read_text("utf-8")
    ]
    assert not missing


def test_the_probe_files_exist() -> None:
    """The table of groups names files of the conformance tests."""
    for name in re.findall(r"`(\w*probes\w*\.py)`", read("reference/protocol.md")):
        assert (ROOT / "tests/conformance/http2" / name).is_file(), name
