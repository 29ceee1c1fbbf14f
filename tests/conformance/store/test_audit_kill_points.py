"""The process ends at chosen system calls while changes are made: there is no change without its entry and no
entry without its change, and whatever was acknowledged has both.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from seawall_control.domain.records import broken_link, hash_of
from seawall_control.store.sqlite import open_store
from seawall_control.store.sqlite.opening import FILE_NAME
from tests.kit.audit_driver import TOPIC
from tests.kit.processes import ROOT
from tests.kit.strace import tampered, why_not

ROUNDS = 6

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace is here")]


async def journal(directory: Path) -> set[str]:
    """Return what the entries say; each is there once, and the chain is whole."""
    store = await open_store(directory)
    entries = await store.entries(TOPIC, limit=1000, oldest_first=True)
    await store.aclose()
    assert broken_link(entries) is None
    bodies = [entry.body for entry in entries]
    assert len(bodies) == len(set(bodies))
    return set(bodies)


def changes(directory: Path) -> set[str]:
    """Return what was changed, as an entry says it."""
    db = sqlite3.connect(directory / FILE_NAME)
    found = {f"rule/{name} {hash_of(body)}" for name, body in db.execute("SELECT name, body FROM documents")}
    found |= {f"policy_set/shop {row[0]}" for row in db.execute("SELECT hash FROM revisions")}
    found |= {f"event/{row[0]}" for row in db.execute("SELECT id FROM events WHERE resolution = 'seen'")}
    db.close()
    return found


def test_not_killed_it_comes_to_its_end(tmp_path: Path) -> None:
    """So that what is killed below is killed at its work, and not while it dies of something else."""
    command = [sys.executable, "-m", "tests.kit.audit_driver", str(tmp_path / "store"), str(ROUNDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["done"]), done.stderr[-2000:]


@pytest.mark.parametrize(
    "point",
    [
        *(f"fdatasync:signal=KILL:when={n}" for n in (4, 6, 7, 8, 10, 13, 17)),
        *(f"pwrite64:signal=KILL:when={n}" for n in (40, 60, 75, 90, 105, 120)),
    ],
)
def test_killed_at_a_system_call(tmp_path: Path, point: str) -> None:
    """Wherever it ends, both halves of every change are there or neither is."""
    directory = tmp_path / "store"
    command = [sys.executable, "-m", "tests.kit.audit_driver", str(directory), str(ROUNDS)]
    code, said, _ = tampered(command, point, path=None, cwd=ROOT)
    assert code == -signal.SIGKILL, f"this call is not made so often: {said}"
    written = asyncio.run(journal(directory))
    made = changes(directory)
    assert made == written
    acknowledged = [line.removeprefix("ack ") for line in said.splitlines() if line.startswith("ack ")]
    for what in acknowledged:
        assert any(one == what or one.startswith(f"{what} ") for one in made), what
