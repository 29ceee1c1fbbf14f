"""Groups of events: found, shown, assigned, muted, resolved, merged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from seawall_control.domain import group_changes as by_hand
from seawall_control.domain import group_filters, paging
from seawall_control.domain.admission import MAX_MESSAGE_BYTES, MAX_NAME_BYTES, cut
from seawall_control.domain.errors import InvalidRequest, StaleEtag
from seawall_control.domain.escalation import HOUR_US, History
from seawall_control.domain.events import Event
from seawall_control.domain.filters import FIELDS, Compare, Op, Or
from seawall_control.domain.groups import Group, Until
from seawall_control.domain.redaction import redact_text
from seawall_control.domain.retention import GROUP_HOURS_DAYS
from seawall_control.services.edge import Clock
from seawall_control.store.port import EventQuery, GroupQuery, Store

PAGE: Final = 50
MAX_PAGE: Final = 1000
SAMPLES: Final = 10
MAX_SAMPLES: Final = 100
WINDOW_HOURS: Final = 24
MAX_MERGED: Final = 100
_COLUMNS: Final = ("last_seen", "first_seen", "events")


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Groups, and the token of the next page."""

    groups: Sequence[Group]
    next_token: str


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group with what belongs to it."""

    group: Group
    samples: Sequence[Event]
    hours: History
    prints: Sequence[str]


def _order(order_by: str) -> tuple[str, bool]:
    words = order_by.lower().split() or ["last_seen", "desc"]
    direction = words[1] if len(words) == 2 else "asc"
    if len(words) > 2 or words[0] not in _COLUMNS or direction not in ("asc", "desc"):
        raise InvalidRequest(
            f"order_by {order_by[:64]!r} is not known; use last_seen, first_seen or events, and `desc`"
        )
    return words[0], direction == "desc"


def _value(group: Group, column: str) -> int:
    return int(getattr(group, column if column == "events" else f"{column}_us"))


def _text(text: str, most: int = MAX_MESSAGE_BYTES) -> str:
    return cut(redact_text(text), most)


class GroupService:
    """The use cases of groups."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def page(
        self, *, filter_text: str = "", size: int = 0, token: str = "", order_by: str = ""
    ) -> GroupPage:
        """Return a page of groups. Raise `InvalidFilter`, `InvalidPageToken` or `InvalidRequest`."""
        wanted = group_filters.parse(filter_text)
        column, descending = _order(order_by)
        limit = paging.page_size(size, default=PAGE, most=MAX_PAGE)
        scope = ("groups", filter_text, column, str(descending))
        after = None
        if token:
            position = paging.decode(token, scope)
            after = (int(position[0]), str(position[1]))
        found = await self._store.groups(GroupQuery(wanted, limit + 1, column, descending, after))
        page = found[:limit]
        if len(found) <= limit:
            return GroupPage(page, "")
        return GroupPage(page, paging.encode((_value(page[-1], column), page[-1].id), scope))

    async def view(self, group_id: str, *, samples: int = 0, window_us: int = 0) -> GroupView:
        """Return a group with its newest stored events and its hours. Raise `NotFound`."""
        group = await self._store.group(group_id)
        prints = await self._store.members(group.id)
        limit = paging.page_size(samples, default=SAMPLES, most=MAX_SAMPLES)
        events = await self._store.events(EventQuery(_of(prints), limit))
        hours = -(-window_us // HOUR_US) if window_us > 0 else WINDOW_HOURS
        history = await self._store.group_hours(
            group.id,
            hour=self._clock.now_us() // HOUR_US + 1,
            hours=min(hours, GROUP_HOURS_DAYS * 24),
        )
        return GroupView(group, events, history, prints)

    async def update(
        self,
        group_id: str,
        *,
        assignee: str | None = None,
        archive: tuple[Until, int] | None = None,
        note: str = "",
        etag: str = "",
        actor: str = "",
    ) -> Group:
        """Assign a group, mute it, add a note; what is None stays. Raise `NotFound`, `StaleEtag`,
        `InvalidRequest`.
        """
        said = _text(note)
        if assignee is None and archive is None and not said:
            raise InvalidRequest("name assignee or archive in update_mask, or add a note")
        at_us = self._clock.now_us()

        def change(group: Group) -> Group:
            if assignee is not None:
                group = by_hand.assigned(group, _text(assignee, MAX_NAME_BYTES), at_us=at_us, actor=actor)
            if archive is not None:
                return by_hand.archived(group, *archive, at_us=at_us, actor=actor, text=said)
            return by_hand.remarked(group, said, at_us=at_us, actor=actor) if said else group

        return await self._store.change_group(group_id, _checked(etag, change))

    async def resolve(
        self, group_id: str, *, resolution: str = "", revision: int = 0, etag: str = "", actor: str = ""
    ) -> tuple[Group, int]:
        """Resolve a group and its stored events; return how many of these were open. Raise `NotFound` and
        `StaleEtag`.
        """
        at_us = self._clock.now_us()
        said = _text(resolution)
        group = await self._store.change_group(
            group_id,
            _checked(
                etag,
                lambda one: by_hand.resolved(one, at_us=at_us, actor=actor, revision=revision, text=said),
            ),
        )
        who = f"{actor}: {said}" if actor and said else actor or said
        prints = await self._store.members(group.id)
        number = await self._store.resolve(
            _of(prints), resolution=cut(who, MAX_MESSAGE_BYTES), at_us=at_us, dry_run=False
        )
        return group, number

    async def reopen(self, group_id: str, *, note: str = "", etag: str = "", actor: str = "") -> Group:
        """Make a resolved or archived group ongoing. Raise `NotFound`, `StaleEtag`, `PreconditionFailed`."""
        at_us = self._clock.now_us()
        said = _text(note)
        return await self._store.change_group(
            group_id,
            _checked(etag, lambda one: by_hand.reopened(one, at_us=at_us, actor=actor, text=said)),
        )

    async def merge(self, group_id: str, ids: Sequence[str], *, actor: str = "") -> Group:
        """Make groups one. Raise `NotFound` and `InvalidRequest`."""
        if len(ids) > MAX_MERGED:
            raise InvalidRequest(f"{len(ids)} groups in one request; at most {MAX_MERGED} are allowed")
        at_us = self._clock.now_us()
        return await self._store.merge_groups(
            group_id, ids, lambda into, others: by_hand.merged(into, others, at_us=at_us, actor=actor)
        )

    async def split(self, group_id: str, prints: Sequence[str], *, actor: str = "") -> Group:
        """Take fingerprints out of a group. Raise `NotFound` and `InvalidRequest`."""
        at_us = self._clock.now_us()
        named = ", ".join(prints)[:MAX_MESSAGE_BYTES]
        return await self._store.split_group(
            group_id, prints, lambda one: by_hand.split(one, named, at_us=at_us, actor=actor)
        )


def _of(prints: Sequence[str]) -> Or:
    """Return the filter over the events of a group."""
    return Or(tuple(Compare(FIELDS["fingerprint"], Op.EQ, one) for one in prints))


def _checked(etag: str, change: Callable[[Group], Group]) -> Callable[[Group], Group]:
    """Return the change, refused when the group is another one than was read."""

    def checked(group: Group) -> Group:
        if etag and etag != str(group.version):
            raise StaleEtag(f"group {group.id}", etag, str(group.version))
        return change(group)

    return checked
