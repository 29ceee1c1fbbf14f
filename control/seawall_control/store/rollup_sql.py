"""Counts over time, read with SQL that every database of ours understands.

What was read before is remembered for as long as the versions of buckets, which every question asks for, say
that it holds (domain/bucket_memory.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from seawall_control.domain.bucket_memory import BucketMemory, Version
from seawall_control.domain.rollups import KEY_FIELDS, MAX_BUCKETS, Bucket, Key, RollupQuery, RollupRow, Width
from seawall_control.store.statements import Questions, marks, slices

_KEYS: Final = ", ".join(KEY_FIELDS)
_FIELDS: Final = len(KEY_FIELDS)
_AT_ONCE: Final = 16
"""Buckets that are read with one statement: some eight thousand rows."""
_VERSIONS: Final = (
    "SELECT start, born, events FROM event_buckets WHERE width = ? AND start >= ? AND start < ? "
    "ORDER BY start LIMIT ?"
)


class Rollups:
    """Reads counts."""

    def __init__(self) -> None:
        self.memory = BucketMemory()

    async def rollups(self, db: Questions, query: RollupQuery) -> list[RollupRow]:
        """See `GroupStore.rollups`."""
        told_apart = bool(query.by or query.only)
        limit = MAX_BUCKETS + 1 if told_apart else query.limit
        versions = await db.rows(_VERSIONS, (int(query.width), query.from_s, query.to_s, limit))
        if not told_apart:
            return [RollupRow(start, (), events) for start, _, events in versions]
        if len(versions) > MAX_BUCKETS:
            return await _summed(db, query)
        found: list[RollupRow] = []
        for bucket in await self._buckets(db, query.width, versions):
            found.extend(bucket.sums(query.by, query.only))
        return found[: query.limit]

    async def buckets(self, db: Questions, width: Width, from_s: int, to_s: int) -> list[Bucket]:
        """See `GroupStore.buckets`."""
        versions = await db.rows(_VERSIONS, (int(width), from_s, to_s, MAX_BUCKETS + 1))
        if len(versions) > MAX_BUCKETS:
            raise ValueError(f"more than {MAX_BUCKETS} buckets at once; ask for fewer, or for sums")
        return await self._buckets(db, width, versions)

    async def _buckets(self, db: Questions, width: Width, versions: Sequence[Sequence[Any]]) -> list[Bucket]:
        wanted: dict[int, Version] = {start: (born, int(events)) for start, born, events in versions}
        found: dict[int, Bucket] = {}
        missing: list[int] = []
        changed: dict[int, Bucket] = {}
        for start, version in wanted.items():
            known = self.memory.of(width, start, version)
            if known is not None:
                found[start] = known
            elif (before := self.memory.before(width, start, version)) is not None:
                changed[start] = before
            else:
                missing.append(start)
        for starts in slices(list(changed), _AT_ONCE):
            numbers = await _numbers(db, width, {start: wanted[start] for start in starts})
            for start in starts:
                grown = self.memory.grown(width, wanted[start], changed[start], numbers[start])
                if grown is None:
                    missing.append(start)
                else:
                    found[start] = grown
        for starts in slices(missing, _AT_ONCE):
            counts = await _counts(db, width, starts)
            for start in starts:
                found[start] = self.memory.learn(width, start, wanted[start], counts[start])
        # One that was deleted meanwhile has no counts.
        return [found[start] for start in wanted if found[start].keys]


async def _counts(db: Questions, width: Width, starts: Sequence[int]) -> dict[int, list[tuple[Key, int]]]:
    """Read buckets."""
    found: dict[int, list[tuple[Key, int]]] = {start: [] for start in starts}
    rows = await db.rows(
        f"SELECT {_KEYS}, events, start FROM event_rollups "
        f"WHERE width = ? AND start IN ({marks(len(starts))}) ORDER BY start, {_KEYS}",
        (int(width), *starts),
    )
    for row in rows:
        found[row[-1]].append((tuple(row[:_FIELDS]), row[_FIELDS]))
    return found


async def _numbers(db: Questions, width: Width, versions: Mapping[int, Version]) -> dict[int, list[int]]:
    """Read buckets whose keys are most likely known: most of what reading costs is keys. One that has been
    made anew meanwhile has none.
    """
    found: dict[int, list[int]] = {start: [] for start in versions}
    rows = await db.rows(
        "SELECT b.start, b.born, r.events FROM event_buckets AS b "
        "JOIN event_rollups AS r ON r.width = b.width AND r.start = b.start "
        f"WHERE b.width = ? AND b.start IN ({marks(len(versions))}) "
        f"ORDER BY b.start, {', '.join(f'r.{field}' for field in KEY_FIELDS)}",
        (int(width), *versions),
    )
    for start, born, events in rows:
        if born == versions[start][0]:
            found[start].append(events)
    return found


async def _summed(db: Questions, query: RollupQuery) -> list[RollupRow]:
    """Let the database sum up more buckets than are read."""
    by = "".join(f", {field}" for field in query.by)
    only = "".join(f" AND {field} = ?" for field, _ in query.only)
    rows = await db.rows(
        f"SELECT start{by}, sum(events) FROM event_rollups "
        f"WHERE width = ? AND start >= ? AND start < ?{only} "
        f"GROUP BY start{by} ORDER BY start{by} LIMIT ?",
        (int(query.width), query.from_s, query.to_s, *(value for _, value in query.only), query.limit),
    )
    return [RollupRow(row[0], tuple(row[1:-1]), int(row[-1])) for row in rows]
