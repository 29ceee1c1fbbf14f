"""Each adapter against the reference: hypothesis does the same to both, closes and reopens the store in
between, and compares everything.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from seawall_control.domain.errors import ControlError
from seawall_control.domain.events import Batch, Event, EventChange, Gap, Refusal, Severity
from seawall_control.domain.filters import Node
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.domain.revisions import Draft
from seawall_control.store.memory import MemoryStore
from seawall_control.store.port import EventQuery, Store
from seawall_control.store.postgres import open_store as open_postgres
from seawall_control.store.sqlite import open_store
from tests.kit.postgres import running
from tests.property.control.strategies import DETAILS, WORDS, event_id, events
from tests.property.control.test_filters_properties import trees

SETS = st.sampled_from(["default", "other"])
HASHES = st.sampled_from("abc")
SEQS = st.integers(1, 12)


async def _extending(name: str, store: Store) -> Any:
    return await store.extending(name)


async def _events(query: EventQuery, store: Store) -> Any:
    return await store.events(query)


class Pair(RuleBasedStateMachine):
    """Two stores side by side."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.memory: Store = MemoryStore()
        self.place = self.runner.run(self.new_place())
        self.real: Store = self.runner.run(self.open(self.place))
        self.time = 0

    async def new_place(self) -> str:
        """Return where a fresh store goes."""
        return tempfile.mkdtemp(prefix="seawall-store-")

    async def open(self, place: str) -> Store:
        """Open the store in a place."""
        return await open_store(Path(place))

    def both(self, work: Callable[[Store], Awaitable[Any]]) -> Any:
        """Do the same to both and compare results or errors."""

        async def one(store: Store) -> Any:
            try:
                found = await work(store)
            except ControlError as error:
                return type(error), str(error)
            return tuple(found) if isinstance(found, list) else found

        expected = self.runner.run(one(self.memory))
        found = self.runner.run(one(self.real))
        assert found == expected
        return found

    @rule(
        name=SETS,
        hash_=HASHES,
        etag=st.sampled_from(["", "a", "b"]),
        request=st.sampled_from(["", "", "r", "s"]),
    )
    def apply(self, name: str, hash_: str, etag: str, request: str) -> None:
        self.time += 1
        draft = Draft(
            policy_set=name,
            hash=hash_,
            document=hash_.encode(),
            create_time_us=self.time,
            etag=etag,
            request_id=request,
        )
        self.both(lambda s: s.apply(draft))

    @rule(
        names=st.lists(st.sampled_from(["default", "other", "third"]), min_size=1, max_size=3, unique=True),
        hash_=HASHES,
        bases=st.lists(st.sampled_from(["", "", "default", "other"]), min_size=3, max_size=3),
        pins=st.lists(st.integers(0, 3), min_size=3, max_size=3),
        rollback_of=st.sampled_from([0, 0, 1]),
        request=st.sampled_from(["", "", "f"]),
    )
    def apply_all(
        self,
        names: list[str],
        hash_: str,
        bases: list[str],
        pins: list[int],
        rollback_of: int,
        request: str,
    ) -> None:
        """Sets that extend each other change together, or not at all."""
        self.time += 1
        drafts = [
            Draft(
                policy_set=name,
                hash=hash_,
                document=hash_.encode(),
                create_time_us=self.time,
                rollback_of=rollback_of,
                request_id=request if index == 0 else "",
                base=base,
                base_revision=pin if base else 0,
                own=b"own" if base else b"",
            )
            for index, (name, base, pin) in enumerate(zip(names, bases, pins, strict=False))
        ]
        self.both(lambda s: s.apply_all(drafts))
        for name in ("default", "other", "third"):
            self.both(partial(_extending, name))

    @rule(name=SETS, number=st.integers(0, 4))
    def read_revisions(self, name: str, number: int) -> None:
        self.both(lambda s: s.revision(name, number))
        self.both(lambda s: s.latest(name))
        self.both(lambda s: s.revisions(name, before=number, limit=2))
        self.both(lambda s: s.answered("r"))

    @rule(
        found=st.lists(st.tuples(SEQS, events()), max_size=5),
        refused=st.lists(SEQS, max_size=2),
        gap=st.none() | st.tuples(SEQS, st.integers(0, 3)),
        starts=st.booleans(),
        spool=st.sampled_from(["s", "t"]),
    )
    def ingest(
        self, found: Any, refused: list[int], gap: tuple[int, int] | None, starts: bool, spool: str
    ) -> None:
        gaps = () if gap is None else (Gap(gap[0], gap[0] + gap[1], "full"),)
        batch = Batch("p", spool, tuple(found), tuple(Refusal(n, "bad") for n in refused), gaps, starts)
        self.both(lambda s: s.ingest(batch))

    @rule(found=st.lists(events(), max_size=4))
    def report(self, found: Any) -> None:
        self.both(lambda s: s.report(found))

    @rule(number=st.integers(1, 7))
    def read_event(self, number: int) -> None:
        self.both(lambda s: s.event(event_id(number)))

    @rule(tree=trees(), descending=st.booleans(), limit=st.integers(1, 4))
    def read_events(self, tree: Node, descending: bool, limit: int) -> None:
        after = None
        for _ in range(4):
            query = EventQuery(tree, limit, descending, after)
            page = self.both(partial(_events, query))
            if not page:
                break
            after = (page[-1].timestamp_us, page[-1].id)

    @rule(tree=trees(), descending=st.booleans(), limit=st.integers(1, 4), examine=st.integers(1, 4))
    def look_through(self, tree: Node, descending: bool, limit: int, examine: int) -> None:
        """Short looks together find what one question finds, each in its place and once."""

        async def all_of(store: Store) -> list[Event]:
            found: list[Event] = []
            query = EventQuery(tree, limit, descending)
            while True:
                part = await store.scan(query, examine=examine)
                assert len(part.events) <= limit
                found.extend(part.events)
                if part.resume is None:
                    return found
                query = replace(query, after=part.resume)

        everything = self.runner.run(self.memory.events(EventQuery(tree, 10**6, descending)))
        assert self.both(all_of) == tuple(everything)

    @rule(
        number=st.integers(1, 7),
        severity=st.none() | st.sampled_from(Severity),
        resolved=st.none() | st.booleans(),
        text=st.none() | WORDS,
        details=DETAILS,
        clear=st.booleans(),
    )
    def update(self, number: int, severity: Any, resolved: Any, text: Any, details: Any, clear: bool) -> None:
        self.time += 1
        at_us = self.time
        change = EventChange(
            severity=severity,
            resolved=resolved,
            job_id=text,
            resolution=text,
            details=details,
            clear_details=clear,
        )
        self.both(lambda s: s.update_event(event_id(number), change, at_us=at_us))

    @rule(ids=st.lists(st.integers(1, 7).map(event_id), max_size=5) | trees(), dry_run=st.booleans())
    def resolve(self, ids: Any, dry_run: bool) -> None:
        self.time += 1
        at_us = self.time
        self.both(lambda s: s.resolve(ids, resolution="r", at_us=at_us, dry_run=dry_run))

    @rule(half_days=st.integers(0, 5), dry_run=st.booleans())
    def delete(self, half_days: int, dry_run: bool) -> None:
        self.both(lambda s: s.delete_resolved(before_us=half_days * 43_200_000_000, dry_run=dry_run))

    @rule(ids=st.lists(st.integers(1, 7).map(event_id), max_size=5))
    def delete_by_id(self, ids: list[str]) -> None:
        self.both(lambda s: s.delete_events(ids))

    @rule(half_days=st.integers(0, 7), more=st.integers(-2, 2))
    def count(self, half_days: int, more: int) -> None:
        self.both(lambda s: s.counts(at_us=half_days * 43_200_000_000 + more))

    @rule(
        node=st.sampled_from("ab"), refused=st.lists(HASHES, max_size=2), text=WORDS, seen=st.integers(0, 3)
    )
    def remember(self, node: str, refused: list[str], text: str, seen: int) -> None:
        record = ProxyRecord(
            node=node,
            labels={"k": text},
            policy_set="default",
            version=text,
            refused=tuple(refused),
            last_seen_us=seen,
        )
        self.both(lambda s: s.remember(record))
        self.both(lambda s: s.proxies())

    @rule(nodes=st.lists(st.sampled_from("ab"), max_size=2), since=st.integers(0, 3))
    def forget(self, nodes: list[str], since: int) -> None:
        self.both(lambda s: s.forget(nodes, unseen_since_us=since))
        self.both(lambda s: s.proxies())

    @rule()
    def reopen(self) -> None:
        self.runner.run(self.real.aclose())
        self.real = self.runner.run(self.open(self.place))

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.both(lambda s: s.counts(at_us=0))
            self.runner.run(self.real.aclose())
            self.runner.close()
            shutil.rmtree(self.place, ignore_errors=True)


class PostgresPair(Pair):
    """The same, with PostgreSQL."""

    async def new_place(self) -> str:
        return running().url_of(await running().new_database())

    async def open(self, place: str) -> Store:
        return await open_postgres(place)


Pair.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestPair = pytest.mark.slow(Pair.TestCase)
PostgresPair.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestPostgresPair = pytest.mark.usefixtures("postgres_server")(pytest.mark.slow(PostgresPair.TestCase))
