"""Buckets as the store had them, remembered by version.

Theory: nearly all buckets of a window are over and hardly ever change, so a question needs only their
versions. A version is the number that a bucket was given when it was made, drawn at random from 2^62, and
the sum of its counts. Counts only grow until their bucket is deleted, and one that is made again later has
another number; so a bucket whose version is the same has the same counts, whoever else writes to the store.
Counts that were read after their version may be newer than it. They are remembered under it all the same:
the store never shows it again, so that they are read anew. Of a bucket that has changed only the numbers are
read as long as they are as many as before: its keys are then the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from seawall_control.domain.rollups import Bucket, Key, Width

MAX_ROWS: Final = 150_000
"""Counts that are remembered, those asked for last: 300 full buckets, of some 10 MB."""
_KEYS: Final = 10_000

Version: TypeAlias = tuple[int, int]
"""The number of a bucket and the sum of its counts."""


class BucketMemory:
    """Remembers buckets."""

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        """At most `max_rows` counts are remembered, but always those of one bucket."""
        self._max_rows = max_rows
        self._found: OrderedDict[tuple[Width, int], tuple[Version, Bucket]] = OrderedDict()
        self._keys: dict[Key, Key] = {}
        self.rows = 0
        """Counts that are remembered."""

    def __len__(self) -> int:
        return len(self._found)

    def of(self, width: Width, start: int, version: Version) -> Bucket | None:
        """Return a bucket, if this version of it is remembered."""
        known = self._found.get((width, start))
        if known is None or known[0] != version:
            return None
        self._found.move_to_end((width, start))
        return known[1]

    def learn(self, width: Width, start: int, version: Version, counts: Iterable[tuple[Key, int]]) -> Bucket:
        """Remember a bucket, whose counts were read with this version or after it, and return it."""
        if len(self._keys) > _KEYS:
            self._keys.clear()
        keys: list[Key] = []
        numbers: list[int] = []
        for key, number in counts:
            # Buckets have the same keys hour after hour: one object serves them all.
            keys.append(self._keys.setdefault(key, key))
            numbers.append(number)
        return self._remember(width, version, Bucket(start, tuple(keys), tuple(numbers)))

    def before(self, width: Width, start: int, version: Version) -> Bucket | None:
        """Return an earlier state of the bucket that has this version, if one is remembered."""
        known = self._found.get((width, start))
        return None if known is None or known[0][0] != version[0] else known[1]

    def grown(self, width: Width, version: Version, before: Bucket, numbers: Sequence[int]) -> Bucket | None:
        """Remember a bucket by its numbers alone, in the order of `before`, and return it; None when it has
        keys that `before` has not. `numbers` were read later than `before`, of the same bucket: keys are
        never taken out of one, so as many are the same.
        """
        if len(numbers) != len(before.keys):
            return None
        return self._remember(width, version, Bucket(before.start, before.keys, tuple(numbers)))

    def _remember(self, width: Width, version: Version, bucket: Bucket) -> Bucket:
        before = self._found.pop((width, bucket.start), None)
        if before is not None:
            self.rows -= len(before[1].keys)
        self._found[width, bucket.start] = (version, bucket)
        self.rows += len(bucket.keys)
        while self.rows > self._max_rows and len(self._found) > 1:
            _, (_, gone) = self._found.popitem(last=False)
            self.rows -= len(gone.keys)
        return bucket
