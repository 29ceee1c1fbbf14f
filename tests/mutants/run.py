"""`make mutants`: break each mechanism on purpose, and see that its tests notice.

    python -m tests.mutants.run                  every list
    python -m tests.mutants.run budget breaker   these lists
    python -m tests.mutants.run budget-3         this mutant

First the tests run on the unchanged copy. Exit code 1: a mutant has survived, or proves nothing.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.mutants.mutant import Mutant, Verdict, mechanisms, mutants, try_all, workshops


def choose(words: list[str]) -> list[Mutant]:
    """Return the mutants that the command line means; raise ValueError for a word that means none."""
    every = [mutant for name in mechanisms() for mutant in mutants(name)]
    if not words:
        return every
    known = {mutant.mechanism for mutant in every} | {mutant.name for mutant in every} | set(mechanisms())
    for word in words:
        if word not in known:
            raise ValueError(f"no such list or mutant: {word}; lists: {', '.join(mechanisms())}")
    wanted = {mutant.name for word in words if word in mechanisms() for mutant in mutants(word)}
    return [m for m in every if m.mechanism in words or m.name in words or m.name in wanted]


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants.run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="lists or single mutants; default all")
    parser.add_argument("--at-once", type=int, default=2, help="how many are tried at the same time, 1 to 16")
    given = parser.parse_args()
    try:
        chosen = choose(given.names)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    began = time.monotonic()
    tests = tuple(dict.fromkeys(test for mutant in chosen for test in mutant.tests))
    with workshops(1) as (workshop,):
        code, output = workshop.run(tests)
    if code != 0:
        print(f"{output}\nthe tests do not pass on the unchanged source", file=sys.stderr)
        return 2
    print(
        f"{len(tests)} test files pass on the unchanged source ({time.monotonic() - began:.0f} s)", flush=True
    )
    wrong: list[Verdict] = []
    for verdict in try_all(chosen, max(1, min(16, given.at_once))):
        mutant = verdict.mutant
        print(f"{verdict.mark:9} {verdict.seconds:5.1f} s  {mutant.name:24} {mutant.wrong}", flush=True)
        if not verdict.fine:
            wrong.append(verdict)
            print(f"          {mutant.path}: {mutant.text!r} -> {mutant.instead!r}")
    took = time.monotonic() - began
    print(f"{len(chosen)} mutants, {len(chosen) - len(wrong)} killed, {len(wrong)} not, in {took:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
