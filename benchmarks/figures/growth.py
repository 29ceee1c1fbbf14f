"""How the cost of a call grows with what else is there: routes, connections, calls in flight.

Routes: the same ten methods are called, spread evenly over 10, 1,000 or 10,000 routes. Connections: 2,000
calls a second, each on the next of 1, 100 or 5,000 open connections, so that no size is favoured by calls
that arrive together. In flight: a closed loop that is wider and wider.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from benchmarks import loads, peers
from benchmarks.bench import NAN, Bench
from benchmarks.loads import Load, Sample, upstream
from benchmarks.peers import AIO, ENVOY, INTERPRETED, SEAWALL, Setting
from benchmarks.processes import Running

NAME = "growth"
ROUTES_CPU = "CPU us/call, by routes"
CONNECTIONS_CPU = "CPU us/call, by connections"
IN_FLIGHT_CPU = "CPU us/call, by calls in flight"

ROUTES = (10, 1_000, 10_000)
CONNECTIONS = (1, 100, 5_000)
IN_FLIGHT = ((1, 1), (1, 10), (1, 100), (10, 100), (50, 100))
RATE = 2_000.0


def routes_shape(count: int) -> str:
    """Return the name of a shape."""
    return f"{count:,} routes"


def connections_shape(count: int) -> str:
    """Return the name of a shape."""
    return f"{count:,} connections" if count > 1 else "1 connection"


def run(bench: Bench) -> None:
    """Measure all three."""
    wanted = tuple(name for name in bench.peers if name != AIO)
    _routes(bench, tuple(name for name in wanted if name in (SEAWALL, INTERPRETED, ENVOY)))
    with ExitStack() as stack:
        port = stack.enter_context(upstream())
        running = peers.start_all(stack, Setting(port), wanted, bench.note)
        _connections(bench, running)
        _in_flight(bench, running)


def _add(
    bench: Bench, figure: str, shape: str, target: Running, number: int, work: Callable[[], Sample]
) -> None:
    place = f"{NAME}, round {number + 1}/{bench.rounds}, {shape}"
    sample = bench.measure(place, target, work)
    bench.add(figure, shape, target.name, sample.cpu_us if sample else NAN)


def _routes(bench: Bench, wanted: tuple[str, ...]) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(upstream())
        sizes = []
        for count in ROUTES:
            bench.say(f"{NAME}, starting with {routes_shape(count)}")
            sizes.append((count, peers.start_all(stack, Setting(port, count), wanted, bench.note)))
        for number in range(bench.rounds):
            for count, running in sizes:
                for target in running:
                    calls = bench.calls(target.name, 40_000)
                    load = Load(4, 32, calls, paths=10, path_step=count // 10)
                    shape = routes_shape(count)
                    _add(bench, ROUTES_CPU, shape, target, number, partial(loads.run, target, load))


def _connections(bench: Bench, running: list[Running]) -> None:
    for number in range(bench.rounds):
        for count in CONNECTIONS:
            load = Load(
                count, rate=RATE, seconds=2.0 if bench.quick else 3.0, warm_up=3 if count > 1 else 200
            )
            for target in running:
                shape = connections_shape(count)
                _add(bench, CONNECTIONS_CPU, shape, target, number, partial(loads.run, target, load))


def _in_flight(bench: Bench, running: list[Running]) -> None:
    for number in range(1 if bench.quick else 2):
        for connections, each in IN_FLIGHT:
            for target in running:
                calls = bench.calls(target.name, 6_000 if each == 1 else 40_000)
                load = Load(connections, each, calls, warm_up=5)
                shape = f"{connections} x {each}"
                _add(bench, IN_FLIGHT_CPU, shape, target, number, partial(loads.run, target, load))
