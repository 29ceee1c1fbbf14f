"""Writes docs/faults.md from the matrix and the verdicts of a run."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.faults.matrix import ROWS, RULES, Row
from tests.kit.history import INVARIANTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"

_ABOUT = """\
What is broken on purpose, and what is looked at while it is: kills, disks, networks, clocks, damage,
bad policies, restored stores. Real processes; every side writes down what it saw, in files that the
fault does not reach: the callers what they asked and heard, a witness on the wire between proxy and
control plane what was sent, acknowledged, pushed and refused, and at the end the store and the spools
what they hold. One program joins these histories and says of each invariant how much it looked at and
what breaks it (`tests/kit/history`; `python -m tests.kit.history FOLDER` for one history). A test
passes by that verdict alone, and only when the fault was there: processes were alive when they were
killed, calls of the system were made to fail, and the link counts what it did to what was on its way.
That the program finds what is wrong is tested with mistakes that are planted in good histories
(`tests/property/history/test_checker.py`)."""

_HOW = """\
```
make faults                        # all of it at length: hundreds of kills, every system call, 1,000 proxies
make faults ARGS="--quick"         # the part that `make test` runs too
make faults ARGS="-k f30"          # one row
make faults ARGS="--write"         # and write this page
make faults ARGS="--results DIR"   # keep the verdicts, for a page of several runs
python -m tests.faults.planted     # make mistakes in a copy of the tree, and see that their rows fail
```"""


_RULES = """\
The rules of durable store-and-forward, and the known pitfalls of the databases, in the form that they have
here, each with the tests that fail when it is broken. What is promised, and what is not, is in
[How events are delivered](explanation/event-delivery.md) and
[How policies are distributed](explanation/policy-distribution.md); what operators see of each fault is in
[Failure modes](operations/failure-modes.md)."""

_OPEN = """\
SQLite keeps no checksums of pages: a flipped bit within a text of its file is found by nobody. Spools,
marks and kept policies have checksums. A spool keeps what is acknowledged for a day, 64 MiB at most: of
what is older a restored store gets nothing again; it says so. After a power cut, what never got a number
is not declared. When a spool has lost its mark, and the end of its last segment with it, nobody knows how
much was there; when its proxy is killed once more while the next spool takes over what the one without its
mark had, losses that it had declared may be declared twice. The network's faults are those of a TCP proxy
on one machine; no packets are dropped."""


def _wrapped(text: str) -> str:
    """Return a paragraph in lines of at most 120 characters."""
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the kept verdicts by the name of their test."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        found[result["test"]] = result
    return found


def _of(row: Row, results: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        result
        for name, result in results.items()
        if any(name == test or name.startswith(f"{test}[") for test in row.judged)
    ]


def _sum(results: list[dict[str, Any]], name: str) -> int:
    return sum(int(result["figures"].get(name, 0)) for result in results)


def _looked(results: list[dict[str, Any]], invariant: str) -> str:
    looked = sum(int(result["findings"][invariant]["looked_at"]) for result in results)
    broken = sum(int(result["findings"][invariant]["broken"]) for result in results)
    if broken:
        return f"**{broken:,} broken**"
    return f"{looked:,}" if looked else ""


def _cell(tests: tuple[str, ...]) -> str:
    return ", ".join(f"`{test}`" for test in tests)


def _length(row: Row, results: list[dict[str, Any]]) -> str:
    """Return how long the tests of a row were: at length only if all of them were run, and all so."""
    if not results:
        return ""
    names = [str(result["test"]).partition("[")[0] for result in results]
    is_full = {str(result["run"]) for result in results} == {"full"}
    return "at length" if is_full and set(row.judged) <= set(names) else "quick"


def _day(results: list[dict[str, Any]]) -> str:
    """Return when the oldest of the runs was."""
    return min((str(result["day"]) for result in results), default="")


def page(results: Mapping[str, dict[str, Any]]) -> str:
    """Return the page."""
    judged = [(row, _of(row, results)) for row in ROWS]
    findings = [f for _, found in judged for one in found for f in one["findings"].values()]
    broken = sum(int(finding["broken"]) for finding in findings)
    figures = ("faults", "calls", "sent", "acked", "stored", "declared", "refused")
    lines = [
        "# Faults",
        "",
        _wrapped(_ABOUT),
        "",
        _HOW,
        "",
        "## Invariants",
        "",
        "| | |",
        "|---|---|",
    ]
    lines += [f"| {name} | {text} |" for name, text in INVARIANTS.items()]
    verdict = "nothing was broken" if not broken else f"{broken:,} times something was broken"
    lines += [
        "",
        "## The last run",
        "",
        f"In the last run of each row {verdict}. Counts are what the checker looked at.",
        "",
    ]
    lines += [f"| row | fault | run | day | {' | '.join(figures)} |"]
    lines += ["|---|---|---|---|" + "--:|" * len(figures)]
    for row, found in judged:
        counts = [f"{_sum(found, name):,}" if _sum(found, name) else "" for name in figures]
        fault = row.fault if found else f"{row.fault} *(not in this run)*"
        head = (row.number, fault, _length(row, found), _day(found))
        lines.append(f"| {' | '.join((*head, *counts))} |")
    lines += ["", f"| row | {' | '.join(INVARIANTS)} |", "|---|" + "--:|" * len(INVARIANTS)]
    for row, found in judged:
        cells = " | ".join(_looked(found, name) for name in INVARIANTS)
        lines.append(f"| {row.number} | {cells} |")
    lines += [
        "",
        "## Tests of each row",
        "",
        "Below `tests/`. The first ones end with the checker's verdict.",
        "",
    ]
    lines += ["| row | judged by its history | shown by other means |", "|---|---|---|"]
    lines += [f"| {row.number} | {_cell(row.judged)} | {_cell(row.also)} |" for row in ROWS]
    lines += ["", "## Rules and pitfalls", ""]
    lines += [_wrapped(_RULES), ""]
    lines += ["| rule | here | tests |", "|---|---|---|"]
    lines += [f"| {rule.name} | {rule.here} | {_cell(rule.tests)} |" for rule in RULES]
    lines += [
        "",
        "## What is not proven",
        "",
        _wrapped(_OPEN),
        "",
    ]
    return "\n".join(lines)
