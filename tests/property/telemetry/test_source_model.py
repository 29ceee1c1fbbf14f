"""Processes that record and number events, killed at every step that they make, against a naive count: what
is recorded has one number, as an event or as a loss, whoever is killed when. Never two, never none.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from seawall_proxy.telemetry.spool import LOST_IN_CRASH, RING_FULL, WORKER_DIED, Spool, SpoolLimits
from seawall_proxy.telemetry.spool.mark import boot_digest
from seawall_proxy.telemetry.spool.opening import LeftBehind, boot_id, open_spool
from seawall_proxy.telemetry.spool.source_mark import SourceMark

BOOT = boot_digest(boot_id())
LIMITS = SpoolLimits(segment_bytes=4096, sync_every=3)
STEPS = ("write", "pwrite", "fsync", "truncate", "ftruncate", "rename", "replace", "unlink")
NEVER = -1
KILLS = st.one_of(st.just(NEVER), st.integers(0, 12))
"""At which step; a step of which a part is done may be the last."""


class Killed(BaseException):
    """The process is gone: nothing after this happens."""


class Fuse:
    """Ends the process in front at one of its steps."""

    def __init__(self) -> None:
        self.left = NEVER
        self.part = 0.0
        self.fds: set[int] = set()
        """What the kernel closes when it is gone."""

    def step(self) -> bool:
        """Tell whether this is the last one."""
        if self.left == NEVER:
            return False
        self.left -= 1
        return self.left == NEVER

    def around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step that may be the last, before it does anything."""

        def call(*arguments: Any, **more: Any) -> Any:
            if self.step():
                raise Killed
            return real(*arguments, **more)

        return call

    def partly(self, fd: int, data: Any) -> int:
        """Write; the last one writes a part."""
        if not self.step():
            return REAL_WRITE(fd, data)
        REAL_WRITE(fd, bytes(data)[: int(len(data) * self.part)])
        raise Killed

    def opened(self, *arguments: Any, **more: Any) -> int:
        """Open a file."""
        fd = REAL_OPEN(*arguments, **more)
        self.fds.add(fd)
        return fd

    def closed(self, fd: int) -> None:
        """Close one."""
        self.fds.discard(fd)
        REAL_CLOSE(fd)


REAL_WRITE, REAL_OPEN, REAL_CLOSE = os.write, os.open, os.close


class Recording:
    """A process that records. The process in front has a handle of its page as long as it lives."""

    def __init__(self, mark: SourceMark, own: SourceMark) -> None:
        self.mark = mark
        self.own = own
        self.recorded = 0
        self.received = 0


class SourceMachine(RuleBasedStateMachine):
    """One spool, the process that has it and what that records itself, and its workers."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="sources-"))
        self.random = random.Random(1)
        self.patch = pytest.MonkeyPatch()
        # Names of pages decide in which order they are looked at, and so what a kill meets.
        self.patch.setattr(tempfile, "_name_sequence", (f"{number:08}" for number in itertools.count()))
        self.fuse = Fuse()
        self.spool: Spool | None = None
        self.front: Recording | None = None
        self.workers: list[Recording] = []
        self.orphans: list[Recording] = []
        """Workers that drain, and the process in front is gone."""
        self.total = 0
        """All that was ever recorded: the whole model."""
        self.kept: set[bytes] = set()
        """Events that somebody was told are numbered."""
        for name in STEPS[1:]:
            self.patch.setattr(os, name, self.fuse.around(getattr(os, name)))
        self.patch.setattr(os, "write", self.fuse.partly)
        self.patch.setattr(os, "open", self.fuse.opened)
        self.patch.setattr(os, "close", self.fuse.closed)
        for name in ("claim", "settle"):
            self.patch.setattr(SourceMark, name, self.fuse.around(getattr(SourceMark, name)))

    # ---------------------------------------------------------------------------------------- life and death

    def alive(self, work: Callable[[], None], at: int, part: float = 0.0) -> bool:
        """Do something in the process in front, which may be killed meanwhile; tell whether it lives."""
        self.fuse.left, self.fuse.part = at, part
        try:
            work()
        except Killed:
            self.die()
            return False
        finally:
            self.fuse.left = NEVER
        return True

    def die(self) -> None:
        """Leave what the kernel leaves."""
        if self.spool is not None:
            self.spool.abandon()
            self.spool = None
        for one in (*self.workers, *([self.front] if self.front else [])):
            one.mark.close()
        self.front = None
        self.orphans += self.workers
        self.workers = []
        for fd in list(self.fuse.fds):
            os.close(fd)

    def begin(self) -> None:
        self.spool, mark = open_spool(self.directory, self.random.randbytes, LIMITS, 1000.0)
        assert mark is not None
        self.front = Recording(mark, mark)

    @initialize()
    def start(self) -> None:
        self.begin()

    @precondition(lambda self: self.spool is None)
    @rule(at=KILLS, part=st.sampled_from([0.0, 0.5]))
    def start_again(self, at: int, part: float) -> None:
        self.alive(self.begin, at, part)

    @rule(lost=st.booleans())
    def kill(self, lost: bool) -> None:
        """At rest; its spool may lose its mark then."""
        self.die()
        if lost:
            (self.directory / "mark").unlink(missing_ok=True)
            self.begin()

    # ----------------------------------------------------------------------------------------- what they do

    @precondition(lambda self: self.spool is not None and len(self.workers) < 2)
    @rule()
    def worker_starts(self) -> None:
        mark = SourceMark.create(self.directory, BOOT)
        own = SourceMark.inherited(os.dup(mark.fileno()))
        self.workers.append(Recording(mark, own))

    def everybody(self) -> list[Recording]:
        return [*([self.front] if self.front else []), *self.workers, *self.orphans]

    @precondition(lambda self: self.everybody() != [])
    @rule(data=st.data(), count=st.integers(1, 5))
    def record(self, data: st.DataObject, count: int) -> None:
        one = self.everybody()[data.draw(st.integers(0, len(self.everybody()) - 1))]
        one.recorded += count
        self.total += count
        one.own.record(one.recorded)

    @precondition(lambda self: self.spool is not None)
    @rule(data=st.data(), dropped=st.integers(0, 2), at=KILLS, part=st.sampled_from([0.0, 0.3, 0.6, 1.0]))
    def hand_on(self, data: st.DataObject, dropped: int, at: int, part: float) -> None:
        """A batch is numbered, with what a ring has dropped."""
        here = [one for one in self.everybody() if one not in self.orphans]
        one = here[data.draw(st.integers(0, len(here) - 1))]
        waiting = one.recorded - one.received
        dropped = min(dropped, waiting)
        payloads = [self.random.randbytes(300) for _ in range(waiting - dropped)]
        one.received += waiting

        def work() -> None:
            assert self.spool is not None
            self.spool.skip(dropped, RING_FULL, 1000.0, one.mark)
            if payloads:
                self.spool.append(payloads, 1000.0, one.mark)
            self.kept.update(payloads)

        self.alive(work, at, part)

    @precondition(lambda self: self.spool is not None and self.workers != [])
    @rule(at=KILLS, part=st.sampled_from([0.0, 1.0]))
    def worker_dies(self, at: int, part: float) -> None:
        """What it had is declared, and its page goes."""
        one = self.workers[-1]
        one.own.close()

        def work() -> None:
            assert self.spool is not None
            self.spool.skip(one.recorded - one.received, WORKER_DIED, 1000.0, one.mark)
            one.mark.remove()

        (self.workers if self.alive(work, at, part) else self.orphans).remove(one)

    @precondition(lambda self: self.orphans != [])
    @rule()
    def orphan_dies(self) -> None:
        self.orphans.pop().own.close()

    @precondition(lambda self: self.spool is not None)
    @rule(at=KILLS, part=st.sampled_from([0.0, 1.0]))
    def look(self, at: int, part: float) -> None:
        """What others have left is declared."""
        self.alive(self.declare, at, part)

    def declare(self) -> None:
        assert self.spool is not None
        LeftBehind(self.directory).declare(self.spool, 1000.0)

    # ----------------------------------------------------------------------------------------- the verdict

    def teardown(self) -> None:
        self.fuse.left = NEVER
        try:
            self.die()
            while self.orphans:
                self.orphan_dies()
            self.begin()
            self.declare()
            self.judge()
            self.die()
        finally:
            self.patch.undo()
            shutil.rmtree(self.directory)

    def judge(self) -> None:
        assert self.spool is not None
        batch = self.spool.take(1 << 30, 1 << 40)
        events = [] if batch is None else [payload for _, payload in batch.events]
        gaps = [] if batch is None else list(batch.gaps)
        assert len(set(events)) == len(events)
        assert self.kept <= set(events)
        assert {gap.reason for gap in gaps} <= {LOST_IN_CRASH, RING_FULL, WORKER_DIED}
        assert len(events) + sum(gap.last - gap.first + 1 for gap in gaps) == self.total
        assert self.spool.status().last == self.total
        (page,) = [path.name for path in self.directory.glob("*.waiting")]
        assert self.front is not None and page == self.front.mark.name


TestSources = SourceMachine.TestCase
TestSources.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
