"""F29: the process is killed in the middle of a migration; an older version meets a newer store."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from seawall_control.store.sqlite.opening import APPLICATION_ID, FILE_NAME, migrations
from tests.faults.store_writer import NODE, SPOOL
from tests.faults.test_store_crash import Subject
from tests.faults.trial import LONG, Trial, is_full
from tests.kit.history import Recorder, Verdict
from tests.kit.history.results import keep, merged
from tests.kit.processes import ROOT
from tests.kit.store_driver import event
from tests.kit.strace import tampered, why_not

pytestmark = pytest.mark.slow

EVENTS = 40


def old_store(directory: Path, history: Path) -> None:
    """Make a store of the first schema, with acknowledged events in it."""
    directory.mkdir(mode=0o700)
    db = sqlite3.connect(directory / FILE_NAME, isolation_level=None)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    number, _, text = migrations()[0]
    db.executescript(f"BEGIN;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;")
    columns = [(row[1], row[2]) for row in db.execute("PRAGMA table_info(events)")]
    note = Recorder(history, "wire")
    for seq in range(1, EVENTS + 1):
        given: dict[str, Any] = {name: "" if kind == "TEXT" else 0 for name, kind in columns}
        one = event(seq)
        given |= {"n": seq, "id": one.id, "severity": 1, "component": "c", "proxy": NODE, "spool_id": SPOOL}
        # The migration makes groups of fingerprints, and counts what is in them.
        given["fingerprint"] = f"old-{seq % 3}"
        given |= {"seq": seq, "timestamp_us": one.timestamp_us, "details": None, "attempts": None}
        marks = ", ".join("?" * len(given))
        db.execute(f"INSERT INTO events ({', '.join(given)}) VALUES ({marks})", list(given.values()))
    spool: dict[str, Any] = {
        "proxy": NODE,
        "spool_id": SPOOL,
        "seen": f"[[1,{EVENTS}]]",
        "assumed_through": 0,
    }
    names = [row[1] for row in db.execute("PRAGMA table_info(spools)")]
    db.execute(
        f"INSERT INTO spools ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
        [spool[name] for name in names],
    )
    db.close()
    told = [[seq, event(seq).id, ""] for seq in range(1, EVENTS + 1)]
    note("sent", node=NODE, spool=SPOOL, events=told, gaps=[])
    note("acked", node=NODE, spool=SPOOL, through=EVENTS, refused=[])
    note.close()


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace is here")
async def test_f29_killed_in_a_migration(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Killed at writes and syncs of the way from the first schema to this one: the next start goes on, and
    everything that was acknowledged under the old schema is there.
    """
    verdicts: list[Verdict] = []
    calls = ("pwrite64", "fdatasync") if is_full() else ("fdatasync",)
    for call in calls:
        for number in range(1, 10_000) if is_full() else (2, 9, 15):
            subject = Subject(tmp_path / f"{call}-{number}")
            old_store(subject.directory, subject.history)
            command = [sys.executable, "-m", "tests.faults.store_writer", str(subject.directory)]
            command += [str(subject.history), "0"]
            code, said, _ = await asyncio.to_thread(
                tampered, command, f"{call}:signal=KILL:when={number}", path=None, cwd=ROOT
            )
            if code == 0:
                assert verdicts, said
                break
            assert code == -signal.SIGKILL, said
            found = await subject.finished()
            found.figures["faults"] = 1
            verdicts.append(found.require("I1", "I2", "I4"))
    keep(request.node.nodeid, merged(verdicts))
    assert len(verdicts) > 1


@LONG
@pytest.mark.integration
async def test_f29_an_older_version_refuses_a_newer_store(trial: Trial) -> None:
    """It says so, and changes nothing; the newer one goes on afterwards."""
    proxy, _ = await trial.follow()
    async with trial.callers() as callers:
        await callers.until(50)
    await trial.delivered(proxy)
    assert trial.running is not None
    assert await asyncio.to_thread(trial.running.child.terminate) == 0
    path = trial.stand.folder / "control" / FILE_NAME
    newest = len(migrations())

    def set_schema(number: int) -> None:
        db = sqlite3.connect(path)
        db.execute(f"PRAGMA user_version = {number}")
        db.commit()
        db.close()

    set_schema(newest + 1)
    trial.fault("an older version")
    refused = await asyncio.to_thread(trial.second_control)
    assert refused.process.returncode == 2
    assert "written by a newer Seawall" in refused.log()
    set_schema(newest)
    async with trial.callers(name="away") as callers:
        await callers.until(20)
    await asyncio.to_thread(trial.control)
    await trial.delivered(proxy)
    await trial.end(proxy)
    trial.verdict("I1", "I2", "I3", "I8")
