"""Seeded mistakes: the lists of this folder, and what it takes to try one.

Each list is a module with MECHANISM (a word), TESTS (files that are run for it) and MUTANTS: tuples of a file
relative to proxy/, a text that occurs in it exactly once, what stands there instead, and what is wrong with
that. A mutant is tried in a copy, never in the tree, on the interpreted source. It is *killed* when a test
fails; *hung* (no end in time) is as good. One that cannot even be imported proves nothing: it is *broken*.
"""

from __future__ import annotations

import compileall
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).resolve().parent
LIMIT_S: Final = 120.0

KILLED: Final = "killed"
HUNG: Final = "hung"
SURVIVED: Final = "SURVIVED"
BROKEN: Final = "BROKEN"
_NOT_LISTS: Final = frozenset({"__init__", "mutant", "quick_end", "run", "test_mutants"})
_TESTS_FAILED: Final = 1


@dataclass(frozen=True)
class Mutant:
    """One mistake."""

    mechanism: str
    number: int
    tests: tuple[str, ...]
    path: str
    text: str
    instead: str
    wrong: str

    @property
    def name(self) -> str:
        """How it is called."""
        return f"{self.mechanism}-{self.number}"

    def mutated(self, source: str) -> str:
        """Return the source with the mistake; raise ValueError when the text is not there exactly once."""
        count = source.count(self.text)
        if count != 1:
            raise ValueError(f"{self.name}: the text occurs {count} times in {self.path}: {self.text!r}")
        return source.replace(self.text, self.instead)


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    mark: str
    seconds: float
    output: str

    @property
    def fine(self) -> bool:
        """A test has noticed."""
        return self.mark in (KILLED, HUNG)


def mechanisms() -> list[str]:
    """Return the names of the lists' modules."""
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in _NOT_LISTS)


def mutants(name: str) -> list[Mutant]:
    """Return the mutants of a list."""
    spec = importlib.util.spec_from_file_location(f"mutants_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [
        Mutant(module.MECHANISM, number, tuple(module.TESTS), *entry)
        for number, entry in enumerate(module.MUTANTS, 1)
    ]


class Workshop:
    """A copy of proxy/ and clients/ in which one mutant after the other is tried."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._proxy = folder / "proxy"
        self._clients = folder / "clients" / "python"
        for tree, copy in ((ROOT / "proxy", self._proxy), (ROOT / "clients" / "python", self._clients)):
            left = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "_native.json")
            shutil.copytree(tree, copy, ignore=left)
            # Compiled once; a mutant's file is read anew because its time is another, and leaves nothing.
            compileall.compile_dir(copy, quiet=2)

    def try_out(self, mutant: Mutant) -> Verdict:
        """Run a mutant's tests on it."""
        path = self._proxy / mutant.path
        source = path.read_text(encoding="utf-8")
        stat = path.stat()
        began = time.monotonic()
        path.write_text(mutant.mutated(source), encoding="utf-8")
        os.utime(path, (stat.st_atime, stat.st_mtime - 3600))
        try:
            code, output = self.run(mutant.tests)
        finally:
            path.write_text(source, encoding="utf-8")
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        mark = {None: HUNG, 0: SURVIVED, _TESTS_FAILED: KILLED}.get(code, BROKEN)
        return Verdict(mutant, mark, time.monotonic() - began, output)

    def run(self, tests: Sequence[str]) -> tuple[int | None, str]:
        """Run tests on the copy as it is; return pytest's exit code, None when they did not end in time."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--hypothesis-seed=0"]
        command += [
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.mutants.quick_end",
            "-o",
            f"pythonpath={self._proxy} control {self._clients} .",
        ]
        environment = {
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            "SEAWALL_INTERPRETED": "1",
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self._folder / "hypothesis"),
        }
        environment.pop("PYTHONPATH", None)
        try:
            done = subprocess.run(
                [*command, *tests],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None, ""
        return done.returncode, done.stdout + done.stderr


@contextmanager
def workshops(count: int) -> Iterator[list[Workshop]]:
    """Make some workshops."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        made = []
        for number in range(count):
            place = Path(folder) / str(number)
            place.mkdir()
            made.append(Workshop(place))
        yield made


def try_all(chosen: Sequence[Mutant], at_once: int = 2) -> Iterator[Verdict]:
    """Try mutants, some at once; verdicts come in the order of the mutants."""
    with workshops(at_once) as made, ThreadPoolExecutor(at_once) as pool:
        free: SimpleQueue[Workshop] = SimpleQueue()
        for workshop in made:
            free.put(workshop)

        def one(mutant: Mutant) -> Verdict:
            workshop = free.get()
            try:
                return workshop.try_out(mutant)
            finally:
                free.put(workshop)

        yield from pool.map(one, chosen)
