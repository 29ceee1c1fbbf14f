"""Whatever is applied and rolled back in whatever order, also at once: a set is what its own document and
its base come to, nobody is behind but by a rollback, nothing goes in circles, and what is refused changes
nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from seawall.v1 import policy_pb2
from seawall_control.domain.errors import ControlError
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.domain.revisions import Revision
from seawall_control.services.edge import SystemClock
from seawall_control.services.fleet_beyond import Beyond
from seawall_control.services.inheritance import Inheritance, document_of, own_document_of
from seawall_control.services.policies import PolicyService
from seawall_control.services.rollout_book import RolloutBook
from seawall_control.services.rollout_publishing import Publishing
from seawall_control.services.rollout_runs import Runs
from seawall_control.store.memory import MemoryStore
from seawall_policy.compile.document import digest
from seawall_policy.compile.layers import MAX_LAYERS, merged

SETS = ("a", "b", "c", "d")


def document(timeout_s: int, *, extends: str, keeps_cluster: bool) -> policy_pb2.PolicyDocument:
    """Return a document; without its cluster it needs a base that has it, and one with a timeout of 0 keeps
    that of its base.
    """
    found = policy_pb2.PolicyDocument(version="v1", extends=extends)
    if keeps_cluster:
        found.clusters.add(name="shop", endpoints=[policy_pb2.Endpoint(address="127.0.0.1:1")])
    found.policies["standard"].SetInParent()
    if timeout_s:
        found.policies["standard"].timeout.seconds = timeout_s
    found.routes.add(name="all", cluster="shop", policy="standard")
    return found


class YieldingStore(MemoryStore):
    """Lets others in between a question and its answer, as a database does."""

    async def latest(self, policy_set: str) -> Revision | None:
        """See `PolicyStore.latest`."""
        found = await super().latest(policy_set)
        await asyncio.sleep(0)
        return found

    async def extending(self, policy_set: str) -> Any:
        """See `PolicyStore.extending`."""
        found = await super().extending(policy_set)
        await asyncio.sleep(0)
        return found


class Nobody:
    """A fleet without proxies that remembers what it was to hand out."""

    def __init__(self) -> None:
        self.handed: dict[str, int] = {}
        self.beyond = Beyond(SystemClock())
        self.pushes = self

    def of_set(self, _: str) -> list[ProxyRecord]:
        """Return nobody."""
        return []

    everywhere = of_set

    def known(self) -> list[ProxyRecord]:
        """Return nobody."""
        return []

    def highest(self, _: str) -> int:
        """Nobody has had anything."""
        return 0

    async def newest(self, _: str) -> None:
        """Nothing is remembered here."""

    def published(self, revision: Revision) -> None:
        """Remember it."""
        self.handed[revision.policy_set] = max(revision.revision, self.handed.get(revision.policy_set, 0))


CHANGES: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    name=st.sampled_from(SETS),
    timeout_s=st.integers(0, 3),
    extends=st.sampled_from(["", "", *SETS]),
    keeps_cluster=st.booleans(),
)


class Family(RuleBasedStateMachine):
    """Four sets, two control planes on one store."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.store = YieldingStore()
        self.clock = SystemClock()
        self.planes = []
        self.fleets = []
        for _ in range(2):
            fleet: Any = Nobody()
            events: Any = None
            runs = Runs(RolloutBook(self.store, self.clock), fleet, events, self.clock)
            publishing = Publishing(self.store, fleet, runs, Inheritance(self.store, self.clock), self.clock)
            self.planes.append(PolicyService(self.store, self.clock, publishing))
            self.fleets.append(fleet)

    def teardown(self) -> None:
        """End the loop."""
        if hasattr(self, "runner"):
            self.runner.close()

    async def newest(self) -> dict[str, Revision]:
        """Return the newest revision of each set that has one."""
        found = {name: await self.store.latest(name) for name in SETS}
        return {name: revision for name, revision in found.items() if revision is not None}

    async def apply(self, plane: int, change: Mapping[str, Any]) -> bool:
        """Apply a change; return whether it was taken."""
        made = document(change["timeout_s"], extends=change["extends"], keeps_cluster=change["keeps_cluster"])
        try:
            await self.planes[plane].apply(made, policy_set=change["name"])
        except ControlError:
            return False
        return True

    @rule(change=CHANGES, plane=st.integers(0, 1))
    def change(self, change: dict[str, Any], plane: int) -> None:
        """One change; where it is refused everything is as before."""
        before = self.runner.run(self.newest())
        if not self.runner.run(self.apply(plane, change)):
            assert self.runner.run(self.newest()) == before

    @rule(changes=st.lists(CHANGES, min_size=2, max_size=4))
    def change_at_once(self, changes: list[dict[str, Any]]) -> None:
        """Several at both control planes, one in the middle of the other."""

        async def work() -> None:
            await asyncio.gather(*(self.apply(n % 2, change) for n, change in enumerate(changes)))

        self.runner.run(work())

    @rule(name=st.sampled_from(SETS), back=st.integers(0, 3), plane=st.integers(0, 1))
    def roll_back(self, name: str, back: int, plane: int) -> None:
        """To the revision before, or to some other one."""

        async def work() -> None:
            try:
                await self.planes[plane].rollback(policy_set=name, revision=back)
            except ControlError:
                return

        self.runner.run(work())

    @invariant()
    def everybody_is_what_they_extend(self) -> None:
        """See the top."""
        if hasattr(self, "runner"):
            self.runner.run(self._check())

    async def _check(self) -> None:
        newest = await self.newest()
        for name, revision in newest.items():
            whole = document_of(revision)
            assert not whole.extends
            assert digest(whole) == revision.hash
            line = [name]
            while newest[line[-1]].base:
                line.append(newest[line[-1]].base)
                assert len(set(line)) == len(line) <= MAX_LAYERS, line
            if not revision.base:
                assert revision.own == b""
                continue
            own = own_document_of(revision)
            assert own.extends == revision.base
            then = await self.store.revision(revision.base, revision.base_revision)
            assert digest(merged(document_of(then), own)) == revision.hash
            if not revision.rollback_of:
                assert digest(merged(document_of(newest[revision.base]), own)) == revision.hash, name
        handed = [max(fleet.handed.get(name, 0) for fleet in self.fleets) for name in newest]
        assert handed == [revision.revision for revision in newest.values()]

    @rule(name=st.sampled_from(SETS))
    def numbers_grow_by_one(self, name: str) -> None:
        """No number is left out or used twice."""
        found = self.runner.run(self.store.revisions(name, before=0, limit=999))
        assert [r.revision for r in found] == list(range(len(found), 0, -1))


TestFamily = Family.TestCase
TestFamily.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
