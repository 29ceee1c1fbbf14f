"""Threefold overload in virtual time: the built-in limit loses nothing before, little during, nothing after.

The table of all kinds is printed with `pytest -s`; docs/policies/limits.md quotes it.
"""

from __future__ import annotations

import pytest

from seawall.v1 import policy_pb2
from seawall_policy.builtin import builtin_policies
from seawall_policy.compile.limits import read_limit
from seawall_policy.compile.report import Report
from seawall_policy.compile.scope import Scope
from seawall_policy.limit import options as limits
from seawall_policy.limit.gate import Gate
from seawall_policy.limit.options import KIND_NAMES, LimitOptions
from tests.simulation.overload import Service, Simulation, overload


def builtin() -> LimitOptions:
    """Return the limit of builtin/standard."""
    options = read_limit(Scope(Report(), ""), builtin_policies()["builtin/standard"])
    assert options is not None
    return options


def of_kind(kind: int, queue: int) -> LimitOptions:
    """Return another kind with the same numbers, but for where it begins (Netflix's and Envoy's words)."""
    return LimitOptions(kind=kind, initial=100, queue=queue, queue_timeout_s=1.0)


@pytest.mark.parametrize("deadline_s", [1.0, 0.5, 0.25])
@pytest.mark.parametrize("balance", ["round_robin", "least_request"])
def test_threefold_overload(balance: str, deadline_s: float) -> None:
    """Three endpoints, one call of 10 ms at a time each: 99.5 % before, 270/s of 300/s during, 99.5 % a
    second after (the goal of builtin/standard).
    """
    for seed in range(2):
        run = overload(builtin(), Service(), deadline_s=deadline_s, seed=seed, balance=balance)
        assert run.before >= 0.995, run
        assert run.during >= 0.9, run
        assert run.after >= 0.995, run


@pytest.mark.parametrize("deadline_s", [1.0, 0.25])
def test_overload_with_calls_of_any_length(deadline_s: float) -> None:
    """Exponential times: taking turns leaves endpoints idle now and then, so somewhat less is done."""
    runs = [overload(builtin(), Service(fixed=False), deadline_s=deadline_s, seed=seed) for seed in range(3)]
    assert min(run.before for run in runs) >= 0.995
    assert sum(run.during for run in runs) / len(runs) >= 0.9
    assert min(run.after for run in runs) >= 0.995


@pytest.mark.parametrize(
    ("endpoints", "at_once", "time_s"),
    [
        (1, 1, 0.001),
        (1, 5, 0.01),
        (3, 1, 0.003),
        (10, 1, 0.01),
        (10, 1, 0.1),
        (1, 1, 0.01),
        (2, 15, 0.1),
        (1, 60, 0.3),
    ],
)
def test_no_number_belongs_to_one_service(endpoints: int, at_once: int, time_s: float) -> None:
    """The same limit suits services from 100 to 1000 calls a second, of 1 to 300 ms, on 1 to 10 endpoints."""
    run = overload(builtin(), Service(endpoints, at_once, time_s))
    assert run.before >= 0.995, run
    assert run.during >= 0.9, run
    assert run.after >= 0.995, run


@pytest.mark.slow
@pytest.mark.parametrize(("endpoints", "at_once", "time_s"), [(1, 5, 0.001), (10, 5, 0.01), (3, 83, 0.05)])
def test_fast_services(endpoints: int, at_once: int, time_s: float) -> None:
    """5000 calls a second."""
    run = overload(builtin(), Service(endpoints, at_once, time_s), before_s=3.0, during_s=2.0)
    assert run.before >= 0.995, run
    assert run.during >= 0.9, run
    assert run.after >= 0.995, run


@pytest.mark.parametrize(("at_once", "time_s"), [(1, 0.05), (2, 0.1)])
def test_a_slow_service_bounds_what_can_be_had(at_once: int, time_s: float) -> None:
    """20 calls a second: until 24 calls have been answered, most of the overload is over, as the page says; a
    second after it nothing is left of it.
    """
    for seed in range(6):
        run = overload(builtin(), Service(1, at_once, time_s), seed=seed)
        assert run.before >= 0.995, run
        assert run.during >= 0.3, run
        assert run.after >= 0.995, run


def test_50_calls_a_second() -> None:
    """A limit that sees the calls that wait at the service for their turn loses next to nothing here."""
    for deadline_s in (1.0, 0.5):
        for seed in range(4):
            run = overload(builtin(), Service(1, 1, 0.02), deadline_s=deadline_s, seed=seed)
            assert run.before >= 0.995, run
            assert run.during >= 0.9, run
            assert run.after >= 0.995, run


@pytest.mark.parametrize("calls", [50, 200, 900])
def test_a_burst_from_rest_loses_nothing(calls: int) -> None:
    """A service that does any number of calls at once gets them all, out of the blue."""
    simulation = Simulation(Gate(builtin()), Service(3, 100_000, 0.1))
    simulation.offer(2.0, 0.0, 20.0)
    for moment in (10.0, 12.0):
        for _ in range(calls):
            simulation.at(moment, simulation.arrive)
    simulation.run(25.0)
    assert simulation.share(0.0, 20.0) == 1.0


@pytest.mark.parametrize(("before_s", "after_s"), [(0.01, 0.05), (0.01, 0.1), (0.05, 0.2)])
@pytest.mark.parametrize("per_second", [20, 200])
def test_a_slower_service_is_no_overloaded_one(per_second: int, before_s: float, after_s: float) -> None:
    """A service that takes five to ten times as long, and any number of calls, loses at most one in a hundred
    over the change.
    """
    for seed in range(2):
        simulation = Simulation(Gate(builtin()), Service(3, 100_000, before_s), seed=seed)
        simulation.offer(per_second, 0.0, 9.0)

        def change(extra_s: float, simulation: Simulation = simulation) -> None:
            simulation.extra_s = extra_s

        simulation.at(3.0, lambda: change(after_s - before_s))
        simulation.at(6.0, lambda: change(0.0))
        simulation.run(12.0)
        assert simulation.share(0.0, 9.0) >= 0.99


def test_a_cold_start_at_full_load() -> None:
    """The first calls meet a limit that knows nothing and do not suffer from it."""
    for service in (Service(), Service(3, 100, 0.3), Service(1, 20, 0.1)):
        simulation = Simulation(Gate(builtin()), service)
        simulation.offer(service.capacity * 2.0 / 3.0, 0.0, 4.0)
        simulation.run(8.0)
        assert simulation.share(0.0, 4.0) >= 0.995


@pytest.mark.slow
def test_every_kind_in_a_table() -> None:
    """Print what each kind does; only the built-in one meets all goals at all deadlines."""
    rows = []
    for deadline_s in (1.0, 0.5, 0.25):
        for queue in (0, 1000):
            for kind in range(limits.NONE, limits.KNEE + 1):
                options = of_kind(kind, queue)
                if kind == limits.KNEE:
                    options = LimitOptions(kind=kind, initial=1000, queue=queue, queue_timeout_s=1.0)
                run = overload(options, Service(fixed=False), deadline_s=deadline_s)
                rows.append((deadline_s, queue, KIND_NAMES[kind], run))
    print()
    print("deadline queue kind       before during  after limit")
    for deadline_s, queue, name, run in rows:
        print(
            f"{deadline_s:8.2f} {queue:5d} {name:10s} {run.before:6.3f} {run.during:6.3f} {run.after:6.3f}"
            f" {run.limit:5d}"
        )
    met = {
        name
        for name in KIND_NAMES[1:]
        if all(
            run.before >= 0.995 and run.during >= 0.9 and run.after >= 0.995
            for _, queue, kind, run in rows
            if kind == name and queue > 0
        )
    }
    assert met == {"knee"}


def test_the_built_in_limit_is_adaptive() -> None:
    """What is tested here is what a route without a policy gets."""
    settings = builtin_policies()["builtin/standard"].limit
    assert settings.adaptive == policy_pb2.LIMIT_KIND_KNEE
    assert settings.queue > 0
