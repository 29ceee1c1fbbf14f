"""A store of buckets that several write to, and a memory of it: hypothesis looks for an answer that is older
than its question, and for sums of a window that are not those of its buckets.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from seawall_control.domain.analysis.sums import WindowSums
from seawall_control.domain.bucket_memory import BucketMemory, Version
from seawall_control.domain.rollups import KEY_FIELDS, Bucket, Key, RollupRow, Width

STARTS = st.integers(0, 4).map(lambda n: n * 3600)
KEYS: st.SearchStrategy[Key] = st.builds(
    lambda route, code, severity, kind: (f"route/{route}", route, "m", code, 1, severity, kind, 0),
    st.sampled_from("ab"),
    st.sampled_from("XY"),
    st.integers(1, 2),
    st.integers(1, 6),
)
COUNTS = st.dictionaries(KEYS, st.integers(1, 3), min_size=1, max_size=4)
BY = st.lists(st.sampled_from(KEY_FIELDS), max_size=3, unique=True).map(tuple)
ONLY = st.none() | st.tuples(st.just("route"), st.sampled_from("abc"))


def summed(start: int, counts: dict[Key, int], by: tuple[str, ...], only: object) -> list[RollupRow]:
    """Return the sums of a bucket, by their definition."""
    sums: dict[tuple[str | int, ...], int] = {}
    for key, number in counts.items():
        if only is None or key[1] == only[1]:  # type: ignore[index]
            values = tuple(key[KEY_FIELDS.index(field)] for field in by)
            sums[values] = sums.get(values, 0) + number
    return [RollupRow(start, values, sums[values]) for values in sorted(sums)]


class Remembering(RuleBasedStateMachine):
    """What is in the store, and what is remembered of it."""

    @initialize(rows=st.integers(1, 12))
    def begin(self, rows: int) -> None:
        self.rows = rows
        self.memory = BucketMemory(rows)
        self.window = WindowSums()
        self.real: dict[int, dict[Key, int]] = {}
        self.born: dict[int, int] = {}
        self.made = 0
        self.reading: list[tuple[int, Version]] = []

    def version(self, start: int) -> Version:
        """Return the version of a bucket that is there."""
        return self.born[start], sum(self.real[start].values())

    @rule(start=STARTS, counts=COUNTS)
    def count(self, start: int, counts: dict[Key, int]) -> None:
        """Somebody's events are counted."""
        bucket = self.real.setdefault(start, {})
        if start not in self.born:
            self.made += 1
            self.born[start] = self.made
        for key, number in counts.items():
            bucket[key] = bucket.get(key, 0) + number

    @rule(start=STARTS)
    def delete(self, start: int) -> None:
        """Retention takes a bucket."""
        self.real.pop(start, None)
        self.born.pop(start, None)

    @rule(start=STARTS)
    def begin_to_read(self, start: int) -> None:
        """A question has asked for a version, and others come between it and the counts."""
        if start in self.real:
            self.reading.append((start, self.version(start)))

    @rule()
    def read_late(self) -> None:
        """The counts of an earlier question arrive, which may be newer than its version or gone."""
        if self.reading:
            start, version = self.reading.pop(0)
            self.memory.learn(Width.HOUR, start, version, sorted(self.real.get(start, {}).items()))

    def asked(self) -> list[Bucket]:
        """Return the buckets as a question gets them."""
        found = []
        for start in sorted(self.real):
            version = self.version(start)
            bucket = self.memory.of(Width.HOUR, start, version)
            before = self.memory.before(Width.HOUR, start, version)
            ordered = [self.real[start][key] for key in sorted(self.real[start])]
            if bucket is None and before is not None:
                bucket = self.memory.grown(Width.HOUR, version, before, ordered)
                assert bucket is None or bucket.keys is before.keys
            if bucket is None:
                bucket = self.memory.learn(Width.HOUR, start, version, sorted(self.real[start].items()))
                assert self.memory.of(Width.HOUR, start, version) is bucket
            found.append(bucket)
        return found

    @rule(by=BY, only=ONLY)
    def ask(self, by: tuple[str, ...], only: tuple[str, str] | None) -> None:
        """Sums are those of the store as it is now, told apart in any way."""
        wanted = [row for start in sorted(self.real) for row in summed(start, self.real[start], by, only)]
        given = () if only is None else (only,)
        assert [row for bucket in self.asked() for row in bucket.sums(by, given)] == wanted

    @rule(again=st.booleans())
    def look(self, again: bool) -> None:
        """A window that is kept up to date says what one says that is added up anew, and what has not changed
        is not taken for a change.
        """
        buckets = self.asked()
        self.window.become(buckets)
        anew = WindowSums()
        anew.become(buckets)
        assert self.window.total == anew.total
        assert list(self.window.buckets.values()) == buckets
        if again:
            assert not self.window.become(buckets)

    @rule(first=st.integers(0, 3), last=st.integers(0, 3))
    def look_elsewhere(self, first: int, last: int) -> None:
        """A window that has some buckets in common begins with what the other has."""
        some = self.asked()[first : first + last]
        moved = self.window.copy()
        moved.become(some)
        anew = WindowSums()
        anew.become(some)
        assert moved.total == anew.total

    @invariant()
    def is_bounded(self) -> None:
        """At most so many counts, unless one bucket alone has more."""
        if hasattr(self, "memory"):
            assert self.memory.rows <= self.rows or len(self.memory) == 1
            assert self.memory.rows >= 0


Remembering.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestRemembering = Remembering.TestCase
