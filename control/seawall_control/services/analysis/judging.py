"""What is unusual about a window, looked for once for as long as its events are the same."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from seawall_control.domain.alerts.facts import failures_of
from seawall_control.domain.analysis.detectors import OF_EVENTS, Anomaly, Material, RouteCalls, found_by
from seawall_control.domain.analysis.settings import Settings
from seawall_control.domain.events import MICROS, Severity
from seawall_control.domain.revisions import Revision
from seawall_control.domain.rollups import Width
from seawall_control.domain.statistics import Counters
from seawall_control.services.analysis.summaries import REMEMBERED, Summary
from seawall_control.services.analysis.windows import Window

MOST_SUBJECTS: Final = 50
"""Routes and components whose counts are looked at one by one, those with most events."""


class Judge:
    """Looks for what is unusual about the events of a window, and remembers it."""

    def __init__(self) -> None:
        self._known: OrderedDict[Window, tuple[Summary, Settings, Sequence[object], tuple[Anomaly, ...]]] = (
            OrderedDict()
        )

    async def of(self, summary: Summary, material: Material, settings: Settings) -> tuple[Anomaly, ...]:
        """Return what is unusual about the window of a summary."""
        window = Window(material.start, material.end, Width(material.width))
        known = self._known.get(window)
        if known is not None and known[0] is summary and known[1:3] == (settings, material.revisions):
            found = known[3]
        else:
            found = await asyncio.to_thread(found_by, OF_EVENTS, material, settings)
        self._known[window] = (summary, settings, material.revisions, found)
        self._known.move_to_end(window)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found


def material_of(
    window: Window, summary: Summary, calls: Mapping[str, Counters], revisions: Sequence[Revision]
) -> Material:
    """Return what detectors look at."""
    lines = summary.subjects
    most = sorted(lines, key=lambda subject: -sum(lines[subject].values()))[:MOST_SUBJECTS]
    return Material(
        start=window.start,
        end=window.end,
        width=int(window.width),
        total=summary.total,
        by_subject={subject: lines[subject] for subject in most},
        by_error=summary.errors,
        critical=dict(summary.by_severity).get(Severity.CRITICAL.name, 0),
        calls=[
            RouteCalls(
                route,
                counters.calls,
                failures_of(counters.by_code)[0],
                min(counters.retries, counters.calls),
                counters.recovered,
            )
            for route, counters in sorted(calls.items())
        ],
        revisions=[
            (made.create_time_us // MICROS, made.name)
            for made in revisions
            # Nothing can be compared with the time before the first one.
            if made.revision > 1 and window.start <= made.create_time_us // MICROS < window.end
        ],
    )
