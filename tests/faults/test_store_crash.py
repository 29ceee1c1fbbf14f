"""F2, F6: the control plane's store is killed, or its disk fails, at system calls of its changes."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from seawall_control.store.sqlite.opening import FILE_NAME
from tests.faults.trial import is_full
from tests.kit.history import Verdict, check, read
from tests.kit.history.results import keep, merged
from tests.kit.history.sides import from_file
from tests.kit.processes import ROOT
from tests.kit.strace import Tampered, tampered, why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace is here")]

COUNT = 8
KINDS = ("fdatasync", "pwrite64", "unlink", "ftruncate", "fsync", "rename")
QUICK = {"fdatasync": (3, 17), "pwrite64": (60, 150), "unlink": (1,)}


class Subject:
    """A store, and the history of what was done to it."""

    def __init__(self, folder: Path) -> None:
        self.directory = folder / "store"
        self.history = folder / "history"
        self.history.mkdir(parents=True)

    def tampered(self, inject: str, path: Path | None = None) -> Tampered:
        """Write with a fault."""
        return tampered(self._command(), inject, path=path, cwd=ROOT)

    def _command(self) -> list[str]:
        return [
            sys.executable, "-m", "tests.faults.store_writer",
            str(self.directory), str(self.history), str(COUNT),
        ]  # fmt: skip

    async def finished(self) -> Verdict:
        """Write once more, without a fault: it opens, and goes on from what was acknowledged."""
        process = await asyncio.create_subprocess_exec(*self._command(), cwd=ROOT)
        assert await process.wait() == 0
        from_file(self.history, self.directory)
        return check(read(self.history))

    def saw(self, what: str) -> int:
        """Return how many lines of a kind there are."""
        return sum(line["what"] == what for line in read(self.history))


@pytest.mark.parametrize("call", KINDS if is_full() else tuple(QUICK))
async def test_f2_killed_at_every_system_call(
    tmp_path: Path, call: str, request: pytest.FixtureRequest
) -> None:
    """Wherever it ends, also while the file is created: the next process finds all that was acknowledged,
    whole, once, and every revision under its number.
    """
    verdicts = []
    points = range(1, 10_000) if is_full() else QUICK[call]
    for number in points:
        subject = Subject(tmp_path / str(number))
        code = (await asyncio.to_thread(subject.tampered, f"{call}:signal=KILL:when={number}")).code
        if code == 0:
            assert subject.saw("done"), "it ended before"
            assert is_full(), f"{call} is not made {number} times"
            break
        assert code == -signal.SIGKILL
        verdicts.append(await subject.finished())
        verdicts[-1].figures["faults"] = 1
        verdicts[-1].require("I1", "I2", "I4")
    found = merged(verdicts)
    keep(request.node.nodeid, found)


@pytest.mark.parametrize("number", range(1, 12) if is_full() else (3, 6))
async def test_f6_failed_sync_is_final(tmp_path: Path, number: int, request: pytest.FixtureRequest) -> None:
    """After an fdatasync that failed there is no acknowledgement in this process, and none is tried on the
    same file: the process asks to be ended, and the next one finds what was acknowledged.
    """
    subject = Subject(tmp_path / "subject")
    log = subject.directory / f"{FILE_NAME}-wal"
    code, _, failed = await asyncio.to_thread(subject.tampered, f"fdatasync:error=EIO:when={number}", log)
    lines = read(subject.history)
    assert (code, failed) == (3, 1)
    refused = [n for n, line in enumerate(lines) if line["what"] == "refused"]
    assert not [line for line in lines[refused[0] :] if line["what"] in ("acked", "pushed")]
    found = await subject.finished()
    found.figures["faults"] = failed
    keep(request.node.nodeid, found)
    found.require("I1", "I2", "I4")


@pytest.mark.parametrize("call", ["pread64", "pwrite64"])
@pytest.mark.parametrize("file", [FILE_NAME, f"{FILE_NAME}-wal"], ids=["file", "log"])
async def test_f6_errors_of_reading_and_writing(
    tmp_path: Path, call: str, file: str, request: pytest.FixtureRequest
) -> None:
    """One call fails: what was refused is not stored, what was acknowledged is."""
    verdicts = []
    for number in range(1, 10_000, 5) if is_full() else (3,):
        subject = Subject(tmp_path / str(number))
        path = subject.directory / file
        failed = (await asyncio.to_thread(subject.tampered, f"{call}:error=EIO:when={number}", path)).failed
        if not failed:
            assert is_full(), f"{call} is not made {number} times"
            break
        verdicts.append(await subject.finished())
        verdicts[-1].figures["faults"] = failed
        verdicts[-1].require("I1", "I2", "I4")
    assert verdicts
    keep(request.node.nodeid, merged(verdicts))
