"""The page of the fault matrix: every row is on it, and every test that it names is there."""

from __future__ import annotations

import pytest

from tests.docs.pages import DOCS, ROOT
from tests.faults.matrix import ROWS, RULES
from tests.faults.page import page

NAMED = sorted(
    {
        *(test for row in ROWS for test in (*row.judged, *row.also)),
        *(test for rule in RULES for test in rule.tests),
    }
)


@pytest.mark.parametrize("test", NAMED)
def test_named_tests_are_there(test: str) -> None:
    """Under their names."""
    file, _, name = test.partition("::")
    text = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert not name or f"def {name}(" in text


def test_all_fault_tests_are_in_the_matrix() -> None:
    """None is run and not told of."""
    for path in sorted((ROOT / "tests" / "faults").glob("test_*.py")):
        for line in path.read_text(encoding="utf-8").splitlines():
            _, found, rest = line.partition("def test_")
            if found:
                name = f"faults/{path.name}::test_{rest.partition('(')[0]}"
                assert any(name in row.judged for row in ROWS), name


def test_the_page_is_of_this_matrix() -> None:
    """But for the counts, which `make faults ARGS=--write` writes."""
    text = (DOCS / "faults.md").read_text(encoding="utf-8")
    fresh = page({})
    for part in ("## Tests of each row", "## Rules and pitfalls"):
        _, _, expected = fresh.partition(part)
        assert expected in text, "write the page again: make faults ARGS=--write"
    assert "broken**" not in text
