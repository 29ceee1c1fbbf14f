"""The power goes at any moment: what was acknowledged is there, the file is whole, and the store opens.

A real process stores batches through the real adapter while its system calls are recorded. For every sync and
every acknowledgement in the record, the disk is built that a power cut right then would have left: once
without anything that was not synced, and once with a random half of that.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall_control.store.sqlite import open_store
from seawall_control.store.sqlite.opening import FILE_NAME
from tests.kit.disk import Disk
from tests.kit.history import Line, Verdict, check
from tests.kit.history.results import keep, merged
from tests.kit.processes import ROOT
from tests.kit.store_driver import batch
from tests.kit.strace import Step, record, why_not

BATCHES = 40
SIZE = 20

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace is here")]


@dataclass(frozen=True)
class Image:
    """A directory as a power cut left it."""

    directory: Path
    acknowledged: int
    """Batches."""
    is_ready: bool
    """Whether the store had been opened."""


def driver(directory: Path, *more: str) -> list[str]:
    """Return the command of a process that takes batches in."""
    return [
        sys.executable,
        "-m",
        "tests.kit.store_driver",
        str(directory),
        "1",
        str(BATCHES),
        str(SIZE),
        *more,
    ]


def images(steps: list[Step], scratch: Path, dice: random.Random) -> Iterator[Image]:
    """Yield what is left after a cut at each sync and each acknowledgement; each is deleted afterwards."""
    disk = Disk()
    acknowledged, is_ready = 0, False
    for number, step in enumerate(steps):
        disk.take(step)
        if step.kind == "said":
            words = step.data.decode().split()
            is_ready |= words[0] == "ready"
            acknowledged = int(words[1]) if words[0] == "ack" else acknowledged
        elif step.kind != "sync":
            continue
        for variant, chance in (("lost", None), ("half", dice)):
            target = scratch / f"{number}-{variant}"
            # The shared memory of the write-ahead log is no file that lasts: it is built again.
            disk.cut(target, chance, leave_out=("-shm",))
            yield Image(target, acknowledged, is_ready)
            shutil.rmtree(target)


def judged(image: Image, rows: list[tuple[int, str]]) -> Verdict:
    """Return what the history of a cut says: what was sent and acknowledged until then, and what is there."""
    sent = [[seq, one.id, ""] for n in range(1, BATCHES + 1) for seq, one in batch(n, SIZE).events]
    lines: list[Line] = [
        {"side": "wire", "what": "sent", "node": "p", "spool": "s", "events": sent, "gaps": []},
        {"side": "wire", "what": "acked", "through": image.acknowledged * SIZE, "refused": []},
        {"side": "store", "what": "mark", "assumed": 0},
        {"side": "test", "what": "fault", "name": "power cut"},
    ]
    lines += [
        {"side": "store", "what": "stored", "id": event_id, "job": "", "number": seq}
        for seq, event_id in rows
    ]
    return check({"at": n, "node": "p", "spool": "s", **line} for n, line in enumerate(lines))


def stored(image: Image) -> int:
    """Return how many events an image has, after checking that they are whole and the first ones."""
    db = sqlite3.connect(image.directory / FILE_NAME)
    try:
        assert db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        seqs = [row[0] for row in db.execute("SELECT seq FROM events ORDER BY seq")]
        assert seqs == list(range(1, len(seqs) + 1))
        assert db.execute("SELECT coalesce(sum(events), 0) FROM event_counts").fetchone()[0] == len(seqs)
        assert len(seqs) % SIZE == 0, "a batch is stored as a whole"
        return len(seqs)
    finally:
        db.close()


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    """What a process did to the disk, from creating the store to closing it."""
    directory = tmp_path_factory.mktemp("power") / "store"
    found, said = record(driver(directory), directory, cwd=ROOT)
    assert said.splitlines()[-1] == "done"
    return found


def test_acknowledged_batches_outlive_a_power_cut(
    steps: list[Step], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """At every moment after the store was ready, through several checkpoints of the log."""
    seen = 0
    verdicts: list[Verdict] = []
    for image in images(steps, tmp_path / "images", random.Random(1)):
        if image.is_ready:
            seen += 1
            assert stored(image) >= image.acknowledged * SIZE
            db = sqlite3.connect(image.directory / FILE_NAME)
            verdicts.append(judged(image, db.execute("SELECT seq, id FROM events").fetchall()))
            db.close()
            assert verdicts[-1].holds, verdicts[-1].report()
    keep(request.node.nodeid, merged(verdicts))
    assert seen > 2 * BATCHES
    written_back = sum(s.kind == "sync" and s.path.endswith(FILE_NAME) for s in steps)
    assert written_back > 5, "the log was checkpointed meanwhile"


def test_store_opens_after_a_power_cut_at_any_moment(steps: list[Step], tmp_path: Path) -> None:
    """Also while it is created and migrated; the spool goes on, and every event is stored once."""
    dice = random.Random(2)

    async def opens(image: Image) -> None:
        store = await open_store(image.directory)
        again = await store.ingest(batch(image.acknowledged + 1, SIZE))
        assert again.through_seq >= (image.acknowledged + 1) * SIZE
        assert (await store.counts(at_us=0)).total == again.through_seq
        await store.aclose()

    opened = 0
    for image in images(steps, tmp_path / "images", dice):
        if not image.is_ready or dice.random() < 0.1:
            opened += 1
            asyncio.run(opens(image))
    assert opened > 30


def test_the_simulated_disk_forgets(tmp_path: Path) -> None:
    """With synchronous=OFF acknowledged batches are lost, or the file is: a test that could not fail would
    prove nothing.
    """
    steps, _ = record(driver(tmp_path / "store", "OFF"), tmp_path / "store", cwd=ROOT)
    losses = 0
    for image in images(steps, tmp_path / "images", random.Random(3)):
        if image.is_ready and not image.directory.name.endswith("half"):
            losses += stored(image) < image.acknowledged * SIZE
    assert losses > BATCHES / 2
