"""What a window of counts comes to, remembered for as long as its counts are what they were.

Theory: a day has up to 24 x 500 counts, and to tell them apart by route, by code and so on takes many times
as long as to add them up. Windows end with the last whole bucket, so their counts hardly change; they do when
events come late. A count never goes down, so a window whose buckets add up to what they did has not changed.
One sum is therefore asked of the store every time, and the rest only when that says so: nothing is ever out
of date.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.events import Category, EventKind, Severity
from seawall_control.services.analysis.counting import counted
from seawall_control.services.analysis.windows import Window
from seawall_control.store.port import Store

REMEMBERED: Final = 8
"""Windows, those asked for last."""

Counted = list[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The counts of a window, told apart in the ways that analysis needs."""

    total: Mapping[int, int]
    """By the start of the bucket; buckets without events are left out."""
    before: int
    """Of the window of the same length before it."""
    by_category: Counted
    by_severity: Counted
    by_code: Counted
    by_route: Counted
    by_method: Counted
    routes: Mapping[str, Mapping[int, int]]
    """By route and start."""
    errors: Mapping[tuple[str, str], int]
    """By route and code."""
    failed: Mapping[str, Mapping[str, int]]
    """Failed calls by route and code."""
    opened: Mapping[str, int]
    """Breakers that opened, by route."""


def named(field: str, value: str | int) -> str:
    """Return a value of a count as people read it."""
    if field == "category":
        return Category(int(value)).name
    if field == "severity":
        return Severity(int(value)).name
    if field == "kind":
        return EventKind(int(value)).name
    return str(value)


class Summaries:
    """The summaries of the windows asked for last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[Window, Summary] = OrderedDict()

    async def of(self, window: Window) -> Summary:
        """Return the summary of a window, as the store has it now."""
        both = Window(window.before().start, window.end, window.width)
        total: dict[int, int] = {}
        before = 0
        for start, _, events in await counted(self._store, both, ()):
            if start < window.start:
                before += events
            else:
                total[start] = events
        known = self._known.get(window)
        # What is read below may be newer than the sums: then they differ the next time, and it is read anew.
        if known is None or (known.total, known.before) != (total, before):
            known = await self._read(window, total, before)
        self._known[window] = known
        self._known.move_to_end(window)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return known

    async def _read(self, window: Window, total: Mapping[int, int], before: int) -> Summary:
        routes: dict[str, dict[int, int]] = {}
        errors: dict[tuple[str, str], int] = {}
        failed: dict[str, dict[str, int]] = {}
        opened: dict[str, int] = {}
        for start, (route, code, kind), events in await counted(
            self._store, window, ("route", "code", "kind")
        ):
            place, word = str(route), str(code)
            by_start = routes.setdefault(place, {})
            by_start[start] = by_start.get(start, 0) + events
            errors[place, word] = errors.get((place, word), 0) + events
            if kind == EventKind.CALL_FAILED:
                codes = failed.setdefault(place, {})
                codes[word] = codes.get(word, 0) + events
            elif kind == EventKind.BREAKER_OPENED:
                opened[place] = opened.get(place, 0) + events
        return Summary(
            total=total,
            before=before,
            by_category=await self._sum(window, "category"),
            by_severity=await self._sum(window, "severity"),
            by_code=await self._sum(window, "code"),
            by_route=await self._sum(window, "route"),
            by_method=await self._sum(window, "method"),
            routes=routes,
            errors=errors,
            failed=failed,
            opened=opened,
        )

    async def _sum(self, window: Window, field: str) -> Counted:
        found: dict[str, int] = {}
        for _, values, events in await counted(self._store, window, (field,)):
            name = named(field, values[0])
            found[name] = found.get(name, 0) + events
        return sorted(found.items(), key=lambda item: (-item[1], item[0]))
