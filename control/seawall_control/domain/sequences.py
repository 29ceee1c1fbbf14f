"""Which numbers of a spool have arrived: the cumulative mark and the islands above it.

Theory: at-least-once delivery becomes exactly-once storage when "have I seen number n" survives both
repetition and deletion of the stored rows. The answer is kept as disjoint inclusive ranges. A spool sends in
order, so there is nearly always one range; islands appear only when batches of two streams overtake each
other. Numbers of declared gaps and refused events count as arrived.

A spool may outlive the store that acknowledged its beginning (a new data directory, a restored backup). Then
its stream starts at a number above the mark. The ones before are *assumed*: they count for the mark but not
as seen, and are stored like any other should they come after all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

MAX_ISLANDS: Final = 512
"""More islands than this mean a sender that skips numbers at will; the batch is refused rather than memory
spent.
"""

Range = tuple[int, int]


class TooManyIslands(ValueError):
    """The sender leaves more holes than the store is willing to remember."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The numbers of one spool that have arrived."""

    seen: tuple[Range, ...] = ()
    assumed_through: int = 0

    @property
    def through(self) -> int:
        """Highest number below which nothing is missing; 0 if number 1 is."""
        mark = self.assumed_through
        for first, last in self.seen:
            if first > mark + 1:
                break
            mark = max(mark, last)
        return mark

    def has(self, seq: int) -> bool:
        """Tell whether a number has been seen."""
        low, high = 0, len(self.seen)
        while low < high:
            middle = (low + high) // 2
            first, last = self.seen[middle]
            if seq < first:
                high = middle
            elif seq > last:
                low = middle + 1
            else:
                return True
        return False

    def missing(self, first: int, last: int) -> tuple[Range, ...]:
        """Return the parts of an inclusive range that have not been seen."""
        holes: list[Range] = []
        for low, high in self.seen:
            if high < first:
                continue
            if low > last:
                break
            if low > first:
                holes.append((first, low - 1))
            first = high + 1
        if first <= last:
            holes.append((first, last))
        return tuple(holes)

    def add(self, ranges: Iterable[Range]) -> Arrivals:
        """Return the arrivals with these inclusive ranges too. Raise `TooManyIslands` over the bound."""
        merged: list[Range] = []
        for first, last in sorted([*self.seen, *ranges]):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        if len(merged) > MAX_ISLANDS:
            raise TooManyIslands(f"more than {MAX_ISLANDS} ranges of numbers with holes between them")
        return replace(self, seen=tuple(merged))

    def starting_at(self, seq: int) -> Arrivals:
        """Return the arrivals of a sender that no longer has any number below `seq`."""
        return self if seq <= self.through + 1 else replace(self, assumed_through=seq - 1)
