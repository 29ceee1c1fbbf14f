"""Notices: who gets them, what a slow watcher loses, and what makes one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from seawall_control.domain.events import Event, EventKind, Severity
from seawall_control.services import notices as n
from seawall_control.services import store_watch
from seawall_control.services.edge import SystemClock
from seawall_control.store.memory import MemoryStore
from seawall_control.store.port import StoreReport

OPENED = n.Notice(n.NoticeKind.BREAKER_OPENED, 1, "route/a", Severity.HIGH)
CLOSED = n.Notice(n.NoticeKind.BREAKER_CLOSED, 2, "route/a", Severity.LOW)


async def test_watchers_get_the_kinds_that_they_asked_for() -> None:
    """All kinds without a choice, in order; nothing after they unsubscribed."""
    hub = n.Notices()
    everything, opened = hub.subscribe(), hub.subscribe([n.NoticeKind.BREAKER_OPENED])
    hub.publish(CLOSED)
    hub.publish(OPENED)
    assert [await everything.next(), await everything.next()] == [CLOSED, OPENED]
    assert await opened.next() == OPENED
    hub.unsubscribe(opened)
    hub.publish(OPENED)
    waiting = asyncio.ensure_future(opened.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_slow_watcher_loses_the_oldest_and_is_told() -> None:
    """Queues are bounded; what is dropped is counted."""
    hub = n.Notices()
    slow = hub.subscribe()
    for number in range(n.QUEUE + 3):
        hub.publish(replace(OPENED, at_us=number))
    assert (slow.missed, hub.missed, hub.published) == (3, 3, n.QUEUE + 3)
    assert (await slow.next()).at_us == 3


def test_watchers_are_bounded() -> None:
    """One that is made again and again is found out."""
    hub = n.Notices()
    for _ in range(n.WATCHERS):
        hub.subscribe()
    with pytest.raises(RuntimeError, match="unsubscribe"):
        hub.subscribe()


def test_state_changes_make_notices_and_single_calls_do_not() -> None:
    """A breaker that opened is told with its name; a failed call is not."""
    event = Event(
        id="i",
        timestamp_us=5,
        severity=Severity.HIGH,
        component="route/a",
        kind=EventKind.BREAKER_OPENED,
        route="a",
        details={"breaker": "a/x"},
    )
    found = n.of_event(event)
    assert found is not None
    assert (found.kind, found.at_us, found.subject) == (n.NoticeKind.BREAKER_OPENED, 5, "route/a")
    assert (found.data["event"], found.data["breaker"]) == ("i", "a/x")
    assert n.of_event(replace(event, kind=EventKind.CALL_FAILED)) is None


async def test_store_that_fills_up_and_gets_well_is_told_once_each() -> None:
    """Only changes of the state make notices."""

    class Ill(MemoryStore):
        states = ("ok", "full", "full", "ok")
        asked = 0

        async def report_state(self) -> StoreReport:
            state = self.states[min(self.asked, 3)]
            self.asked += 1
            return StoreReport("memory", "1", state, "because")

    hub = n.Notices()
    watcher = hub.subscribe()
    task = asyncio.ensure_future(store_watch.run(Ill(), hub, SystemClock(), every_s=0.001))
    async with asyncio.timeout(60):
        first, second = await watcher.next(), await watcher.next()
    task.cancel()
    assert (first.data["state"], first.severity) == ("full", Severity.CRITICAL)
    assert (second.data["state"], second.severity) == ("ok", Severity.LOW)
    assert hub.published == 2
