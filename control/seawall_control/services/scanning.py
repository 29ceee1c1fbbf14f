"""Looks through the record for events of a filter, for as long as a request may take.

No index serves every filter: for words in a message, rows have to be looked at, and how many nobody knows
beforehand. So a look is bounded, by time and by rows, and ends with what it has found and where to look on:
a page may be short, or empty, while there is more (AIP-158). It begins with a few rows, since most filters
find a page among them, and doubles while the piece before lets expect that the next one fits into the time:
rows that have to be fetched from all over a disk take a hundred times as long as those in memory.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Final

from seawall_control.domain.events import Event
from seawall_control.services.edge import Clock
from seawall_control.store.port import EventQuery, EventStore, Scanned

FIRST: Final = 256
"""Rows of the first piece."""
LONGEST: Final = 8192
"""Rows of one piece at most."""
MOST: Final = 50_000
"""Rows of one look, about; what quick machines manage in the time below."""
ENOUGH_S: Final = 0.02
"""The time of one look: with the answer, a page stays within 50 ms."""


async def scanned(store: EventStore, query: EventQuery, clock: Clock, *, for_s: float = ENOUGH_S) -> Scanned:
    """Return events of a filter, `query.limit` of them or what was found in `for_s` seconds, and where to
    look on. `for_s` of more than the default also looks at as many more rows.
    """
    before_s = clock.monotonic_s()
    until_s = before_s + for_s
    left = max(MOST, int(MOST * for_s / ENOUGH_S))
    examine = FIRST
    found: list[Event] = []
    while True:
        part = await store.scan(replace(query, limit=query.limit - len(found)), examine=examine)
        found.extend(part.events)
        left -= examine
        now_s = clock.monotonic_s()
        fits = int(examine * (until_s - now_s) / max(now_s - before_s, 1e-6))
        full = len(found) == query.limit
        if part.resume is None or full or left <= 0 or fits < FIRST:
            return Scanned(found, part.resume)
        query = replace(query, after=part.resume)
        examine = min(2 * examine, LONGEST, fits)
        before_s = now_s


async def throughout(store: EventStore, query: EventQuery, clock: Clock) -> AsyncGenerator[Scanned, None]:
    """Yield what is found from look to look, to the end of the record. Each look may be empty, and has at
    most `query.limit` events.
    """
    while True:
        part = await scanned(store, query, clock)
        yield part
        if part.resume is None:
            return
        query = replace(query, after=part.resume)
