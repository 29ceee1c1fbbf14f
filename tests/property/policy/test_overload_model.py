"""The overload guard beside a naive one that looks at the whole history every time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall_policy.overload import (
    DESCRIPTORS,
    DESCRIPTORS_BACK,
    EVENT_LOOP,
    LAG_LOOKS,
    LEVEL_NAMES,
    MEMORY,
    MEMORY_BACK,
    NORMAL,
    REFUSE,
    SHED,
    OverloadGuard,
    OverloadOptions,
)

SHARES = st.sampled_from([0.0, 0.5, 0.91, 0.93, 0.95, 0.96, 0.98, 1.0])
DESCRIPTOR_SHARES = st.sampled_from([0.0, 0.79, 0.8, 0.85, 0.9, 1.0])
LAGS = st.sampled_from([0.0, 0.4, 0.5, 0.9, 1.0, 5.0])


def above(history: list[float], on: float, back: float) -> bool:
    """Tell whether the last value that was decisive was above: at least `on`, or below `on - back`."""
    for value in reversed(history):
        if value >= on:
            return True
        if value < on - back:
            return False
    return False


def late(history: list[float], limit: float) -> bool:
    """Tell whether the last run of decisive looks was late."""
    refusing = False
    for end in range(1, len(history) + 1):
        last = history[max(0, end - LAG_LOOKS) : end]
        if len(last) == LAG_LOOKS and all(lag >= limit for lag in last):
            refusing = True
        elif len(last) == LAG_LOOKS and all(lag < limit / 2 for lag in last):
            refusing = False
    return refusing


@given(st.lists(st.tuples(SHARES, DESCRIPTOR_SHARES, LAGS), max_size=30))
def test_levels_are_those_of_the_naive_guard(readings: list[tuple[float, float, float]]) -> None:
    """After any history each level is what the whole history says, and changes are told exactly."""
    options = OverloadOptions()
    guard = OverloadGuard(options)
    memory: list[float] = []
    descriptors: list[float] = []
    lags: list[float] = []
    for reading in readings:
        before = dict(guard.levels)
        changed = guard.look(*reading)
        for history, value in zip((memory, descriptors, lags), reading, strict=True):
            history.append(value)
        refuse = above(memory, options.memory_refuse, MEMORY_BACK)
        shed = refuse or above(memory, options.memory_shed, MEMORY_BACK)
        assert guard.levels == {
            MEMORY: REFUSE if refuse else SHED if shed else NORMAL,
            DESCRIPTORS: SHED if above(descriptors, options.descriptors, DESCRIPTORS_BACK) else NORMAL,
            EVENT_LOOP: REFUSE if late(lags, options.lag_s) else NORMAL,
        }
        assert changed == [name for name in guard.levels if guard.levels[name] != before[name]]
        assert all(0 <= level < len(LEVEL_NAMES) for level in guard.levels.values())
