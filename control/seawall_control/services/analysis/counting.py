"""Counts of events in a window, as every part of analysis asks for them."""

from __future__ import annotations

from seawall_control.domain.rollups import RollupQuery
from seawall_control.services.analysis.windows import Window
from seawall_control.store.port import Store

Rows = list[tuple[int, tuple[str | int, ...], int]]
"""Start of a bucket, values of the fields, events."""
MOST_ROWS = 400_000


async def counted(store: Store, window: Window, by: tuple[str, ...], *, route: str = "") -> Rows:
    """Return the counts of a window by fields, of one route or of all."""
    only: tuple[tuple[str, str | int], ...] = (("route", route),) if route else ()
    rows = await store.rollups(RollupQuery(window.width, window.start, window.end, by, only, limit=MOST_ROWS))
    return [(row.start, row.values, row.events) for row in rows]
