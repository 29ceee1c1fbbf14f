"""Arrivals against plain sets of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.events import Batch, Event, Gap, Refusal, Severity
from seawall_control.domain.ingest import take_in
from seawall_control.domain.sequences import Arrivals

RANGES = st.tuples(st.integers(1, 30), st.integers(0, 5)).map(lambda r: (r[0], r[0] + r[1]))


def event(seq: int) -> Event:
    """Return an event."""
    return Event(id=str(seq), timestamp_us=1, severity=Severity.LOW, component="c")


@given(st.lists(st.lists(RANGES, max_size=4), max_size=8), st.integers(1, 12))
def test_arrivals_are_a_set_of_numbers(steps: list[list[tuple[int, int]]], start: int) -> None:
    """After any additions the same numbers are seen as in a set, the mark is below the first hole, and ranges
    stay apart.
    """
    found = Arrivals().starting_at(start)
    seen: set[int] = set()
    for ranges in steps:
        found = found.add(ranges)
        for first, last in ranges:
            seen.update(range(first, last + 1))
        assert all(found.has(n) == (n in seen) for n in range(40))
        mark = start - 1
        while mark + 1 in seen:
            mark += 1
        assert found.through == mark
        assert all(a[1] + 1 < b[0] for a, b in zip(found.seen, found.seen[1:], strict=False))


NUMBERS = st.integers(1, 8)
BATCHES = st.builds(
    lambda numbers, refused, gap: Batch(
        "p",
        "s",
        tuple((n, event(n)) for n in numbers),
        tuple(Refusal(n, "bad") for n in refused),
        () if gap is None else (Gap(gap[0], gap[1], "full"),),
    ),
    st.lists(NUMBERS, max_size=5),
    st.lists(NUMBERS, max_size=2),
    st.none() | st.tuples(NUMBERS, st.integers(0, 3)).map(lambda g: (g[0], g[0] + g[1])),
)


@given(st.lists(BATCHES, max_size=8))
def test_each_number_is_taken_once(batches: list[Batch]) -> None:
    """Over any batches every number is new exactly once, and taken + refused + dropped = arrived."""
    known: Arrivals | None = None
    taken: list[int] = []
    refused: list[int] = []
    dropped: set[int] = set()
    for batch in batches:
        intake = take_in(known, batch)
        assert intake.duplicates == len(batch.events) + len(batch.refusals) - len(intake.events) - len(
            intake.refusals
        )
        known = intake.arrivals
        taken += [seq for seq, _ in intake.events]
        refused += [refusal.seq for refusal in intake.refusals]
        for gap in batch.gaps:
            dropped.update(range(gap.from_seq, gap.to_seq + 1))
    assert (
        len(taken) == len(set(taken)) and len(refused) == len(set(refused)) and not set(taken) & set(refused)
    )
    arrived = {n for n in range(1, 20) if known is not None and known.has(n)}
    assert set(taken) | set(refused) | dropped == arrived
