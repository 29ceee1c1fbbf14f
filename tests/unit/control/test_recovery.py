"""What became of calls in trouble."""

from __future__ import annotations

from seawall_control.domain.recovery import recovery_of
from seawall_control.domain.statistics import ZERO, Counters


def test_nobody_was_in_trouble() -> None:
    """Then nothing went wrong."""
    found = recovery_of(ZERO)
    assert (found.successful, found.failed, found.success_rate) == (0, 0, 1.0)
    assert recovery_of(Counters(by_code=(7,))).success_rate == 1.0


def test_calls_that_came_out_of_trouble() -> None:
    """A retry and a fallback bring calls out of it; any other status did not, cancellation too."""
    found = recovery_of(
        Counters(by_code=(10, 1, 0, 2), recovered=3, fallbacks=3, retries=9, hedges=2, hedges_won=1)
    )
    assert (found.successful, found.failed, found.success_rate) == (6, 3, 2 / 3)
    assert (found.retries, found.hedges, found.hedges_won) == (9, 2, 1)
