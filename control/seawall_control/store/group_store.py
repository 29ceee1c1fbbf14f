"""`GroupStore` over SQL; an adapter lends its connections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar, TypeVar

from seawall_control.domain.escalation import History
from seawall_control.domain.groups import Change, Group
from seawall_control.domain.records import Touched
from seawall_control.domain.rollups import Bucket, RollupQuery, RollupRow, Width
from seawall_control.store import group_sql, witness
from seawall_control.store.port import GroupQuery
from seawall_control.store.rollup_sql import Rollups
from seawall_control.store.statements import Questions, Statements

T = TypeVar("T")


class SqlGroups(ABC):
    """Implements `GroupStore`."""

    _find: ClassVar[str] = "instr"
    """The function that finds a text in another."""
    _rollups: Rollups

    @abstractmethod
    def _asking(self) -> Questions:
        """Return connections that only read."""

    @abstractmethod
    async def _change_groups(
        self,
        work: Callable[[Statements], Awaitable[T]],
        *,
        upkeep: bool = False,
        told: Callable[[T], Sequence[Touched]] = witness.touched,
    ) -> T:
        """Run a change in a transaction of its own. `upkeep`: others go first, and it may free room;
        `told`: what the audit says of it (store/witness.py).
        """

    async def group(self, group_id: str) -> Group:
        """See `GroupStore.group`."""
        return await group_sql.group(self._asking(), group_id)

    async def groups(self, query: GroupQuery) -> Sequence[Group]:
        """See `GroupStore.groups`."""
        return await group_sql.groups(self._asking(), query, find=self._find)

    async def members(self, group_id: str) -> Sequence[str]:
        """See `GroupStore.members`."""
        return await group_sql.members(self._asking(), group_id)

    async def group_hours(self, group_id: str, *, hour: int, hours: int) -> History:
        """See `GroupStore.group_hours`."""
        return await group_sql.hours_of(self._asking(), group_id, hour, hours)

    async def change_group(self, group_id: str, change: Callable[[Group], Group]) -> Group:
        """See `GroupStore.change_group`."""
        return await self._change_groups(lambda db: group_sql.change_group(db, group_id, change))

    async def merge_groups(
        self, into: str, ids: Sequence[str], change: Callable[[Group, Sequence[Group]], Group]
    ) -> Group:
        """See `GroupStore.merge_groups`."""
        return await self._change_groups(lambda db: group_sql.merge_groups(db, into, ids, change))

    async def split_group(
        self, group_id: str, prints: Sequence[str], change: Callable[[Group], Group]
    ) -> Group:
        """See `GroupStore.split_group`."""
        return await self._change_groups(lambda db: group_sql.split_group(db, group_id, prints, change))

    async def age_groups(self, *, at_us: int) -> tuple[Sequence[Change], int]:
        """See `GroupStore.age_groups`."""
        return await self._change_groups(lambda db: group_sql.age_groups(db, at_us), upkeep=True)

    async def rollups(self, query: RollupQuery) -> Sequence[RollupRow]:
        """See `GroupStore.rollups`."""
        return await self._rollups.rollups(self._asking(), query)

    async def buckets(self, width: Width, from_s: int, to_s: int) -> Sequence[Bucket]:
        """See `GroupStore.buckets`."""
        return await self._rollups.buckets(self._asking(), width, from_s, to_s)

    async def prune_counts(self, kept_s: Mapping[Width, int], *, at_us: int) -> int:
        """See `GroupStore.prune_counts`."""
        return await self._change_groups(lambda db: group_sql.prune_counts(db, kept_s, at_us), upkeep=True)

    async def prune_groups(self, *, before_us: int) -> int:
        """See `GroupStore.prune_groups`."""
        ids = await group_sql.forgotten_groups(self._asking(), before_us)
        if not ids:
            return 0
        return await self._change_groups(
            lambda db: group_sql.delete_forgotten(db, ids, before_us), upkeep=True
        )
