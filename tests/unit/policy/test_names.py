"""What a proxy may be called."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_policy.names import is_node_name


@pytest.mark.parametrize("name", ["a", "eu/shop-1", "_", "-x", "a.b", "...", "n" * 128])
def test_names(name: str) -> None:
    """Letters, digits, `_`, `-`, `.` and `/`."""
    assert is_node_name(name)


UPWARDS = ["", ".", "..", "../..", "a/../b", "a/./b", "/a", "a/", "a//b"]
STRANGE = [
    "n" * 129,
    "n" * 10_000,
    "a\nb",
    "a\n",
    "a\0",
    "\x1b[31m",
    "a b",
    "\u202e",
    "\u00e4",
    "a\\b",
    "\u0661",
]


@pytest.mark.parametrize("name", UPWARDS + STRANGE)
def test_no_names(name: str) -> None:
    """Nothing that leads elsewhere, ends a line, moves a cursor, or looks like something else."""
    assert not is_node_name(name)


@given(st.text(alphabet="ab./", max_size=12))
def test_a_name_is_a_place_below(name: str) -> None:
    """The folder of a node that may have its name is below that of all nodes."""
    if is_node_name(name):
        parts = PurePosixPath("nodes", name).parts
        assert parts[0] == "nodes"
        assert len(parts) > 1
        assert ".." not in parts
