"""What results of checks add up to."""

from __future__ import annotations

import pytest

from seawall_policy.health import HEALTHY, UNHEALTHY, UNKNOWN, HealthOptions, HealthVerdict


def verdict(unhealthy_after: int = 2, healthy_after: int = 3) -> HealthVerdict:
    """Return a verdict about an endpoint that was never checked."""
    return HealthVerdict(HealthOptions(unhealthy_after=unhealthy_after, healthy_after=healthy_after))


def test_the_first_result_decides() -> None:
    """A start is not spent waiting for more."""
    good, bad = verdict(), verdict()
    assert good.health == UNKNOWN
    assert good.passed()
    assert bad.failed()
    assert (good.health, bad.health) == (HEALTHY, UNHEALTHY)


def test_so_many_in_a_row() -> None:
    """Two failures, three successes; one of the other kind in between starts the count again."""
    one = verdict()
    one.passed()
    assert [one.failed(), one.passed(), one.failed()] == [False, False, False]
    assert one.failed()
    assert [one.passed(), one.passed(), one.failed(), one.passed(), one.passed()] == [False] * 5
    assert one.passed()
    assert one.health == HEALTHY


def test_what_the_server_says_counts_at_once() -> None:
    """NOT_SERVING needs no second time."""
    one = verdict(unhealthy_after=50)
    one.passed()
    assert one.refused()
    assert not one.refused()
    assert one.health == UNHEALTHY


def test_a_new_connection_starts_anew() -> None:
    """The next result decides again, and the verdict stands until then."""
    one = verdict()
    one.passed()
    one.renew()
    assert one.health == HEALTHY
    assert one.failed()
    one.renew()
    assert one.passed()
    assert not one.failed()


@pytest.mark.parametrize(("draw", "wait_s"), [(0.0, 0.8), (0.5, 1.0), (0.75, 1.1)])
def test_intervals_are_spread(draw: float, wait_s: float) -> None:
    """By the jitter, either way; without traffic the longer interval applies."""
    options = HealthOptions(interval_s=1.0, jitter=0.2, no_traffic_interval_s=60.0)
    assert options.wait_s(False, draw) == pytest.approx(wait_s)
    assert options.wait_s(True, draw) == pytest.approx(60 * wait_s)
    assert HealthOptions(interval_s=1.0, jitter=0.0).wait_s(True, draw) == 1.0
