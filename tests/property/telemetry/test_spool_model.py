"""The spool against a naive model: whatever happens to the process, the machine or the files, every number
ends as delivered or as a declared gap, with the right content, and none is given out twice.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from seawall_proxy.telemetry import spool as spools
from seawall_proxy.telemetry.spool import Batch, Spool, SpoolLimits
from seawall_proxy.telemetry.spool.mark import RESERVE, SLOT_BYTES, SOFT_SLOT

DROPPED_FOR_ROOM = (spools.SPOOL_FULL, spools.EXPIRED)


class SpoolMachine(RuleBasedStateMachine):
    """One spool directory, and what a control plane and an all-knowing observer know of it."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="spool-"))
        self.random = random.Random(1)
        self.now_s = 1_000_000.0
        self.boots = 0
        self.given: dict[int, bytes | None] = {}
        """Every number ever handed to a caller; None for a skip."""
        self.stored: dict[int, bytes] = {}
        self.gaps: dict[int, str] = {}
        self.synced: dict[Path, int] = {}
        """Size of each file when everything was last known to be on the disk."""
        self.old_soft = bytes(SLOT_BYTES)
        self.damaged = False
        self.limits = SpoolLimits(max_bytes=16384, max_age_s=1000.0, segment_bytes=4096, sync_every=4)

    @initialize(sync_every=st.sampled_from([1, 4, 100, 100]))
    def start(self, sync_every: int) -> None:
        self.limits = SpoolLimits(
            max_bytes=16384,
            max_age_s=1000.0,
            segment_bytes=4096,
            sync_every=sync_every,
            keep_s=700.0,
            keep_bytes=8192,
        )
        self.spool = self.open()
        self.spool_id = self.spool.spool_id

    def open(self) -> Spool:
        return Spool.open(
            self.directory,
            now_s=self.now_s,
            boot=f"boot-{self.boots}",
            random_bytes=self.random.randbytes,
            limits=self.limits,
        )

    def files(self) -> list[Path]:
        return sorted(path for ending in ("seg", "kept") for path in self.directory.glob(f"*.{ending}"))

    def note_synced(self) -> None:
        if self.spool.status().unsynced == 0:
            self.synced = {path: path.stat().st_size for path in self.files()}
            self.old_soft = (self.directory / "mark").read_bytes()[SOFT_SLOT * SLOT_BYTES :]

    def give(self, numbers: range, payloads: list[bytes | None]) -> None:
        assert len(numbers) == len(payloads)
        for number, payload in zip(numbers, payloads, strict=True):
            assert number not in self.given
            assert number not in self.stored
            assert number not in self.gaps
            self.given[number] = payload
        self.note_synced()

    @rule(sizes=st.lists(st.integers(0, 1200), min_size=1, max_size=4))
    def append(self, sizes: list[int]) -> None:
        payloads = [self.random.randbytes(size) for size in sizes]
        self.give(self.spool.append(payloads, self.now_s), list(payloads))

    @rule(count=st.integers(1, 3))
    def skip(self, count: int) -> None:
        self.give(self.spool.skip(count, spools.RING_FULL, self.now_s), [None] * count)

    @rule(seconds=st.sampled_from([0.0, 1.0, 30.0, 600.0]))
    def tick(self, seconds: float) -> None:
        self.now_s += seconds
        self.spool.tick(self.now_s)
        self.note_synced()

    @rule(
        events=st.integers(1, 6),
        size=st.sampled_from([1, 2000, 100_000]),
        part=st.sampled_from([0.0, 0.0, 0.5, 1.0]),
    )
    def deliver(self, events: int, size: int, part: float) -> None:
        batch = self.spool.take(events, size)
        self.note_synced()
        if batch is not None:
            self.receive(batch)
            first = self.spool.status().acked
            assert batch.oldest <= first + 1
            self.spool.ack(first + int((batch.through - first) * part))

    @rule(share=st.floats(0.0, 1.0))
    def go_back(self, share: float) -> None:
        """A store that was put back asks for what it lacks, as far as the spool says that it is there."""
        batch = self.spool.take(1, 1)
        if batch is None:
            return
        acked = self.spool.status().acked
        through = batch.oldest - 1 + int((acked + 1 - batch.oldest) * share)
        assert self.spool.rewind(through) == (through < acked)
        assert self.spool.status().acked == through
        again = self.spool.take(50, 100_000)
        assert again is not None
        self.note_synced()
        self.receive(again)

    def receive(self, batch: Batch) -> None:
        assert batch.spool_id == self.spool_id
        acked = self.spool.status().acked
        covered = [seq for seq, _ in batch.events]
        for gap in batch.gaps:
            covered.extend(range(gap.first, gap.last + 1))
        assert sorted(covered) == list(range(acked + 1, batch.through + 1))
        for seq, payload in batch.events:
            assert self.given[seq] == payload
            assert seq not in self.gaps or self.gaps[seq] in DROPPED_FOR_ROOM or self.damaged
            self.stored[seq] = payload
            self.gaps.pop(seq, None)
        for gap in batch.gaps:
            for seq in range(gap.first, gap.last + 1):
                if seq in self.stored:
                    # Its acknowledgement was lost before the spool had to make room.
                    assert gap.reason in DROPPED_FOR_ROOM or self.damaged
                else:
                    self.gaps[seq] = gap.reason
                    assert self.damaged or gap.reason != spools.CORRUPT

    @rule()
    def restart_cleanly(self) -> None:
        before = self.spool.status()
        self.spool.close()
        self.boots += 1
        self.spool = self.open()
        if not self.damaged:
            assert self.spool.status().last == before.last
            assert self.spool.status().acked == before.acked
        self.note_synced()

    def kill(self) -> None:
        """End the process without a word: only what it wrote remains."""
        self.spool.abandon()

    @rule()
    def restart_after_kill(self) -> None:
        before = self.spool.status()
        self.kill()
        self.spool = self.open()
        after = self.spool.status()
        assert after.last == before.last
        assert after.acked == before.acked
        if not self.damaged:
            assert after.dropped == {}
        self.note_synced()

    @rule(data=st.data())
    def restart_after_power_cut(self, data: st.DataObject) -> None:
        last = self.spool.status().last
        self.kill()
        for path in self.files():
            size = path.stat().st_size
            kept = data.draw(
                st.integers(min(self.synced.get(path, 0), size), size), label=f"kept of {path.name}"
            )
            if kept == 0:
                path.unlink()
            else:
                self.cut(path, kept)
        soft = data.draw(st.sampled_from(["kept", "older", "lost"]), label="soft slot")
        if soft != "kept":
            with (self.directory / "mark").open("r+b") as mark:
                mark.seek(SOFT_SLOT * SLOT_BYTES)
                mark.write(self.old_soft if soft == "older" else bytes(SLOT_BYTES))
        self.boots += 1
        self.spool = self.open()
        status = self.spool.status()
        # The last number may be put too high, never too low.
        assert last <= status.last <= last + RESERVE + 4
        self.note_synced()

    def cut(self, path: Path, size: int) -> None:
        with path.open("r+b") as file:
            file.truncate(size)

    @invariant()
    def stays_within_bounds(self) -> None:
        if hasattr(self, "spool"):
            status = self.spool.status()
            # One append (at most 4 events of 1200 bytes) may pass the limit.
            assert status.bytes + status.kept_bytes <= self.limits.max_bytes + 5000
            assert status.kept_bytes <= self.limits.keep_bytes + 5000
            assert status.acked <= status.last
            assert not status.degraded

    def teardown(self) -> None:
        try:
            if hasattr(self, "spool"):
                self.drain()
        finally:
            shutil.rmtree(self.directory)

    def drain(self) -> None:
        while (batch := self.spool.take(50, 1 << 20)) is not None:
            self.receive(batch)
            assert batch.through > self.spool.status().acked
            self.spool.ack(batch.through)
        status = self.spool.status()
        assert status.depth == 0
        for number in range(1, status.last + 1):
            assert (number in self.stored) != (number in self.gaps)
        for number in self.given:
            assert number <= status.last
        if not self.damaged:
            phantom = [number for number in self.gaps if number not in self.given]
            assert all(self.gaps[number] in (spools.LOST_IN_CRASH, *DROPPED_FOR_ROOM) for number in phantom)
        self.spool.close()


class DamagedSpoolMachine(SpoolMachine):
    """The same on a disk that loses and changes what was written: less is promised, nothing is made up."""

    @precondition(lambda self: self.files() != [])
    @rule(data=st.data(), restart=st.booleans())
    def damage(self, data: st.DataObject, restart: bool) -> None:
        self.damaged = True
        path = data.draw(st.sampled_from(self.files()), label="file")
        size = path.stat().st_size
        how = data.draw(st.sampled_from(["flip", "truncate", "zero_tail", "remove"]), label="how")
        if restart:
            self.kill()
        at = data.draw(st.integers(0, max(size - 1, 0)), label="at")
        if how == "remove" and restart:
            path.unlink()
        elif how == "truncate" and restart:
            self.cut(path, at)
        elif size:
            with path.open("r+b") as file:
                file.seek(at)
                old = file.read(1)
                file.seek(at)
                file.write(bytes([old[0] ^ 0x10]) if how == "flip" else bytes(size - at))
        if restart:
            last = max(self.given, default=0)
            self.spool = self.open()
            assert self.spool.status().last >= last


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)
TestDamagedSpool = DamagedSpoolMachine.TestCase
TestDamagedSpool.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
