"""Collects what the engine is told: stored events, changes of groups, calls as proxies count them, and how
things are.

Everything is looked at when the engine is asked, once a second; between that only events are set aside.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.alerts.facts import BreakerFact, Facts, GroupNotice, ProxyFact, failures_of
from seawall_control.domain.alerts.rules import QUEUE_DELIVERIES, QUEUE_INGEST
from seawall_control.domain.alerts.subject import scrubbed
from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import MICROS, Event, Json
from seawall_control.domain.filters import EVERYTHING
from seawall_control.domain.positions import Position, parse_position
from seawall_control.services.alerting.deliverer import Deliverer
from seawall_control.services.alerting.group_changes import GroupChanges
from seawall_control.services.edge import Clock
from seawall_control.services.feed import Feed as StoredEvents
from seawall_control.services.fleet import Fleet
from seawall_control.services.fleet_growth import Growth, marks_json, marks_of
from seawall_control.services.machine import Machine
from seawall_control.services.notices import Notice, Notices
from seawall_control.services.tail import Hub
from seawall_control.store.port import Store

MAX_WAITING: Final = 50_000
"""Events that are set aside for the next second; more are counted, and the oldest go."""
RESOLVED_LONG_US: Final = 3600 * MICROS
"""Stored now and resolved longer ago than this: an event of the past."""
RECALLED_S: Final = 60.0
"""For how long events are known by their ids that may come twice: as long as it takes to catch up."""
_GROUP: Final = "group_"

_log = logging.getLogger("seawall.control.alerts")


@dataclass(frozen=True, slots=True)
class RouteCalls:
    """Calls of a route that have ended since the last look."""

    route: str
    failed: int
    total: int


class Signals:
    """What is watched."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        hub: Hub,
        notices: Notices,
        deliverer: Deliverer,
        clock: Clock,
        machine: Machine,
        groups: GroupChanges,
        *,
        feed: StoredEvents | None = None,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._deliverer = deliverer
        self._clock = clock
        self._machine = machine
        self._events: deque[Event] = deque()
        self._groups = groups
        self._stirred = False
        """Whether some group has just changed."""
        self._begun_s = 0.0
        self._recalled: set[str] = set()
        """Ids of events that the rules know from before the start, and that may come once more."""
        self._growth = Growth(fleet.stats, fleet.beyond, failures_of)
        self.missed = 0
        """Events that no rule has seen since there were too many at once."""
        self._feed = feed
        self._following: asyncio.Task[None] | None = None
        self._reached: Position | None = None
        self._handed: Position | None = None
        if feed is None:
            hub.tap(self._take)
        notices.tap(self._noted)

    def _take(self, events: Sequence[Event]) -> None:
        # What is put back from an archive is no news (`EventStore.restore_events`).
        long_ago_us = self._clock.now_us() - RESOLVED_LONG_US
        events = [e for e in events if not (e.resolved and 0 < e.resolved_at_us < long_ago_us)]
        if self._recalled:
            events = [event for event in events if event.id not in self._recalled]
        self._events.extend(events)
        while len(self._events) > MAX_WAITING:
            self._events.popleft()
            self.missed += 1

    def _noted(self, notice: Notice) -> None:
        self._stirred |= notice.kind.value.startswith(_GROUP)

    # ------------------------------------------------------------------------------------------- leadership

    @property
    def is_shared(self) -> bool:
        """Whether events come from several control planes."""
        return self._feed is not None

    @property
    def position(self) -> str:
        """Return up to where stored events have been handed out; empty where they are not followed."""
        return str(self._handed) if self._handed is not None else ""

    @property
    def groups_state(self) -> Json:
        """Return where the reader of groups stands."""
        return self._groups.state

    def begin(self, position: str, groups: Json, recalled: Iterable[str], counted: Json = None) -> None:
        """Follow what any control plane stores, from a position on: this one asks the rules from now on, and
        what was stored, or called, while the one before went away is not missed. Events with these ids are
        known already, and calls as far as `counted` says.
        """
        try:
            self._growth.begin(marks_of(counted) if counted is not None else None)
        except ValueError as error:
            _log.error("calls count from now on", extra={"fields": {"error": str(error)}})
            self._growth.begin(None)
        self._groups.begin(groups)
        self._stirred = True
        self._recalled = set(recalled) if self._feed is not None else set()
        self._begun_s = self._clock.monotonic_s()
        if self._feed is not None and self._following is None:
            self._reached = self._handed = parse_position(position)
            self._following = asyncio.get_running_loop().create_task(
                self._follow(self._feed), name="seawall-alert-events"
            )

    async def end(self) -> None:
        """Follow no longer."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None
        self._events.clear()
        self._recalled.clear()

    async def _follow(self, feed: StoredEvents) -> None:
        while True:
            try:
                async with aclosing(feed.follow(EVERYTHING, after=self._reached)) as steps:
                    async for step in steps:
                        self._take([event for _, event in step.events])
                        self._reached = step.position
            except ControlError as error:
                _log.warning("stored events are not followed", extra={"fields": {"error": str(error)}})
            except Exception:  # noqa: BLE001 - rules that see no events any more look like a quiet night
                _log.exception("stored events are not followed")
            await asyncio.sleep(1.0)

    async def stand_by(self) -> None:
        """Set nothing aside: another control plane asks the rules."""
        self._events.clear()

    # ------------------------------------------------------------------------------------------------ events

    def events(self) -> list[Event]:
        """Return the events that were stored since the last time, and forget them."""
        taken = list(self._events)
        self._events.clear()
        if self._recalled and self._clock.monotonic_s() - self._begun_s > RECALLED_S:
            self._recalled.clear()
        self._handed = self._reached
        return taken

    async def groups(self) -> Sequence[GroupNotice]:
        """Return what happened to groups since the last time, at any control plane."""
        stirred, self._stirred = self._stirred, False
        if not stirred and not self.is_shared:
            return []
        try:
            found = await self._groups.look()
        except ControlError as error:
            _log.info("changes of groups cannot be read yet", extra={"fields": {"error": str(error)}})
            found = None
        if found is None:
            self._stirred |= stirred
        return found or ()

    # ------------------------------------------------------------------------------------------------- calls

    def calls(self) -> Iterator[RouteCalls]:
        """Yield the calls of each route that have ended since the last look, at all proxies."""
        for route, (failed, total) in self._growth.look().items():
            yield RouteCalls(route, failed, total)

    @property
    def counted(self) -> Json:
        """Return how far calls have been handed out."""
        return marks_json(self._growth.marks)

    # ------------------------------------------------------------------------------------------------- facts

    async def facts(self, watched: frozenset[str]) -> Facts:
        """Return how things are. Breakers that are closed are told only if they are among those watched."""
        report = await self._store.report_state()
        disk = (await self._machine.look()).disk
        return Facts(
            proxies=tuple(self._proxies()),
            breakers=tuple(self._breakers(watched)),
            disk_used=disk.used_share if disk is not None else -1.0,
            queues={QUEUE_INGEST: report.queued, QUEUE_DELIVERIES: self._deliverer.pending},
            store_state=report.state,
            store_detail=report.detail,
        )

    def _proxies(self) -> Iterator[ProxyFact]:
        now_us = self._clock.now_us()
        for sight in self._fleet.view.sights():
            numbers = sight.numbers
            record = self._fleet.find(sight.node)
            # The record's time may be of another clock, or an hour old: it is written when something changes.
            seen_us = min(record.last_seen_us, now_us) if record is not None else 0
            if sight.silent_s is not None:
                seen_us = max(seen_us, now_us - int(sight.silent_s * MICROS))
            yield ProxyFact(
                sight.node,
                sight.connected,
                seen_us,
                numbers.events_dropped,
                numbers.boot_id,
                numbers.spooled,
                numbers.spool_age_s,
            )

    def _breakers(self, watched: frozenset[str]) -> Iterator[BreakerFact]:
        now_us = self._clock.now_us()
        for sighted in self._fleet.view.breakers_seen(watched, scrubbed):
            at_us = now_us - int(sighted.age_s * MICROS)
            yield BreakerFact(sighted.name, sighted.route, sighted.proxy, sighted.is_open, at_us)
