"""The bounded store of events on disk, between this proxy and a control plane that may be away.

Every event gets a number when it is appended, and each number ends in exactly one of three ways:
acknowledged, still here, or declared as a gap with a reason. What is missing is *derived*: the reader
counts numbers, and those that no entry stands for are the gap. So nothing has to be remembered about
damage, and nothing can be forgotten: produced = acknowledged + spooled + gaps, by construction.

Segments are append-only files named by their first number; a segment goes when all of it is acknowledged
and it has been kept for a while (a store that is put back to an older point asks for it again, see
`rewind`), or, when the spool is full or too old, as the oldest one. An fsync that failed is never repeated on
the same file: the segment is closed, a new one is begun, and the spool calls itself degraded.

Appended events are durable after the next `sync`, which the caller makes every 100 ms, and which happens
by itself every `sync_every` records and before anything is sent. Times are wall-clock seconds (age
survives a restart). One thread at a time may use a spool, one process at a time has it open.

Sources: Rebello et al., "Can Applications Recover from fsync Failures?" (USENIX ATC 2020).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from seawall_proxy.telemetry.spool.ages import Ages
from seawall_proxy.telemetry.spool.claim import Source
from seawall_proxy.telemetry.spool.mark import boot_digest
from seawall_proxy.telemetry.spool.numbers import Numbers
from seawall_proxy.telemetry.spool.reader import Reader
from seawall_proxy.telemetry.spool.recovery import Recovery
from seawall_proxy.telemetry.spool.shelf import Shelf
from seawall_proxy.telemetry.spool.tail import Tail
from seawall_proxy.telemetry.spool.tally import Tally
from seawall_proxy.telemetry.spool.terms import Batch, SpoolBusy, SpoolLimits, SpoolStatus
from seawall_proxy.telemetry.spool.writer import Writer


class Spool:
    """An open spool; `Spool.open` makes one."""

    def __init__(self, directory: Path, limits: SpoolLimits, random_bytes: Callable[[int], bytes]) -> None:
        self._directory: Path = directory
        self._limits: SpoolLimits = limits
        self._lock_fd: int = -1
        self._tally: Tally = Tally()
        self._ages: Ages = Ages()
        self._numbers: Numbers = Numbers(directory / "mark", self._tally)
        self._tail: Tail = Tail(directory, self._tally)
        self._shelf: Shelf = Shelf(limits, self._numbers, self._tail, self._tally)
        self._reader: Reader = Reader(self._shelf, self._numbers)
        self._writer: Writer = Writer(
            limits, random_bytes, self._numbers, self._shelf, self._tail, self._ages, self._tally
        )

    def __repr__(self) -> str:
        return f"Spool({self.spool_id[:8]}: {self._numbers.acked} acked of {self._numbers.last})"

    # ------------------------------------------------------------------------------------ opening and closing

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        now_s: float,
        boot: str,
        random_bytes: Callable[[int], bytes],
        limits: SpoolLimits | None = None,
    ) -> Spool:
        """Open or create the spool in a directory, recovering what a crash left.

        `boot` is the kernel's boot identity (/proc/sys/kernel/random/boot_id), empty when unknown. Raises
        SpoolBusy, and OSError when the directory cannot be used.
        """
        spool = cls(directory, SpoolLimits() if limits is None else limits, random_bytes)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        spool._acquire()
        try:
            recovery = Recovery(
                directory,
                random_bytes,
                spool._numbers,
                spool._shelf,
                spool._tail,
                spool._writer,
                spool._ages,
            )
            recovery.run(now_s, boot_digest(boot))
        except BaseException:
            spool.abandon()
            raise
        return spool

    def close(self) -> None:
        """Sync and close; a spool that was closed opens without a gap, whatever happens to the machine
        after.
        """
        self._tail.sync_quietly()
        self._tail.close()
        try:
            self._numbers.finish()
        except OSError:
            self._tally.degraded = True
        self.abandon()

    def abandon(self) -> None:
        """Close the files as they are, as the end of the process would; the next one recovers."""
        self._numbers.close()
        self._tail.close()
        if self._lock_fd >= 0:
            fd, self._lock_fd = self._lock_fd, -1
            os.close(fd)

    def _acquire(self) -> None:
        fd = os.open(self._directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise SpoolBusy(
                f"{self._directory} is in use by another process; give each proxy its own node name"
            ) from error
        self._lock_fd = fd

    @property
    def spool_id(self) -> str:
        """Identity under which the numbers are unique: 32 hexadecimal digits."""
        return self._numbers.spool_id.hex()

    @property
    def is_gone(self) -> bool:
        """Whether somebody has deleted the directory, or the mark, under us. What is written then is
        nobody's: the spool is to be closed and opened anew, and its depth declared there.
        """
        return self._numbers.is_gone

    @property
    def depth(self) -> int:
        """Numbers given out and not acknowledged."""
        return self._numbers.last - self._numbers.acked

    def status(self) -> SpoolStatus:
        """Return how the spool is doing."""
        segments, tally = self._shelf.segments, self._tally
        return SpoolStatus(
            spool_id=self.spool_id,
            last=self._numbers.last,
            acked=self._numbers.acked,
            bytes=sum(segment.size for segment in segments),
            segments=len(segments),
            oldest_s=self._ages.oldest_s(self._numbers.acked),
            unsynced=self._tail.unsynced,
            dropped=dict(tally.dropped),
            sync_errors=tally.sync_errors,
            write_errors=tally.write_errors,
            degraded=tally.degraded,
            max_bytes=self._limits.max_bytes,
            oldest=self._shelf.oldest,
            kept_bytes=self._shelf.kept.size,
        )

    # ------------------------------------------------------------------------------------------------ writing

    def append(self, payloads: list[bytes], now_s: float, source: Source | None = None) -> range:
        """Number and write serialised events, and settle them where they come from; return their numbers.

        The range is empty when the disk does not take them: they are counted and declared as a gap as
        soon as it does again. An event that is larger than 64 KiB gets a number and a gap.
        """
        return self._writer.put(payloads, "", 0, now_s, source)

    def skip(self, count: int, reason: str, now_s: float, source: Source | None = None) -> range:
        """Number `count` events that were dropped before they came here, and settle them where they come
        from; return their numbers.
        """
        return self._writer.put([], reason, count, now_s, source) if count > 0 else range(0)

    @property
    def newest_s(self) -> float:
        """When the newest segment was begun, in wall-clock seconds; 0 when there is none."""
        return self._shelf.newest_s

    def tick(self, now_s: float) -> None:
        """Do what is due: sync, and drop what is too old at a time, that of a clock that does not leap."""
        self._tail.sync_quietly()
        try:
            self._shelf.tick(now_s)
        except OSError:
            self._tally.write_failed()

    def sync(self) -> None:
        """Make durable what was appended; raise OSError if that failed (the spool goes on in a new
        segment).
        """
        self._tail.sync()

    # ------------------------------------------------------------------------------------------------ reading

    def take(self, max_events: int, max_bytes: int) -> Batch | None:
        """Return what to send next, or None when everything is acknowledged; does not move on.

        At least one event is returned however large it is. What is returned is durable, or the spool is
        degraded.
        """
        self._tail.sync_quietly()
        return self._reader.take(max_events, max_bytes)

    def ack(self, through: int) -> None:
        """Forget everything up to a number: the control plane has it, or has refused it for good."""
        through = min(through, self._numbers.last)
        if through <= self._numbers.acked:
            return
        self._numbers.acknowledge(through)
        try:
            self._shelf.forget(through)
            self._reader.move_on(through)
        except OSError:
            # The files stay a little longer; what is in them is known to be acknowledged.
            self._tally.write_failed()
            return
        self._numbers.note()

    def rewind(self, through: int) -> bool:
        """Take back the acknowledgement of everything after a number: another store gave it than the one that
        has to have the events. Return whether that was anything. What is no longer here becomes a gap.
        """
        acked = self._numbers.acked
        if not 0 <= through < acked:
            return False
        self._shelf.back_to(through)
        self._ages.taken_back(
            acked,
            [(min(one.last, acked), one.begun_s(0.0)) for one in self._shelf.segments if one.first <= acked],
        )
        self._numbers.acknowledge(through)
        self._reader.go_back()
        try:
            self._numbers.save()
        except OSError:
            # A mark that still says that they are acknowledged is put right when the store asks again.
            self._tally.write_failed()
            return True
        self._numbers.note()
        return True
