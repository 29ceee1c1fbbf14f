"""Positions as readers keep them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.positions import MAX_NUMBER, START, Position, parse_position


@given(st.integers(0, MAX_NUMBER), st.uuids().map(str) | st.just(""))
def test_a_position_is_read_as_it_was_written(number: int, event_id: str) -> None:
    """Text and back."""
    position = Position(number, event_id)
    assert parse_position(str(position)) == position


@pytest.mark.parametrize(
    "text", ["", "-", "x", "1-", "-1", "01", "1.5", "9" * 30, "1-" + "a" * 65, "١", str(2**63)]
)
def test_what_is_no_position(text: str) -> None:
    """Anything else is refused, so that a mistake is not taken for the start."""
    assert parse_position(text) is None


def test_the_start() -> None:
    """It is 0."""
    assert str(START) == "0"
    assert parse_position("0") == START
