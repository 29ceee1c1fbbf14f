"""Counts of events by minute, hour and day: exact also for what a flood left unstored, and kept for longer.

A bucket holds at most `MAX_KEYS` different keys; what comes beyond is counted under the component, route and
method `_other`, so that no caller can make the tables grow.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from seawall_control.domain.events import MICROS, Event
from seawall_policy import status

MAX_KEYS: Final = 500
MAX_BUCKETS: Final = 256
"""Buckets that are looked at together key by key; sums over more of them are left to the store."""
OTHER: Final = "_other"
_CODES: Final = frozenset(("", *status.NAMES))


class Width(IntEnum):
    """How long a bucket is, in seconds."""

    MINUTE = 60
    HOUR = 3600
    DAY = 86_400


KEPT_S: Final[Mapping[Width, int]] = {
    Width.MINUTE: 2 * 86_400,
    Width.HOUR: 60 * 86_400,
    Width.DAY: 730 * 86_400,
}
"""How long buckets are kept unless the operator says otherwise."""


KEY_FIELDS: Final = ("component", "route", "method", "code", "category", "severity", "kind", "outcome")
"""What events are counted by."""
Key: TypeAlias = tuple[str, str, str, str, int, int, int, int]
"""Values of `KEY_FIELDS`. Enumerations are plain numbers, which are quicker to hash."""
Counts: TypeAlias = Mapping[int, Mapping[Key, int]]
"""Events by start of the bucket, in seconds since the epoch, and key."""


def coarse(key: Key) -> Key:
    """Return the key under which one is counted when its bucket is full."""
    code = key[3]
    return (OTHER, OTHER, OTHER, code if code in _CODES else OTHER, *key[4:])


@dataclass(frozen=True, slots=True)
class RollupQuery:
    """Asks for sums over buckets."""

    width: Width
    from_s: int
    """The first bucket that counts starts here or later."""
    to_s: int
    """The last bucket that counts starts before this."""
    by: tuple[str, ...] = ()
    """Fields of the key that are told apart; all others are summed over."""
    only: tuple[tuple[str, str | int], ...] = ()
    """Fields of the key and the value that they must have."""
    limit: int = 10_000


@dataclass(frozen=True, slots=True)
class RollupRow:
    """The events of one bucket and one set of values, in the order of `RollupQuery.by`."""

    start: int
    values: tuple[str | int, ...]
    events: int


def counted(events: Iterable[Event]) -> Counts:
    """Return how many events there are by minute and key."""
    found: dict[int, dict[Key, int]] = {}
    for event in events:
        start = event.timestamp_us // (60 * MICROS) * 60
        counts = found.get(start)
        if counts is None:
            counts = found[start] = {}
        key = (
            event.component,
            event.route,
            event.method,
            event.code,
            int(event.category),
            int(event.severity),
            int(event.kind),
            int(event.outcome),
        )
        counts[key] = counts.get(key, 0) + 1
    return found


def widened(counts: Counts, width: Width) -> Counts:
    """Return counts by buckets that are as long, or some times as long."""
    found: dict[int, dict[Key, int]] = {}
    for start, short in counts.items():
        wide = found.setdefault(start - start % width, {})
        for key, number in short.items():
            wide[key] = wide.get(key, 0) + number
    return found


def by_width(minutes: Counts) -> Iterator[tuple[Width, Counts]]:
    """Yield the counts of minutes by every width, the shortest first."""
    counts = minutes
    for width in Width:
        if width is not Width.MINUTE:
            counts = widened(counts, width)
        yield width, counts


def buckets_of(events: Iterable[Event]) -> list[tuple[Width, int]]:
    """Return width and start of every bucket that events are counted in."""
    minutes = {event.timestamp_us // (60 * MICROS) * 60 for event in events}
    return [
        (width, start) for width in Width for start in sorted({start - start % width for start in minutes})
    ]


class Bucket:
    """The counts of one bucket at one moment. Two are equal when they are the same object, so whoever has
    worked something out from one need not do so again for as long as it is given the same.
    """

    __slots__ = ("__weakref__", "_sums", "counts", "events", "keys", "start")

    MAX_SUMS: Final = 8
    MAX_SUM_ROWS: Final = 256
    """Sums that are remembered: so many, of so many rows each."""

    def __init__(self, start: int, keys: tuple[Key, ...], counts: tuple[int, ...]) -> None:
        """Each key is there once, and `counts` are in the same order."""
        self.start = start
        self.keys = keys
        self.counts = counts
        self.events = sum(counts)
        self._sums: dict[tuple[str, ...], tuple[RollupRow, ...]] = {}

    def __repr__(self) -> str:
        return f"<Bucket {self.start}: {self.events} events, {len(self.keys)} keys>"

    def sums(
        self, by: tuple[str, ...], only: tuple[tuple[str, str | int], ...] = ()
    ) -> tuple[RollupRow, ...]:
        """Return the sums by these fields in the order of their values; see `RollupQuery`."""
        if not only and by in self._sums:
            return self._sums[by]
        rows = tuple(self._summed(by, only))
        if not only and len(rows) <= self.MAX_SUM_ROWS:
            if len(self._sums) >= self.MAX_SUMS:
                del self._sums[next(iter(self._sums))]
            self._sums[by] = rows
        return rows

    def _summed(self, by: tuple[str, ...], only: tuple[tuple[str, str | int], ...]) -> Iterator[RollupRow]:
        pairs: Iterable[tuple[Key, int]] = zip(self.keys, self.counts, strict=True)
        for field, value in only:
            pairs = _having(pairs, KEY_FIELDS.index(field), value)
        places = tuple(KEY_FIELDS.index(field) for field in by)
        found: dict[tuple[str | int, ...], int] = {}
        if len(places) == 1:
            # Most ask for one field, which need not be put into a tuple for each count.
            place = places[0]
            singles: dict[str | int, int] = {}
            for key, number in pairs:
                value = key[place]
                singles[value] = singles.get(value, 0) + number
            found = {(value,): number for value, number in singles.items()}
        else:
            for key, number in pairs:
                values = tuple([key[place] for place in places])
                found[values] = found.get(values, 0) + number
        for values in sorted(found):
            yield RollupRow(self.start, values, found[values])


def difference(before: Bucket | None, after: Bucket | None) -> Mapping[Key, int]:
    """Return what has to be added to the counts of one bucket to make those of another; None has none."""
    if before is None:
        return {} if after is None else dict(zip(after.keys, after.counts, strict=True))
    if after is None:
        return {key: -number for key, number in zip(before.keys, before.counts, strict=True)}
    left = dict(zip(before.keys, before.counts, strict=True))
    found: dict[Key, int] = {}
    for key, number in zip(after.keys, after.counts, strict=True):
        more = number - left.pop(key, 0)
        if more:
            found[key] = more
    for key, number in left.items():
        found[key] = -number
    return found


def _having(pairs: Iterable[tuple[Key, int]], place: int, value: str | int) -> Iterable[tuple[Key, int]]:
    return [pair for pair in pairs if pair[0][place] == value]


class Bound:
    """Knows which keys the newest buckets have, and which a full bucket cannot take.

    It is a memory of the store's content and may know too much (a transaction that was not committed), never
    so much that a bucket grows over its bound by more than what several writers add at once.
    """

    BUCKETS: Final = 256

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[int, int], set[Key]] = OrderedDict()
        self._newest: dict[int, int] = {}

    def is_newer(self, width: Width, start: int) -> bool:
        """Tell whether a bucket begins after all that are known to be there: most likely it has no counts."""
        return start > self._newest.get(int(width), start)

    def learn_newest(self, newest: Mapping[int, int]) -> None:
        """Take in which bucket of each width is the last one in the store."""
        for width, start in newest.items():
            self._newest[width] = max(start, self._newest.get(width, start))

    def knows(self, width: Width, start: int) -> bool:
        """Tell whether a bucket has been learned, which it has to be before it is counted in."""
        return (int(width), start) in self._keys

    def learn(self, width: Width, start: int, keys: Iterable[Key]) -> None:
        """Take in what the store has of a bucket. It is known at least until `trim`."""
        self._keys[int(width), start] = set(keys)

    def forget(self, width: Width, start: int) -> None:
        """Forget a bucket that was not what it was taken to be."""
        self._keys.pop((int(width), start), None)

    def keys(self, width: Width, start: int) -> frozenset[Key]:
        """Return the keys that a bucket is known to have."""
        return frozenset(self._keys.get((int(width), start), ()))

    def trim(self) -> None:
        """Forget the buckets that were learned first, down to `BUCKETS`."""
        while len(self._keys) > self.BUCKETS:
            self._keys.popitem(last=False)

    def bounded(self, width: Width, start: int, counts: Mapping[Key, int]) -> Mapping[Key, int]:
        """Return the counts of a bucket with what has no room under `_other`."""
        keys = self._keys.setdefault((int(width), start), set())
        self.learn_newest({int(width): start})
        if len(keys) + len(counts) <= MAX_KEYS:
            keys.update(counts)
            return counts
        found: dict[Key, int] = {}
        for key, number in counts.items():
            if key not in keys:
                if len(keys) >= MAX_KEYS:
                    key = coarse(key)
                keys.add(key)
            found[key] = found.get(key, 0) + number
        return found
