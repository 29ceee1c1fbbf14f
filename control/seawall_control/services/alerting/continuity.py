"""What lets the rules go on over a restart, or at another control plane: where the one before stood, when it
was last alive, what it counted, and the events of the windows.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from seawall_control.domain.alerts.past import Bucket, CallBook, Known, folded
from seawall_control.domain.alerts.rules import Rule, TriggerKind
from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import MICROS, Event, Json
from seawall_control.domain.filters import FIELDS, Compare, Op
from seawall_control.domain.records import MAX_BODY_BYTES, Change, Delete, Put
from seawall_control.domain.stored_json import text_of
from seawall_control.services.alerting.records import AlertRecords, in_parts
from seawall_control.services.edge import Clock
from seawall_control.store.port import EventQuery, Store

CALLS: Final = "alert-calls"
RUNTIME: Final = ("alert-runtime", "control")
"""The document that says where the rules stand and when they were last asked."""
COUNTED: Final = ("alert-runtime", "calls")
"""How far calls of each control plane are counted in what is stored of them."""
HEARTBEAT_S: Final = 60.0
SHARED_HEARTBEAT_S: Final = 5.0
"""Where another control plane may take over, and reads on from where this one was."""
CALLS_S: Final = 10.0
"""How often counts of calls are stored, if there were any."""
MAX_RECALLED: Final = 20_000
"""Events that windows are filled with after a start, the newest of their length."""
_PAGE: Final = 500
_COUNTED: Final = frozenset(
    {TriggerKind.EVENT, TriggerKind.EVENT_COUNT, TriggerKind.RECOVERY_FAILURE_RATE, TriggerKind.BREAKER}
)

_log = logging.getLogger("seawall.control.alerts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What was before this one asked the rules."""

    alive_us: int = 0
    """When they were last asked; 0: never, or not known."""
    position: str = ""
    """Up to where stored events were handed out, where they are followed."""
    groups: Json = None
    """Where the reader of groups stood."""
    counted: Json = None
    """How far calls were counted, as of the newest bucket; None: not known."""
    buckets: Sequence[Bucket] = ()
    events: Sequence[Event] = ()
    """Of the windows of events, the oldest first."""
    known: Known = field(default_factory=Known)


class Continuity:
    """Stores what the next one needs, and reads what the one before has left."""

    def __init__(self, records: AlertRecords, store: Store, clock: Clock, *, shared: bool) -> None:
        self._records = records
        self._store = store
        self._clock = clock
        self._book = CallBook()
        self._is_shared = shared
        self._has_counted = False
        self._beat_s = SHARED_HEARTBEAT_S if shared else HEARTBEAT_S
        self._beaten_s = self._counted_s = -self._beat_s

    # ------------------------------------------------------------------------------------------------ reading

    async def before(self, rules: Sequence[Rule]) -> Before:
        """Return what was before."""
        at_us = self._clock.now_us()
        stored = await self._store.document(*RUNTIME)
        runtime = json.loads(stored.body) if stored else {}
        counted = await self._store.document(*COUNTED) if self._is_shared else None
        buckets = await self._buckets()
        self._book = CallBook()
        self._has_counted = False
        self._book.resume(buckets, at_us=at_us)
        since_us = at_us - _event_reach_us(rules)
        events = await self._events(since_us)
        whole = len(events) < MAX_RECALLED
        newest = max((bucket.start_us for bucket in buckets), default=0)
        # Where no calls came nothing is stored, and being alive says that there were none.
        until_us = min(at_us, max(int(runtime.get("alive_us", 0)), newest))
        return Before(
            alive_us=int(runtime.get("alive_us", 0)),
            position=str(runtime.get("position", "")),
            groups=runtime.get("groups"),
            counted=json.loads(counted.body) if counted else None,
            buckets=[bucket for bucket in buckets if bucket.start_us <= at_us],
            events=events,
            known=Known(
                calls_until_us=until_us if "calls" in runtime else 0,
                events_since_us=since_us if whole else events[0].timestamp_us,
            ),
        )

    async def _buckets(self) -> list[Bucket]:
        found = []
        async for document in self._records.documents(CALLS):
            try:
                found.append(Bucket.of_text(document.body))
            except (ValueError, TypeError, LookupError) as error:
                _log.error(
                    "counts of calls cannot be read and are left out",
                    extra={"fields": {"name": document.name, "error": str(error)}},
                )
        return sorted(found, key=lambda bucket: bucket.start_us)

    async def _events(self, since_us: int) -> list[Event]:
        wanted = Compare(FIELDS["timestamp"], Op.GE, since_us)
        found: list[Event] = []
        after: tuple[int, str] | None = None
        while len(found) < MAX_RECALLED:
            page = await self._store.events(EventQuery(wanted, _PAGE, True, after))
            found += page
            if len(page) < _PAGE:
                break
            after = (page[-1].timestamp_us, page[-1].id)
        return found[:MAX_RECALLED][::-1]

    # ------------------------------------------------------------------------------------------------ writing

    def count(self, route: str, failed: int, total: int, at_us: int) -> None:
        """Count calls that have ended."""
        self._book.add(route, failed, total, at_us)

    def standing(self, position: str, groups: Json) -> Put:
        """Return the change that says where the rules stand now."""
        body = {"alive_us": self._clock.now_us(), "position": position, "groups": groups, "calls": True}
        return Put(*RUNTIME, json.dumps(body, ensure_ascii=False, separators=(",", ":")))

    async def keep(self, position: str, groups: Json, counted: Json = None, *, now: bool = False) -> None:
        """Store what is due: counts every ten seconds, with how far they go, where other control planes may
        go on from there; where the rules stand at every beat.
        """
        now_s = self._clock.monotonic_s()
        at_us = self._clock.now_us()
        changes: list[Change] = []
        taken: list[Bucket] = []
        if now or now_s - self._counted_s >= CALLS_S:
            self._counted_s = now_s
            taken = self._book.take(at_us=at_us)
            if counted is not None and (taken or not self._has_counted):
                # In one commit with what it is about: the counts of a few minutes.
                self._has_counted = True
                changes.append(_counted(text_of(counted)))
            changes += [Put(CALLS, bucket.name, bucket.to_text()) for bucket in taken]
        if now or changes or now_s - self._beaten_s >= self._beat_s:
            self._beaten_s = now_s
            changes.append(self.standing(position, groups))
        try:
            await in_parts(self._store, changes, at_us=at_us)
        except ControlError:
            self._book.put_back(taken)
            raise

    async def fold(self, reach_us: int) -> None:
        """Sum old minutes up to hours, and delete what no rule looks at."""
        at_us = self._clock.now_us()
        hours, gone = folded(await self._buckets(), at_us=at_us, keep_us=reach_us)
        by_hour = {hour.start_us // (3600 * MICROS): hour for hour in hours}
        # An hour and its minutes change together, or calls would count twice.
        for number, hour in by_hour.items():
            mine = [name for name in gone if int(name.split("-")[0]) // 3600 == number]
            changes: list[Change] = [Put(CALLS, hour.name, hour.to_text())]
            changes += [Delete(CALLS, name) for name in mine if name != hour.name]
            await self._store.commit(changes, at_us=at_us)
        rest = [name for name in gone if int(name.split("-")[0]) // 3600 not in by_hour]
        await in_parts(self._store, [Delete(CALLS, name) for name in rest], at_us=at_us)


def _counted(text: str) -> Change:
    # Without it the next one counts from when it begins: better than no counts at all.
    return Put(*COUNTED, text) if len(text.encode()) <= MAX_BODY_BYTES else Delete(*COUNTED)


def _event_reach_us(rules: Sequence[Rule]) -> int:
    """Return how far back the rules look at events."""
    windows = [t.window_s for rule in rules if not rule.disabled for t in rule.when if t.kind in _COUNTED]
    return int(max(windows, default=0.0) * MICROS)
