"""Gaps that overlap what is stored: only what is really missing counts as lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.events import Batch, Gap
from seawall_control.domain.ingest import take_in
from seawall_control.domain.sequences import Arrivals

RANGES = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 5)), max_size=6)


def test_a_gap_over_stored_events_is_only_the_rest() -> None:
    """A sender that lost an acknowledgement and then dropped those events has lost nothing but what came
    after.
    """
    known = Arrivals().add([(1, 10)])
    intake = take_in(known, Batch("p", "s", gaps=(Gap(5, 20, "spool_full"),)))
    assert intake.gaps == (Gap(11, 20, "spool_full"),)
    assert intake.arrivals.through == 20


@given(RANGES, st.integers(1, 30), st.integers(0, 20))
def test_missing_parts_are_those_not_seen(ranges: list[tuple[int, int]], first: int, length: int) -> None:
    """The missing parts of a range are exactly its numbers that were not seen."""
    arrivals = Arrivals().add([(low, low + more) for low, more in ranges])
    last = first + length
    found = [n for low, high in arrivals.missing(first, last) for n in range(low, high + 1)]
    assert found == [n for n in range(first, last + 1) if not arrivals.has(n)]
