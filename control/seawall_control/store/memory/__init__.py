"""The reference store: the port's meaning in plain dictionaries, nothing durable. Tests compare the real
stores with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from seawall_control.domain.changes import DAY_US, changed
from seawall_control.domain.errors import InvalidRequest, NotFound
from seawall_control.domain.events import (
    Batch,
    Event,
    EventChange,
    EventCounts,
    Gap,
    Refusal,
    Severity,
)
from seawall_control.domain.filters import Node, matches
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.domain.groups import Group
from seawall_control.domain.ingest import is_forked, take_in
from seawall_control.domain.inheritance import MAX_LINE, check_circle, check_followers, check_pin
from seawall_control.domain.positions import START, Position
from seawall_control.domain.revisions import Applied, Draft, Remembered, Revision, check_repeat, next_revision
from seawall_control.domain.sequences import Arrivals, TooManyIslands
from seawall_control.domain.taking import PLAIN, Ingested, Received, Reception
from seawall_control.store import witness
from seawall_control.store.memory.groups import MemoryGroups
from seawall_control.store.memory.records import MemoryRecords
from seawall_control.store.port import Elsewhere, EventQuery, Scanned, StoreReport


class MemoryStore(MemoryRecords, MemoryGroups):
    """Implements `Store` for tests and as the definition of what the others must do."""

    def __init__(self) -> None:
        MemoryRecords.__init__(self)
        MemoryGroups.__init__(self)
        self._revisions: dict[str, list[Revision]] = {}
        self._requests: dict[str, Remembered] = {}
        self._arrivals: dict[tuple[str, str], Arrivals] = {}
        self._by_number: dict[tuple[str, str, int], str] = {}
        """Ids of stored events by spool and number."""
        self._proxies: dict[str, ProxyRecord] = {}
        self.refusals: list[tuple[str, str, Refusal]] = []
        self.gaps: list[tuple[str, str, Gap]] = []
        self._failed = asyncio.Event()

    async def apply(self, draft: Draft) -> Applied:
        """See `PolicyStore.apply`."""
        return (await self.apply_all([draft]))[0]

    async def apply_all(self, drafts: Sequence[Draft]) -> Sequence[Applied]:
        """See `PolicyStore.apply_all`."""
        asked = drafts[0]
        before = self._requests.get(asked.request_id) if asked.request_id else None
        if before is not None:
            check_repeat(before, asked)
            newest = [await self.revision(draft.policy_set, 0) for draft in drafts[1:]]
            first = Applied(self._numbered(before.policy_set, before.revision), before.changed, repeated=True)
            return (first, *(Applied(revision, changed=False) for revision in newest))
        lines = {name: list(line) for name, line in self._revisions.items()}
        made = []
        for draft in drafts:
            line = lines.setdefault(draft.policy_set, [])
            applied = next_revision(line[-1] if line else None, draft)
            if applied.changed:
                line.append(applied.revision)
            made.append(applied)
        newest_of = {name: line[-1] for name, line in lines.items() if line}
        for draft, applied in zip(drafts, made, strict=True):
            base = newest_of.get(draft.base)
            check_pin(draft, base.revision if base else 0)
            if applied.changed:
                bases: list[str] = []
                over = newest_of.get(draft.policy_set)
                while over is not None and over.base and len(bases) < MAX_LINE:
                    bases.append(over.base)
                    over = newest_of.get(over.base)
                check_circle(draft, bases)
                extending = (name for name, newest in newest_of.items() if newest.base == draft.policy_set)
                check_followers(draft, extending, drafts)
        self._revisions = lines
        if asked.request_id:
            self._requests[asked.request_id] = Remembered(
                asked.policy_set,
                asked.asked_hash,
                asked.rollback_of,
                made[0].revision.revision,
                made[0].changed,
            )
        return self._seen(tuple(made), witness.applied)

    async def extending(self, policy_set: str) -> Sequence[str]:
        """See `PolicyStore.extending`."""
        return sorted(
            name for name, line in self._revisions.items() if line and line[-1].base == policy_set != ""
        )

    async def answered(self, request_id: str) -> Applied | None:
        """See `PolicyStore.answered`."""
        before = self._requests.get(request_id)
        return (
            None
            if before is None
            else Applied(self._numbered(before.policy_set, before.revision), before.changed, repeated=True)
        )

    async def revision(self, policy_set: str, number: int) -> Revision:
        """See `PolicyStore.revision`."""
        line = self._revisions.get(policy_set, [])
        return self._numbered(policy_set, number or (line[-1].revision if line else 0))

    def _numbered(self, policy_set: str, number: int) -> Revision:
        for revision in self._revisions.get(policy_set, []):
            if revision.revision == number:
                return revision
        raise NotFound(f"policy set {policy_set} has no revision {number or ''}".rstrip())

    async def latest(self, policy_set: str) -> Revision | None:
        """See `PolicyStore.latest`."""
        line = self._revisions.get(policy_set, [])
        return line[-1] if line else None

    async def revisions(self, policy_set: str, *, before: int, limit: int) -> Sequence[Revision]:
        """See `PolicyStore.revisions`."""
        line = [
            replace(r, document=b"", own=b"")
            for r in self._revisions.get(policy_set, [])
            if not before or r.revision < before
        ]
        return tuple(reversed(line))[:limit]

    async def ingest(self, batch: Batch, how: Reception = PLAIN) -> Ingested:
        """See `EventStore.ingest`."""
        key = (batch.proxy, batch.spool_id)
        try:
            intake = take_in(self._arrivals.get(key), batch)
        except TooManyIslands as error:
            raise InvalidRequest(f"spool {batch.spool_id}: {error}") from None
        is_fork = is_forked(
            intake.again,
            {
                seq: event_id
                for seq, _ in intake.again
                if (event_id := self._by_number.get((*key, seq))) is not None and event_id in self._events
            },
        )
        fresh = [event for _, event in intake.events]
        if is_fork:
            fresh.extend(event for _, event in intake.again)
        new = self.receive(fresh, how, reported=False)
        kept = {event.id for event in new.stored}
        self._by_number.update(
            {(event.proxy, batch.spool_id, seq): event.id for seq, event in intake.events if event.id in kept}
        )
        self._arrivals[key] = intake.arrivals
        self.refusals.extend((*key, refusal) for refusal in intake.refusals)
        self.gaps.extend((*key, gap) for gap in intake.gaps)
        again = len(intake.events) - len(new.stored) - len(new.counted)
        return Ingested(
            intake.arrivals.through,
            new.stored,
            intake.duplicates + again,
            intake.assumed_through,
            new.counted,
            new.changes,
            is_fork,
            intake.send_from,
        )

    async def report(self, events: Sequence[Event], how: Reception = PLAIN) -> Received:
        """See `EventStore.report`."""
        return self.receive(events, how, reported=True)

    async def event(self, event_id: str) -> Event:
        """See `EventStore.event`."""
        if event_id not in self._events:
            raise NotFound(f"there is no event {event_id[:64]!r}")
        return self._events[event_id]

    async def events(self, query: EventQuery) -> Sequence[Event]:
        """See `EventStore.events`."""
        return [e for e in self._rows_after(query) if matches(query.filter, e)][: query.limit]

    def _rows_after(self, query: EventQuery) -> list[Event]:
        """Return all events behind the page before, in the order of pages."""
        found = sorted(self._events.values(), key=lambda e: (e.timestamp_us, e.id), reverse=query.descending)
        after = query.after
        if after is None:
            return found
        return [
            e
            for e in found
            if ((e.timestamp_us, e.id) < after if query.descending else (e.timestamp_us, e.id) > after)
        ]

    async def scan(self, query: EventQuery, *, examine: int) -> Scanned:
        """See `EventStore.scan`. There is no index here: rows are looked at in the order of time."""
        rows = self._rows_after(query)
        found = [e for e in rows[:examine] if matches(query.filter, e)][: query.limit]
        last = found[-1] if len(found) == query.limit else rows[examine - 1] if len(rows) >= examine else None
        return Scanned(found, None if last is None else (last.timestamp_us, last.id))

    async def newest_position(self) -> Position:
        """See `EventStore.newest_position`."""
        newest = max(self._events, key=self._numbers.__getitem__, default=None)
        return START if newest is None else Position(self._numbers[newest], newest)

    async def stored_after(self, position: Position, *, limit: int) -> Sequence[tuple[Position, Event]]:
        """See `EventStore.stored_after`. No number is given twice here, so no position is ever lost."""
        found = [
            (Position(self._numbers[e.id], e.id), e)
            for e in self._events.values()
            if self._numbers[e.id] > position.number
        ]
        return sorted(found, key=lambda pair: pair[0])[:limit]

    async def update_event(self, event_id: str, change: EventChange, *, at_us: int) -> Event:
        """See `EventStore.update_event`."""
        self._events[event_id] = changed(await self.event(event_id), change, at_us=at_us)
        return self._seen(self._events[event_id])

    async def resolve(self, ids: Sequence[str] | Node, *, resolution: str, at_us: int, dry_run: bool) -> int:
        """See `EventStore.resolve`."""
        if isinstance(ids, Sequence):
            chosen = [self._events[i] for i in dict.fromkeys(ids) if i in self._events]
        else:
            chosen = [e for e in self._events.values() if matches(ids, e)]
        chosen = [e for e in chosen if not e.resolved]
        if not dry_run:
            for event in chosen:
                self._events[event.id] = changed(
                    event, EventChange(resolved=True, resolution=resolution), at_us=at_us
                )
            self._seen(len(chosen), witness.events)
        return len(chosen)

    async def counts(self, *, at_us: int) -> EventCounts:
        """See `EventStore.counts`."""
        found = self._events.values()
        return EventCounts(
            total=len(found),
            unresolved=sum(not e.resolved for e in found),
            recent_24h=sum(e.timestamp_us >= at_us - DAY_US for e in found),
            by_severity={s: sum(e.severity is s for e in found) for s in Severity},
            unresolved_by_severity={
                s: sum(e.severity is s and not e.resolved for e in found) for s in Severity
            },
        )

    async def delete_resolved(self, *, before_us: int, dry_run: bool) -> int:
        """See `EventStore.delete_resolved`."""
        chosen = [e.id for e in self._events.values() if e.resolved and e.timestamp_us < before_us]
        if not dry_run:
            for event_id in chosen:
                del self._events[event_id]
            self._seen(len(chosen), witness.events)
        return len(chosen)

    async def change_group(self, group_id: str, change: Callable[[Group], Group]) -> Group:
        """See `GroupStore.change_group`."""
        return self._seen(await super().change_group(group_id, change))

    async def merge_groups(
        self, into: str, ids: Sequence[str], change: Callable[[Group, Sequence[Group]], Group]
    ) -> Group:
        """See `GroupStore.merge_groups`."""
        return self._seen(await super().merge_groups(into, ids, change))

    async def split_group(
        self, group_id: str, prints: Sequence[str], change: Callable[[Group], Group]
    ) -> Group:
        """See `GroupStore.split_group`."""
        return self._seen(await super().split_group(group_id, prints, change))

    async def delete_events(self, ids: Sequence[str]) -> int:
        """See `EventStore.delete_events`."""
        chosen = [i for i in dict.fromkeys(ids) if i in self._events and self._events[i].resolved]
        for event_id in chosen:
            del self._events[event_id]
        return self._seen(len(chosen), witness.events)

    async def restore_events(self, events: Sequence[Event]) -> int:
        """See `EventStore.restore_events`."""
        new = {event.id: event for event in events if event.id not in self._events}
        self._events.update(new)
        return self._seen(len(new), witness.events)

    async def remember(self, proxy: ProxyRecord) -> None:
        """See `FleetStore.remember`."""
        self._proxies[proxy.node] = proxy

    async def forget(self, nodes: Sequence[str], *, unseen_since_us: int) -> None:
        """See `FleetStore.forget`."""
        for node in nodes:
            if node in self._proxies and self._proxies[node].last_seen_us < unseen_since_us:
                del self._proxies[node]

    async def proxies(self) -> Sequence[ProxyRecord]:
        """See `FleetStore.proxies`."""
        return [self._proxies[node] for node in sorted(self._proxies)]

    def watch(self, told: Callable[[Elsewhere], None]) -> None:
        """See `Changes.watch`: nobody else can reach it."""

    @property
    def is_shared(self) -> bool:
        """See `Changes.is_shared`."""
        return False

    async def leads(self) -> bool:
        """See `Changes.leads`: there is only one."""
        return True

    @property
    def failed(self) -> asyncio.Event:
        """See `Store.failed`: it never is."""
        return self._failed

    async def report_state(self) -> StoreReport:
        """See `Store.report_state`."""
        return StoreReport("memory", "1", "ok", "nothing is durable here")

    async def findings(self) -> Sequence[str]:
        """See `Store.findings`."""
        return ()

    async def aclose(self) -> None:
        """See `Store.aclose`."""
