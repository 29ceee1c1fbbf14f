"""Many random lives of a proxy; the seed of a failure is printed, `SEED=n` plays it alone, `SEEDS=n` plays
more.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.chaos import Chaos, run

SEEDS = int(os.environ.get("SEEDS", "320"))
GROUPS = 16


def _seeds(group: int) -> range | list[int]:
    only = os.environ.get("SEED")
    if only is not None:
        return [int(only)] if group == 0 else []
    return range(group, SEEDS, GROUPS)


@pytest.mark.parametrize("group", range(GROUPS))
def test_nothing_is_lost_or_done_twice(group: int) -> None:
    """Each call has one end in time, each body and answer is exact, and everything goes back to nothing."""
    for seed in _seeds(group):
        run(seed)


def test_the_same_seed_is_the_same_life() -> None:
    """A run is decided by its seed alone."""
    first, second = run(7), run(7)
    assert first.trace == second.trace
    assert first.trace != run(8).trace


def test_the_runs_are_eventful() -> None:
    """The dice are loaded so that retries, rejections, fallbacks, refusals and swaps all happen."""
    lives: list[Chaos] = [run(seed) for seed in range(40)]
    books = [book for life in lives for book in life.books.values()]
    outcomes = [book.call.field(b"seawall-outcome") for book in books]
    for outcome in (b"retried", b"failed", b"fallback", b"rejected"):
        assert outcomes.count(outcome) >= 3, outcome
    assert sum(len(book.requests) > 1 for book in books) >= 20
    assert sum(request.refused for book in books for request in book.requests) >= 10
    assert sum(life.revision for life in lives) >= 60
    assert sum(book.cancelled for book in books) >= 10
    assert sum(counters.hedges for life in lives for counters in life.world.counters.values()) >= 15
    assert {record.trigger for life in lives for record in life.world.sink.breakers} >= {
        "consecutive", "failure_rate", "cooled_down", "probes_failed", "probes_passed",
    }  # fmt: skip
