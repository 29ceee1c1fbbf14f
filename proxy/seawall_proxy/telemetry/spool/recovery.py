"""What a crash left: where numbers go on, what is missing, what another spool has left in the directory.

The torn tail of the last segment is cut off, and a new segment is begun. Numbers that the mark says were
given out and that no entry stands for are declared lost. Before any other is given out, what was being
numbered is settled where it came from, as far as it has a number.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from seawall_proxy.telemetry.spool.ages import Ages
from seawall_proxy.telemetry.spool.format import (
    EVENT,
    HEADER_BYTES,
    SegmentHeader,
    decode_header,
    find_entry,
)
from seawall_proxy.telemetry.spool.mark import MarkState
from seawall_proxy.telemetry.spool.numbers import Numbers
from seawall_proxy.telemetry.spool.segments import ANY, cut_torn_tail, look, look_for_kept, read_segment
from seawall_proxy.telemetry.spool.shelf import Shelf
from seawall_proxy.telemetry.spool.source_mark import resolve
from seawall_proxy.telemetry.spool.tail import Tail
from seawall_proxy.telemetry.spool.terms import CORRUPT
from seawall_proxy.telemetry.spool.writer import Writer

log = logging.getLogger("seawall.events")


class Recovery:
    """Brings a spool back from its directory, once, when it is opened."""

    def __init__(
        self,
        directory: Path,
        random_bytes: Callable[[int], bytes],
        numbers: Numbers,
        shelf: Shelf,
        tail: Tail,
        writer: Writer,
        ages: Ages,
    ) -> None:
        self._directory: Path = directory
        self._random_bytes: Callable[[int], bytes] = random_bytes
        self._numbers: Numbers = numbers
        self._shelf: Shelf = shelf
        self._tail: Tail = tail
        self._writer: Writer = writer
        self._ages: Ages = ages

    def run(self, now_s: float, boot: bytes) -> None:
        """Recover; `boot` is the digest of the kernel's boot identity. Raises OSError."""
        loaded = self._numbers.load(boot)
        known = loaded if loaded is not None else MarkState(spool_id=self._random_bytes(16))
        ours, strangers = look(self._directory, known.spool_id)
        found = cut_torn_tail(ours)
        segments = self._shelf.segments
        segments.extend(look_for_kept(self._directory, known.spool_id))
        segments.extend(ours)
        last = max(known.last, found, known.acked, known.dropped_through)
        self._settle({known.spool_id: last}, strangers, boot)
        self._numbers.begin(known, boot, last)
        # One that is kept has nothing above what is acknowledged.
        self._set_ends(found if ours else known.acked)
        for segment in segments:
            self._ages.given(segment.last, segment.begun_s(now_s))
        lost_from = max(found, known.acked, known.dropped_through) + 1
        if lost_from <= last:
            self._writer.declare_lost(lost_from, last, now_s)
        self._adopt(strangers, now_s)

    def _settle(self, ends: dict[bytes, int], strangers: list[Path], boot: bytes) -> None:
        for path in strangers:
            data = read_segment(path)
            header = decode_header(data)
            if header is not None:
                end = _last_entry(data, header)
                ends[header.spool_id] = max(end, ends.get(header.spool_id, 0))
        for error in resolve(self._directory, boot, ends):
            log.warning("events that were being numbered may count twice, or never: %s", error)

    def _set_ends(self, end: int) -> None:
        """Say of each segment up to where its numbers may go: to the next one's first, or to the end."""
        segments = self._shelf.segments
        for at, segment in enumerate(segments):
            after = segments[at + 1].first - 1 if at + 1 < len(segments) else end
            segment.last = max(after, segment.first - 1)
        while len(segments) > 1 and segments[0].last <= self._numbers.acked:
            self._shelf.kept.found(segments.popleft())

    def _adopt(self, strangers: list[Path], now_s: float) -> None:
        """Give the events of a spool whose mark was lost new numbers here; the store knows each event by
        its id. What was declared there is declared here, and so are numbers that no entry stands for. Only
        what was behind the last entry is known to nobody.
        """
        for at, path in enumerate(strangers):
            data = read_segment(path)
            header = decode_header(data)
            if header is not None:
                expected = self._adopt_one(data, header, now_s)
                after = strangers[at + 1] if at + 1 < len(strangers) else path
                first, _, identity = after.stem.partition("-")
                if identity == header.spool_id.hex() and int(first) > expected:
                    self._writer.put([], CORRUPT, int(first) - expected, now_s)
            self._tail.sync_quietly()
            path.unlink(missing_ok=True)

    def _adopt_one(self, data: bytes, header: SegmentHeader, now_s: float) -> int:
        """Return the number after the last one of a segment."""
        expected, position = header.first, HEADER_BYTES
        while True:
            entry = find_entry(data, position, header.salt, expected, ANY)
            if entry is None:
                return expected
            if entry.seq > expected:
                self._writer.put([], CORRUPT, entry.seq - expected, now_s)
            if entry.kind == EVENT:
                self._writer.put([entry.payload], "", 0, now_s)
            else:
                self._writer.put([], entry.reason, entry.through - entry.seq + 1, now_s)
            expected, position = entry.through + 1, entry.end


def _last_entry(data: bytes, header: SegmentHeader) -> int:
    """Return the last number of a segment that an entry stands for."""
    last, position = header.first - 1, HEADER_BYTES
    while (entry := find_entry(data, position, header.salt, last + 1, ANY)) is not None:
        last, position = entry.through, entry.end
    return last
