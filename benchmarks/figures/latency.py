"""Latency that a proxy adds, under open-loop load at a fixed rate.

The rate is half of what the slower of Seawall and Envoy can carry, found first, and is the same for all;
calls begin at exponential gaps on four connections and are timed from when they were due. The same load
without any proxy is taken off.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from benchmarks import loads, peers
from benchmarks.bench import Bench
from benchmarks.loads import Load, upstream
from benchmarks.peers import AIO, ENVOY, INTERPRETED, SEAWALL, Setting
from benchmarks.processes import Running

NAME = "latency"
P50 = "added latency p50, us"
P99 = "added latency p99, us"
BASE = "latency without a proxy, us"
RATE = "open-loop rate, calls/s"

TOGETHER = "half of the slower's saturation"
"""For the compiled form beside the peers."""
INTERPRETED_TOGETHER = "half of the slower's saturation, interpreted"


def saturation(bench: Bench, target: Running) -> float:
    """Return how many calls a second a proxy carries."""
    load = Load(4, 32, bench.calls(target.name, 60_000))
    sample = bench.measure(f"{NAME}, saturation", target, lambda: loads.run(target, load))
    return sample.per_second if sample else 0.0


def run(bench: Bench) -> None:
    """Measure at both rates."""
    wanted = tuple(name for name in bench.peers if name != AIO)
    with ExitStack() as stack:
        port = stack.enter_context(upstream())
        running = peers.start_all(stack, Setting(port), wanted, bench.note)
        highest = {target.name: saturation(bench, target) for target in running}
        for shape, judges in ((TOGETHER, (SEAWALL, ENVOY)), (INTERPRETED_TOGETHER, (INTERPRETED, ENVOY))):
            known = [highest[name] for name in judges if highest.get(name)]
            if judges[0] not in highest or not known:
                continue
            rate = min(known) / 2
            bench.add(RATE, shape, SEAWALL if shape == TOGETHER else INTERPRETED, rate)
            others = [target for target in running if target.name not in (SEAWALL, INTERPRETED)]
            mine = [target for target in running if target.name == judges[0]]
            _at_rate(bench, shape, mine + others, str(port), rate)


def _at_rate(bench: Bench, shape: str, running: list[Running], port: str, rate: float) -> None:
    load = Load(connections=4, rate=rate, seconds=2.0 if bench.quick else 4.0)
    for number in range(bench.rounds):
        base = loads.run(port, load).latency_us
        for percentile in ("p50", "p99"):
            bench.add(BASE, f"{shape}, {percentile}", "direct", base[percentile])
        for target in running:
            place = f"{NAME}, round {number + 1}/{bench.rounds}, {rate:.0f}/s"
            sample = bench.measure(place, target, partial(loads.run, target, load))
            for figure, percentile in ((P50, "p50"), (P99, "p99")):
                added = sample.latency_us[percentile] - base[percentile] if sample else float("nan")
                bench.add(figure, shape, target.name, added)
