"""Events in the order in which they were stored: what every store promises."""

from __future__ import annotations

from collections.abc import Sequence

from seawall_control.domain.errors import PositionLost
from seawall_control.domain.events import Event, EventChange
from seawall_control.domain.positions import START, Position
from seawall_control.store.port import Store
from tests.conformance.store.test_port import NOW_US, event


async def ids_after(store: Store, position: Position, limit: int = 99) -> list[str]:
    """Return the ids of what was stored after a position."""
    return [found.id for _, found in await store.stored_after(position, limit=limit)]


def ids(events: Sequence[Event]) -> list[str]:
    """Return their ids."""
    return [found.id for found in events]


async def test_an_empty_store_stands_at_the_start(store: Store) -> None:
    """What is stored first comes after the start."""
    assert await store.newest_position() == START
    assert await ids_after(store, START) == []
    await store.report([event(1)])
    assert await ids_after(store, START) == [event(1).id]


async def test_order_is_that_of_arrival_and_not_of_time(store: Store) -> None:
    """An event that happened long ago and comes late comes last; changes move nothing."""
    await store.report([event(5), event(9)])
    here = await store.newest_position()
    late = [event(3, timestamp_us=NOW_US - 10**12), event(4)]
    await store.report(late)
    await store.report([event(5)])
    await store.update_event(event(5).id, EventChange(resolved=True), at_us=NOW_US)
    found = await store.stored_after(here, limit=99)
    assert ids([e for _, e in found]) == ids(late)
    assert found[-1][0] == await store.newest_position()
    assert await ids_after(store, START) == ids([event(5), event(9), *late])


async def test_pages_follow_each_other(store: Store) -> None:
    """Reading on from each last position gives everything once."""
    for n in range(1, 8):
        await store.report([event(n)])
    position = START
    seen: list[str] = []
    while found := await store.stored_after(position, limit=3):
        position, seen = found[-1][0], seen + ids([e for _, e in found])
    assert seen == ids([event(n) for n in range(1, 8)])


async def test_a_deleted_event_leaves_its_position(store: Store) -> None:
    """What was stored after an event in the middle is known although the event is gone."""
    await store.report([event(1), event(2, resolved=True), event(3)])
    position = (await store.stored_after(START, limit=2))[-1][0]
    assert await store.delete_resolved(before_us=NOW_US + 10**9, dry_run=False) == 1
    assert await ids_after(store, position) == [event(3).id]


async def test_nothing_is_left_out_in_silence(store: Store) -> None:
    """When the newest events are deleted and others come, a reader gets those or is told that it is lost."""
    await store.report([event(1), event(2, resolved=True), event(3, resolved=True)])
    positions = [START, *(position for position, _ in await store.stored_after(START, limit=9))]
    await store.delete_resolved(before_us=NOW_US + 10**9, dry_run=False)
    for more in range(4, 8):
        await store.report([event(more)])
        later = ids([event(n) for n in range(4, more + 1)])
        for position in positions:
            try:
                found = await ids_after(store, position)
            except PositionLost:
                continue
            assert found[-len(later) :] == later
    assert await ids_after(store, positions[1]) == ids([event(n) for n in range(4, 8)])
