"""Windows of alerts against lists of everything that ever came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.alerts.windows import CALL_SLOT_US, MAX_KEYS, SLOTS, CallSeries, EventWindow
from seawall_control.domain.events import MICROS

START_US = 1_800_000_000 * MICROS


@given(
    steps=st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc"), st.integers(1, 5)), max_size=120),
    window_s=st.sampled_from([10, 30, 300]),
)
def test_events_of_a_window(steps: list[tuple[int, str, int]], window_s: int) -> None:
    """A count misses nothing of its window, and holds nothing that is older than it and one slot."""
    window = EventWindow(window_s * MICROS)
    at_us = START_US
    came: list[tuple[int, str, int]] = []
    slot_us = window_s * MICROS // SLOTS
    for step_s, key, number in steps:
        at_us += step_s * MICROS
        window.add(key, at_us, number)
        came.append((at_us, key, number))
        for asked in "abc":
            least = sum(n for t, k, n in came if k == asked and t > at_us - window_s * MICROS)
            most = sum(n for t, k, n in came if k == asked and t > at_us - window_s * MICROS - 2 * slot_us)
            assert least <= window.count(asked, at_us) <= most


def test_the_edge_of_a_window() -> None:
    """What came just within the window counts, and what came two slots before it does not."""
    window = EventWindow(300 * MICROS)
    window.add("a", START_US)
    assert window.count("a", START_US + 300 * MICROS - 1) == 1
    assert window.count("a", START_US + 320 * MICROS) == 0


def test_keys_are_bounded() -> None:
    """The keys that came longest ago are forgotten first."""
    window = EventWindow(60 * MICROS)
    for number in range(MAX_KEYS + 10):
        window.add("always", START_US)
        window.add(str(number), START_US)
    assert len(window) == MAX_KEYS
    assert window.count("always", START_US) == MAX_KEYS + 10
    assert window.count("0", START_US) == 0
    assert window.forgotten == 11


@given(
    steps=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 9), st.integers(0, 9)), max_size=200),
    keep_s=st.sampled_from([60, 600, 3600]),
)
def test_calls_of_a_window(steps: list[tuple[int, int, int]], keep_s: int) -> None:
    """Sums of any window that is kept are those of all calls, to a slot."""
    series = CallSeries(keep_s * MICROS)
    at_us = START_US
    came: list[tuple[int, int, int]] = []
    for step_s, failed, fine in steps:
        at_us += step_s * MICROS
        series.add(failed, failed + fine, at_us)
        came.append((at_us, failed, failed + fine))
        for window_us in (30 * MICROS, keep_s * MICROS // 2, keep_s * MICROS):
            first = (at_us - window_us) // CALL_SLOT_US
            inside = [(f, n) for t, f, n in came if t // CALL_SLOT_US >= first]
            assert series.over(window_us, at_us) == (sum(f for f, _ in inside), sum(n for _, n in inside))
    assert len(series._slots) <= 2 * (keep_s // 10 + 1) + 1
