"""Degradation, by example."""

from __future__ import annotations

import pytest

from seawall_policy.degradation import Degradation


def test_what_is_told_of_it() -> None:
    """The last step and what it covered."""
    state = Degradation()
    assert state.covered(0, "static", 14, "", 5.0)
    assert not state.covered(2, "last_good", 4, "BREAKER_OPEN", 6.0)
    assert (state.step, state.kind, state.code, state.reason) == (2, "last_good", 4, "BREAKER_OPEN")
    assert (state.since, state.calls) == (5.0, 2)


def test_a_success_of_the_moment_of_the_fallback_counts() -> None:
    """What began when it was served began no earlier."""
    state = Degradation(1)
    state.covered(0, "static", 14, "", 5.0)
    assert not state.succeeded(4.999)
    assert state.succeeded(5.0)


def test_the_number_may_change_while_it_is_degraded() -> None:
    """The policy in force decides."""
    state = Degradation(3)
    state.covered(0, "static", 14, "", 5.0)
    assert not state.succeeded(6.0)
    state.recovered_after = 2
    assert state.succeeded(6.0)


@pytest.mark.parametrize("number", [0, -1, 1001])
def test_options_are_checked(number: int) -> None:
    """1 to 1000."""
    with pytest.raises(ValueError, match="recovered_after"):
        Degradation(number)
