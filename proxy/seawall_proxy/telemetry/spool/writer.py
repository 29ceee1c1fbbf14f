"""Gives numbers and writes entries: all of one call in one write, or none of them."""

from __future__ import annotations

from collections.abc import Callable

from seawall_proxy.telemetry.spool.ages import Ages
from seawall_proxy.telemetry.spool.claim import Source
from seawall_proxy.telemetry.spool.format import (
    ENTRY_BYTES,
    MAX_PAYLOAD_BYTES,
    SegmentHeader,
    encode_event,
    encode_skip,
)
from seawall_proxy.telemetry.spool.numbers import Numbers
from seawall_proxy.telemetry.spool.segments import Segment
from seawall_proxy.telemetry.spool.shelf import Shelf
from seawall_proxy.telemetry.spool.tail import Tail
from seawall_proxy.telemetry.spool.tally import Tally
from seawall_proxy.telemetry.spool.terms import DISK_ERROR, LOST_IN_CRASH, TOO_LARGE, SpoolLimits


class Writer:
    """Appends to the last segment. Nothing here raises: what the disk does not take is counted, and declared
    as soon as it does again.
    """

    def __init__(
        self,
        limits: SpoolLimits,
        random_bytes: Callable[[int], bytes],
        numbers: Numbers,
        shelf: Shelf,
        tail: Tail,
        ages: Ages,
        tally: Tally,
    ) -> None:
        self._limits: SpoolLimits = limits
        self._random_bytes: Callable[[int], bytes] = random_bytes
        self._numbers: Numbers = numbers
        self._shelf: Shelf = shelf
        self._tail: Tail = tail
        self._ages: Ages = ages
        self._tally: Tally = tally
        self._untold: int = 0
        """Events that the disk did not take; they become a skip as soon as it does."""

    def put(
        self, payloads: list[bytes], reason: str, count: int, now_s: float, source: Source | None = None
    ) -> range:
        """Number and write events, and then `count` that were dropped for a reason; return their numbers, an
        empty range when the disk does not take them. The source hears what they are to get before it is
        written, and then that they are settled.
        """
        written = self._put(payloads, reason, count, now_s, source)
        if source is not None:
            source.settle(len(payloads) + count)
        return written

    def _put(
        self, payloads: list[bytes], reason: str, count: int, now_s: float, source: Source | None
    ) -> range:
        try:
            start = self._numbers.last + 1
            self._numbers.reserve(self._numbers.last + len(payloads) + count + self._untold)
            size = sum(map(len, payloads)) + ENTRY_BYTES * (len(payloads) + 2)
            segment = self._room_for(start, size, now_s)
            written = self._write(segment, start, payloads, reason, count, now_s, source)
        except OSError:
            self._tally.write_failed()
            self._untold += len(payloads) + count
            self._tally.lost(DISK_ERROR, len(payloads) + count)
            return range(0)
        if reason:
            self._tally.lost(reason, count)
        return written

    def declare_lost(self, first: int, last: int, now_s: float) -> None:
        """Begin a segment with a skip for numbers that a crash has given out and that are not there."""
        try:
            segment = self._begin(first, now_s)
            data = encode_skip(first, last - first + 1, LOST_IN_CRASH, segment.salt)
            self._tail.write(data)
        except OSError:
            # Without the entry they are declared as corrupt: still counted.
            self._tally.write_failed()
            self._tail.close()
            return
        segment.size += len(data)
        segment.last = last
        segment.skipped = last - first + 1
        self._ages.given(last, now_s)
        self._tail.unsynced += 1
        self._tally.lost(LOST_IN_CRASH, last - first + 1)

    def _write(
        self,
        segment: Segment,
        start: int,
        payloads: list[bytes],
        reason: str,
        count: int,
        now_s: float,
        source: Source | None,
    ) -> range:
        """Write the entries in one go; on failure nothing was given out, or the numbers are never used
        again.
        """
        salt = segment.salt
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
                self._tally.lost(TOO_LARGE, 1)
            else:
                parts.append(encode_event(seq, payload, salt))
            seq += 1
        if count:
            parts.append(encode_skip(seq, count, reason, salt))
            skipped += count
            seq += count
        data = b"".join(parts)
        if source is not None:
            source.claim(self._numbers.spool_id, first, seq - first)
        try:
            self._tail.write(data)
        except OSError:
            if self._is_taken_back(segment):
                raise
            self._tally.write_failed()
        else:
            segment.size += len(data)
            segment.skipped += skipped
            self._tail.unsynced += len(parts)
        segment.last = seq - 1
        self._untold = 0
        self._numbers.give(seq - 1)
        self._ages.given(seq - 1, now_s)
        self._numbers.note()
        if self._tail.unsynced >= self._limits.sync_every:
            self._tail.sync_quietly()
        return range(first, seq)

    def _is_taken_back(self, segment: Segment) -> bool:
        """Cut off what a failed write left. If even that fails, its numbers are given out: those that no
        whole entry stands for are missing, which is how they will be declared.
        """
        try:
            self._tail.cut(segment.size)
        except OSError:
            self._tail.close()
            return False
        return True

    def _room_for(self, first: int, size: int, now_s: float) -> Segment:
        """Return the segment to append to, begun anew if need be, with old ones dropped to make room."""
        if self._tail.is_open and self._is_done(self._shelf.segments[-1], size, now_s):
            self._tail.sync_quietly()
            self._tail.close()
        self._shelf.make_room(size)
        return self._shelf.segments[-1] if self._tail.is_open else self._begin(first, now_s)

    def _is_done(self, segment: Segment, size: int, now_s: float) -> bool:
        """Tell whether a segment takes no more: it is full, or so old that its age would not be its
        events'.
        """
        return (
            segment.size + size > self._limits.segment_bytes
            or now_s - segment.begun_s(now_s) > self._limits.max_age_s / 24
        )

    def _begin(self, first: int, now_s: float) -> Segment:
        salt = int.from_bytes(self._random_bytes(4), "big")
        segment = self._tail.begin(SegmentHeader(self._numbers.spool_id, first, now_s, salt))
        self._shelf.add(segment)
        return segment
