"""Durations of any length and any spelling."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seawall_policy.durations import MAX_NANOS, format_duration, parse_duration

UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@given(nanos=st.integers(0, MAX_NANOS) | st.integers(0, 10**10))
@example(nanos=MAX_NANOS)
def test_what_is_written_reads_back(nanos: int) -> None:
    """No nanosecond is lost."""
    assert parse_duration(format_duration(nanos)) == nanos


@given(parts=st.lists(st.tuples(st.sampled_from(list(UNITS)), st.integers(0, 5000)), min_size=1, max_size=6))
def test_parts_add_up(parts: list[tuple[str, int]]) -> None:
    """A spelling is read as the sum of its parts exactly when units fall from left to right."""
    text = "".join(f"{number}{unit}" for unit, number in parts)
    order = [list(UNITS).index(unit) for unit, _ in parts]
    if order == sorted(set(order)):
        assert parse_duration(text) == sum(number * UNITS[unit] for unit, number in parts)
    else:
        with pytest.raises(ValueError, match="largest unit first"):
            parse_duration(text)


@given(text=st.text(max_size=12) | st.text(alphabet="0123456789.hmsnuµ-+ ", max_size=12))
def test_any_text_is_a_duration_or_a_sentence(text: str) -> None:
    """Only ValueError is raised, with words in it, and what is read is in range."""
    try:
        nanos = parse_duration(text)
    except ValueError as e:
        assert " " in str(e)  # noqa: PT017 - whether it raises is up to the text
    else:
        assert 0 <= nanos <= MAX_NANOS
