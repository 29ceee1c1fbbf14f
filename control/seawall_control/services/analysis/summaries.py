"""What a window of counts comes to, remembered for as long as its counts are what they were.

Windows end with the last whole bucket, so their counts hardly change; they do when events come late. The
store is asked for the buckets of a window every time and gives those that have not changed as they were
before. So nothing is ever out of date, and only what changed is put on and taken off.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from seawall_control.domain.analysis.sums import WindowSums, subject_of
from seawall_control.domain.events import Category, EventKind, Severity
from seawall_control.domain.rollups import RollupQuery
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
    by_component: Counted
    by_route: Counted
    by_method: Counted
    subjects: Mapping[str, Mapping[int, int]]
    """By subject and start."""
    errors: Mapping[tuple[str, str], int]
    """By subject and code."""
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


class _Known:
    """What is remembered of a window."""

    def __init__(self, sums: WindowSums) -> None:
        self.sums = sums
        self.summary: Summary | None = None


class Summaries:
    """The summaries of the windows asked for last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[Window, _Known] = OrderedDict()

    async def of(self, window: Window) -> Summary:
        """Return the summary of a window, as the store has it now."""
        past = window.before()
        earlier, buckets = await asyncio.gather(
            self._store.rollups(RollupQuery(past.width, past.start, past.end)),
            self._store.buckets(window.width, window.start, window.end),
        )
        before = sum(row.events for row in earlier)
        known = self._of(window)
        is_new = known.sums.become(buckets)
        if known.summary is None or is_new:
            known.summary = _summary(known.sums, before)
        elif known.summary.before != before:
            known.summary = replace(known.summary, before=before)
        return known.summary

    def _of(self, window: Window) -> _Known:
        known = self._known.pop(window, None)
        if known is None:
            # When an hour is over, the window of the day shares 23 of 24 hours with the one before.
            like = [
                other
                for one, other in self._known.items()
                if one.width == window.width and one.end - one.start == window.end - window.start
            ]
            known = _Known(like[-1].sums.copy() if like else WindowSums())
        self._known[window] = known
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return known


def _summary(sums: WindowSums, before: int) -> Summary:
    """Return a summary that later changes leave alone."""
    subjects: dict[str, dict[int, int]] = {}
    for start, bucket in sums.buckets.items():
        for row in bucket.sums(("component", "route")):
            line = subjects.setdefault(subject_of(*map(str, row.values)), {})
            line[start] = line.get(start, 0) + row.events
    failed: dict[str, dict[str, int]] = {}
    for (route, code), events in sums.total.failed.items():
        failed.setdefault(route, {})[code] = events
    return Summary(
        total={start: bucket.events for start, bucket in sums.buckets.items()},
        before=before,
        by_category=_most_first("category", sums.total.by_category),
        by_severity=_most_first("severity", sums.total.by_severity),
        by_code=_most_first("code", sums.total.by_code),
        by_component=_most_first("component", sums.total.by_component),
        by_route=_most_first("route", sums.total.by_route),
        by_method=_most_first("method", sums.total.by_method),
        subjects=subjects,
        errors=dict(sums.total.errors),
        failed=failed,
        opened=dict(sums.total.opened),
    )


def _most_first(field: str, sums: Mapping[str, int] | Mapping[int, int]) -> Counted:
    found = [(named(field, value), events) for value, events in sums.items()]
    return sorted(found, key=lambda item: (-item[1], item[0]))
