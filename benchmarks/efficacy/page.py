"""What a run says in the end: the goals with their marks and a table for each scenario."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isnan

from benchmarks.efficacy import stacks
from benchmarks.efficacy.goals import MET, MISSED, NOT_MEASURED, Results, judge
from benchmarks.efficacy.measures import Figures
from benchmarks.efficacy.scenarios import BY_NAME
from benchmarks.page import machine
from seawall_policy import status

_HEAD = """\
# Efficacy

What callers notice when the services behind a proxy fail, with nothing in between, with Envoy, and with
Seawall. All of it is measured with real processes in one run on one machine, everything of a scenario side
by side. `make efficacy ARGS=--write` wrote this page.

How to read it: a caller begins 200 calls a second, whatever becomes of them, each with a deadline of one
second. **Success** is the share of calls that were answered with OK within it. **p50, p99, p99.9** are over
all calls, and a call without success counts as its whole deadline. **Attempts** are the calls that the
services were sent for each call of the caller. **Goodput** is good answers a second before, during and
after the trouble. **Recovered** is the time from the end of the trouble to the end of the last tenth of a
second in which more than one call in twenty failed.
"""

_SETUP = """\
## What was set up

Three services, each a process of its own (`benchmarks/native/service.c`); a call takes 7 ms in the median
and 11 ms at the 99th percentile. In the scenarios with overload each service has one worker that needs 10
ms for a call, so 300 calls a second are all that can be done. The caller (`benchmarks/native/caller.c`) is
an open loop: the times at which its calls begin are drawn beforehand and are the same for every stack.
*Nothing* is that caller itself, balancing round robin over its own connections to the services, as a gRPC
client does.

Seawall runs `builtin/standard`, untuned, the same in every scenario: a cluster with three addresses and a
route, nothing else is configured. Envoy is tuned as its documentation advises
(`benchmarks/efficacy/stacks.py`): two retries on connection trouble, UNAVAILABLE, INTERNAL and
DEADLINE_EXCEEDED, to another host, each try limited to 300 ms and hedged when it runs out, a retry budget,
outlier detection each second. In the table for methods that are not idempotent, Envoy retries only what no
server has looked at, and Seawall's route says nothing about idempotence.
"""


_COLUMNS = (
    "through",
    "success",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "attempts",
    "goodput/s before / during / after",
    "recovered",
    "failed with",
)


def _span(seconds: float) -> str:
    return "-" if isnan(seconds) else f"{seconds:.1f} s"


def _milliseconds(value: float) -> str:
    return "-" if isnan(value) else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _share(value: float) -> str:
    return "-" if isnan(value) else f"{value * 100:.2f} %"


def _row(title: str, figures: Figures) -> str:
    before, during, after = figures.goodput
    wrong = ", ".join(
        f"{status.name(code)} {count}"
        for code, count in sorted(figures.statuses.items(), key=lambda each: -each[1])
    )
    cells = (
        title,
        _share(figures.success),
        _milliseconds(figures.p50_ms),
        _milliseconds(figures.p99_ms),
        _milliseconds(figures.p999_ms),
        f"{figures.attempts:.3f}",
        f"{before:.0f} / {during:.0f} / {after:.0f}",
        _span(figures.recovered_s),
        wrong or "-",
    )
    return "| " + " | ".join(cells) + " |"


def scenario_table(name: str, lanes: dict[str, Figures], names: Sequence[str]) -> str:
    """Return the table of one scenario for some of its stacks."""
    lines = [
        f"### {name}",
        "",
        BY_NAME[name].words,
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    lines += [_row(stacks.TITLES[stack], lanes[stack]) for stack in names if stack in lanes]
    return "\n".join(lines)


def goals_table(results: Results) -> str:
    """Return the goals, counted by mark; those of scenarios that were not run are only counted."""
    verdicts = judge(results)
    count = {mark: sum(verdict.mark == mark for verdict in verdicts) for mark in (MET, MISSED, NOT_MEASURED)}
    lines = [
        f"{count[MET]} met, {count[MISSED]} missed, {count[NOT_MEASURED]} not measured.",
        "",
        "| scenario | figure | goal | reached | |",
        "|---|---|---|--:|---|",
    ]
    lines += [
        f"| {verdict.scenario} | {verdict.what} | {verdict.wanted} | {verdict.reached} | {verdict.mark} |"
        for verdict in verdicts
        if verdict.mark != NOT_MEASURED or verdict.wanted
    ]
    return "\n".join(lines)


def _tables(results: dict[str, dict[str, Figures]], names: Sequence[str]) -> Iterator[str]:
    beyond = set(names) - {stacks.NOTHING}
    for scenario, lanes in results.items():
        if beyond & set(lanes):
            yield scenario_table(scenario, lanes, names)


def body(results: dict[str, dict[str, Figures]], notes: Sequence[str]) -> str:
    """Return goals, tables and notes."""
    parts = ["## Goals", goals_table(results)]
    for title, names in (
        ("Idempotent methods", stacks.IDEMPOTENT),
        ("Methods that are not idempotent", stacks.ONCE),
    ):
        tables = list(_tables(results, names))
        if tables:
            parts += [f"## {title}", *tables]
    parts += ["## Notes", "\n".join((f"- Machine: {machine()}.", *(f"- {note}" for note in notes)))]
    return "\n\n".join(parts)


def page(results: dict[str, dict[str, Figures]], notes: Sequence[str]) -> str:
    """Return docs/efficacy.md."""
    how = "[How Seawall is proven](explanation/proof.md) says what else is tested, and how."
    return "\n".join((_HEAD, _SETUP, how, "", body(results, notes), ""))


def as_json(results: dict[str, dict[str, Figures]], notes: Sequence[str]) -> dict[str, object]:
    """Return the result for a program."""
    return {
        "machine": machine(),
        "goals": [asdict(verdict) for verdict in judge(results)],
        "scenarios": {
            scenario: {stack: asdict(figures) for stack, figures in lanes.items()}
            for scenario, lanes in results.items()
        },
        "notes": list(notes),
    }
