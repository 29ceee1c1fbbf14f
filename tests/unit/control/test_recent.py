"""Events of the last 24 hours."""

from __future__ import annotations

from seawall_control.domain.recent import COUNTED, recent_of


def test_few_events_are_counted_exactly() -> None:
    """What was counted in the oldest hour is added to the whole ones, whatever that hour had in all."""
    assert recent_of(whole_hours=7, counted=3, oldest_hour=900, share=0.5) == 10
    assert recent_of(whole_hours=0, counted=COUNTED - 1, oldest_hour=10**6, share=0.9) == COUNTED - 1


def test_a_flood_is_told_by_its_hour() -> None:
    """As if it had come evenly, and never less than what was seen."""
    assert recent_of(whole_hours=5, counted=COUNTED, oldest_hour=10**6, share=0.25) == 5 + 250_000
    assert recent_of(whole_hours=5, counted=COUNTED, oldest_hour=COUNTED, share=0.25) == 5 + COUNTED
