"""The bounded store of events on disk, between this proxy and a control plane that may be away.

Every event gets a number when it is appended, and each number ends in exactly one of three ways:
acknowledged, still here, or declared as a gap with a reason. What is missing is *derived*: the reader
counts numbers, and those that no entry stands for are the gap. So nothing has to be remembered about
damage, and nothing can be forgotten: produced = acknowledged + spooled + gaps, by construction.

Segments are append-only files named by their first number; a segment goes when all of it is acknowledged
and it has been kept for a while (a store that is put back to an older point asks for it again, see
`rewind`), or, when the spool is full or too old, as the oldest one (the mark is synced first, then the file
is removed). After a start a new segment is begun; the torn tail of the last one is cut off. An fsync that
failed is never repeated on the same file (its pages may be gone while the next call says that all is
well): the segment is closed, a new one is begun, and the spool calls itself degraded.

Appended events are durable after the next `sync`, which the caller makes every 100 ms, and which happens
by itself every `sync_every` records and before anything is sent. Times are wall-clock seconds (age
survives a restart). One thread at a time may use a spool, one process at a time has it open.

Sources: Rebello et al., "Can Applications Recover from fsync Failures?" (USENIX ATC 2020).
"""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from seawall_proxy.telemetry.spool_ages import Ages
from seawall_proxy.telemetry.spool_format import (
    ENTRY_BYTES,
    EVENT,
    HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    Entry,
    SegmentHeader,
    decode_header,
    encode_event,
    encode_skip,
    find_entry,
)
from seawall_proxy.telemetry.spool_kept import Kept
from seawall_proxy.telemetry.spool_mark import (
    RESERVE,
    MarkFile,
    MarkState,
    boot_digest,
    sync_directory,
    write_all,
)
from seawall_proxy.telemetry.spool_segments import (
    ANY,
    SUFFIX,
    Segment,
    cut_torn_tail,
    look,
    look_for_kept,
    read_segment,
)
from seawall_proxy.telemetry.spool_types import (
    BLOCK_BYTES,
    CORRUPT,
    DISK_ERROR,
    EXPIRED,
    LOST_IN_CRASH,
    RING_FULL,
    SPOOL_FULL,
    TOO_LARGE,
    Batch,
    Gap,
    SpoolBusy,
    SpoolLimits,
    SpoolStatus,
)

# The spool and its words are imported from here together.
__all__ = [
    "CORRUPT",
    "DISK_ERROR",
    "EXPIRED",
    "LOST_IN_CRASH",
    "RING_FULL",
    "SPOOL_FULL",
    "TOO_LARGE",
    "Batch",
    "Gap",
    "Spool",
    "SpoolBusy",
    "SpoolLimits",
    "SpoolStatus",
]

_DROP_REASONS: Final = ("", SPOOL_FULL, EXPIRED)


class Spool:
    """An open spool; `Spool.open` makes one."""

    def __init__(self, directory: Path, limits: SpoolLimits, random_bytes: Callable[[int], bytes]) -> None:
        self._directory: Path = directory
        self._limits: SpoolLimits = limits
        self._random_bytes: Callable[[int], bytes] = random_bytes
        self._lock_fd: int = -1
        self._mark: MarkFile = MarkFile(directory / "mark")
        self._state: MarkState = MarkState(spool_id=bytes(16))
        self._segments: deque[Segment] = deque()
        self._kept: Kept = Kept(limits)
        self._ages: Ages = Ages()
        self._fd: int = -1
        """Of the last segment, while it is appended to."""
        self._unsynced: int = 0
        self._directory_dirty: bool = False
        self._position: tuple[int, int] = (0, 0)
        """First number of the segment and offset where the first unacknowledged number is looked for."""
        self._untold: int = 0
        """Events that the disk did not take; they become a skip as soon as it does."""
        self._dropped: dict[str, int] = {}
        self._sync_errors: int = 0
        self._write_errors: int = 0
        self._degraded: bool = False

    def __repr__(self) -> str:
        return f"Spool({self.spool_id[:8]}: {self._state.acked} acked of {self._state.last})"

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
            spool._recover(now_s, boot_digest(boot))
        except BaseException:
            spool._release()
            raise
        return spool

    def close(self) -> None:
        """Sync and close; a spool that was closed opens without a gap, whatever happens to the machine
        after.
        """
        self._sync_quietly()
        self._close_segment()
        try:
            self._save(reserved=self._state.last)
        except OSError:
            self._degraded = True
        self._mark.close()
        self._release()

    @property
    def spool_id(self) -> str:
        """Identity under which the numbers are unique: 32 hexadecimal digits."""
        return self._state.spool_id.hex()

    @property
    def is_gone(self) -> bool:
        """Whether somebody has deleted the directory, or the mark, under us. What is written then is
        nobody's: the spool is to be closed and opened anew, and its depth declared there.
        """
        return self._mark.is_gone()

    @property
    def depth(self) -> int:
        """Numbers given out and not acknowledged."""
        return self._state.last - self._state.acked

    def status(self) -> SpoolStatus:
        """Return how the spool is doing."""
        return SpoolStatus(
            spool_id=self.spool_id,
            last=self._state.last,
            acked=self._state.acked,
            bytes=sum(segment.size for segment in self._segments),
            segments=len(self._segments),
            oldest_s=self._ages.oldest_s(self._state.acked),
            unsynced=self._unsynced,
            dropped=dict(self._dropped),
            sync_errors=self._sync_errors,
            write_errors=self._write_errors,
            degraded=self._degraded,
            max_bytes=self._limits.max_bytes,
            kept_bytes=self._kept.size,
        )

    # ------------------------------------------------------------------------------------------------ writing

    def append(self, payloads: list[bytes], now_s: float) -> range:
        """Number and write serialised events; return their numbers.

        The range is empty when the disk does not take them: they are counted and declared as a gap as
        soon as it does again. An event that is larger than 64 KiB gets a number and a gap.
        """
        return self._put(payloads, "", 0, now_s)

    def skip(self, count: int, reason: str, now_s: float) -> range:
        """Number `count` events that were dropped before they came here; return their numbers."""
        return self._put([], reason, count, now_s) if count > 0 else range(0)

    def tick(self, now_s: float) -> None:
        """Do what is due: sync, and drop what is too old."""
        self._sync_quietly()
        try:
            self._kept.tick(now_s)
            while self._segments and self._is_expired(self._segments[0], now_s):
                self._drop_oldest(EXPIRED)
        except OSError:
            self._write_errors += 1
            self._degraded = True

    def sync(self) -> None:
        """Make durable what was appended; raise OSError if that failed (the spool goes on in a new
        segment).
        """
        if self._directory_dirty:
            sync_directory(self._directory)
            self._directory_dirty = False
        if self._unsynced == 0:
            return
        self._unsynced = 0
        try:
            os.fsync(self._fd)
        except OSError:
            self._sync_errors += 1
            self._degraded = True
            self._close_segment()
            raise

    # ------------------------------------------------------------------------------------------------ reading

    def take(self, max_events: int, max_bytes: int) -> Batch | None:
        """Return what to send next, or None when everything is acknowledged; does not move on.

        At least one event is returned however large it is. What is returned is durable, or the spool is
        degraded.
        """
        self._sync_quietly()
        expected = self._state.acked + 1
        if expected > self._state.last:
            return None
        events: list[tuple[int, bytes]] = []
        gaps: list[Gap] = []
        room = max_bytes
        for segment in self._segments:
            if segment.last < expected:
                continue
            for _, entry in self._entries(segment, expected):
                if (events or gaps) and (len(events) + len(gaps) >= max_events or len(entry.payload) > room):
                    return self._batch(events, gaps, expected)
                if entry.seq > expected:
                    self._missing(gaps, expected, entry.seq - 1)
                if entry.kind == EVENT:
                    events.append((entry.seq, entry.payload))
                    room -= len(entry.payload)
                else:
                    gaps.append(Gap(max(entry.seq, expected), entry.through, entry.reason))
                expected = entry.through + 1
        if expected <= self._state.last:
            self._missing(gaps, expected, self._state.last)
            expected = self._state.last + 1
        return self._batch(events, gaps, expected)

    def ack(self, through: int) -> None:
        """Forget everything up to a number: the control plane has it, or has refused it for good."""
        through = min(through, self._state.last)
        if through <= self._state.acked:
            return
        self._state = replace(self._state, acked=through)
        try:
            self._forget(through)
            self._mark.note(self._state)
        except OSError:
            # The files stay a little longer; what is in them is known to be acknowledged.
            self._write_errors += 1
            self._degraded = True

    def rewind(self, through: int) -> bool:
        """Take back the acknowledgement of everything after a number: another store gave it than the one that
        has to have the events. Return whether that was anything. What is no longer here becomes a gap.
        """
        if not 0 <= through < self._state.acked:
            return False
        self._segments.extendleft(self._kept.back_to(through))
        self._state = replace(self._state, acked=through)
        self._position = (0, 0)
        try:
            self._save(reserved=self._state.reserved)
            self._mark.note(self._state)
        except OSError:
            # A mark that still says that they are acknowledged is put right when the store asks again.
            self._write_errors += 1
            self._degraded = True
        return True

    # ------------------------------------------------------------------------------------------- inside:
    # write

    def _put(self, payloads: list[bytes], reason: str, count: int, now_s: float) -> range:
        wanted = len(payloads) + count
        try:
            start = self._state.last + 1
            if self._untold:
                wanted += self._untold
            self._reserve(start + wanted - 1)
            size = sum(map(len, payloads)) + ENTRY_BYTES * (len(payloads) + 2)
            segment = self._room_for(start, size, now_s)
            written = self._write(segment, start, payloads, reason, count, now_s)
        except OSError:
            self._write_errors += 1
            self._degraded = True
            self._untold += len(payloads) + count
            self._drop_count(DISK_ERROR, len(payloads) + count)
            return range(0)
        if reason:
            self._drop_count(reason, count)
        return written

    def _write(
        self, segment: Segment, start: int, payloads: list[bytes], reason: str, count: int, now_s: float
    ) -> range:
        """Write the entries in one go; on failure nothing was given out, or the numbers are never used
        again.
        """
        salt = 0 if segment.header is None else segment.header.salt
        parts: list[bytes] = []
        seq = start
        skipped = 0
        if self._untold:
            parts.append(encode_skip(seq, self._untold, DISK_ERROR, salt))
            skipped += self._untold
            seq += self._untold
        first = seq
        for payload in payloads:
            if len(payload) > MAX_PAYLOAD_BYTES:
                parts.append(encode_skip(seq, 1, TOO_LARGE, salt))
                skipped += 1
                self._drop_count(TOO_LARGE, 1)
            else:
                parts.append(encode_event(seq, payload, salt))
            seq += 1
        if count:
            parts.append(encode_skip(seq, count, reason, salt))
            skipped += count
            seq += count
        data = b"".join(parts)
        try:
            write_all(self._fd, data)
        except OSError:
            self._take_back(segment, seq - 1)
            raise
        segment.size += len(data)
        segment.last = seq - 1
        segment.skipped += skipped
        self._untold = 0
        self._unsynced += len(parts)
        self._state = replace(self._state, last=seq - 1)
        self._ages.given(seq - 1, now_s)
        try:
            self._mark.note(self._state)
        except OSError:
            # The entries are written and the reservation holds: only a crash's gap is less exact.
            self._write_errors += 1
            self._degraded = True
        if self._unsynced >= self._limits.sync_every:
            self._sync_quietly()
        return range(first, seq)

    def _take_back(self, segment: Segment, last: int) -> None:
        """Cut off what a failed write left. If even that fails, its numbers count as given out."""
        try:
            os.ftruncate(self._fd, segment.size)
            os.lseek(self._fd, segment.size, os.SEEK_SET)
        except OSError:
            segment.last = last
            self._state = replace(self._state, last=last)
            self._close_segment()

    def _reserve(self, last: int) -> None:
        if last > self._state.reserved:
            self._save(reserved=last + RESERVE)

    def _save(self, *, reserved: int) -> None:
        state = replace(self._state, reserved=reserved, generation=self._state.generation + 1)
        self._mark.save(state)
        self._state = state

    def _room_for(self, first: int, size: int, now_s: float) -> Segment:
        """Return the segment to append to, begun anew if need be, with old ones dropped to make room."""
        if self._fd >= 0 and self._is_done(self._segments[-1], size, now_s):
            self._sync_quietly()
            self._close_segment()
        while self._cost + size + BLOCK_BYTES > self._limits.max_bytes:
            if self._kept:
                self._kept.drop_oldest()
            elif not self._drop_oldest(SPOOL_FULL):
                break
        if self._fd < 0:
            self._begin(first, now_s)
        return self._segments[-1]

    @property
    def _cost(self) -> int:
        return sum(segment.cost for segment in self._segments) + self._kept.cost

    def _is_done(self, segment: Segment, size: int, now_s: float) -> bool:
        """Tell whether a segment takes no more: it is full, or so old that its age would not be its
        events'.
        """
        created_s = now_s if segment.header is None else segment.header.created_s
        return (
            segment.size + size > self._limits.segment_bytes
            or now_s - created_s > self._limits.max_age_s / 24
        )

    def _is_expired(self, segment: Segment, now_s: float) -> bool:
        created_s = now_s if segment.header is None else segment.header.created_s
        return now_s - created_s > self._limits.max_age_s

    def _begin(self, first: int, now_s: float) -> None:
        salt = int.from_bytes(self._random_bytes(4), "big")
        header = SegmentHeader(self._state.spool_id, first, now_s, salt)
        path = self._directory / f"{first:020d}{SUFFIX}"
        fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            write_all(fd, header.encode())
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        self._fd = fd
        self._directory_dirty = True
        if self._segments and self._segments[-1].first == first:
            # An earlier one of this name had no entry that could be read; it was truncated just now.
            self._segments.pop()
        self._segments.append(Segment(path, header, first, first - 1, HEADER_BYTES))

    def _close_segment(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
            self._unsynced = 0

    def _drop_oldest(self, reason: str) -> bool:
        """Drop the oldest segment and remember up to where; tell whether there was one."""
        if not self._segments:
            return False
        oldest = self._segments[0]
        if len(self._segments) == 1:
            self._close_segment()
        through = oldest.last if len(self._segments) == 1 else self._segments[1].first - 1
        lost = through - max(self._state.acked, self._state.dropped_through, oldest.first - 1)
        if lost > 0:
            state = replace(
                self._state,
                dropped_through=through,
                drop_reason=_DROP_REASONS.index(reason),
                generation=self._state.generation + 1,
            )
            self._mark.save(state)
            self._state = state
            self._drop_count(reason, max(lost - oldest.skipped, 0))
        oldest.path.unlink(missing_ok=True)
        self._segments.popleft()
        return True

    def _sync_quietly(self) -> None:
        """Sync; a failure is counted and makes the spool degraded, it stops nothing."""
        try:
            self.sync()
        except OSError:
            self._degraded = True

    def _drop_count(self, reason: str, count: int) -> None:
        if count > 0:
            self._dropped[reason] = self._dropped.get(reason, 0) + count

    # -------------------------------------------------------------------------------------------- inside:
    # read

    def _entries(self, segment: Segment, lowest: int) -> Iterator[tuple[int, Entry]]:
        """Yield offset and entry of what stands for `lowest` and the numbers after it."""
        if segment.header is None:
            return
        data = read_segment(segment.path)
        first, position = self._position
        if first != segment.first or not HEADER_BYTES <= position <= len(data):
            position = HEADER_BYTES
        while True:
            entry = find_entry(data, position, segment.header.salt, segment.first, segment.last)
            if entry is None:
                return
            # A skip may begin below `lowest`, when an acknowledgement ended inside it.
            if entry.through >= lowest:
                yield position, entry
                lowest = entry.through + 1
            position = entry.end

    def _missing(self, gaps: list[Gap], first: int, last: int) -> None:
        """Declare numbers that no entry stands for."""
        dropped = self._state.dropped_through
        if first <= dropped:
            gaps.append(Gap(first, min(last, dropped), _DROP_REASONS[self._state.drop_reason]))
            first = dropped + 1
        if first <= last:
            gaps.append(Gap(first, last, CORRUPT))

    def _batch(self, events: list[tuple[int, bytes]], gaps: list[Gap], expected: int) -> Batch:
        return Batch(self.spool_id, tuple(events), tuple(gaps), expected - 1, self._oldest)

    @property
    def _oldest(self) -> int:
        """Lowest number that is still here."""
        if self._kept:
            return self._kept.first
        first = self._segments[0].first if self._segments else self._state.last + 1
        return min(first, self._state.acked + 1)

    def _forget(self, through: int) -> None:
        """Set aside what is wholly acknowledged; the mark is synced before the first segment goes."""
        saved = False
        while self._segments and self._segments[0].last <= through:
            if len(self._segments) == 1 and self._fd >= 0:
                break
            if not saved:
                self._save(reserved=self._state.reserved)
                saved = True
            self._kept.put(self._segments.popleft())
        if not self._segments:
            return
        segment = self._segments[0]
        if segment.first <= through:
            # The first entry that is still needed; when there is none yet, the old position is as good.
            for position, _ in self._entries(segment, through + 1):
                self._position = (segment.first, position)
                break

    # ----------------------------------------------------------------------------------------- inside:
    # recovery

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

    def _release(self) -> None:
        if self._lock_fd >= 0:
            fd, self._lock_fd = self._lock_fd, -1
            os.close(fd)

    def _recover(self, now_s: float, boot: bytes) -> None:
        loaded = self._mark.load(boot)
        known = loaded if loaded is not None else MarkState(spool_id=self._random_bytes(16))
        ours, strangers = look(self._directory, known.spool_id)
        found = cut_torn_tail(ours)
        self._segments.extend(look_for_kept(self._directory, known.spool_id))
        self._segments.extend(ours)
        last = max(known.last, found, known.acked, known.dropped_through)
        self._state = replace(known, boot=boot, last=last, reserved=last, generation=known.generation + 1)
        self._mark.save(self._state)
        self._set_ends(found)
        for segment in self._segments:
            self._ages.given(segment.last, now_s if segment.header is None else segment.header.created_s)
        lost_from = max(found, known.acked, known.dropped_through) + 1
        if lost_from <= last:
            self._declare_lost(lost_from, last, now_s)
        self._adopt(strangers, now_s)

    def _set_ends(self, found: int) -> None:
        """Say of each segment up to where its numbers may go: to the next one's first."""
        for at, segment in enumerate(self._segments):
            after = self._segments[at + 1].first - 1 if at + 1 < len(self._segments) else found
            segment.last = max(after, segment.first - 1)
        while len(self._segments) > 1 and self._segments[0].last <= self._state.acked:
            self._kept.found(self._segments.popleft())

    def _declare_lost(self, first: int, last: int, now_s: float) -> None:
        """Begin a segment with a skip for the numbers that were given out and are not there."""
        try:
            self._begin(first, now_s)
            segment = self._segments[-1]
            salt = 0 if segment.header is None else segment.header.salt
            data = encode_skip(first, last - first + 1, LOST_IN_CRASH, salt)
            write_all(self._fd, data)
        except OSError:
            # Without the entry they are declared as corrupt: still counted.
            self._write_errors += 1
            self._degraded = True
            self._close_segment()
            return
        segment.size += len(data)
        segment.last = last
        segment.skipped = last - first + 1
        self._ages.given(last, now_s)
        self._unsynced += 1
        self._drop_count(LOST_IN_CRASH, last - first + 1)

    def _adopt(self, strangers: list[Path], now_s: float) -> None:
        """Give the events of a spool whose mark was lost new numbers here; the store knows each event by
        its id.
        """
        for path in strangers:
            data = read_segment(path)
            header = decode_header(data)
            position = HEADER_BYTES
            while header is not None:
                entry = find_entry(data, position, header.salt, header.first, ANY)
                if entry is None:
                    break
                position = entry.end
                if entry.kind == EVENT:
                    self.append([entry.payload], now_s)
            self._sync_quietly()
            path.unlink(missing_ok=True)
