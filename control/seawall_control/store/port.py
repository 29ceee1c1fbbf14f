"""What the services need from a store, in words of the domain, with the rules of concurrency in the
signatures.

Whatever the adapter: a call that returns has made its change durable; a call that raises `StoreFull` or
`StoreUnavailable` has changed nothing; changes are serialised. store/memory is the reference that every
adapter is compared with (tests/conformance/store).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from seawall_control.domain.events import Batch, Event, EventChange, EventCounts, Ingested
from seawall_control.domain.filters import Node
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.domain.positions import Position
from seawall_control.domain.records import Change, Committed, Document, Entry
from seawall_control.domain.revisions import Applied, Draft, Revision


@dataclass(frozen=True, slots=True)
class EventQuery:
    """A page of events, ordered by time and then id."""

    filter: Node
    limit: int
    descending: bool = True
    after: tuple[int, str] | None = None
    """Timestamp in microseconds and id of the last event of the page before."""


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
    wal_bytes: int = 0
    commits: int = 0
    commit_seconds: float = 0.0
    queued: int = 0


class PolicyStore(Protocol):
    """Lines of immutable revisions."""

    async def apply(self, draft: Draft) -> Applied:
        """Make the draft the newest revision of its set, atomically with its checks.

        Raises `EtagMismatch`, and `InvalidRequest` for a request id that was used for another change.
        """
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

    async def ingest(self, batch: Batch) -> Ingested:
        """Store the new part of a spool's batch, once. Raise `InvalidRequest` when its numbers have too many
        holes.
        """
        ...

    async def report(self, events: Sequence[Event]) -> tuple[Event, ...]:
        """Store events by id; return those that were new, in the order given."""
        ...

    async def event(self, event_id: str) -> Event:
        """Return an event. Raise `NotFound`."""
        ...

    async def events(self, query: EventQuery) -> Sequence[Event]:
        """Return a page of events."""
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


class FleetStore(Protocol):
    """What is remembered about proxies while they are away."""

    async def remember(self, proxy: ProxyRecord) -> None:
        """Keep the newest state of a proxy."""
        ...

    async def forget(self, nodes: Sequence[str]) -> None:
        """Drop these proxies."""
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

    async def leads(self) -> bool:
        """Tell whether this control plane is the one, of those on this store, that does periodic work now.

        Ask before each piece of work. Of several that ask at one moment one is told yes; the next one leads
        when it closes, ends or is cut off from the store.
        """
        ...


class Store(PolicyStore, EventStore, FleetStore, RecordStore, Changes, Protocol):
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
