"""What a run says in the end: the goals with their marks, a table for each figure, as text or JSON."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from benchmarks.bench import Bench, Rounds, middle, ratio, spread
from benchmarks.figures import calls, growth, latency, memory, sizes
from benchmarks.goals import MET, MISSED, NOT_MEASURED, Verdict, judge
from benchmarks.peers import ENVOY
from seawall_policy._native import build_info

_HEAD = """\
# Performance

What a call through Seawall costs beside other proxies, all measured in one run on one machine. Only the
ratios say something about another machine. `make bench ARGS=--write` wrote this page.

How to read it: **CPU per call** is the user and system time of the proxy's process, divided by the calls. It
is the figure to trust where client, proxy and server share the cores, and it is what you pay for. *Compiled*
is Seawall as it is installed, *interpreted* is the same source where there was no C compiler. c=4 m=32 means
four client connections with 32 calls in flight on each; unary calls carry 100 bytes each way.
"""

_SETUP = """\
## What was set up

Loopback; one worker of each proxy; plaintext unless it says TLS. Seawall runs its standard chain: deadline,
retries with replay buffer and budget, breaker, statistics. Envoy runs with timeout, retries, a retry budget
and outlier detection; nginx with `grpc_next_upstream`; HAProxy with `retry-on`; the grpc.aio pass-through
(interpreted Python on gRPC's own core) with nothing. The upstream and the load generator are C programs
that need 1 to 2 us for a call (`benchmarks/native`); real clients are real. A figure is the median of the
rounds, `±` half the distance between the extremes; a ratio is the median of the ratios within each round,
which other work on the machine hits alike.
"""

_WORDS = {
    calls.CPU: "CPU per unary call, us",
    calls.RATE: "Calls a second at saturation, one worker, everything on the same cores",
    latency.P50: "Latency that the proxy adds, p50, us (open loop, the same rate for all)",
    latency.P99: "Latency that the proxy adds, p99, us (open loop, the same rate for all)",
    latency.BASE: "Latency of the same load without a proxy, us",
    latency.RATE: "The rate of that load, calls/s",
    memory.IDLE: "Resident memory after the start, MB",
    memory.CONNECTION: "Resident memory of an idle client connection, KB",
    memory.STREAM: "Resident memory of an open stream, KB",
    sizes.PER_MB: "CPU per MB of large messages, us",
    sizes.PER_MESSAGE: "CPU per message of a stream, us",
    growth.ROUTES_CPU: "CPU per call with many routes, us (ten methods called, c=4 m=32)",
    growth.CONNECTIONS_CPU: "CPU per call with many connections, us (2,000 calls/s, each on the next)",
    growth.IN_FLIGHT_CPU: "CPU per call with many calls in flight, us (connections x calls on each)",
}


def goals_table(verdicts: list[Verdict], *, everything: bool) -> str:
    """Return the goals, counted by mark."""
    count = {
        mark: sum(1 for verdict in verdicts if verdict.mark == mark) for mark in (MET, MISSED, NOT_MEASURED)
    }
    lines = [
        f"{count[MET]} met, {count[MISSED]} missed, {count[NOT_MEASURED]} not measured.",
        "",
        "| figure | form | goal | reached | |",
        "|---|---|---|--:|---|",
    ]
    # A run of one figure does not list what belongs to the others.
    some = count[MET] + count[MISSED] > 0
    for verdict in verdicts:
        if some and not everything and verdict.mark == NOT_MEASURED:
            continue
        reached = "-" if verdict.mark == NOT_MEASURED else f"{verdict.reached:.2f}"
        lines.append(f"| {verdict.what} | {verdict.form} | {verdict.wanted} | {reached} | {verdict.mark} |")
    return "\n".join(lines)


def _cell(rounds: Rounds, proxy: str) -> str:
    value = middle(rounds, proxy)
    if value != value:  # noqa: PLR0124 - not a number
        return "-"
    shown = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    noise = spread(rounds, proxy)
    text = f"{shown} ±{noise * 100:.0f} %" if noise >= 0.005 else shown
    beside = ratio(rounds, proxy, ENVOY)
    return f"{text} ({beside:.2f})" if proxy != ENVOY and beside == beside else text  # noqa: PLR0124


def figure_table(figure: str, shapes: dict[str, Rounds]) -> str:
    """Return one figure: a row for each shape, a column for each proxy, in brackets the ratio to Envoy."""
    proxies = list(dict.fromkeys(proxy for rounds in shapes.values() for proxy in rounds))
    lines = [f"## {_WORDS.get(figure, figure)}", ""]
    lines.append("| | " + " | ".join(proxies) + " |")
    lines.append("|---|" + "--:|" * len(proxies))
    for shape, rounds in shapes.items():
        lines.append(f"| {shape} | " + " | ".join(_cell(rounds, proxy) for proxy in proxies) + " |")
    return "\n".join(lines)


def figures(bench: Bench) -> str:
    """Return all figures."""
    return "\n\n".join(figure_table(name, shapes) for name, shapes in bench.values.items())


def machine() -> str:
    """Return what the run ran on."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return (
        f"{os.cpu_count()} cores ({model}), Linux {platform.release()}, Python {platform.python_version()}, "
        f"data path {build_info()}"
    )


def footer(bench: Bench) -> str:
    """Return the machine, what failed and what was left out."""
    failed = {name: count for name, count in bench.errors.items() if count}
    lines = ["## Notes", "", f"- Machine: {machine()}; {bench.rounds} rounds."]
    lines.append(f"- Failed calls: {failed or 'none'}.")
    lines += [f"- {note}" for note in bench.notes]
    return "\n".join(lines)


def text(bench: Bench) -> str:
    """Return the result for a terminal."""
    return "\n\n".join(
        ("## Goals", goals_table(judge(bench), everything=False), figures(bench), footer(bench))
    )


def page(bench: Bench) -> str:
    """Return docs/performance.md."""
    goals = (
        "## Goals\n\nThe goals that Seawall's design set itself, each a ratio to a peer in the same run (for "
        "growth: to its own smallest size).\n\n" + goals_table(judge(bench), everything=True)
    )
    why = "[The path of a call](explanation/data-path.md) says where the time goes, and what made it less."
    return "\n".join((_HEAD, goals, "", why, "", _SETUP, figures(bench), "", footer(bench), ""))


def as_json(bench: Bench) -> dict[str, object]:
    """Return the result for a program."""
    return {
        "machine": machine(),
        "rounds": bench.rounds,
        "quick": bench.quick,
        "goals": [verdict.__dict__ for verdict in judge(bench)],
        "figures": bench.values,
        "errors": bench.errors,
        "notes": bench.notes,
    }
