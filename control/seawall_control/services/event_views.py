"""Events seen otherwise than as a list: as a file, as the history of a job or trace, as counts over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from seawall_control.domain import export, filters, paging
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.events import MICROS, Category, Event, EventKind, Outcome, Severity
from seawall_control.domain.export import Format
from seawall_control.domain.filters import FIELDS, Compare, Op
from seawall_control.domain.rollups import KEY_FIELDS, RollupQuery, RollupRow, Width
from seawall_control.services.edge import Clock
from seawall_control.services.scanning import throughout
from seawall_control.store.port import EventQuery, Store

CHUNK: Final = 100
"""Events in one part of a file: few enough that nobody else waits while it is written."""
PAGE: Final = 100
MAX_PAGE: Final = 1000
MAX_BUCKETS: Final = 400
MAX_ROWS: Final = 10_000
MAX_WINDOW_S: Final = 3650 * 86_400
_DAY_S: Final = 86_400
_NAMES: Final[Mapping[str, type[Category | EventKind | Outcome | Severity]]] = {
    "category": Category,
    "kind": EventKind,
    "outcome": Outcome,
    "severity": Severity,
}


@dataclass(frozen=True, slots=True)
class History:
    """What happened to a job or in a trace, oldest first."""

    events: Sequence[Event]
    next_token: str
    by_outcome: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Counts over time."""

    width: Width
    rows: Sequence[RollupRow]


class EventViews:
    """The views."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def export(
        self, *, filter_text: str, form: Format, limit: int
    ) -> AsyncGenerator[tuple[bytes, int], None]:
        """Yield a file in parts, newest event first, each with the number of events in it. Raise
        `InvalidFilter`. Pages are read one by one, so no reader holds the store for long.
        """
        query = EventQuery(filters.parse(filter_text), CHUNK)
        left = limit or 2**62
        first = True
        async with aclosing(throughout(self._store, query, self._clock)) as looks:
            async for found in looks:
                page = found.events[:left]
                left -= len(page)
                last = found.resume is None or left == 0
                if page or last:
                    yield export.chunk(page, form, first=first, last=last).encode(), len(page)
                    first = False
                if last:
                    return

    async def history(self, field: str, value: str, *, size: int = 0, token: str = "") -> History:
        """Return what happened to a job (`job_id`) or in a trace (`trace_id`). Raise `InvalidRequest`."""
        if not value:
            raise InvalidRequest("name the entity: job_id or trace_id")
        limit = paging.page_size(size, default=PAGE, most=MAX_PAGE)
        scope = ("history", field, value)
        after = None
        if token:
            position = paging.decode(token, scope)
            after = (int(position[0]), str(position[1]))
        wanted = Compare(FIELDS[field], Op.EQ, value)
        found = await self._store.events(EventQuery(wanted, limit + 1, False, after))
        page = found[:limit]
        more = len(found) > limit
        return History(
            page,
            paging.encode((page[-1].timestamp_us, page[-1].id), scope) if more else "",
            Counter(event.outcome.name for event in page if event.outcome),
        )

    async def timeline(
        self,
        *,
        window_s: int = 0,
        step_s: int = 0,
        by: Sequence[str] = (),
        route: str = "",
        severity: int = 0,
    ) -> Timeline:
        """Return counts of events over time. Raise `InvalidRequest`."""
        window_s = window_s or _DAY_S
        widths = {int(width): width for width in Width}
        if not 60 <= window_s <= MAX_WINDOW_S:
            raise InvalidRequest(f"window is {window_s} s; allowed are 60 s to {MAX_WINDOW_S} s")
        if step_s and step_s not in widths:
            raise InvalidRequest("step is 1 minute, 1 hour or 1 day")
        width = (
            widths[step_s]
            if step_s
            else next((one for one in Width if window_s / one <= MAX_BUCKETS), Width.DAY)
        )
        unknown = [name for name in by if name not in KEY_FIELDS]
        if unknown:
            raise InvalidRequest(f"group_by {unknown[0][:64]!r} is none of {', '.join(KEY_FIELDS)}")
        to_s = self._clock.now_us() // MICROS + 1
        only: list[tuple[str, str | int]] = [("route", route)] if route else []
        if severity:
            only.append(("severity", severity))
        query = RollupQuery(width, to_s - window_s, to_s, tuple(dict.fromkeys(by)), tuple(only), MAX_ROWS)
        return Timeline(width, await self._store.rollups(query))


def shown(field: str, value: str | int) -> str:
    """Return a value of a count as people read it."""
    names = _NAMES.get(field)
    return str(value) if names is None else names(int(value)).name
