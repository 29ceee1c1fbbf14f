"""The state of degradation against the list of everything that happened."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy.degradation import Degradation

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("covered", "good", "good", "good", "bad")),
        st.sampled_from((0.0, 1.0)),
        st.booleans(),
    ),
    max_size=50,
)


@settings(max_examples=200)
@given(after=st.integers(1, 3), steps=STEPS)
def test_degradation_equals_its_history(after: int, steps: list[tuple[str, float, bool]]) -> None:
    """It begins with a fallback, and ends when the last `after` things that counted were all good."""
    state = Degradation(after)
    history: list[str] = []
    """What counted since it began; empty while it is not degraded."""
    began = last = 0.0
    times = 0
    now = 10.0
    for what, wait, early in steps:
        now += wait
        if what == "covered":
            first = not history
            assert state.covered(len(history), "static", 14, "R", now) == first
            if first:
                began = now
                times += 1
            history.append("covered")
            last = now
        elif what == "good":
            started = last - 0.5 if early else now
            counts = bool(history) and not early
            if counts:
                history.append("good")
            over = counts and history[-after:] == ["good"] * after
            assert state.succeeded(started) == over
            if over:
                assert state.since == began
                assert state.calls == history.count("covered")
                state.end()
                history = []
        elif history:
            state.failed()
            history.append("bad")
        assert state.active == bool(history)
        assert state.times == times
        if history:
            assert (state.since, state.calls) == (began, history.count("covered"))
