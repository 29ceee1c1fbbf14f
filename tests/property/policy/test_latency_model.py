"""The latency estimate against one that keeps every attempt."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy.latency import BOUNDS, LEAST, LOOK_S, OLDEST_S, TURN_S, UNKNOWN, LatencyEstimate

STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("add"), st.sampled_from((0.0, 0.001, 0.007, 0.00701, 0.3, 5.0)), st.integers(1, 25)
        ),
        st.tuples(st.just("look"), st.sampled_from((0.0, 0.1, LOOK_S, 1.0, TURN_S, OLDEST_S)), st.just(1)),
    ),
    max_size=40,
)


def bucket(seconds: float) -> float:
    """Return the upper end of the bucket of a duration."""
    return next((bound for bound in BOUNDS if seconds <= bound), BOUNDS[-1])


class Naive:
    """Two lists of attempts."""

    def __init__(self) -> None:
        self.current: list[float] = []
        self.before: list[float] = []
        self.since = 0.0
        self.due = 0.0
        self.known: tuple[float, float, float] = (0.0, 0.0, UNKNOWN)

    def look(self, now: float) -> None:
        """Turn and compute."""
        if now < self.due:
            return
        self.due = now + LOOK_S
        age = now - self.since
        if age >= OLDEST_S or (age >= TURN_S and len(self.current) >= LEAST):
            self.before, self.current, self.since = self.current, [], now
        whole = sorted(self.before + self.current)
        if len(whole) < LEAST:
            self.known = (0.0, 0.0, UNKNOWN)
            return
        self.known = (self.at(whole, 0.1), self.at(whole, 0.5), self.at(whole, 0.75))

    @staticmethod
    def at(whole: list[float], quantile: float) -> float:
        """Return the least value such that so many are no larger, as its bucket's end."""
        for count, value in enumerate(whole, 1):
            if count >= quantile * len(whole):
                return bucket(value)
        raise AssertionError


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_the_estimate_equals_sorted_lists(steps: list[tuple[str, float, int]]) -> None:
    """Every quantile at every moment."""
    estimate, naive = LatencyEstimate(0.75), Naive()
    now = 0.0
    for action, value, times in steps:
        if action == "add":
            for _ in range(times):
                estimate.add(value)
                naive.current.append(value)
        else:
            now += value
            estimate.look(now)
            naive.look(now)
        assert (estimate.fast_s, estimate.typical_s, estimate.late_s) == naive.known
        assert estimate.count() == len(naive.current) + len(naive.before)
