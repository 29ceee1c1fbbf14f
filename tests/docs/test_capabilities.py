"""capabilities.md: every number is there once, and every test that it names exists."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT, read

PAGE = "reference/capabilities.md"
GROUPS = {
    "A": 21,
    "B": 10,
    "C": 25,
    "D": 26,
    "E": 22,
    "F": 8,
    "G": 9,
    "H": 10,
    "I": 18,
    "J": 21,
    "K": 11,
    "L": 8,
    "M": 11,
    "O": 8,
}
"""Sections that are on the page as a whole, and how many numbers each has."""
ALONE = ("X1", "X3", "X4", "X5", "X8", "X9", "X10", "X12", "X13", "X14", "X17")
BUGS = 24


def test_every_number_is_there_once() -> None:
    """Some sections whole and in order, and what was chosen of the others."""
    rows = re.findall(r"^\| ([A-Z]\d+) \|", read(PAGE), re.MULTILINE)
    for letter, most in GROUPS.items():
        assert [row for row in rows if row[0] == letter and row not in ALONE] == [
            f"{letter}{number}" for number in range(1, most + 1)
        ]
    assert [row for row in rows if row[0] not in GROUPS or row in ALONE] == list(ALONE)


def test_every_bug_of_others_has_a_row() -> None:
    """As many rows as there are bugs that must not be ours."""
    section = read(PAGE).partition("## Bugs of others")[2]
    assert len(re.findall(r"^\| (?!seen in|---)", section, re.MULTILINE)) == BUGS


@pytest.mark.parametrize(("page", "least"), [(PAGE, 50), ("explanation/policy-distribution.md", 12)])
def test_every_test_exists(page: str, least: int) -> None:
    """What a row names is a file, and a test in it."""
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", read(page))
    assert len(named) > least
    for path, name in named:
        file = ROOT / "tests" / path
        assert file.exists(), path
        assert not name or re.search(rf"def {name}\(", file.read_text(encoding="utf-8")), f"{path}::{name}"


def test_what_is_described_is_tested() -> None:
    """A row either names a page and a test, or says that it is not in this version."""
    for line in read(PAGE).splitlines():
        if re.match(r"\| [A-Z]\d+ \|", line):
            _, _, page, test = (cell.strip() for cell in line.strip("|").split("|"))
            assert (page == "not in this version") == (test == "-"), line
