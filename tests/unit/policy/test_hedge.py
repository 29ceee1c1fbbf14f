"""The rules of hedging: the table of gRFC A6, the delay, and the budget."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_policy.hedge import (
    FATAL,
    INTERVAL_S,
    NEVER,
    NEXT,
    RESERVE_PER_S,
    SHADOW,
    UNKNOWN_DELAY_S,
    WAIT,
    HedgeOptions,
    Hedger,
    HedgeRun,
)
from seawall_policy.latency import LatencyEstimate
from seawall_policy.retry import NO_PUSHBACK, PUSHBACK_STOP


@pytest.mark.parametrize(
    ("code", "told", "sent", "verdict"),
    [
        (status.UNAVAILABLE, NO_PUSHBACK, 1, NEXT),
        (status.UNAVAILABLE, NO_PUSHBACK, 3, WAIT),
        (status.UNAVAILABLE, 250, 2, NEXT),
        (status.UNAVAILABLE, PUSHBACK_STOP, 1, WAIT),
        (status.NOT_FOUND, NO_PUSHBACK, 1, FATAL),
        (status.NOT_FOUND, PUSHBACK_STOP, 1, FATAL),
        (status.INTERNAL, NO_PUSHBACK, 1, FATAL),
        (99, NO_PUSHBACK, 1, FATAL),
    ],
)
def test_the_table_of_a6(code: int, told: int, sent: int, verdict: int) -> None:
    """What the end of one attempt means for the others."""
    run = HedgeRun(HedgeOptions(delay_s=0.1, max_attempts=3))
    for _ in range(sent - 1):
        run.sent_one()
    assert run.failed(code, told) == verdict


def test_a_status_that_is_worth_a_retry_is_not_fatal() -> None:
    """Together with retries."""
    run = HedgeRun(HedgeOptions(), 1 << status.INTERNAL)
    assert run.failed(status.INTERNAL, NO_PUSHBACK) == NEXT
    assert run.failed(status.UNAVAILABLE, NO_PUSHBACK) == NEXT


def test_a_stop_is_for_good() -> None:
    """After a pushback that says stop nothing more is sent, in later rounds either."""
    run = HedgeRun(HedgeOptions(max_attempts=5))
    run.failed(status.UNAVAILABLE, PUSHBACK_STOP)
    run.new_round()
    assert not run.has_room()
    assert run.next_at(1.0, 0.5) == NEVER


def test_rounds() -> None:
    """max_attempts counts the attempts of a round."""
    run = HedgeRun(HedgeOptions(max_attempts=2))
    assert run.next_at(1.0, 0.5) == 1.5
    run.sent_one()
    assert run.next_at(1.0, 0.5) == NEVER
    run.new_round()
    assert run.has_room()


def latency(seconds: float, quantile: float = 0.95) -> LatencyEstimate:
    """Return an estimate of attempts that all took the same time."""
    estimate = LatencyEstimate(quantile)
    for _ in range(30):
        estimate.add(seconds)
    estimate.look(0.0)
    return estimate


def test_a_fixed_delay_stays() -> None:
    """What is observed does not matter to it."""
    hedger = Hedger(HedgeOptions(delay_s=0.25))
    hedger.look(latency(5.0))
    assert hedger.delay_s == 0.25


def test_the_delay_follows_the_percentile() -> None:
    """A fixed one until something is known, then the percentile, never below the least delay."""
    hedger = Hedger(HedgeOptions(quantile=0.95, min_delay_s=0.02))
    assert hedger.delay_s == UNKNOWN_DELAY_S
    hedger.look(LatencyEstimate(0.95))
    assert hedger.delay_s == UNKNOWN_DELAY_S
    hedger.look(latency(0.5))
    assert 0.5 <= hedger.delay_s < 0.55
    hedger.look(latency(0.001))
    assert hedger.delay_s == 0.02


def test_a_sudden_gray_failure_is_covered() -> None:
    """200 calls a second, hedged at 3 %; then one of three endpoints freezes for a second: each of its calls
    is hedged. In the long run the share is kept.
    """
    hedger = Hedger(HedgeOptions(quantile=0.97, budget_percent=8.0))
    hedges = calls = 0
    for tick in range(2000):
        now = tick / 20.0
        hedger.deposit(10, now)
        calls += 10
        frozen = 1200 <= tick < 1220
        wanted = 3 if frozen else tick % 3 == 0
        for _ in range(int(wanted)):
            paid = hedger.pay(now)
            assert paid
            hedges += 1
    assert hedges < 0.05 * calls
    # Everything late from now on: only the share, and the reserve.
    sent = 0
    for tick in range(2000, 6000):
        now = tick / 20.0
        hedger.deposit(10, now)
        sent += sum(hedger.pay(now) for _ in range(10))
    # What was saved before, the share, and the reserve of each interval.
    assert sent <= 0.08 * 40_000 + 0.08 * 200 * INTERVAL_S + RESERVE_PER_S * 230


def test_without_calls_there_is_the_reserve_only() -> None:
    """A route with little traffic is hedged too."""
    hedger = Hedger(HedgeOptions(budget_percent=0.0))
    assert sum(hedger.pay(1.0) for _ in range(100)) == int(RESERVE_PER_S * INTERVAL_S)


def test_carry_over() -> None:
    """Another document keeps what has been spent and learned, if it still means the same."""
    old = Hedger(HedgeOptions(quantile=0.95, budget_percent=5.0))
    old.pay(1.0)
    old.look(latency(0.5))
    same = Hedger(HedgeOptions(quantile=0.95, budget_percent=5.0, min_delay_s=0.9))
    same.carry_over(old)
    assert same.budget is old.budget
    assert same.delay_s == 0.9
    other = Hedger(HedgeOptions(delay_s=0.1, budget_percent=6.0))
    other.carry_over(old)
    assert other.budget is not old.budget
    assert other.delay_s == 0.1


def test_shadow_does_not_send() -> None:
    """Mode shadow counts only."""
    assert Hedger(HedgeOptions()).sends
    assert not Hedger(HedgeOptions(mode=SHADOW)).sends


@pytest.mark.parametrize(
    "options",
    [
        {"delay_s": -1.0},
        {"quantile": 0.4},
        {"quantile": 0.9999},
        {"min_delay_s": -1.0},
        {"max_attempts": 1},
        {"max_attempts": 6},
        {"budget_percent": 101.0},
        {"mode": 3},
    ],
)
def test_options_that_make_no_sense(options: dict[str, float]) -> None:
    """A number out of range is refused."""
    with pytest.raises(ValueError, match="hedge: "):
        HedgeOptions(**options)  # type: ignore[arg-type]
