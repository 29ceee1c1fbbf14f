"""A service that is overloaded for a moment, and callers' retries that must not keep it so."""

from __future__ import annotations

import pytest

from seawall_policy.budget import BudgetOptions
from seawall_policy.model import Snapshot
from seawall_policy.retry import RetryOptions
from seawall_policy.status import DEADLINE_EXCEEDED, UNAVAILABLE
from seawall_proxy.testing.policies import make_cluster, make_policy, make_route, make_snapshot
from tests.simulation.engine import Plan, Simulation
from tests.simulation.engine_policies import SERVICES

SURGE = Plan(1.9, 240.0, (), ((0.3, 1.2, 1200.0),), workers=1)
"""Services that can do some 420 calls a second get three times as many for a second."""


def retrying_at_once(percent: float) -> Snapshot:
    """Return a policy that repeats what takes too long without a wait, and nothing else that would help."""
    retry = RetryOptions(
        max_attempts=5,
        codes=1 << UNAVAILABLE | 1 << DEADLINE_EXCEEDED,
        initial_s=0.0,
        max_s=0.0,
        only_idempotent=False,
        budget=BudgetOptions(percent=percent, min_per_second=1.0),
    )
    policy = make_policy(per_try_timeout_s=0.05, retry=retry)
    return make_snapshot(
        make_route(policy, name="safe", service="s.Safe", idempotent=True),
        make_route(policy, name="once", service="s.Once", idempotent=True),
        clusters={"main": make_cluster("main", SERVICES)},
    )


def afterwards(percent: float) -> float:
    """Return the share of the calls that succeed half a second after the surge."""
    run = Simulation(1, SURGE, retrying_at_once(percent))
    run.run()
    calls = [caller for caller in run.done if 1.3 <= caller.begun - run.start < 1.9 and not caller.gone]
    return sum(caller.status == 0 for caller in calls) / len(calls)


@pytest.mark.slow
def test_retries_of_timeouts_let_a_service_recover() -> None:
    """Immediate retries of DEADLINE_EXCEEDED kept services down (gax-java #591). With the budget it is well
    again at once; what a budget that allows everything does shows that it is the budget's doing.
    """
    assert afterwards(20.0) >= 0.95
    assert afterwards(1000.0) <= 0.5
