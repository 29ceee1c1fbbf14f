"""The end of a connection's life, step by step."""

from __future__ import annotations

import pytest

from seawall_policy.transport import NO_LIMIT, Lifetime
from seawall_proxy.runtime.age import ANNOUNCE, CLOSE, FINISH, HEARD_S, KEEP, UNHEARD_S, Age


def test_steps_come_once_and_in_order() -> None:
    """GOAWAY, then GOAWAY with the last id once the client has heard, then the end after the grace."""
    age = Age(Lifetime(60.0, 0.0, 30.0), 100.0, 0.0)
    assert age.step(159.9, 5, heard=True) == KEEP
    assert age.step(160.0, 5, heard=False) == ANNOUNCE
    assert age.step(160.0 + HEARD_S / 2, 5, heard=True) == KEEP
    assert age.step(160.0 + HEARD_S, 5, heard=False) == KEEP
    assert age.step(160.0 + HEARD_S, 5, heard=True) == FINISH
    assert age.step(189.9, 5, heard=True) == KEEP
    assert age.step(190.0, 5, heard=True) == CLOSE
    assert age.step(1e6, 5, heard=True) == KEEP


def test_a_client_that_does_not_answer_is_not_waited_for() -> None:
    """Without an answer to the PING the second GOAWAY goes out all the same."""
    age = Age(Lifetime(60.0, 0.0), 0.0, 0.0)
    assert age.step(60.0, 0, heard=False) == ANNOUNCE
    assert age.step(60.0 + UNHEARD_S - 0.1, 0, heard=False) == KEEP
    assert age.step(60.0 + UNHEARD_S, 0, heard=False) == FINISH


@pytest.mark.parametrize(("draw", "due"), [(0.0, 90.0), (0.5, 100.0), (0.999999, 110.0)])
def test_ages_are_spread(draw: float, due: float) -> None:
    """The age is within the jitter, as the draw says."""
    age = Age(Lifetime(100.0, 0.1), 0.0, draw)
    assert age.due == pytest.approx(due, abs=0.001)


def test_calls_are_counted() -> None:
    """A connection is also ended for its number of calls, without an age."""
    age = Age(Lifetime(NO_LIMIT, 0.1, max_requests=10), 0.0, 0.5)
    assert age.step(1e6, 9, heard=True) == KEEP
    assert age.step(1e6, 10, heard=True) == ANNOUNCE


def test_no_grace_is_no_end() -> None:
    """Without a grace calls in flight may take as long as they like."""
    age = Age(Lifetime(1.0, 0.0), 0.0, 0.5)
    assert age.step(1.0, 1, heard=True) == ANNOUNCE
    assert age.step(3.0, 1, heard=True) == FINISH
    assert age.step(1e9, 1, heard=True) == KEEP
