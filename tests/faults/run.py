"""Runs the fault matrix and writes its page: `python -m tests.faults.run [--quick] [--write] [PYTEST...]`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults.matrix import ROWS
from tests.faults.page import PAGE, load, page
from tests.kit.history.results import FOLDER, LENGTH
from tests.kit.processes import ROOT


def main() -> int:
    """Run; return pytest's exit code."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the part that every test run has")
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help="keep the verdicts here, beside those of earlier runs"
    )
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    given, more = parser.parse_known_args()
    kind = "quick" if given.quick else "full"
    # Rows at length take many minutes; where they are is told after two of them in a run of tests.
    patient = [] if given.quick else ["-o", "faulthandler_timeout=0"]
    files = sorted({test.partition("::")[0] for row in ROWS for test in row.judged})
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if given.results is None else given.results.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *patient, *(f"tests/{file}" for file in files), *more],
            cwd=ROOT,
            env={**os.environ, FOLDER: str(folder), LENGTH: kind},
            check=False,
        )
        text = page(load(folder))
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")
    else:
        head, _, rest = text.partition("## The last run\n")
        sys.stdout.write(rest.partition("## Tests of each row")[0] or head)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
