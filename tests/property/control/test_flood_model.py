"""What a sieve lets through, compared with its promise: the bound, the beginning, the end, a fair middle."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_control.domain.events import Event, Severity
from seawall_control.domain.flood import FloodLimits, Gates, Pressure

STEPS = st.lists(
    st.tuples(st.floats(0, 50), st.lists(st.sampled_from("ab"), min_size=1, max_size=8)),
    min_size=1,
    max_size=30,
)


def event(number: int) -> Event:
    """Return an event with a number for an id."""
    return Event(id=str(number), timestamp_us=number, severity=Severity.LOW, component="c")


@given(STEPS, st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers())
@settings(max_examples=300)
def test_what_is_stored_is_bounded_and_the_newest_are_among_it(
    steps: list[tuple[float, list[str]]], burst: int, last: int, samples: int, seed: int
) -> None:
    """In any order of groups and times; an evicted event was stored and never comes back."""
    limits = FloodLimits(rate=0.1, burst=burst, last=last, samples=samples)
    now_s = [0.0]
    gates = Gates(limits, lambda: now_s[0], Random(seed).random, Pressure())
    stored: dict[str, dict[str, None]] = {"a": {}, "b": {}}
    came: dict[str, list[str]] = {"a": [], "b": []}
    number = 0
    for wait_s, groups in steps:
        now_s[0] += wait_s
        pairs = []
        for group in groups:
            number += 1
            pairs.append((group, event(number)))
            came[group].append(str(number))
        found = gates.sift(pairs)
        for group, event_id in found.evicted:
            del stored[group][event_id]
        for group, one in pairs:
            if one.id in found.stored:
                stored[group][one.id] = None
        for group in "ab":
            # Less than an hour has gone by: one reservoir.
            most = burst + 0.1 * now_s[0] + last + samples
            assert len(stored[group]) <= most
            assert set(came[group][:burst]) <= set(stored[group])
            assert set(came[group][-last:]) <= set(stored[group])


@given(STEPS, st.integers())
@settings(max_examples=100)
def test_the_same_events_again_change_nothing(steps: list[tuple[float, list[str]]], seed: int) -> None:
    """A transaction that was not committed is tried again and again: what is stored of it is the same, and
    the buckets are as full as if it had been asked once.
    """
    limits = FloodLimits(rate=0.1, burst=3, last=1, samples=1)
    now_s = [0.0]
    once = Gates(limits, lambda: now_s[0], Random(seed).random, Pressure())
    often = Gates(limits, lambda: now_s[0], Random(seed).random, Pressure())
    number = 0
    for wait_s, groups in steps:
        now_s[0] += wait_s
        pairs = [(group, event(number + i)) for i, group in enumerate(groups)]
        number += len(groups)
        expected = once.sift(pairs)
        assert often.sift(pairs) == expected
        for _ in range(3):
            assert often.sift(pairs).stored == expected.stored


def test_reservoir_is_fair() -> None:
    """Each event between the beginning and the end is as likely to stay as any other."""
    dice = Random(7)
    kept: Counter[str] = Counter()
    for _ in range(3000):
        gates = Gates(
            FloodLimits(rate=0.001, burst=1, last=1, samples=2), lambda: 1.0, dice.random, Pressure()
        )
        found = gates.sift([("a", event(number)) for number in range(12)])
        assert len(found.stored) == 4 and {"0", "11"} <= found.stored
        kept.update(found.stored - {"0", "11"})
    assert all(abs(count - 600) < 120 for count in kept.values()) and len(kept) == 10
