"""`make bench`: CPU per unary call of Seawall beside its peers, in one run on one machine.

The first figure is CPU time of the proxy process divided by calls, since client, proxy and server share the
cores; the ratio to Envoy in the same round is what to quote. Each shape of load is run in several rounds, the
proxies in turn, and the median of the rounds is printed. With `--write` the table also becomes
docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import proxies
from benchmarks.proxies import Running
from seawall_policy._native import build_info


@dataclass(frozen=True)
class Shape:
    """One kind of load."""

    name: str
    connections: int
    in_flight: int
    calls: int
    varying: bool = False


SHAPES = (
    Shape("1 connection, 1 in flight", 1, 1, 6_000),
    Shape("1 connection, 32 in flight", 1, 32, 40_000),
    Shape("4 connections, 32 in flight", 4, 32, 40_000),
    Shape("4 x 32, metadata that changes on each call", 4, 32, 40_000, varying=True),
)
QUICK_SHARE = 5
"""A quick run makes this fraction of the calls."""

SLOW_PEERS = {"grpc.aio pass-through": 10, "seawall, interpreted": 2}
"""Proxies that get fewer calls, so that a run ends in time."""

GOAL = "<= 0.25 x Envoy compiled, <= 0.8 x Envoy interpreted (4 connections, 32 in flight)"


@dataclass(frozen=True)
class Sample:
    """One load on one proxy."""

    cpu_us: float
    p50_us: float
    p99_us: float
    per_second: float
    errors: int


def measure(target: Running, shape: Shape, calls: int) -> Sample:
    """Run one load and return what it cost the proxy."""
    arguments = [sys.executable, "-m", "benchmarks.load", target.address]
    arguments += ["-c", str(shape.connections), "-m", str(shape.in_flight), "-n", str(calls)]
    if shape.varying:
        arguments.append("--varying")
    before = target.cpu_seconds()
    result = json.loads(subprocess.run(arguments, check=True, capture_output=True, timeout=180).stdout)
    cpu = target.cpu_seconds() - before
    return Sample(
        cpu / calls * 1e6, result["p50_us"], result["p99_us"], calls / result["seconds"], result["errors"]
    )


def start_all(stack: ExitStack, port: int, quick: bool) -> list[Running]:
    """Start every proxy that is there; say which is not."""
    wanted: list[tuple[str, AbstractContextManager[Running]]] = [
        ("seawall", proxies.seawall(port, interpreted=False)),
        ("envoy", proxies.envoy(port)),
    ]
    if not quick:
        wanted.append(("seawall, interpreted", proxies.seawall(port, interpreted=True)))
        wanted.append(("grpc.aio pass-through", proxies.grpc_aio(port)))
    running = []
    for name, context in wanted:
        say(f"starting {name}")
        try:
            running.append(stack.enter_context(context))
        except RuntimeError as error:
            say(f"left out: {name}: {error}")
    return running


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


def collect(rounds: int, quick: bool) -> tuple[dict[str, dict[str, list[Sample]]], dict[str, float]]:
    """Return samples by shape and proxy, and resident memory by proxy."""
    samples: dict[str, dict[str, list[Sample]]] = {shape.name: {} for shape in SHAPES}
    memory: dict[str, float] = {}
    with ExitStack() as stack:
        port = stack.enter_context(proxies.backend(100))
        running = start_all(stack, port, quick)
        for target in running:
            measure(target, SHAPES[1], 2_000)
        for number in range(rounds):
            for shape in SHAPES:
                for target in running:
                    calls = shape.calls // SLOW_PEERS.get(target.name, 1) // (QUICK_SHARE if quick else 1)
                    sample = measure(target, shape, calls)
                    samples[shape.name].setdefault(target.name, []).append(sample)
                    place = f"round {number + 1}/{rounds}  {shape.name:44} {target.name:24}"
                    say(f"{place} {sample.cpu_us:7.1f} us CPU/call")
        for target in running:
            memory[target.name] = target.resident_mb()
    return samples, memory


def median(samples: list[Sample], field: str) -> float:
    """Return the median of one figure."""
    return float(statistics.median(getattr(sample, field) for sample in samples))


def ratio(by_name: dict[str, list[Sample]], name: str) -> float | None:
    """Return the median over rounds of CPU relative to Envoy in the same round."""
    if "envoy" not in by_name:
        return None
    pairs = zip(by_name[name], by_name["envoy"], strict=True)
    return statistics.median(mine.cpu_us / peer.cpu_us for mine, peer in pairs)


def table(samples: dict[str, dict[str, list[Sample]]], memory: dict[str, float]) -> str:
    """Return the result as a Markdown table."""
    lines = [
        "| load | proxy | CPU us/call | x Envoy | p50 us | p99 us | calls/s | errors |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for shape, by_name in samples.items():
        for name, runs in by_name.items():
            relative = ratio(by_name, name)
            shown = "-" if relative is None else f"{relative:.2f}"
            lines.append(
                f"| {shape} | {name} | {median(runs, 'cpu_us'):.1f} | {shown} "
                f"| {median(runs, 'p50_us'):.0f} | {median(runs, 'p99_us'):.0f} "
                f"| {median(runs, 'per_second'):.0f} | {sum(run.errors for run in runs)} |"
            )
    lines += ["", "| proxy | resident memory after the run, MB |", "|---|--:|"]
    lines += [f"| {name} | {megabytes:.0f} |" for name, megabytes in memory.items()]
    return "\n".join(lines)


def verdict(samples: dict[str, dict[str, list[Sample]]]) -> str:
    """Return the goal with what was reached."""
    by_name = samples["4 connections, 32 in flight"]
    parts = []
    for name, goal in (("seawall", 0.25), ("seawall, interpreted", 0.8)):
        relative = ratio(by_name, name) if name in by_name else None
        if relative is not None:
            parts.append(
                f"{name} {relative:.2f} x Envoy ({'met' if relative <= goal else 'MISSED'}, goal {goal:g})"
            )
    return (
        "Goal: " + GOAL + ": " + ("; ".join(parts) if parts else "not measured, Envoy is not installed") + "."
    )


def page(body: str, goal: str, rounds: int) -> str:
    """Return docs/performance.md."""
    build = str(build_info())
    return f"""# Performance

Written by `make bench ARGS=--write`: the figures of one machine, to be compared within the table only. A
unary call with a 100-byte message each way, loopback, plaintext; one worker of each proxy; Seawall with
deadline, retries with replay buffer and budget, breaker and statistics on, Envoy with timeout, retries, retry
budget and outlier detection, the grpc.aio pass-through with nothing. CPU is the proxy process's user and
system time divided by calls, the median of {rounds} rounds; `x Envoy` is the median of the ratios within each
round. Latencies are those of a closed loop at full speed, so they mostly tell how busy the two cores were.

{body}

{goal}

Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, data path {build}.
"""


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a fifth of the calls, Seawall and Envoy only")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    given = parser.parse_args()
    samples, memory = collect(given.rounds, given.quick)
    body = table(samples, memory)
    goal = verdict(samples)
    print(body)
    print()
    print(goal)
    if given.write:
        path = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
        path.write_text(page(body, goal, given.rounds))
        say(f"wrote {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
