"""Fuzzes all targets, or those that are named, for so many minutes in all: `python -m tests.fuzz.run
--minutes 5`.

With atheris (coverage-guided, libFuzzer) each target runs in a process of its own, its corpus kept in
`.fuzz/corpus/TARGET`; without it the driver of `mutate.py` does, and says so. What breaks a rule is written
to `.fuzz/crashes` and makes the exit code 1; it becomes a case of the tests.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.mutate import fuzz
from tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".fuzz"


def main() -> int:
    """Fuzz; return 1 when something was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; default all")
    parser.add_argument("--minutes", type=float, default=5.0, help="in all; default 5")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the driver without atheris")
    parser.add_argument("--plain", action="store_true", help="use the driver without atheris")
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    names = options.targets or list(TARGETS)
    each_s = options.minutes * 60 / len(names)
    for folder in ("corpus", "crashes"):
        (HOME / folder).mkdir(parents=True, exist_ok=True)
    atheris = importlib.util.find_spec("atheris") is not None and not options.plain
    why = "as asked" if options.plain else "atheris is not installed"
    how = "atheris" if atheris else f"random mutations ({why})"
    print(f"fuzzing {len(names)} targets with {how}, {each_s:.0f} s each", flush=True)
    found = 0
    for name in names:
        found += run_guided(name, each_s) if atheris else run_plain(TARGETS[name], each_s, options.seed)
    print("nothing found" if not found else f"{found} targets with findings, see {HOME / 'crashes'}")
    return 1 if found else 0


def run_plain(target: Target, seconds: float, seed: int) -> int:
    """Mutate at random; return whether something was found."""
    result = fuzz(target, seconds, seed)
    print(f"{target.name}: {result.inputs} inputs, seed {seed}", flush=True)
    for number, finding in enumerate(result.findings):
        path = HOME / "crashes" / f"{target.name}-{seed}-{number}"
        path.write_bytes(finding.data)
        print(f"  {type(finding.error).__name__}: {finding.error}\n  input: {path}")
    return 1 if result.findings else 0


def run_guided(name: str, seconds: float) -> int:
    """Run one target under atheris; return whether something was found."""
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(seconds), str(HOME)]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds + 300
    )
    last = [line for line in result.stderr.splitlines() if "exec/s" in line or line.startswith("Done")]
    print(f"{name}: {last[-1] if last else 'no statistics'}", flush=True)
    if result.returncode:
        print(result.stdout[-3000:], result.stderr[-3000:])
    return 1 if result.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
