"""Numbers of a spool that have arrived."""

from __future__ import annotations

import pytest

from seawall_control.domain.sequences import MAX_ISLANDS, Arrivals, TooManyIslands


def test_mark_is_below_the_first_hole() -> None:
    """Nothing is missing up to the mark."""
    found = Arrivals().add([(1, 3), (5, 9)])
    assert found.through == 3
    assert found.add([(4, 4)]).seen == ((1, 9),)


def test_numbers_below_the_start_are_assumed_but_not_seen() -> None:
    """A spool that starts at 11 is not held up by 1 to 10, and they are new should they come after all."""
    found = Arrivals().starting_at(11).add([(11, 12)])
    assert found.through == 12 and not found.has(5) and found.has(11)


def test_start_within_what_is_known_changes_nothing() -> None:
    """A proxy that repeats from below the mark says nothing new about what it holds."""
    known = Arrivals().add([(1, 10)])
    assert known.starting_at(5) is known
    assert known.starting_at(11) is known
    assert known.starting_at(15).through == 14


def test_holes_are_bounded() -> None:
    """A sender that skips every second number is refused before it costs memory."""
    ranges = [(i * 2, i * 2) for i in range(1, MAX_ISLANDS + 2)]
    Arrivals().add(ranges[:-1])
    with pytest.raises(TooManyIslands):
        Arrivals().add(ranges)
