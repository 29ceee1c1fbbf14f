"""The goals of the data path, each a ratio to a peer in the same run, and what was reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.bench import NAN, Bench, middle, ratio
from benchmarks.clients import CLIENTS
from benchmarks.figures import calls, clients, growth, latency, memory, sizes, tls
from benchmarks.peers import ENVOY, HAPROXY, INTERPRETED, SEAWALL

AT_MOST: Final = "<="
AT_LEAST: Final = ">="
FLAT: Final = "flat"
FLAT_LIMIT: Final = 1.10

MET: Final = "met"
MISSED: Final = "**MISSED**"
NOT_MEASURED: Final = "not measured"


@dataclass(frozen=True)
class Goal:
    """One line of the goals: a figure of Seawall beside a peer's, or beside its own smallest size."""

    what: str
    figure: str
    shape: str
    peer: str
    compiled: float
    interpreted: float
    kind: str = AT_MOST
    of_medians: bool = False
    """Divide the medians instead of taking the median of ratios: for differences, which may be near zero."""


@dataclass(frozen=True)
class Verdict:
    """What was reached of one goal in one form."""

    what: str
    form: str
    wanted: str
    reached: float
    mark: str


def goals() -> Iterator[Goal]:
    """Return all goals, in the order in which they are shown."""
    for shape in (calls.C1, calls.C4):
        yield Goal(f"CPU per unary call, {shape}", calls.CPU, shape, ENVOY, 0.25, 0.8)
        yield Goal(f"CPU per unary call, {shape}", calls.CPU, shape, HAPROXY, 1.0, NAN)
    for client in CLIENTS:
        for varying in (False, True):
            shape = clients.shape_of(client, varying)
            yield Goal(f"CPU per unary call, {shape}", clients.CPU, shape, ENVOY, 0.4, 1.0)
    for figure, name, compiled, interpreted in (
        (latency.P50, "p50", 0.5, 1.0),
        (latency.P99, "p99", 1.0, 1.5),
    ):
        what = f"added latency {name} at half of saturation"
        yield Goal(what, figure, latency.TOGETHER, ENVOY, compiled, NAN, of_medians=True)
        yield Goal(what, figure, latency.INTERPRETED_TOGETHER, ENVOY, NAN, interpreted, of_medians=True)
    yield Goal("calls/s, one worker, saturation", calls.RATE, calls.C4, ENVOY, 2.0, 1.0, AT_LEAST)
    yield Goal("CPU per MB, 8 MB responses", sizes.PER_MB, sizes.DOWN_8MB, ENVOY, 1.0, 1.3)
    yield Goal("CPU per MB, 8 MB requests", sizes.PER_MB, sizes.UP_8MB, ENVOY, 1.0, 1.3)
    yield Goal("CPU per message, stream of 1 KiB messages", sizes.PER_MESSAGE, sizes.STREAM, ENVOY, 1.0, 1.3)
    for shape in tls.SHAPES:
        yield Goal(f"CPU per unary call, {shape}", tls.CPU, shape, ENVOY, 0.7, 1.2)
    yield Goal("resident memory, idle", memory.IDLE, memory.SHAPE, ENVOY, 0.6, 0.6)
    yield Goal("memory of an idle connection", memory.CONNECTION, memory.SHAPE, ENVOY, 0.6, 0.6)
    yield Goal("memory of an open stream", memory.STREAM, memory.SHAPE, ENVOY, 0.6, 0.6)
    for count in growth.ROUTES[1:]:
        shape = growth.routes_shape(count)
        least = growth.routes_shape(growth.ROUTES[0])
        what = f"CPU per call with {shape}"
        yield Goal(what, growth.ROUTES_CPU, shape, least, FLAT_LIMIT, FLAT_LIMIT, FLAT)
    for count in growth.CONNECTIONS[1:]:
        shape = growth.connections_shape(count)
        least = growth.connections_shape(growth.CONNECTIONS[0])
        what = f"CPU per call with {shape}"
        yield Goal(what, growth.CONNECTIONS_CPU, shape, least, FLAT_LIMIT, FLAT_LIMIT, FLAT)


def judge(bench: Bench) -> list[Verdict]:
    """Return what was reached of every goal."""
    verdicts = []
    for goal in goals():
        forms = ((SEAWALL, "compiled", goal.compiled), (INTERPRETED, "interpreted", goal.interpreted))
        for proxy, form, limit in forms:
            if limit == limit:  # noqa: PLR0124 - there is a goal for this form
                verdicts.append(_verdict(bench, goal, proxy, form, limit))
    return verdicts


def _verdict(bench: Bench, goal: Goal, proxy: str, form: str, limit: float) -> Verdict:
    sign = AT_MOST if goal.kind == FLAT else goal.kind
    reached = _reached(bench, goal, proxy)
    if reached != reached:  # noqa: PLR0124 - not a number
        mark = NOT_MEASURED
    else:
        mark = MET if (reached >= limit if sign == AT_LEAST else reached <= limit) else MISSED
    return Verdict(goal.what, form, f"{sign} {limit:g} x {goal.peer}", reached, mark)


def _reached(bench: Bench, goal: Goal, proxy: str) -> float:
    shapes = bench.values.get(goal.figure, {})
    rounds = shapes.get(goal.shape, {})
    if goal.kind == FLAT:
        least = middle(shapes.get(goal.peer, {}), proxy)
        return middle(rounds, proxy) / least if least > 0 else NAN
    if goal.of_medians:
        # A proxy that adds less than the noise adds nothing; one nanosecond stands for that.
        theirs = middle(rounds, goal.peer)
        mine = middle(rounds, proxy)
        return max(mine, 0.001) / max(theirs, 0.001) if mine == mine and theirs == theirs else NAN  # noqa: PLR0124
    return ratio(rounds, proxy, goal.peer)
