"""What to send next. Every number from the first unacknowledged one on is an event or in a gap: those that no
entry stands for are the gap, so what is missing is derived, and nothing can be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator

from seawall_proxy.telemetry.spool.format import EVENT, HEADER_BYTES, Entry, find_entry
from seawall_proxy.telemetry.spool.numbers import Numbers
from seawall_proxy.telemetry.spool.segments import Segment, read_segment
from seawall_proxy.telemetry.spool.shelf import Shelf
from seawall_proxy.telemetry.spool.terms import CORRUPT, Batch, Gap


class Reader:
    """Reads the segments that wait."""

    def __init__(self, shelf: Shelf, numbers: Numbers) -> None:
        self._shelf: Shelf = shelf
        self._numbers: Numbers = numbers
        self._position: tuple[int, int] = (0, 0)
        """First number of the segment and offset where the first unacknowledged number is looked for."""

    def take(self, max_events: int, max_bytes: int) -> Batch | None:
        """Return what comes next, or None when everything is acknowledged; at least one event, however large
        it is.
        """
        expected = self._numbers.acked + 1
        if expected > self._numbers.last:
            return None
        events: list[tuple[int, bytes]] = []
        gaps: list[Gap] = []
        room = max_bytes
        for segment in self._shelf.segments:
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
        if expected <= self._numbers.last:
            self._missing(gaps, expected, self._numbers.last)
            expected = self._numbers.last + 1
        return self._batch(events, gaps, expected)

    def move_on(self, through: int) -> None:
        """Remember where the first entry is that is still needed; when there is none yet, the old place is as
        good.
        """
        if not self._shelf.segments:
            return
        segment = self._shelf.segments[0]
        if segment.first <= through:
            for position, _ in self._entries(segment, through + 1):
                self._position = (segment.first, position)
                break

    def go_back(self) -> None:
        """Look from the beginning again."""
        self._position = (0, 0)

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
        dropped = self._numbers.dropped_through
        if first <= dropped:
            gaps.append(Gap(first, min(last, dropped), self._numbers.drop_reason))
            first = dropped + 1
        if first <= last:
            gaps.append(Gap(first, last, CORRUPT))

    def _batch(self, events: list[tuple[int, bytes]], gaps: list[Gap], expected: int) -> Batch:
        spool_id = self._numbers.spool_id.hex()
        return Batch(spool_id, tuple(events), tuple(gaps), expected - 1, self._shelf.oldest)
