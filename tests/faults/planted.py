"""Mistakes that the fault matrix is there to notice: each is made in a copy of the tree, and a row must fail.

    python -m tests.faults.planted            all of them
    python -m tests.faults.planted f9 f26     those of these rows

A mistake is told by a text that occurs once in its file and what stands there instead. It is *noticed* when
its test fails and says why. One that fails for *another* reason, as on a machine that is too busy, proves
nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.kit.processes import ROOT

LIMIT_S: Final = 600.0
TREES: Final = ("proxy", "control", "clients", "tests", "proto", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Planted:
    """One mistake."""

    row: str
    test: str
    path: str
    text: str
    instead: str
    wrong: str
    says: str
    """What the failure says."""

    def mutated(self, source: str) -> str:
        """Return the source with the mistake; raise ValueError when the text is not there exactly once."""
        if source.count(self.text) != 1:
            raise ValueError(f"{self.path}: the text occurs {source.count(self.text)} times: {self.text!r}")
        return source.replace(self.text, self.instead)


SPOOL: Final = "proxy/seawall_proxy/telemetry/spool"
DELIVERY: Final = "proxy/seawall_proxy/runtime/control/delivery.py"
INTAKE: Final = "control/seawall_control/services/event_intake.py"
SQLITE: Final = "control/seawall_control/store/sqlite"

MISTAKES: Final = (
    Planted(
        "F1",
        "test_proxy_crash.py::test_f1_proxy_killed_at_random_moments",
        f"{SPOOL}/source_mark.py",
        "return left if self._is_of(boot)",
        "return 0 if self._is_of(boot)",
        "what a killed process had not numbered is forgotten",
        "nobody says so",
    ),
    Planted(
        "F1",
        "test_proxy_crash.py::test_f1_proxy_killed_at_random_moments",
        f"{SPOOL}/source_mark.py",
        "return left if self._is_of(boot)",
        "return 3 * left if self._is_of(boot)",
        "more is declared lost than is missing",
        "<= ",
    ),
    Planted(
        "F1",
        "test_worker_crash.py::test_f1_a_proxy_with_workers_killed_at_random_moments",
        f"{SPOOL}/source_mark.py",
        "        if left:\n",
        "        if left and path.name.startswith(FRONT):\n",
        "what killed workers had recorded is forgotten",
        "nobody says so",
    ),
    Planted(
        "F1",
        "test_worker_crash.py::test_f1_a_proxy_with_workers_killed_while_it_numbers",
        f"{SPOOL}/writer.py",
        "            source.claim(self._numbers.spool_id, first, seq - first)\n",
        "            pass\n",
        "what was being numbered when its proxy was killed counts twice",
        "<= ",
    ),
    Planted(
        "F3",
        "../conformance/store/test_power_cut.py::test_acknowledged_batches_outlive_a_power_cut",
        f"{SQLITE}/opening.py",
        '    "PRAGMA synchronous = FULL",\n',
        '    "PRAGMA synchronous = NORMAL",\n',
        "the log is not synced at a commit",
        "image.acknowledged",
    ),
    Planted(
        "F6",
        "test_store_crash.py::test_f6_failed_sync_is_final",
        f"{SQLITE}/writer.py",
        "_FINAL: Final = (sqlite3.SQLITE_IOERR, ",
        "_FINAL: Final = (",
        "a store goes on after a sync that failed",
        "(3, 1)",
    ),
    Planted(
        "F6",
        "test_disks.py::test_f6_spool_whose_sync_fails",
        f"{SPOOL}/tail.py",
        "            os.fsync(self._fd)\n",
        "            pass\n",
        "the spool is not synced",
        "a sync of the segment fails",
    ),
    Planted(
        "F8",
        "test_damage.py::test_f8_damaged_spools",
        f"{SPOOL}/format.py",
        "        position = data.find(ENTRY_MAGIC, position + 1)\n",
        "        position = -1\n",
        "what is behind a damaged entry is lost, and declared",
        "was whole in the spool",
    ),
    Planted(
        "F8",
        "test_damage.py::test_f8_lost_marks",
        f"{SPOOL}/recovery.py",
        "            if entry.seq > expected:\n",
        "            if False:\n",
        "what a spool without its mark had lost is not declared",
        "nobody says so",
    ),
    Planted(
        "F10, F11",
        "test_network.py::test_f10_f11_bad_networks",
        DELIVERY,
        "        self._in_flight = batch\n        message, first",
        "        await self._pump.ack(batch.spool_id, batch.through)\n        message, first",
        "the spool forgets what was sent, not what was acknowledged",
        "nobody says so",
    ),
    Planted(
        "F23",
        "test_policies.py::test_f23_bad_policies",
        "control/seawall_control/domain/subscription.py",
        "dict.fromkeys(refused)",
        "{}",
        "a control plane that starts again sends what was refused",
        "which it has refused",
    ),
    Planted(
        "F4",
        "test_disks.py::test_f4_disk_of_the_control_plane_is_full",
        INTAKE,
        "        result = await self._store.ingest(batch, self._reception())\n",
        "        task = asyncio.create_task(self._store.ingest(batch, self._reception()))\n"
        "        task.add_done_callback(lambda done: done.cancelled() or done.exception())\n"
        "        last = max([n for n, _ in batch.events] + [gap.to_seq for gap in batch.gaps], default=0)\n"
        "        result = Ingested(last, (), 0)\n",
        "batches are acknowledged before they are stored",
        "assert 0 > 0",
    ),
    Planted(
        "F30",
        "test_restore.py::test_f30_copy_under_writes_and_restore_to_an_older_point",
        "control/seawall_control/domain/ingest.py",
        "arrivals.through + 1 if begins and arrivals.through + 1 < lowest else 0",
        "0",
        "a store that was put back does not ask for what it lacks",
        "all events are delivered",
    ),
)


def copied(target: Path) -> None:
    """Copy what tests need, as source."""
    left = shutil.ignore_patterns("__pycache__", "*.so", "_native.json", "node_modules")
    for name in TREES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=left)
        else:
            shutil.copy(ROOT / name, target / name)


def run(tree: Path, planted: Planted) -> tuple[str, str]:
    """Run a row's test, its quick part, in a tree; return what became of it, and why it failed."""
    file, _, name = planted.test.partition("::")
    paths = os.pathsep.join(str(tree / part) for part in ("proxy", "control", "clients/python", "."))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
         f"{(tree / 'tests/faults' / file).resolve()}::{name}"],
        cwd=tree, env={**os.environ, "SEAWALL_INTERPRETED": "1", "PYTHONPATH": paths},
        capture_output=True, text=True, check=False, timeout=LIMIT_S,
    )  # fmt: skip
    why = [line for line in done.stdout.splitlines() if line.startswith("E  ")]
    if done.returncode == 0:
        return "SURVIVED", ""
    mark = "noticed" if done.returncode == 1 and planted.says in done.stdout else "ANOTHER"
    return mark, "\n".join(why[:12]) or done.stdout[-1000:]


def main() -> int:
    """Plant; return 1 when a mistake was not noticed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.planted",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rows", nargs="*", help="rows, as f9; default all")
    given = parser.parse_args()
    wanted = {row.upper() for row in given.rows}
    survivors = 0
    for planted in MISTAKES:
        if wanted and not wanted & set(planted.row.split(", ")):
            continue
        with tempfile.TemporaryDirectory(prefix="planted-") as folder:
            tree = Path(folder)
            copied(tree)
            path = tree / planted.path
            path.write_text(planted.mutated(path.read_text(encoding="utf-8")), encoding="utf-8")
            mark, why = run(tree, planted)
        survivors += mark != "noticed"
        sys.stdout.write(f"{mark:9} {planted.row:9} {planted.wrong}\n{why}\n")
        sys.stdout.flush()
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
