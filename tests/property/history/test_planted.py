"""Mistakes that fault rows are tried with can still be made: `python -m tests.faults.planted` makes them."""

from __future__ import annotations

import ast

import pytest

from tests.faults.matrix import ROWS
from tests.faults.planted import MISTAKES, Planted
from tests.kit.processes import ROOT


@pytest.mark.parametrize("planted", MISTAKES, ids=lambda planted: planted.wrong)
def test_each_mistake_can_still_be_made(planted: Planted) -> None:
    """Its text is there once, what stands there instead is another program, and a row judges it."""
    source = (ROOT / planted.path).read_text(encoding="utf-8")
    assert ast.dump(ast.parse(planted.mutated(source))) != ast.dump(ast.parse(source))
    row = next(row for row in ROWS if row.number == planted.row)
    assert any(test.endswith(planted.test.removeprefix("../")) for test in row.judged)


def test_a_text_that_is_not_there_is_told() -> None:
    """A list that nobody has kept up proves nothing."""
    with pytest.raises(ValueError, match="occurs 0 times"):
        MISTAKES[0].mutated("")
