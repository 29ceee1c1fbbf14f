"""What is remembered of a window's counts is never out of date."""

from __future__ import annotations

from collections.abc import Sequence

from seawall_control.domain.events import MICROS, Event, EventKind, Severity
from seawall_control.domain.rollups import Bucket, RollupQuery, RollupRow, Width
from seawall_control.services.analysis.summaries import REMEMBERED, Summaries
from seawall_control.services.analysis.windows import Window
from seawall_control.store.memory import MemoryStore

START_S = 1_780_000_000 // 3600 * 3600
DAY = Window(START_S, START_S + 24 * 3600, Width.HOUR)


class Asked(MemoryStore):
    """A store that notes what is asked of its counts."""

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[tuple[str, ...]] = []
        self.read = 0
        self._before: dict[int, Bucket] = {}

    async def rollups(self, query: RollupQuery) -> Sequence[RollupRow]:
        """See `GroupStore.rollups`."""
        self.questions.append(query.by)
        return await super().rollups(query)

    async def buckets(self, width: Width, from_s: int, to_s: int) -> Sequence[Bucket]:
        """See `GroupStore.buckets`."""
        found = []
        for bucket in await super().buckets(width, from_s, to_s):
            before = self._before.get(bucket.start)
            if before is None or before.counts != bucket.counts or before.keys != bucket.keys:
                self.read += 1
                before = self._before[bucket.start] = bucket
            found.append(before)
        return found


def event(number: int, *, hour: int, route: str = "a", kind: EventKind = EventKind.CALL_FAILED) -> Event:
    """Return an event in an hour of the day."""
    return Event(
        id=f"00000000-0000-4000-8000-{number:012d}",
        timestamp_us=(START_S + hour * 3600 + number) * MICROS,
        severity=Severity.HIGH,
        component=f"route/{route}",
        message="m",
        route=route,
        code="INTERNAL",
        kind=kind,
    )


async def test_nothing_is_read_again_while_the_sums_are_the_same() -> None:
    """The second time one question suffices."""
    store = Asked()
    await store.report([event(1, hour=0), event(2, hour=5, route="b"), event(3, hour=-3)])
    await store.report([event(4, hour=5, kind=EventKind.BREAKER_OPENED), event(5, hour=24)])
    summaries = Summaries(store)
    first = await summaries.of(DAY)
    assert dict(first.total) == {START_S: 1, START_S + 5 * 3600: 2}
    assert (first.before, first.by_route, first.by_code) == (1, [("a", 2), ("b", 1)], [("INTERNAL", 3)])
    assert (first.by_severity, first.by_category) == ([("HIGH", 3)], [("UNSPECIFIED", 3)])
    assert first.by_component == [("route/a", 2), ("route/b", 1)]
    assert first.subjects == {
        "route/a": {START_S: 1, START_S + 5 * 3600: 1},
        "route/b": {START_S + 5 * 3600: 1},
    }
    assert first.errors == {("route/a", "INTERNAL"): 2, ("route/b", "INTERNAL"): 1}
    assert (first.failed, first.opened) == ({"a": {"INTERNAL": 1}, "b": {"INTERNAL": 1}}, {"a": 1})
    store.questions.clear()
    read = store.read
    assert await summaries.of(DAY) is first
    assert (store.questions, store.read) == ([()], read)


async def test_late_event_is_in_the_next_answer() -> None:
    """In the window, and in the one before it."""
    store = Asked()
    summaries = Summaries(store)
    assert (await summaries.of(DAY)).by_route == []
    await store.report([event(1, hour=7, route="late")])
    assert (await summaries.of(DAY)).by_route == [("late", 1)]
    await store.report([event(2, hour=-1)])
    assert (await summaries.of(DAY)).before == 1


async def test_only_the_bucket_that_changed_is_added_up_again() -> None:
    """Whatever else there is, and the summary that was given before stays as it was."""
    store = Asked()
    for hour in range(24):
        await store.report([event(100 + hour, hour=hour), event(200 + hour, hour=hour, route="b")])
    summaries = Summaries(store)
    first = await summaries.of(DAY)
    assert store.read == 24
    await store.report([event(1, hour=3, route="b", kind=EventKind.BREAKER_OPENED)])
    second = await summaries.of(DAY)
    assert store.read == 25
    assert (first.by_route, first.opened, sum(first.total.values())) == ([("a", 24), ("b", 24)], {}, 48)
    assert (second.by_route, second.opened) == ([("b", 25), ("a", 24)], {"b": 1})
    assert second.subjects["route/b"][START_S + 3 * 3600] == 2
    assert second == await Summaries(store).of(DAY)


async def test_buckets_that_are_gone_are_taken_off() -> None:
    """As retention takes them."""
    store = Asked()
    await store.report([event(1, hour=0, route="old"), event(2, hour=20)])
    summaries = Summaries(store)
    await summaries.of(DAY)
    await store.prune_counts({Width.HOUR: 3600}, at_us=(START_S + 12 * 3600) * MICROS)
    left = await summaries.of(DAY)
    assert (left.by_route, left.errors) == ([("a", 1)], {("route/a", "INTERNAL"): 1})


async def test_few_windows_are_remembered() -> None:
    """Those asked for last."""
    store = Asked()
    await store.report([event(1, hour=0)])
    summaries = Summaries(store)
    windows = [Window(DAY.start - n * 3600, DAY.end, Width.HOUR) for n in range(REMEMBERED + 1)]
    first = [await summaries.of(window) for window in windows]
    assert await summaries.of(windows[-1]) is first[-1]
    again = await summaries.of(windows[0])
    assert again == first[0]
    assert again is not first[0]
