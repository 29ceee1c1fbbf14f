"""Takes new events in: what several callers sent, within one transaction and as if it were one batch.

Each table is asked once and written once, however many waited. The rules are the domain's: which numbers of a
spool are new (ingest.py), which group an event belongs to, what of it is stored and what is only counted
(taking.py), what its group becomes (groups.py), and what it is counted by (rollups.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import getrandbits
from typing import Any, Final, Protocol, TypeAlias

from seawall_control.domain import groups as g
from seawall_control.domain.errors import ControlError, InvalidRequest
from seawall_control.domain.escalation import HOUR_US
from seawall_control.domain.events import Batch, Event
from seawall_control.domain.groups import Arrival, Change
from seawall_control.domain.ingest import Intake as Numbers
from seawall_control.domain.ingest import take_in
from seawall_control.domain.rollups import KEY_FIELDS, Bound, Counts, Width, buckets_of, by_width, counted
from seawall_control.domain.sequences import TooManyIslands
from seawall_control.domain.taking import (
    Ingested,
    Received,
    Reception,
    arrivals_of,
    grouped_by,
    prints_of,
)
from seawall_control.store import intake_sql as sql
from seawall_control.store import rows as r
from seawall_control.store.group_rows import (
    GROUP_SELECT,
    PUT_GROUP,
    PUT_HOUR,
    group_of,
    group_row,
    more_of,
    says_the_same,
)
from seawall_control.store.intake_answers import alike, ingested, shared_out
from seawall_control.store.known_groups import Known, KnownGroups
from seawall_control.store.statements import Statements, marks
from seawall_control.store.supposing import Supposed, Suppositions

INSERTED: Final = (*r.EVENT_COLUMNS, "spool_id", "seq")
"""The columns of a new event's row."""

_KEYS: Final = ", ".join(KEY_FIELDS)
PUT_COUNT: Final = (
    f"INSERT INTO event_rollups (width, start, {_KEYS}, events) VALUES ({marks(len(KEY_FIELDS) + 3)}) "
    f"ON CONFLICT (width, start, {_KEYS}) DO UPDATE SET events = event_rollups.events + excluded.events"
)
_PUT_BUCKET: Final = (
    f"INSERT INTO event_buckets (width, start, born, events) VALUES ({marks(4)}) "
    "ON CONFLICT (width, start) DO UPDATE SET events = event_buckets.events + excluded.events"
)
_PUT_SPOOL: Final = (
    "INSERT INTO spools (proxy, spool_id, seen, assumed_through) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (proxy, spool_id) DO UPDATE SET seen = excluded.seen, "
    "assumed_through = excluded.assumed_through"
)
_ALIASES: Final = "SELECT fingerprint, group_id FROM group_aliases WHERE fingerprint IN"
_GROUPS: Final = f"SELECT {GROUP_SELECT} FROM event_groups WHERE id IN"


New: TypeAlias = tuple[Event, str | None, int | None]
"""An event as it came, before it is known whether it is new, with its spool and its number there."""


class Receiving(Statements, Protocol):
    """A connection within a transaction, with the engine's own way of writing many events."""

    @property
    def supposes(self) -> bool:
        """Whether something may be supposed instead of being asked for."""
        ...

    def suppose(self, supposed: Supposed) -> None:
        """See to it that nothing is written unless this is so."""
        ...

    async def before(self, wanted: sql.Wanted) -> sql.Before:
        """Return what has to be known. Called before anything is written for these events."""
        ...

    async def insert_events(self, new: Sequence[New]) -> None:
        """Insert events as rows of `INSERTED`. Their ids are new."""
        ...

    async def add_counts(self, new: Sequence[Sequence[Any]], there: Sequence[Sequence[Any]]) -> None:
        """Add to counts. A row is that of `PUT_COUNT`: width and start of a bucket, a key, and a number of
        events. New ones may be there all the same.
        """
        ...


class Intake:
    """Takes events in. What it remembers of the store is only read and changed within transactions, which are
    one after the other.
    """

    def __init__(self) -> None:
        self._bound = Bound()
        self._suppositions = Suppositions()
        self._begun: Sequence[tuple[Width, int]] = ()
        """Buckets that are supposed to have begun with this transaction."""
        self.known = KnownGroups()

    def settle(self, committed: bool, stamp: int = 0) -> None:
        """Take in how a transaction ended; see `GroupCommit.settled`. Its rows are known by the stamp."""
        self.known.settle(committed=committed, stamp=stamp)
        self._suppositions.settle(committed=committed)
        if not committed:
            for bucket in self._begun:
                self._bound.forget(*bucket)
        self._begun = ()

    # ---------------------------------------------------------------------------------------------- callers

    async def batches(
        self, db: Receiving, sent: Sequence[tuple[Batch, Reception]]
    ) -> list[Ingested | ControlError]:
        """Store or count the new part of each batch. One whose numbers have too many holes is refused and
        changes nothing.
        """
        spools = dict.fromkeys((batch.proxy, batch.spool_id) for batch, _ in sent)
        events = [event for batch, _ in sent for _, event in batch.events]
        wanted = self._wanted(events, reported=False, spools=list(spools))
        asked = self._supposed(db, wanted) or await db.before(wanted)
        seen = dict(asked.arrivals)
        numbers: list[Numbers | ControlError] = []
        for batch, _ in sent:
            try:
                found = take_in(seen.get((batch.proxy, batch.spool_id)), batch)
            except TooManyIslands as error:
                numbers.append(InvalidRequest(f"spool {batch.spool_id}: {error}"))
                continue
            numbers.append(found)
            seen[batch.proxy, batch.spool_id] = found.arrivals
        taken = [
            (batch, found)
            for (batch, _), found in zip(sent, numbers, strict=True)
            if not isinstance(found, ControlError)
        ]
        forked = [await sql.is_forked(db, batch, found) for batch, found in taken]
        received = iter(
            await self._received(
                db,
                [
                    [
                        *((event, batch.spool_id, seq) for seq, event in found.events),
                        *((event, None, None) for _, event in found.again if is_fork),
                    ]
                    for (batch, found), is_fork in zip(taken, forked, strict=True)
                ],
                [
                    how
                    for (_, how), found in zip(sent, numbers, strict=True)
                    if not isinstance(found, ControlError)
                ],
                reported=False,
                asked=asked,
            )
        )
        await sql.note(db, taken)
        arrived = [
            (*spool, *r.arrivals_row(now)) for spool, now in seen.items() if now != asked.arrivals.get(spool)
        ]
        await db.many(_PUT_SPOOL, arrived)
        for spool, now in seen.items():
            self._suppositions.wrote(spool, now)
        forks = iter(forked)
        return [
            found if isinstance(found, ControlError) else ingested(found, next(received), next(forks))
            for found in numbers
        ]

    async def reports(
        self, db: Receiving, sent: Sequence[tuple[Sequence[Event], Reception]]
    ) -> list[Received]:
        """Store or count the events of each report whose ids are new."""
        new = [[(event, None, None) for event in events] for events, _ in sent]
        return await self._received(db, new, [how for _, how in sent], reported=True)

    async def _received(
        self,
        db: Receiving,
        sent: Sequence[Sequence[New]],
        hows: Sequence[Reception],
        *,
        reported: bool,
        asked: sql.Before | None = None,
    ) -> list[Received]:
        """Receive what several callers sent, as one wherever they want it received the same way. What was
        `asked` before counts for the first of them only, since it changes the store.
        """
        found: list[Received] = []
        start = 0
        for end in range(1, len(sent) + 1):
            if end < len(sent) and alike(hows[start], hows[end]):
                continue
            together = hows[start:end]
            at_us = max(how.at_us for how in together)
            how = Reception(at_us, together[0].sieve, together[0].why)
            found.extend(await self._receive(db, sent[start:end], how, reported=reported, asked=asked))
            start, asked = end, None
        return found

    def _wanted(
        self, events: Sequence[Event], *, reported: bool, spools: Sequence[tuple[str, str]] = ()
    ) -> sql.Wanted:
        groups: dict[str, int] = {}
        for fingerprint in prints_of(events):
            one = self.known.of(fingerprint)
            if one is not None:
                groups[one[0]] = one[1].stamp
        return sql.Wanted(
            ids=list(dict.fromkeys([event.id for event in events])),
            reported=reported,
            spools=spools,
            groups=groups,
            buckets=[bucket for bucket in buckets_of(events) if not self._bound.knows(*bucket)],
        )

    def _supposed(self, db: Receiving, wanted: sql.Wanted) -> sql.Before | None:
        """Return what is supposed to be so; None when it has to be asked."""
        if not db.supposes or 0 in wanted.groups.values():
            return None
        if not all(self._bound.is_newer(*bucket) for bucket in wanted.buckets):
            return None
        arrivals = self._suppositions.arrivals(wanted.spools)
        if arrivals is None:
            return None
        self._suppositions.suppose()
        self._begun = wanted.buckets
        db.suppose(Supposed(arrivals, wanted.groups, wanted.buckets))
        return sql.Before(arrivals, None, None, {})

    # ------------------------------------------------------------------------------------------------ events

    async def _receive(
        self,
        db: Receiving,
        sent: Sequence[Sequence[New]],
        how: Reception,
        *,
        reported: bool,
        asked: sql.Before | None,
    ) -> list[Received]:
        first: dict[str, New] = {}
        caller: dict[str, int] = {}
        for number, some in enumerate(sent):
            for new in some:
                event_id = new[0].id
                if event_id not in first:
                    first[event_id] = new
                    caller[event_id] = number
        if asked is None:
            asked = await db.before(self._wanted([new[0] for new in first.values()], reported=reported))
        there = asked.ids or ()
        events = [new[0] for event_id, new in first.items() if event_id not in there]
        if not events:
            return [Received()] * len(sent)
        for (width, start), keys in asked.keys.items():
            self._bound.learn(Width(width), start, keys)
        self._bound.learn_newest(asked.newest)
        at_us = how.at_us or max(event.timestamp_us for event in events)
        before, pairs = await self._assigned(db, events, asked.stamps)
        sifted = how.sieve.sift(pairs)
        kept = sifted.stored
        stored = [event for _, event in pairs if event.id in kept]
        left = [event for _, event in pairs if event.id not in kept] if len(stored) < len(pairs) else []
        if left and asked.ids is None and await sql.known_ids(db, [e.id for e in left], reported=False):
            raise sql.Mistaken
        # First of all: what the database does with these goes on beside what is worked out here.
        if stored:
            await db.insert_events([(event, *first[event.id][1:]) for event in stored])
        # Only now: SQLite gives the number of the newest row again once that is gone, and readers go by it.
        gone = await sql.evict(db, [event_id for _, event_id in sifted.evicted])
        if reported and (left or gone):
            await sql.remember_counted(db, [*(event.id for event in left), *gone])
        changes = await self._advance(db, before, arrivals_of(pairs, sifted, gone), how, at_us)
        await self._roll_up(db, counted([event for _, event in pairs]))
        return shared_out(len(sent), caller, pairs, stored, left, changes)

    async def _assigned(
        self, db: Receiving, events: Sequence[Event], stamps: Mapping[str, int] | None
    ) -> tuple[dict[str, Known], list[tuple[str, Event]]]:
        """Return the groups that exist of those that the events belong to, and each event with its group. One
        that is remembered counts while the stamp on its row is the one that it was remembered with.
        """
        prints = prints_of(events)
        found = {one: self.known.of(one) for one in prints}
        aliases: dict[str, str] = {}
        before: dict[str, Known] = {}
        unknown: list[str] = []
        for fingerprint, one in found.items():
            if one is not None and (stamps is None or stamps.get(one[0]) == one[1].stamp):
                aliases[fingerprint], before[one[0]] = one
                continue
            self.known.drop(fingerprint)
            unknown.append(fingerprint)
        room = 0
        if unknown:
            aliases.update((row[0], row[1]) for row in await db.among(_ALIASES, unknown))
            ids = {aliases.get(fingerprint, fingerprint) for fingerprint in unknown} - before.keys()
            before.update(await self._read(db, sorted(ids)))
            for fingerprint in unknown:
                group = before.get(aliases.get(fingerprint, fingerprint))
                if group is not None:
                    self.known.learn(fingerprint, group)
            if not ids <= before.keys():
                number = (await db.rows("SELECT count(*) FROM event_groups"))[0][0]
                room = max(0, g.MAX_GROUPS - number)
        pairs = grouped_by(events, aliases, before, room)
        if g.OVERFLOW not in before and any(group == g.OVERFLOW for group, _ in pairs):
            before.update(await self._read(db, [g.OVERFLOW]))
        return before, pairs

    async def _read(self, db: Statements, ids: Sequence[str]) -> dict[str, Known]:
        if not ids:
            return {}
        return {row[0]: Known(group_of(row), row[-1]) for row in await db.among(_GROUPS, ids)}

    async def _advance(
        self,
        db: Receiving,
        before: Mapping[str, Known],
        arrivals: Mapping[str, Arrival],
        how: Reception,
        at_us: int,
    ) -> tuple[Change, ...]:
        """Write what the groups become, and return what others should hear of."""
        hour = at_us // HOUR_US
        histories = await sql.histories_of(
            db,
            [one for one in arrivals if one in before and g.needs_history(before[one].group, at_us)],
            hour,
        )
        changes: list[Change] = []
        after: list[Known] = []
        hours: list[Sequence[Any]] = []
        for group_id, arrival in arrivals.items():
            known = before.get(group_id)
            taken = g.taken(
                None if known is None else known.group,
                group_id,
                arrival,
                at_us=at_us,
                history=histories.get(group_id, ()),
                parts=how.why(arrival.events[0]) if known is None else None,
            )
            group = taken.group
            same = known is not None and says_the_same(group, known.group)
            more = known.more if known is not None and same else more_of(group)
            after.append(Known(group, more))
            changes.extend(taken.changes)
            hours.extend(
                (group_id, at, number, int(taken.flagged and at == hour))
                for at, number in arrival.hours.items()
            )
        await db.many(PUT_GROUP, [group_row(one.group, one.more) for one in after])
        await db.many(PUT_HOUR, hours)
        for one in after:
            self.known.wrote(one)
        return tuple(changes)

    async def _roll_up(self, db: Receiving, minutes: Counts) -> None:
        new: list[Sequence[Any]] = []
        there: list[Sequence[Any]] = []
        sums: list[Sequence[Any]] = []
        for width, buckets in by_width(minutes):
            for start, counts in buckets.items():
                before = self._bound.keys(width, start)
                for key, number in self._bound.bounded(width, start, counts).items():
                    (there if key in before else new).append((int(width), start, *key, number))
                sums.append((int(width), start, getrandbits(62), sum(counts.values())))
        self._bound.trim()
        await db.add_counts(new, there)
        # What tells readers that a bucket has changed (domain/bucket_memory.py).
        await db.many(_PUT_BUCKET, sums)
