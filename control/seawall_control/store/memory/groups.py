"""Groups and rollups of the reference store: the port's meaning in dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from seawall_control.domain import group_filters
from seawall_control.domain import groups as g
from seawall_control.domain.errors import InvalidRequest, NotFound
from seawall_control.domain.escalation import HOUR_US, WEEK_HOURS, History
from seawall_control.domain.events import MICROS, Event
from seawall_control.domain.groups import Change, Group, GroupState
from seawall_control.domain.retention import GROUP_HOURS_DAYS, Prune
from seawall_control.domain.rollups import (
    KEY_FIELDS,
    MAX_BUCKETS,
    Bound,
    Bucket,
    Key,
    RollupQuery,
    RollupRow,
    Width,
    by_width,
    counted,
)
from seawall_control.domain.taking import Received, Reception, arrivals_of, grouped_by
from seawall_control.store.port import GroupQuery


class MemoryGroups:
    """Implements `GroupStore`, and how new events are received."""

    def __init__(self) -> None:
        self._events: dict[str, Event] = {}
        self._numbers: dict[str, int] = {}
        self._stored = 0
        self._counted_ids: dict[str, None] = {}
        self._groups: dict[str, Group] = {}
        self._aliases: dict[str, str] = {}
        self._hours: dict[tuple[str, int], tuple[int, bool]] = {}
        self._rollups: dict[tuple[Width, int, Key], int] = {}
        self._bound = Bound()

    def receive(self, events: Sequence[Event], how: Reception, *, reported: bool) -> Received:
        """Store or count events that are new."""
        new: dict[str, Event] = {}
        for event in events:
            if event.id not in self._events and not (reported and event.id in self._counted_ids):
                new.setdefault(event.id, event)
        if not new:
            return Received()
        at_us = how.at_us or max(event.timestamp_us for event in new.values())
        room = max(0, g.MAX_GROUPS - len(self._groups))
        pairs = grouped_by(list(new.values()), self._aliases, self._groups, room)
        sifted = how.sieve.sift(pairs)
        stored = tuple(event for _, event in pairs if event.id in sifted.stored)
        left = tuple(event for _, event in pairs if event.id not in sifted.stored)
        for event in stored:
            self._events[event.id] = event
            self._stored += 1
            self._numbers[event.id] = self._stored
        gone = [event_id for _, event_id in sifted.evicted if self._events.pop(event_id, None)]
        if reported:
            self._counted_ids.update(dict.fromkeys([*(event.id for event in left), *gone]))
        changes: list[Change] = []
        for group_id, arrival in arrivals_of(pairs, sifted, gone).items():
            known = self._groups.get(group_id)
            taken = g.taken(
                known,
                group_id,
                arrival,
                at_us=at_us,
                history=self._history(group_id, at_us // HOUR_US, WEEK_HOURS),
                parts=how.why(arrival.events[0]) if known is None else None,
            )
            self._groups[group_id] = taken.group
            changes.extend(taken.changes)
            for hour, number in arrival.hours.items():
                flagged = taken.flagged and hour == at_us // HOUR_US
                self._add_hour(group_id, hour, number, flagged=flagged)
        minutes = counted(event for _, event in pairs)
        for width, buckets in by_width(minutes):
            for start, counts in buckets.items():
                for key, number in self._bound.bounded(width, start, counts).items():
                    self._rollups[width, start, key] = self._rollups.get((width, start, key), 0) + number
        return Received(stored, left, tuple(changes))

    def _add_hour(self, group_id: str, hour: int, number: int, *, flagged: bool) -> None:
        events, before = self._hours.get((group_id, hour), (0, False))
        self._hours[group_id, hour] = (events + number, before or flagged)

    def _history(self, group_id: str, hour: int, hours: int) -> History:
        return sorted(
            (at, events, flagged)
            for (group, at), (events, flagged) in self._hours.items()
            if group == group_id and hour - hours <= at < hour
        )

    async def group(self, group_id: str) -> Group:
        """See `GroupStore.group`."""
        found = self._groups.get(self._aliases.get(group_id, group_id))
        if found is None:
            raise NotFound(f"there is no group {group_id[:128]!r}; `seawall groups list` shows them")
        return found

    async def groups(self, query: GroupQuery) -> Sequence[Group]:
        """See `GroupStore.groups`."""

        def key(group: Group) -> tuple[int, str]:
            column = {"last_seen": "last_seen_us", "first_seen": "first_seen_us", "events": "events"}
            return int(getattr(group, column[query.order])), group.id

        found = sorted(
            (group for group in self._groups.values() if group_filters.matches(query.filter, group)),
            key=key,
            reverse=query.descending,
        )
        after = query.after
        if after is not None:
            found = [one for one in found if (key(one) < after if query.descending else key(one) > after)]
        return found[: query.limit]

    async def members(self, group_id: str) -> Sequence[str]:
        """See `GroupStore.members`."""
        return (group_id, *sorted(one for one, group in self._aliases.items() if group == group_id))

    async def group_hours(self, group_id: str, *, hour: int, hours: int) -> History:
        """See `GroupStore.group_hours`."""
        return self._history(group_id, hour, hours)

    async def change_group(self, group_id: str, change: Callable[[Group], Group]) -> Group:
        """See `GroupStore.change_group`."""
        after = change(await self.group(group_id))
        self._groups[after.id] = after
        return after

    async def merge_groups(
        self, into: str, ids: Sequence[str], change: Callable[[Group, Sequence[Group]], Group]
    ) -> Group:
        """See `GroupStore.merge_groups`."""
        target = await self.group(into)
        found = {group.id: group for group in [await self.group(one) for one in ids]}
        others = [group for group in found.values() if group.id != target.id]
        if not others:
            raise InvalidRequest("name at least one other group to merge")
        prints = sum([len(await self.members(group.id)) for group in (target, *others)])
        if prints > g.MAX_MEMBERS:
            raise InvalidRequest(
                f"the group would have {prints} fingerprints; at most {g.MAX_MEMBERS} are allowed"
            )
        after = change(target, others)
        for other in others:
            for one in await self.members(other.id):
                self._aliases[one] = target.id
            for group_id, hour in [key for key in self._hours if key[0] == other.id]:
                number, flagged = self._hours.pop((group_id, hour))
                self._add_hour(target.id, hour, number, flagged=flagged)
            del self._groups[other.id]
        self._groups[target.id] = after
        return after

    async def split_group(
        self, group_id: str, prints: Sequence[str], change: Callable[[Group], Group]
    ) -> Group:
        """See `GroupStore.split_group`."""
        target = await self.group(group_id)
        known = (await self.members(target.id))[1:]
        unknown = [one for one in prints if one not in known]
        if unknown:
            raise InvalidRequest(f"{unknown[0][:128]!r} was not merged into group {target.id}")
        if not prints:
            raise InvalidRequest("name the fingerprints to take out of the group")
        for one in set(prints):
            del self._aliases[one]
        self._groups[target.id] = change(target)
        return self._groups[target.id]

    async def age_groups(self, *, at_us: int) -> tuple[Sequence[Change], int]:
        """See `GroupStore.age_groups`."""
        changes: list[Change] = []
        due = sorted(
            (one for one in self._groups.values() if 0 < one.due_us <= at_us), key=lambda one: one.due_us
        )
        for group in due[:500]:
            self._groups[group.id], found = g.aged(group, at_us=at_us)
            changes.extend(found)
        return tuple(changes), len(due[:500])

    async def rollups(self, query: RollupQuery) -> Sequence[RollupRow]:
        """See `GroupStore.rollups`."""
        sums: dict[tuple[int, tuple[str | int, ...]], int] = {}
        for (width, start, key), number in self._rollups.items():
            value: dict[str, str | int] = dict(zip(KEY_FIELDS, key, strict=True))
            if width is not query.width or not query.from_s <= start < query.to_s:
                continue
            if all(value[field] == wanted for field, wanted in query.only):
                at = (start, tuple(value[field] for field in query.by))
                sums[at] = sums.get(at, 0) + number
        rows = [RollupRow(start, values, number) for (start, values), number in sums.items()]
        return sorted(rows, key=lambda row: (row.start, tuple(map(_ordered, row.values))))[: query.limit]

    async def buckets(self, width: Width, from_s: int, to_s: int) -> Sequence[Bucket]:
        """See `GroupStore.buckets`."""
        found: dict[int, dict[Key, int]] = {}
        for (one, start, key), number in self._rollups.items():
            if one is width and from_s <= start < to_s:
                found.setdefault(start, {})[key] = number
        if len(found) > MAX_BUCKETS:
            raise ValueError(f"more than {MAX_BUCKETS} buckets at once; ask for fewer, or for sums")
        return [Bucket(start, tuple(found[start]), tuple(found[start].values())) for start in sorted(found)]

    async def prune_events(self, prune: Prune) -> int:
        """See `GroupStore.prune_events`."""
        archived = {group.id for group in self._groups.values() if group.state is GroupState.ARCHIVED}
        chosen = [
            event
            for event in self._events.values()
            if event.timestamp_us < prune.before_us
            and (prune.severity is None or event.severity is prune.severity)
            and (
                (not event.resolved and self._aliases.get(event.fingerprint, event.fingerprint) in archived)
                if prune.muted
                else event.resolved
            )
        ]
        chosen = sorted(chosen, key=lambda event: event.timestamp_us)[: prune.limit]
        for event in chosen:
            del self._events[event.id]
        return len(chosen)

    async def prune_counts(self, kept_s: Mapping[Width, int], *, at_us: int) -> int:
        """See `GroupStore.prune_counts`."""
        old = [key for key in self._rollups if key[1] < at_us // MICROS - kept_s.get(key[0], 2**62)]
        for key in old:
            del self._rollups[key]
        oldest = at_us // HOUR_US - GROUP_HOURS_DAYS * 24
        hours = [key for key in self._hours if key[1] < oldest]
        for hour in hours:
            del self._hours[hour]
        return len(old) + len(hours)

    async def prune_groups(self, *, before_us: int) -> int:
        """See `GroupStore.prune_groups`."""
        alive = {self._aliases.get(event.fingerprint, event.fingerprint) for event in self._events.values()}
        chosen = [
            group.id
            for group in self._groups.values()
            if group.state is GroupState.RESOLVED
            and group.last_seen_us < before_us
            and group.since_us < before_us
            and group.id not in alive
        ]
        for group_id in chosen:
            del self._groups[group_id]
            self._aliases = {one: group for one, group in self._aliases.items() if group != group_id}
            self._hours = {key: value for key, value in self._hours.items() if key[0] != group_id}
        return len(chosen)


def _ordered(value: str | int) -> bytes | int:
    return value.encode() if isinstance(value, str) else value
