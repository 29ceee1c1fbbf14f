"""Groups, floods and counts: hypothesis does the same to the reference and to SQLite, closes and reopens the
file in between, and compares everything. Limits are tiny, so that each of them is met.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from seawall_control.domain import group_changes as by_hand
from seawall_control.domain import group_filters, rollups
from seawall_control.domain import groups as g
from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import Batch, Event, EventKind, Severity
from seawall_control.domain.filters import EVERYTHING
from seawall_control.domain.flood import FloodLimits, Gates, Pressure
from seawall_control.domain.retention import Prune
from seawall_control.domain.rollups import RollupQuery, Width
from seawall_control.domain.taking import Reception
from seawall_control.store import intake_sql
from seawall_control.store.memory import MemoryStore
from seawall_control.store.port import EventQuery, GroupQuery, Store
from seawall_control.store.postgres import open_store as open_postgres
from seawall_control.store.sqlite import open_store as open_sqlite
from tests.kit.postgres import running

HOUR_US = 3_600_000_000
START_US = 500_000 * HOUR_US
PRINTS = st.sampled_from(["v1:a", "v1:b", "v1:c", "v1:d"])
LIMITS = FloodLimits(rate=0.001, burst=2, last=1, samples=1, gates=2)


async def _groups(query: GroupQuery, store: Store, _: Reception) -> Any:
    return await store.groups(query)


async def _members(group_id: str, store: Store, _: Reception) -> Any:
    return await store.members(group_id)


async def _rollups(query: RollupQuery, store: Store, _: Reception) -> Any:
    return await store.rollups(query)


class Groups(RuleBasedStateMachine):
    """Two stores side by side, each with a sieve that throws the same dice."""

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(g, "MAX_GROUPS", 3)
        self.patch.setattr(rollups, "MAX_KEYS", 2)
        self.patch.setattr(intake_sql, "MAX_COUNTED_IDS", 1000)
        self.runner = asyncio.Runner()
        self.directory = Path(tempfile.mkdtemp(prefix="seawall-groups-"))
        self.memory: Store = MemoryStore()
        self.place = self.runner.run(self.new_place())
        self.real: Store = self.runner.run(self.open())
        self.now_us = START_US
        self.number = 0
        self.seq = 0
        self.sieves = {store: self.gates() for store in ("memory", "real")}
        self.produced = 0

    async def new_place(self) -> str:
        """Return where a new store is made."""
        return str(self.directory / "d")

    async def open(self) -> Store:
        """Open the store that is compared with the reference."""
        return await open_sqlite(Path(self.place))

    def gates(self) -> Gates:
        """Return a sieve with dice of its own that are always the same."""
        thrown = iter(range(10**9))
        return Gates(LIMITS, lambda: self.now_us / 1e6, lambda: (next(thrown) * 0.37) % 1.0, Pressure())

    def both(self, work: Callable[[Store, Reception], Awaitable[Any]]) -> Any:
        """Do the same to both and compare results or errors."""

        async def one(store: Store, name: str) -> Any:
            how = Reception(self.now_us, self.sieves[name], lambda event: {"given": event.fingerprint})
            try:
                found = await work(store, how)
            except ControlError as error:
                return type(error), str(error)
            return tuple(found) if isinstance(found, list) else found

        expected = self.runner.run(one(self.memory, "memory"))
        found = self.runner.run(one(self.real, "real"))
        assert found == expected
        return found

    def event(self, fingerprint: str, late: int, route: str, revision: int, severity: Severity) -> Event:
        """Return a new event."""
        self.number += 1
        return Event(
            id=f"00000000-0000-4000-8000-{self.number:012d}",
            timestamp_us=self.now_us - late * HOUR_US // 2,
            severity=severity,
            component=f"route/{route}",
            route=route,
            kind=EventKind.CALL_FAILED,
            fingerprint=fingerprint,
            policy_revision=revision,
        )

    NEW = st.lists(
        st.tuples(
            PRINTS,
            st.integers(0, 3),
            st.sampled_from("xyz"),
            st.integers(0, 3),
            st.sampled_from(Severity),
        ),
        min_size=1,
        max_size=6,
    )

    @rule(drawn=NEW, again=st.booleans())
    def ingest(self, drawn: Any, again: bool) -> None:
        events = [self.event(*one) for one in drawn]
        numbered = tuple((self.seq + i + 1, event) for i, event in enumerate(events))
        self.seq += len(events)
        self.produced += len(events)
        batch = Batch("p", "s", numbered)
        self.both(lambda s, how: s.ingest(batch, how))
        if again:
            assert self.both(lambda s, how: s.ingest(batch, how)).duplicates == len(events)

    @rule(drawn=NEW, again=st.booleans())
    def report(self, drawn: Any, again: bool) -> None:
        events = [self.event(*one) for one in drawn]
        self.produced += len(events)
        self.both(lambda s, how: s.report(events, how))
        if again:
            repeated = self.both(lambda s, how: s.report(events, how))
            assert not repeated.stored and not repeated.counted

    @rule(hours=st.sampled_from([0.1, 1, 1, 2, 24, 24 * 8]))
    def wait(self, hours: float) -> None:
        self.now_us += int(hours * HOUR_US)

    @rule()
    def age(self) -> None:
        self.both(lambda s, _: s.age_groups(at_us=self.now_us))

    @rule(
        fingerprint=PRINTS,
        what=st.sampled_from(["resolve", "resolve_in", "reopen", "assign", "note", *g.Until]),
    )
    def change(self, fingerprint: str, what: Any) -> None:
        at_us = self.now_us

        def change(group: g.Group) -> g.Group:
            if what == "resolve":
                return by_hand.resolved(group, at_us=at_us, actor="ann")
            if what == "resolve_in":
                return by_hand.resolved(group, at_us=at_us, actor="ann", revision=2)
            if what == "reopen":
                return by_hand.reopened(group, at_us=at_us, actor="ann")
            if what == "assign":
                return by_hand.assigned(group, "bob", at_us=at_us, actor="ann")
            if what == "note":
                return by_hand.remarked(group, "hm", at_us=at_us, actor="ann")
            value = {g.Until.TIME: at_us + HOUR_US, g.Until.COUNT: 3}.get(what, 0)
            return by_hand.archived(group, what, value, at_us=at_us, actor="ann")

        self.both(lambda s, _: s.change_group(fingerprint, change))

    @rule(into=PRINTS, others=st.lists(PRINTS, max_size=3))
    def merge(self, into: str, others: list[str]) -> None:
        at_us = self.now_us
        self.both(
            lambda s, _: s.merge_groups(
                into, others, lambda one, more: by_hand.merged(one, more, at_us=at_us, actor="ann")
            )
        )

    @rule(fingerprint=PRINTS, prints=st.lists(PRINTS, max_size=2))
    def split(self, fingerprint: str, prints: list[str]) -> None:
        self.both(lambda s, _: s.split_group(fingerprint, prints, lambda group: group))

    @rule(resolve=st.booleans(), muted=st.booleans(), severity=st.none() | st.sampled_from(Severity))
    def prune(self, resolve: bool, muted: bool, severity: Severity | None) -> None:
        if resolve:
            self.both(lambda s, _: s.resolve(EVERYTHING, resolution="", at_us=self.now_us, dry_run=False))
        prune = Prune(self.now_us - HOUR_US, severity, muted, limit=100)
        self.both(lambda s, _: s.prune_events(prune))

    @rule(days=st.integers(0, 3))
    def prune_groups(self, days: int) -> None:
        self.both(lambda s, _: s.prune_groups(before_us=self.now_us - days * 24 * HOUR_US))

    @rule(text=st.sampled_from(["", "state = NEW", "severity >= HIGH", "events > 3", 'id:"B"']))
    def list_groups(self, text: str) -> None:
        for order in ("last_seen", "first_seen", "events"):
            for descending in (True, False):
                query = GroupQuery(group_filters.parse(text), 2, order, descending)
                first = self.both(partial(_groups, query))
                if len(first) == 2:
                    value = getattr(first[-1], "events" if order == "events" else f"{order}_us")
                    more = GroupQuery(query.filter, 2, order, descending, (value, first[-1].id))
                    self.both(partial(_groups, more))

    @rule(
        by=st.lists(st.sampled_from(["route", "severity", "kind"]), max_size=2, unique=True),
        width=st.sampled_from(Width),
    )
    def count(self, by: list[str], width: Width) -> None:
        query = RollupQuery(width, 0, 2**40, tuple(by), (("route", "x"),))
        self.both(lambda s, _: s.rollups(query))

    @rule()
    def reopen(self) -> None:
        self.runner.run(self.real.aclose())
        self.real = self.runner.run(self.open())

    @invariant()
    def every_event_is_counted_once(self) -> None:
        """Produced = counted in rollups of each width; groups say the same as long as none was deleted."""
        if not hasattr(self, "runner"):
            return
        everything = self.both(lambda s, _: s.groups(GroupQuery(EVERYTHING, 100)))
        for group in everything:
            assert 0 <= group.counted <= group.events
            self.both(partial(_members, group.id))
        for width in Width:
            rows = self.both(partial(_rollups, RollupQuery(width, 0, 2**40, ("route", "method"))))
            assert sum(row.events for row in rows) == self.produced
        self.both(lambda s, _: s.events(EventQuery(EVERYTHING, 1000)))

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.real.aclose())
            self.runner.close()
            shutil.rmtree(self.directory)
            self.patch.undo()


Groups.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestGroups = pytest.mark.slow(Groups.TestCase)


class PostgresGroups(Groups):
    """The same, with PostgreSQL."""

    async def new_place(self) -> str:
        """See `Groups.new_place`."""
        server = running()
        return server.url_of(await server.new_database())

    async def open(self) -> Store:
        """See `Groups.open`."""
        return await open_postgres(self.place)


PostgresGroups.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestPostgresGroups = pytest.mark.usefixtures("postgres_server")(pytest.mark.slow(PostgresGroups.TestCase))
