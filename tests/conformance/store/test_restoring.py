"""What every store promises about events that are put back."""

from __future__ import annotations

from dataclasses import replace

from seawall_control.domain import groups as g
from seawall_control.domain.events import AttemptSummary, Outcome
from seawall_control.domain.filters import EVERYTHING
from seawall_control.store.port import EventQuery, Store
from tests.conformance.store.test_groups import ALL, reception, said, stored
from tests.conformance.store.test_port import NOW_US


async def test_what_was_deleted_is_put_back_once_and_as_it_was(store: Store) -> None:
    """By its id. Counts of events follow; groups and counts over time have never forgotten it, and nothing
    comes back that was resolved.
    """
    events = [said(n, details={"n": n}, attempts=(AttemptSummary(number=1),)) for n in range(1, 46)]
    await store.report([replace(one, outcome=Outcome.FAILED) for one in events])
    kept = await store.events(EventQuery(EVERYTHING, 1000, descending=False))
    await store.resolve([one.id for one in kept], resolution="done", at_us=NOW_US + 100, dry_run=False)
    group, rollups = await store.group("v1:a"), await store.rollups(ALL)
    hours = await store.group_hours("v1:a", hour=2**40, hours=2**40)
    before = await store.events(EventQuery(EVERYTHING, 1000, descending=False))
    counts = await store.counts(at_us=NOW_US)
    assert await store.delete_events([one.id for one in before[:30]]) == 30
    assert await store.restore_events(before) == 30
    assert await store.restore_events(before) == 0
    assert await store.restore_events([]) == 0
    assert await store.events(EventQuery(EVERYTHING, 1000, descending=False)) == before
    assert await store.counts(at_us=NOW_US) == counts
    after = await store.group("v1:a")
    assert (after, after.state) == (group, g.GroupState.NEW)
    assert await store.rollups(ALL) == rollups
    assert await store.group_hours("v1:a", hour=2**40, hours=2**40) == hours


async def test_what_was_changed_since_stays_as_it_is(store: Store) -> None:
    """What is in the record counts, and not what was in it once."""
    await store.report([said(1)], reception())
    (event,) = await store.events(EventQuery(EVERYTHING, 10))
    assert await store.restore_events([replace(event, message="older", resolved=True)]) == 0
    assert await store.event(event.id) == event
    assert await stored(store) == [1]
