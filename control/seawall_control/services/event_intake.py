"""Error events are taken in once and safely: those that are reported, proxies' batches, and our own.

What is stored is told to all who follow; what is counted only, because there is too much of it, is told in
groups.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from seawall_control.domain.admission import MAX_NAME_BYTES, admitted, cut, problems_of
from seawall_control.domain.errors import FieldProblem, InvalidRequest
from seawall_control.domain.events import Batch, Event, EventKind, Gap, Json, Refusal, Severity
from seawall_control.domain.flood import Pressure, Sieve
from seawall_control.domain.taking import Ingested, Received, Reception
from seawall_control.services.edge import Clock, Ids, derived_id
from seawall_control.services.grouping import Grouping
from seawall_control.services.notices import Notices, of_change, of_event
from seawall_control.services.tail import Hub
from seawall_control.store.port import EventStore

MAX_REPORT: Final = 500
MAX_REPORT_BYTES: Final = 1024 * 1024
MAX_SEQ: Final = 2**62
"""Numbers above this are nobody's sequence but a mistake."""
SLICE_S: Final = 0.00025
"""So long events are looked through for secrets and the like before others have their turn, such as what a
database has answered meanwhile.
"""
MAX_UNFINISHED: Final = 256
"""Changes that outlive their callers; beyond it a caller that leaves takes its change along."""

T = TypeVar("T")

_log = logging.getLogger("seawall.control.events")


@dataclass(frozen=True, slots=True)
class Reported:
    """An event as it came, with the severity's number even where it has no name."""

    event: Event
    severity_number: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a proxy is told about a batch."""

    through_seq: int
    refusals: tuple[Refusal, ...]
    send_from: int = 0
    """First number that it is to send again; 0 for none."""


@dataclass(slots=True)
class Numbers:
    """Counted since the start, for metrics."""

    stored: int = 0
    counted_only: int = 0
    duplicates: int = 0
    refused: int = 0
    gaps: int = 0
    own_lost: int = 0


class EventIntake:
    """Takes events in."""

    def __init__(
        self,
        store: EventStore,
        clock: Clock,
        ids: Ids,
        hub: Hub,
        notices: Notices,
        grouping: Grouping,
        sieve: Sieve,
        pressure: Pressure,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._hub = hub
        self._notices = notices
        self._grouping = grouping
        self._sieve = sieve
        self._pressure = pressure
        self._unfinished: set[asyncio.Task[Any]] = set()
        self.numbers = Numbers()

    async def report(self, reported: Sequence[Reported]) -> tuple[list[str], int]:
        """Store or count events by id, all or none; return their ids in order and how many were new. Raise
        `InvalidRequest`.
        """
        if len(reported) > MAX_REPORT:
            raise InvalidRequest(
                f"{len(reported)} events in one request; at most {MAX_REPORT} are allowed, send them in parts"
            )
        at_us = self._clock.now_us()
        problems: list[FieldProblem] = []
        events: list[Event] = []
        turn_s = self._clock.monotonic_s()
        for index, item in enumerate(reported):
            if self._clock.monotonic_s() - turn_s > SLICE_S:
                await asyncio.sleep(0)
                turn_s = self._clock.monotonic_s()
            event = item.event if item.event.id else replace(item.event, id=self._ids.new())
            if event.timestamp_us == 0:
                event = replace(event, timestamp_us=at_us)
            found = problems_of(event, item.severity_number, at_us=at_us)
            problems.extend(FieldProblem(f"events[{index}].{p.field}", p.message) for p in found)
            if not found:
                kept = admitted(event if event.kind else replace(event, kind=EventKind.APPLICATION))
                events.append(self._grouping.grouped(kept))
        if problems:
            raise InvalidRequest.of(problems, "nothing was stored")
        new = len(await self._report(events))
        return [event.id for event in events], new

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work gives. A caller that is cancelled meanwhile leaves it to go on: what it stores
        would be stored all the same, and nobody who follows would be told.
        """
        if len(self._unfinished) >= MAX_UNFINISHED:
            return await work
        task = asyncio.get_running_loop().create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        return await asyncio.shield(task)

    async def _report(self, events: Sequence[Event]) -> tuple[Event, ...]:
        """Store or count events by id, tell of them, and return the new ones."""
        return await self._to_its_end(self._reported(events))

    async def _reported(self, events: Sequence[Event]) -> tuple[Event, ...]:
        started_s = self._clock.monotonic_s()
        found = await self._store.report(events, self._reception())
        self._pressure.took(self._clock.monotonic_s() - started_s)
        self._published(found, len(events) - len(found.stored) - len(found.counted))
        return (*found.stored, *found.counted)

    def _reception(self) -> Reception:
        return Reception(self._clock.now_us(), self._sieve, self._grouping.why)

    async def ingest(
        self,
        proxy: str,
        spool_id: str,
        events: Sequence[tuple[int, Reported]],
        gaps: Sequence[Gap],
        *,
        starts_stream: bool,
        oldest_seq: int = 0,
        next_seq: int = 0,
    ) -> Receipt:
        """Store or count a proxy's batch exactly once; return after it is durable. Events that can never be
        stored get a refusal each. An empty one that says what comes next shows what this store lacks.
        """
        batch = await self._sorted_out(proxy, spool_id, events, gaps, starts_stream=starts_stream)
        batch = replace(batch, oldest_seq=min(oldest_seq, MAX_SEQ), next_seq=min(next_seq, MAX_SEQ))
        result = await self._to_its_end(self._ingested(batch))
        self.numbers.refused += len(batch.refusals)
        self.numbers.gaps += sum(gap.to_seq - gap.from_seq + 1 for gap in batch.gaps)
        if result.assumed_through:
            _log.warning(
                "a spool starts above what this store knows; another store has acknowledged what is below",
                extra={"fields": {"proxy": proxy, "spool": spool_id, "through": result.assumed_through}},
            )
            await self.report_own(
                component=f"proxy/{proxy}",
                error_type="events_elsewhere",
                message=f"Events up to number {result.assumed_through} of proxy {proxy} were acknowledged by "
                "another store, as before a restore; what this one has not got of them will not come",
                severity=Severity.MEDIUM,
                event_id=derived_id("events_elsewhere", proxy, spool_id, str(result.assumed_through)),
                proxy=proxy,
            )
        if result.is_forked:
            _log.error(
                "a spool gives its numbers out twice, as copies of one machine do",
                extra={"fields": {"proxy": proxy, "spool": spool_id}},
            )
            await self.report_own(
                component=f"proxy/{proxy}",
                error_type="spool_forked",
                message=f"Two processes report as proxy {proxy} from copies of one spool, as machines from "
                "one image do. Their events are kept apart by their ids; give each proxy its own node name "
                "and an empty data directory",
                severity=Severity.HIGH,
                event_id=derived_id("spool_forked", proxy, spool_id),
                proxy=proxy,
            )
        if result.send_from:
            _log.warning(
                "this store lacks events that another one has acknowledged, and the proxy still has them",
                extra={"fields": {"proxy": proxy, "spool": spool_id, "from": result.send_from}},
            )
        return Receipt(result.through_seq, batch.refusals, result.send_from)

    async def _ingested(self, batch: Batch) -> Ingested:
        started_s = self._clock.monotonic_s()
        result = await self._store.ingest(batch, self._reception())
        self._pressure.took(self._clock.monotonic_s() - started_s)
        self._published(Received(result.stored, result.counted, result.changes), result.duplicates)
        return result

    async def _sorted_out(
        self,
        proxy: str,
        spool_id: str,
        events: Sequence[tuple[int, Reported]],
        gaps: Sequence[Gap],
        *,
        starts_stream: bool,
    ) -> Batch:
        at_us = self._clock.now_us()
        good: list[tuple[int, Event]] = []
        refused: list[Refusal] = []
        turn_s = self._clock.monotonic_s()
        for seq, item in events:
            if self._clock.monotonic_s() - turn_s > SLICE_S:
                await asyncio.sleep(0)
                turn_s = self._clock.monotonic_s()
            if not 1 <= seq <= MAX_SEQ:
                raise InvalidRequest(f"sequence number {seq} is out of range")
            event = item.event
            if not event.id:
                event = replace(event, id=derived_id("event", proxy, spool_id, str(seq)))
            found = problems_of(event, item.severity_number, at_us=at_us)
            if found:
                refused.append(Refusal(seq, "; ".join(f"{p.field} {p.message}" for p in found)))
            else:
                # The stream says who reports; an event that names another proxy is still this one's.
                good.append((seq, self._grouping.grouped(admitted(event, proxy=proxy))))
        for gap in gaps:
            if not 1 <= gap.from_seq <= gap.to_seq <= MAX_SEQ:
                raise InvalidRequest(
                    f"gap from {gap.from_seq} to {gap.to_seq} is no range of sequence numbers"
                )
        kept = tuple(Gap(gap.from_seq, gap.to_seq, cut(gap.reason, MAX_NAME_BYTES)) for gap in gaps)
        return Batch(proxy, spool_id, tuple(good), tuple(refused), kept, starts_stream)

    def _published(self, new: Received, duplicates: int) -> None:
        self.numbers.stored += len(new.stored)
        self.numbers.counted_only += len(new.counted)
        self.numbers.duplicates += duplicates
        self._hub.publish(new.stored)
        for event in (*new.stored, *new.counted):
            notice = of_event(event)
            if notice is not None:
                self._notices.publish(notice)
        for change in new.changes:
            self._notices.publish(of_change(change, self._clock.now_us()))

    async def report_own(
        self,
        *,
        component: str,
        error_type: str,
        message: str,
        severity: Severity,
        kind: EventKind = EventKind.SYSTEM,
        event_id: str = "",
        reason: str = "",
        proxy: str = "",
        policy_revision: int = 0,
        details: dict[str, Json] | None = None,
    ) -> None:
        """Record a mishap of the control plane itself. With a `reason` all of a component are one group,
        whatever the message says. Never raises: what cannot be stored is logged and counted.
        """
        event = Event(
            id=event_id or self._ids.new(),
            timestamp_us=self._clock.now_us(),
            severity=severity,
            component=component,
            error_type=error_type,
            message=message,
            details=details,
            kind=kind,
            reason=reason,
            proxy=proxy,
            policy_revision=policy_revision,
        )
        await self.keep_own(event)

    async def keep_own(self, event: Event) -> None:
        """Record an event about the control plane itself that is already made. Never raises."""
        try:
            await self._report([self._grouping.grouped(admitted(event))])
        except Exception:  # noqa: BLE001 - the reporter of mishaps must not be one
            self.numbers.own_lost += 1
            _log.exception(
                "an event about the control plane could not be stored",
                extra={"fields": {"error_type": event.error_type}},
            )
