"""The process ends, or its disk fails, at chosen system calls of the store; the history is checked after it.

The rule of every test: what was acknowledged is stored, nothing is stored twice, nothing is stored that was
not sent, and batches are whole. What was not acknowledged is sent again by a proxy, and then it is all there.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from seawall_control.store.sqlite import open_store
from seawall_control.store.sqlite.opening import FILE_NAME
from tests.kit.processes import ROOT
from tests.kit.store_driver import batch, event
from tests.kit.strace import tampered, why_not

BATCHES = 12
SIZE = 10

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace is here")]


@dataclass
class History:
    """What was sent, acknowledged and refused, by the number of the batch."""

    acknowledged: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def read(self, said: str) -> None:
        """Take in what a process said."""
        for line in said.splitlines():
            self.lines.append(line)
            words = line.split()
            if words[0] == "ack":
                self.acknowledged.add(int(words[1]))
            elif words[0] == "refused":
                self.refused[int(words[1])] = words[2]

    def check(self, directory: Path) -> None:
        """Compare with what is stored."""
        db = sqlite3.connect(directory / FILE_NAME)
        assert db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        stored = dict(db.execute("SELECT seq, id FROM events ORDER BY seq"))
        times = db.execute("SELECT count(*), count(DISTINCT id), count(DISTINCT seq) FROM events").fetchone()
        counted = db.execute("SELECT coalesce(sum(events), 0) FROM event_counts").fetchone()[0]
        db.close()
        for number in self.acknowledged:
            for seq, sent in batch(number, SIZE).events:
                assert stored.get(seq) == sent.id, f"event {seq} was acknowledged and is lost"
        for seq, found in stored.items():
            assert 1 <= seq <= BATCHES * SIZE and found == event(seq).id, f"event {seq} was never sent"
        assert times == (len(stored),) * 3, "an event is stored twice"
        assert counted == len(stored)
        assert len(stored) % SIZE == 0, "a batch is stored in part"


def command(directory: Path) -> list[str]:
    """Return the command of a process that takes batches in."""
    return [sys.executable, "-m", "tests.kit.store_driver", str(directory), "1", str(BATCHES), str(SIZE)]


def finish(directory: Path) -> None:
    """Send everything again, as a proxy does with what was not acknowledged; then it is all there, once."""

    async def again() -> int:
        store = await open_store(directory)
        for number in range(1, BATCHES + 1):
            await store.ingest(batch(number, SIZE))
        total = (await store.counts(at_us=0)).total
        await store.aclose()
        return total

    assert asyncio.run(again()) == BATCHES * SIZE


@pytest.mark.parametrize(
    "point",
    [
        *(f"fdatasync:signal=KILL:when={n}" for n in (1, 4, 9, 14, 20, 27)),
        *(f"pwrite64:signal=KILL:when={n}" for n in (1, 5, 40, 90, 160, 260)),
        *(f"unlink:signal=KILL:when={n}" for n in (1, 2, 3)),
        "ftruncate:signal=KILL:when=1",
    ],
)
def test_killed_at_a_system_call(tmp_path: Path, point: str) -> None:
    """Wherever it ends, also while the file is created: the next start finds all that was acknowledged."""
    directory = tmp_path / "store"
    history = History()
    code, said, _ = tampered(command(directory), point, path=None, cwd=ROOT)
    history.read(said)
    assert code in (-signal.SIGKILL, 0), said
    if code == 0:
        assert history.lines[-1] == "done", "this call is not made so often"
    finish_first = asyncio.run(_opens(directory))
    assert finish_first >= len(history.acknowledged) * SIZE
    history.check(directory)
    finish(directory)


async def _opens(directory: Path) -> int:
    store = await open_store(directory)
    total = (await store.counts(at_us=0)).total
    await store.aclose()
    return total


@pytest.mark.parametrize("number", [2, 6, 11])
def test_failed_sync_is_never_followed_by_an_acknowledgement(tmp_path: Path, number: int) -> None:
    """One fdatasync of the log fails: that batch is refused, the store asks to be ended, and nothing is tried
    on the same file again; the next start is well.
    """
    directory = tmp_path / "store"
    history = History()
    log = directory / f"{FILE_NAME}-wal"
    code, said, failed = tampered(
        command(directory), f"fdatasync:error=EIO:when={number}", path=log, cwd=ROOT
    )
    assert failed == 1
    history.read(said)
    assert code == 3, said
    assert history.lines[-1].startswith("refused") and history.lines[-1].endswith("StoreUnavailable")
    assert len(history.refused) == 1
    history.check(directory)
    finish(directory)


@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT"])
def test_full_disk_refuses_and_goes_on(tmp_path: Path, error: str) -> None:
    """Writes to the log fail for a while: those batches are refused as full, the next ones are stored."""
    directory = tmp_path / "store"
    history = History()
    log = directory / f"{FILE_NAME}-wal"
    code, said, failed = tampered(
        command(directory), f"pwrite64:error={error}:when=60..64", path=log, cwd=ROOT
    )
    assert failed
    history.read(said)
    if error == "ENOSPC":
        assert code == 0, said
        assert set(history.refused.values()) == {"StoreFull"}
        assert max(history.acknowledged) > max(history.refused)
    else:
        assert history.refused
    history.check(directory)
    finish(directory)


@pytest.mark.parametrize("number", [3, 12, 30])
def test_read_error_is_told_and_loses_nothing(tmp_path: Path, number: int) -> None:
    """A read of the file fails once: whatever was refused was not stored, what was acknowledged is."""
    directory = tmp_path / "store"
    asyncio.run(_opens(directory))
    history = History()
    file = directory / FILE_NAME
    _, said, failed = tampered(command(directory), f"pread64:error=EIO:when={number}", path=file, cwd=ROOT)
    assert failed == 1
    history.read(said)
    history.check(directory)
    finish(directory)
