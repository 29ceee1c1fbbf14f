"""What the services need from a store, in words of the domain, with the rules of concurrency in the
signatures.

Whatever the adapter: a call that returns has made its change durable; a call that raises `StoreFull` or
`StoreUnavailable` has changed nothing; changes are serialised. store/memory is the reference that every
adapter is compared with (tests/conformance/store).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from seawall_control.domain.escalation import History
from seawall_control.domain.events import Batch, Event, EventChange, EventCounts
from seawall_control.domain.filters import Node
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.domain.groups import Change as GroupChange
from seawall_control.domain.groups import Group
from seawall_control.domain.positions import Position
from seawall_control.domain.records import Change, Committed, Document, Entry
from seawall_control.domain.retention import Prune
from seawall_control.domain.revisions import Applied, Draft, Revision
from seawall_control.domain.rollups import Bucket, RollupQuery, RollupRow, Width
from seawall_control.domain.taking import PLAIN, Ingested, Received, Reception


@dataclass(frozen=True, slots=True)
class EventQuery:
    """A page of events, ordered by time and then id."""

    filter: Node
    limit: int
    descending: bool = True
    after: tuple[int, str] | None = None
    """Timestamp in microseconds and id of the last event of the page before."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a bounded look at the record has found."""

    events: Sequence[Event]
    resume: tuple[int, str] | None
    """Where to look on (`EventQuery.after`); None when the end was reached."""


@dataclass(frozen=True, slots=True)
class GroupQuery:
    """A page of groups, ordered by `last_seen`, `first_seen` or `events` and then by id."""

    filter: Node
    limit: int
    order: str = "last_seen"
    descending: bool = True
    after: tuple[int, str] | None = None
    """What the last group of the page before was ordered by, and its id."""


@dataclass(frozen=True, slots=True)
class StoreReport:
    """How the store is doing."""

    engine: str
    version: str
    state: str
    """`ok`, `full` or `failed`."""
    detail: str
    path: str = ""
    size_bytes: int = 0
    free_bytes: int = 0
    """Of the size, what nothing is in and new events go to, as far as that is known."""
    wal_bytes: int = 0
    commits: int = 0
    commit_seconds: float = 0.0
    queued: int = 0
    queue_limit: int = 0
    """Changes that may wait; more callers wait for room. 0 where nothing waits."""


class PolicyStore(Protocol):
    """Lines of immutable revisions."""

    async def apply(self, draft: Draft) -> Applied:
        """Make the draft the newest revision of its set, atomically with its checks.

        Raises `EtagMismatch`, and `InvalidRequest` for a request id that was used for another change.
        """
        ...

    async def apply_all(self, drafts: Sequence[Draft]) -> Sequence[Applied]:
        """Make each draft the newest revision of its set, all or none; only the first may have a request id.

        Raises what `apply` does, and `BaseMoved` unless every draft that extends a set has the newest
        revision of that written out (a rollback need not), every set whose newest revision extends a changed
        one is among the drafts, and no set extends itself.
        """
        ...

    async def extending(self, policy_set: str) -> Sequence[str]:
        """Return the sets whose newest revision extends this one, by name."""
        ...

    async def answered(self, request_id: str) -> Applied | None:
        """Return what was answered to the request with this id; None when it is new."""
        ...

    async def revision(self, policy_set: str, number: int) -> Revision:
        """Return a revision with its document; 0 means the newest. Raise `NotFound`."""
        ...

    async def latest(self, policy_set: str) -> Revision | None:
        """Return the newest revision with its document; None when the set is empty."""
        ...

    async def revisions(self, policy_set: str, *, before: int, limit: int) -> Sequence[Revision]:
        """Return revisions without documents, newest first, numbered below `before` (0: from the newest)."""
        ...


class EventStore(Protocol):
    """The record of error events."""

    async def ingest(self, batch: Batch, how: Reception = PLAIN) -> Ingested:
        """Store or count the new part of a spool's batch, once, with its groups and rollups. Raise
        `InvalidRequest` when its numbers have too many holes.
        """
        ...

    async def report(self, events: Sequence[Event], how: Reception = PLAIN) -> Received:
        """Store or count events by id, with their groups and rollups; return those that were new, in the
        order given. The ids of the newest 100,000 that were only counted are remembered.
        """
        ...

    async def event(self, event_id: str) -> Event:
        """Return an event. Raise `NotFound`."""
        ...

    async def events(self, query: EventQuery) -> Sequence[Event]:
        """Return a page of events, however many rows have to be looked at for it. Raise `StoreBusy` when that
        takes too long: this is for filters that name a group, a job or a trace.
        """
        ...

    async def scan(self, query: EventQuery, *, examine: int) -> Scanned:
        """Return events of a page, from about as many rows as `examine` (above 0) says: fewer than `limit`
        when these had no more of them, while `resume` says that there are more rows.
        """
        ...

    async def newest_position(self) -> Position:
        """Return the position of the event that was stored last; `START` when there is none."""
        ...

    async def stored_after(self, position: Position, *, limit: int) -> Sequence[tuple[Position, Event]]:
        """Return the events that were stored after a position, in the order in which they were: what is
        committed later comes later. Raise `PositionLost` when so much has been deleted since that some of
        them might be left out.
        """
        ...

    async def update_event(self, event_id: str, change: EventChange, *, at_us: int) -> Event:
        """Change an event and return it. `at_us` becomes `resolved_at` when it turns resolved. Raise
        `NotFound`.
        """
        ...

    async def resolve(self, ids: Sequence[str] | Node, *, resolution: str, at_us: int, dry_run: bool) -> int:
        """Mark the unresolved ones among these ids, or that match this filter; return how many there were."""
        ...

    async def counts(self, *, at_us: int) -> EventCounts:
        """Return the counts without looking at every event."""
        ...

    async def delete_resolved(self, *, before_us: int, dry_run: bool) -> int:
        """Delete resolved events with a timestamp before this, and return how many there were."""
        ...

    async def delete_events(self, ids: Sequence[str]) -> int:
        """Delete those of some thousand events that are resolved, at once; return how many there were."""
        ...

    async def restore_events(self, events: Sequence[Event]) -> int:
        """Put events back that were deleted, as they are, those of them that are not there; return how many.
        Counts of events follow. Groups and counts over time never forgot them, and stay; nobody is told of a
        new event.
        """
        ...


class GroupStore(Protocol):
    """Groups of events and counts over time. Both are written with the events themselves."""

    async def group(self, group_id: str) -> Group:
        """Return a group by its id or by a fingerprint that was merged into it. Raise `NotFound`."""
        ...

    async def groups(self, query: GroupQuery) -> Sequence[Group]:
        """Return a page of groups."""
        ...

    async def members(self, group_id: str) -> Sequence[str]:
        """Return the fingerprints of a group, its own first."""
        ...

    async def group_hours(self, group_id: str, *, hour: int, hours: int) -> History:
        """Return the hours of a group before one (since the epoch), oldest first; none for those without an
        event.
        """
        ...

    async def change_group(self, group_id: str, change: Callable[[Group], Group]) -> Group:
        """Change a group by a function, which may raise to leave it as it is. Raise `NotFound`."""
        ...

    async def merge_groups(
        self, into: str, ids: Sequence[str], change: Callable[[Group, Sequence[Group]], Group]
    ) -> Group:
        """Make several groups one, which `change` returns; their fingerprints lead to it from now on. Raise
        `NotFound` and `InvalidRequest`.
        """
        ...

    async def split_group(
        self, group_id: str, prints: Sequence[str], change: Callable[[Group], Group]
    ) -> Group:
        """Take fingerprints out of a group: what comes of them from now on makes groups of their own. Raise
        `NotFound` and `InvalidRequest`.
        """
        ...

    async def age_groups(self, *, at_us: int) -> tuple[Sequence[GroupChange], int]:
        """Change the states that time changes, of some hundred groups; return the changes and how many groups
        there were.
        """
        ...

    async def rollups(self, query: RollupQuery) -> Sequence[RollupRow]:
        """Return sums over counts, by start and then by values. What was acknowledged before the question is
        in them.
        """
        ...

    async def buckets(self, width: Width, from_s: int, to_s: int) -> Sequence[Bucket]:
        """Return the buckets that have counts and start at `from_s` or later and before `to_s`, by start. One
        that has not changed may be the object that was returned before, and one that has changed is another.
        Raise ValueError for more than `MAX_BUCKETS`.
        """
        ...

    async def prune_events(self, prune: Prune) -> int:
        """Delete one small batch of events by age; return how many. Their groups and counts stay."""
        ...

    async def prune_counts(self, kept_s: Mapping[Width, int], *, at_us: int) -> int:
        """Delete some of the counts that are older than they are kept; return how many rows."""
        ...

    async def prune_groups(self, *, before_us: int) -> int:
        """Delete some of the resolved groups that were last heard of before a time and of which no event is
        stored; return how many.
        """
        ...


class FleetStore(Protocol):
    """What is remembered about proxies while they are away."""

    async def remember(self, proxy: ProxyRecord) -> None:
        """Keep the newest state of a proxy."""
        ...

    async def forget(self, nodes: Sequence[str], *, unseen_since_us: int) -> None:
        """Drop those of these proxies that were not seen at this time or later, by any control plane."""
        ...

    async def proxies(self) -> Sequence[ProxyRecord]:
        """Return all known proxies by name."""
        ...


class RecordStore(Protocol):
    """Documents and journals, for everything that needs no table of its own (domain/records.py)."""

    async def commit(self, changes: Sequence[Change], *, at_us: int) -> Committed:
        """Make all changes, in order, or none. Raise `DocumentConflict`, and ValueError for a record that is
        too long.
        """
        ...

    async def document(self, kind: str, name: str) -> Document | None:
        """Return a document."""
        ...

    async def documents(self, kind: str, *, after: str = "", limit: int = 1000) -> Sequence[Document]:
        """Return documents of a kind by name (in the order of code points), those after a name."""
        ...

    async def entries(
        self, topic: str, *, before: int = 0, limit: int = 100, oldest_first: bool = False, after: int = 0
    ) -> Sequence[Entry]:
        """Return entries of a topic, newest first unless asked otherwise, numbered above `after` and below
        `before` (0: no bound).
        """
        ...

    async def trim(self, topic: str, *, keep: int, before_us: int) -> int:
        """Delete entries older than a time, but never the newest `keep` of the topic and never the last one,
        which the next is chained to; return how many.
        """
        ...


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Changes that another control plane on the same store has made. What they are is read from the store."""

    policy_sets: frozenset[str] = frozenset()
    """Sets with a revision applied, or applied again."""
    documents: frozenset[tuple[str, str]] = frozenset()
    """Kinds and names of documents written or deleted."""
    everything: bool = False
    """Changes may have been missed: whatever is remembered from the store has to be read again."""


class Changes(Protocol):
    """Several control planes on one store: what the others change, and who does what is done once."""

    def watch(self, told: Callable[[Elsewhere], None]) -> None:
        """Call this on the event loop, soon after each change that another control plane commits.

        It is a hint and not a record: changes may be told together, late, or as `everything`.
        """
        ...

    @property
    def is_shared(self) -> bool:
        """Whether other control planes may use this store at the same time."""
        ...

    async def leads(self) -> bool:
        """Tell whether this control plane is the one, of those on this store, that does periodic work now.

        Ask before each piece of work. Of several that ask at one moment one is told yes; the next one leads
        when it closes, ends or is cut off from the store.
        """
        ...


class Store(PolicyStore, EventStore, GroupStore, FleetStore, RecordStore, Changes, Protocol):
    """Everything, and the life of the store itself."""

    @property
    def failed(self) -> asyncio.Event:
        """Set when nothing may be written any more; the process is to end and be started again."""
        ...

    async def report_state(self) -> StoreReport:
        """Return how the store is doing; never raises."""
        ...

    async def findings(self) -> Sequence[str]:
        """Let the engine check what it holds and return what it found wrong, at most ten things. Takes as
        long as the data is large, and disturbs nobody. Raise `StoreBusy` when it takes too long.
        """
        ...

    async def aclose(self) -> None:
        """Finish what was accepted and close. Safe to call twice and while being cancelled."""
        ...
