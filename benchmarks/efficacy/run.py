"""`make efficacy`: what callers notice of failures behind Seawall, behind Envoy, and with nothing in between.

Prints the goals with a mark for each, then a table for each scenario. `--only` takes scenarios by name,
`--quick` gives a rough answer in about two minutes. With `--write` the result also becomes
docs/efficacy.md. Exit code 1: a goal was missed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from time import monotonic

from benchmarks import tools
from benchmarks.efficacy import page, runner, scenarios, stacks
from benchmarks.efficacy.goals import MISSED, judge
from benchmarks.efficacy.measures import Figures
from benchmarks.processes import ROOT

_QUICK_SECONDS = 8.0
_USUAL_SECONDS = 10.0


def parse() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.efficacy", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=sorted(scenarios.BY_NAME), help="a scenario; may be repeated"
    )
    parser.add_argument("--proxies", help="separated by `,`; default all: " + ",".join(stacks.ALL))
    parser.add_argument("--quick", action="store_true", help="the scenarios with goals, idempotent methods")
    parser.add_argument(
        "--seconds", type=float, default=0.0, help="length of a scenario, 5 to 60, default 10 (quick: 8)"
    )
    parser.add_argument("--one-at-a-time", action="store_true", help="do not run the stacks side by side")
    parser.add_argument("--seed", type=int, default=7, help="decides when calls begin")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument("--write", action="store_true", help="write docs/efficacy.md")
    return parser.parse_args()


class Run:
    """One run of the benchmark."""

    def __init__(self) -> None:
        self.began = monotonic()
        self.results: dict[str, dict[str, Figures]] = {}
        self.notes: list[str] = []
        self.patience = runner.Patience()

    def say(self, text: str) -> None:
        """Print a line of progress."""
        print(f"[{monotonic() - self.began:5.0f} s] {text}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Keep and print what the reader of the result must know."""
        if text not in self.notes:
            self.notes.append(text)
        self.say(text)

    def play(self, scenario: scenarios.Scenario, names: list[str], seed: int) -> None:
        """Play a scenario through stacks side by side."""
        self.say(f"{scenario.name}: {', '.join(names)}")
        for name, figures in runner.run(scenario, names, self.note, self.patience, seed).items():
            self.results.setdefault(scenario.name, {})[name] = figures
            self.say(
                f"  {name:16} success {figures.success * 100:7.3f} %  p50 {figures.p50_ms:6.1f}  "
                f"p99 {figures.p99_ms:6.1f} ms  attempts {figures.attempts:.3f}  "
                f"goodput {' / '.join(f'{value:.0f}' for value in figures.goodput)}"
            )


def _groups(wanted: tuple[str, ...], scenario: scenarios.Scenario, *, alone: bool) -> list[list[str]]:
    """Return which stacks run side by side: those of one table."""
    there = [name for name in wanted if scenario.overload or name != stacks.ADAPTIVE]
    if alone:
        return [[name] for name in there]
    groups = [
        [name for name in there if name in stacks.IDEMPOTENT],
        [name for name in there if name not in stacks.IDEMPOTENT],
    ]
    return [group for group in groups if group]


def main() -> int:
    """Run the benchmark."""
    given = parse()
    wanted = stacks.IDEMPOTENT if given.quick else stacks.ALL
    if given.proxies:
        wanted = tuple(name.strip() for name in given.proxies.split(","))
        unknown = [name for name in wanted if name not in stacks.ALL]
        if unknown:
            print(f"no such proxy: {unknown[0]}; there are: {', '.join(stacks.ALL)}", file=sys.stderr)
            return 2
    seconds = given.seconds or (_QUICK_SECONDS if given.quick else _USUAL_SECONDS)
    if not 5.0 <= seconds <= 60.0:
        print(f"--seconds is {seconds:g}; use 5 to 60", file=sys.stderr)
        return 2
    try:
        tools.native("service")
        tools.native("caller")
    except tools.Missing as error:
        print(error, file=sys.stderr)
        return 2
    # What was started is ended in any case.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = Run()
    for name in given.only or (scenarios.QUICK if given.quick else list(scenarios.BY_NAME)):
        scenario = scenarios.BY_NAME[name].stretched(seconds / _USUAL_SECONDS)
        for group in _groups(wanted, scenario, alone=given.one_at_a_time):
            run.play(scenario, group, given.seed)
    run.notes.insert(
        0,
        f"Each scenario lasts {seconds:g} s (those with overload a fifth longer), its stacks run "
        f"{'one after the other' if given.one_at_a_time else 'side by side'}; "
        f"load average at the end {os.getloadavg()[0]:.1f}.",
    )
    if given.output == "json":
        print(json.dumps(page.as_json(run.results, run.notes), indent=2))
    else:
        print(page.body(run.results, run.notes))
    if given.write:
        path = ROOT / "docs" / "efficacy.md"
        path.write_text(page.page(run.results, run.notes))
        run.say(f"wrote {path.relative_to(ROOT)}")
    return 1 if any(verdict.mark == MISSED for verdict in judge(run.results)) else 0


if __name__ == "__main__":
    sys.exit(main())
