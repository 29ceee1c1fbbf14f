"""Error events: read back, changed, counted, followed, cleaned up; and taken in (event_intake.py)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from seawall_control.domain import filters, paging
from seawall_control.domain.admission import MAX_MESSAGE_BYTES, MAX_NAME_BYTES, bounded_details, cut
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.events import Event, EventChange, EventCounts
from seawall_control.domain.redaction import redact_text
from seawall_control.services.event_intake import EventIntake
from seawall_control.services.feed import Feed
from seawall_control.services.scanning import scanned
from seawall_control.store.port import EventQuery

MAX_RESOLVE: Final = 1000
MAX_BACKLOG: Final = 1000
BACKLOG_S: Final = 1.0
"""How long the newest events are looked for before the new ones are followed."""
PAGE: Final = 50
MAX_PAGE: Final = 1000
MAX_PAGE_CHARACTERS: Final = 2 * 1024 * 1024
"""A page with more text is short: gRPC refuses messages of more than 4 MiB, and whoever makes or reads one
of a thousand stack traces has time for nothing else.
"""
_ORDERS: Final = {"": True, "timestamp desc": True, "timestamp": False, "timestamp asc": False}


@dataclass(frozen=True, slots=True)
class Page:
    """Events, and the token of the next page."""

    events: Sequence[Event]
    next_token: str


def _within(events: Sequence[Event], most: int) -> Sequence[Event]:
    """Return the first of these events, one at least, whose texts have so many characters together."""
    for number, event in enumerate(events):
        details = len(str(event.details)) if event.details else 0
        most -= 512 + len(event.message) + len(event.stack_trace) + len(event.resolution) + details
        if most < 0:
            return events[: max(1, number)]
    return events


class EventService(EventIntake):
    """The use cases of error events."""

    _feed: Feed | None = None

    def tail_from(self, feed: Feed) -> None:
        """Let `tail` follow what any control plane on the store keeps, and not only this one."""
        self._feed = feed

    # ------------------------------------------------------------------------------------------------ reading

    async def get(self, event_id: str) -> Event:
        """Return an event. Raise `NotFound`."""
        return await self._store.event(event_id.lower())

    async def page(
        self, *, filter_text: str = "", size: int = 0, token: str = "", order_by: str = ""
    ) -> Page:
        """Return a page of events, which may be short or empty while there are more: `next_token` says so.
        Raise `InvalidFilter`, `InvalidPageToken` or `InvalidRequest`.
        """
        wanted = filters.parse(filter_text)
        order = " ".join(order_by.lower().split())
        if order not in _ORDERS:
            raise InvalidRequest(f"order_by {order_by!r} is not known; use `timestamp desc` or `timestamp`")
        descending = _ORDERS[order]
        limit = paging.page_size(size, default=PAGE, most=MAX_PAGE)
        scope = ("events", filter_text, str(descending))
        after = None
        if token:
            position = paging.decode(token, scope)
            after = (int(position[0]), str(position[1]))
        # One more than asked for, to know whether a full page is the last one.
        found = await scanned(self._store, EventQuery(wanted, limit + 1, descending, after), self._clock)
        page, resume = _within(found.events[:limit], MAX_PAGE_CHARACTERS), found.resume
        if len(found.events) > len(page):
            resume = page[-1].timestamp_us, page[-1].id
        return Page(page, "" if resume is None else paging.encode(resume, scope))

    async def newest(self, filter_text: str, number: int) -> list[Event]:
        """Return the newest events of a filter, oldest first, as many of them as a second suffices to find.
        Raise `InvalidFilter`.
        """
        return await self._newest(filters.parse(filter_text), number)

    async def _newest(self, wanted: filters.Node, number: int) -> list[Event]:
        query = EventQuery(wanted, min(number, MAX_BACKLOG))
        found = await scanned(self._store, query, self._clock, for_s=BACKLOG_S)
        return list(reversed(found.events))

    async def counts(self) -> EventCounts:
        """Return the counts."""
        return await self._store.counts(at_us=self._clock.now_us())

    async def tail(self, *, filter_text: str, backlog: int) -> AsyncGenerator[tuple[Event, int], None]:
        """Yield the newest events, oldest first, and then every new one, each with how many were left out
        before it.
        """
        wanted = filters.parse(filter_text)
        # Followed before the backlog is read: what is stored in between comes twice and is sent once, rather
        # than never.
        follow = self._stored(self._feed, wanted) if self._feed is not None else self._live(wanted)
        async with aclosing(follow) as new:
            await anext(new)
            seen: set[str] = set()
            if backlog:
                newest = await self._newest(wanted, backlog)
                seen = {event.id for event in newest}
                for event in newest:
                    yield event, 0
            async for found, missed in new:
                if found is not None and found.id not in seen:
                    yield found, missed
                elif found is not None:
                    seen.discard(found.id)

    async def _live(self, wanted: filters.Node) -> AsyncGenerator[tuple[Event | None, int], None]:
        """Yield None once it follows, then what is stored here and how much of it was left out before."""
        follower = self._hub.follow(wanted)
        try:
            yield None, 0
            while True:
                yield await follower.next()
        finally:
            self._hub.leave(follower)

    async def _stored(
        self, feed: Feed, wanted: filters.Node
    ) -> AsyncGenerator[tuple[Event | None, int], None]:
        """Yield the same of what is stored anywhere; where the store cannot say how much was left out, 1."""
        async with aclosing(feed.follow(wanted)) as steps:
            missed = 0
            async for step in steps:
                missed += step.lost is not None
                if not step.events:
                    yield None, 0
                for _, event in step.events:
                    yield event, missed
                    missed = 0

    # ----------------------------------------------------------------------------------------------- changing

    async def update(self, event_id: str, change: EventChange) -> Event:
        """Change an event and return it. Raise `NotFound`."""
        bounded = replace(
            change,
            job_id=None if change.job_id is None else cut(redact_text(change.job_id), MAX_NAME_BYTES),
            job_name=None if change.job_name is None else cut(redact_text(change.job_name), MAX_NAME_BYTES),
            details=None if change.details is None else bounded_details(change.details),
            resolution=None
            if change.resolution is None
            else cut(redact_text(change.resolution), MAX_MESSAGE_BYTES),
        )
        return await self._store.update_event(event_id.lower(), bounded, at_us=self._clock.now_us())

    async def resolve(
        self,
        *,
        ids: Sequence[str] = (),
        filter_text: str = "",
        resolution: str = "",
        validate_only: bool = False,
    ) -> int:
        """Mark events as dealt with, by ids or filter; return how many were open. Raise `InvalidRequest`."""
        if bool(ids) == bool(filter_text.strip()):
            raise InvalidRequest(
                "name the events either by ids or by a filter; to resolve all, use `resolved = false`"
            )
        if len(ids) > MAX_RESOLVE:
            raise InvalidRequest(f"{len(ids)} ids in one request; at most {MAX_RESOLVE} are allowed")
        chosen = [event_id.lower() for event_id in ids] if ids else filters.parse(filter_text)
        return await self._store.resolve(
            chosen,
            resolution=cut(redact_text(resolution), MAX_MESSAGE_BYTES),
            at_us=self._clock.now_us(),
            dry_run=validate_only,
        )

    async def delete_resolved(self, *, older_than_us: int, validate_only: bool = False) -> int:
        """Delete resolved events older than an age; return how many. Raise `InvalidRequest` for less than a
        second.
        """
        if older_than_us < 1_000_000:
            raise InvalidRequest("older_than must be at least 1 s")
        return await self._store.delete_resolved(
            before_us=self._clock.now_us() - older_than_us, dry_run=validate_only
        )
