"""The engine in virtual time: every scenario of the efficacy benchmark, and hours of random trouble.

The seed of a failure is printed; `SEED=n` plays it alone, `SEEDS=n` plays more (`make simulate`).
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.engine import SCENARIOS, play, play_hours

SEEDS = int(os.environ.get("SEEDS", "3"))
HOURS = 0.25


def _seeds() -> range | list[int]:
    only = os.environ.get("SEED")
    return range(SEEDS) if only is None else [int(only)]


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_breaks_no_rule(name: str) -> None:
    """Whatever policy a seed draws, each step of the scenario keeps the invariants."""
    for seed in _seeds() if "overload" not in name else list(_seeds())[: max(1, SEEDS // 4)]:
        play(name, seed)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_hours_of_random_trouble_break_no_rule(part: int) -> None:
    """Mixtures of troubles, with long quiet times between them: a quarter of an hour for each seed."""
    for seed in _seeds():
        play_hours(seed * 4 + part if "SEED" not in os.environ else seed, HOURS)


def test_the_same_seed_is_the_same_run() -> None:
    """A run is decided by its seed alone."""
    first, second = play("failing-unavailable", 3), play("failing-unavailable", 3)
    assert [caller.status for caller in first.done] == [caller.status for caller in second.done]
    assert [caller.seen for caller in first.done] != [caller.seen for caller in play("crash", 3).done]


@pytest.mark.slow
def test_the_runs_are_eventful() -> None:
    """The dice are loaded so that retries, rejections, timeouts and open breakers all happen."""
    runs = [
        play(name, seed) for name in ("failing-unavailable", "all-failing", "hanging") for seed in range(6)
    ]
    callers = [caller for run in runs for caller in run.done]
    assert sum(caller.seen > 1 for caller in callers) >= 50
    assert sum(caller.reason == b"BREAKER_OPEN" for caller in callers) >= 50
    assert sum(caller.status == 4 for caller in callers) >= 20
    assert sum(caller.gone for caller in callers) >= 20
    assert sum(caller.outcome == b"retried" for caller in callers) >= 50
