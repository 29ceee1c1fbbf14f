"""Looks through the record for events of a filter, for as long as a request may take.

No index serves every filter: for words in a message, rows have to be looked at, and how many nobody knows
beforehand. So a look is bounded, by time and by rows, and ends with what it has found and where to look on:
a page may be short, or empty, while there is more (AIP-158). It begins with a few rows, since most filters
find a page among them, and doubles while the piece before lets expect that the next one fits into the time,
even if its rows take twice as long: rows that have to be fetched from all over a disk take a hundred times as
long as those in memory.
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


def next_piece(examined: int, took_s: float, left_s: float) -> int:
    """Return how many rows the next piece of a look has after one of so many that took so long; 0 when even a
    small one might end too late.

    A piece takes half of the time left at most, as far as the piece before can tell. What is met on the way
    (rows that are not in memory, somebody else on the core) then does not add to the time of the page until
    it doubles the piece's, and what is left over goes to further pieces.
    """
    fits = int(examined * left_s / (2 * max(took_s, 1e-6)))
    return 0 if fits < FIRST else min(2 * examined, LONGEST, fits)


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
        examine = next_piece(examine, now_s - before_s, until_s - now_s)
        full = len(found) == query.limit
        if part.resume is None or full or left <= 0 or not examine:
            return Scanned(found, part.resume)
        query = replace(query, after=part.resume)
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
