"""Looks at the record are bounded, and go on where they ended."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.events import Event, Severity
from seawall_control.domain.export import Format
from seawall_control.domain.filters import parse
from seawall_control.domain.flood import KEEP_ALL, Pressure
from seawall_control.services import scanning
from seawall_control.services.edge import TimeOrderedIds
from seawall_control.services.event_views import EventViews
from seawall_control.services.events import MAX_PAGE_CHARACTERS, EventService
from seawall_control.services.grouping import Grouping
from seawall_control.services.notices import Notices
from seawall_control.services.scanning import ENOUGH_S, FIRST, LONGEST, MOST, next_piece, scanned, throughout
from seawall_control.services.tail import Hub
from seawall_control.store.memory import MemoryStore
from seawall_control.store.port import EventQuery, Scanned

START_US = 1_780_000_000_000_000
COUNT = 3000
RARE = 'message:"one of all"'


@dataclass
class Slow:
    """A clock on which every look takes a while."""

    step_s: float = 0.0
    at_s: float = 0.0

    def now_us(self) -> int:
        """Return a time."""
        return START_US + 10**9

    def monotonic_s(self) -> float:
        """Return a later one each time."""
        self.at_s += self.step_s
        return self.at_s


class Watched(MemoryStore):
    """A store that notes how many rows were looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[int] = []

    async def scan(self, query: EventQuery, *, examine: int) -> Scanned:
        """See `EventStore.scan`."""
        self.pieces.append(examine)
        return await super().scan(query, examine=examine)


async def filled() -> Watched:
    """Return a store in which the oldest event alone says something."""
    store = Watched()
    await store.report(
        [
            Event(
                id=f"00000000-0000-4000-8000-{n:012d}",
                timestamp_us=START_US + n,
                severity=Severity.LOW,
                component="c",
                message="the one of all" if n == 0 else "as always",
            )
            for n in range(COUNT)
        ]
    )
    return store


async def test_pieces_double_and_end_with_the_record() -> None:
    """While there is time, one look goes to the end."""
    store = await filled()
    found = await scanned(store, EventQuery(parse(RARE), 50), Slow())
    assert ([e.timestamp_us for e in found.events], found.resume) == ([START_US], None)
    assert store.pieces == [256, 512, 1024, 2048]


async def test_time_ends_a_look() -> None:
    """What is found is given, with the place to look on from."""
    store = await filled()
    query = EventQuery(parse(RARE), 50)
    found = await scanned(store, query, Slow(step_s=1.0))
    assert (list(found.events), store.pieces) == ([], [FIRST])
    assert found.resume == (START_US + COUNT - FIRST, f"00000000-0000-4000-8000-{COUNT - FIRST:012d}")
    looks = [part async for part in throughout(store, query, Slow(step_s=1.0))]
    assert len(looks) == COUNT // FIRST + 1
    assert [len(part.events) for part in looks] == [0] * (COUNT // FIRST) + [1]


async def test_a_piece_that_would_take_too_long_is_smaller() -> None:
    """What pieces have taken says how many rows half of the time left is enough for."""
    store = await filled()
    # A fifth of the time each: after the second three fifths are left, half of them for the third, and so on.
    await scanned(store, EventQuery(parse(RARE), 50), Slow(step_s=scanning.ENOUGH_S / 5.0001))
    assert store.pieces == [256, 512, 768, 768, 384]


def test_pieces_grow_to_what_fits_twice() -> None:
    """The next piece has twice the rows, and half of what the time left is enough for; else there is none."""
    assert next_piece(256, 0.001, 0.019) == 512
    assert next_piece(4096, 0.0, 0.01) == LONGEST
    assert next_piece(2048, 0.008, 0.008) == 1024
    assert next_piece(1024, 0.004, 0.002) == FIRST
    assert next_piece(1024, 0.004, 0.00199) == 0
    assert next_piece(FIRST, 0.060, -0.040) == 0


@given(st.floats(1e-7, 7e-5), st.lists(st.floats(0.1, 40.0), max_size=60))
def test_a_piece_twice_as_slow_ends_in_time(row_s: float, factors: list[float]) -> None:
    """A row may take twice as long as in the piece before, and the look ends in time all the same. Where it
    takes longer, what is too much is half of that, of the time that was left.
    """
    piece, took_s = FIRST, FIRST * row_s
    left_s = ENOUGH_S - took_s
    for factor in factors:
        piece = next_piece(piece, took_s, left_s)
        if not piece:
            break
        row_s *= factor
        took_s = piece * row_s
        assert took_s <= left_s * factor / 2 * 1.000001
        left_s -= took_s


async def test_rows_end_a_look_on_a_quick_machine() -> None:
    """The pieces of one look have a size at most, and so do all together."""
    pieces: list[int] = []

    class Endless(MemoryStore):
        async def scan(self, query: EventQuery, *, examine: int) -> Scanned:
            pieces.append(examine)
            return Scanned([], (1, "x"))

    found = await scanned(Endless(), EventQuery(parse(RARE), 50), Slow())
    assert found.resume == (1, "x")
    assert max(pieces) == LONGEST
    assert MOST <= sum(pieces) < MOST + LONGEST


async def test_full_page_ends_a_look() -> None:
    """Nothing is looked at beyond a page."""
    store = await filled()
    found = await scanned(store, EventQuery(parse("message:always"), 50), Slow())
    assert (len(found.events), store.pieces) == (50, [FIRST])
    assert found.resume == (found.events[-1].timestamp_us, found.events[-1].id)


def service(store: MemoryStore, clock: Slow) -> EventService:
    """Return the use cases on a store."""
    return EventService(
        store, clock, TimeOrderedIds(), Hub(), Notices(), Grouping(store, clock), KEEP_ALL, Pressure()
    )


async def test_short_pages_lead_to_the_end() -> None:
    """A page may be empty and yet have a next one; the last one has none."""
    events = service(await filled(), Slow(step_s=1.0))
    sizes, token = [], ""
    while True:
        page = await events.page(filter_text=RARE, size=50, token=token)
        sizes.append(len(page.events))
        token = page.next_token
        if not token:
            break
    assert sizes == [0] * (COUNT // FIRST) + [1]


async def test_full_last_page_has_no_next() -> None:
    """Fifty of fifty are all, and the page says so."""
    store = MemoryStore()
    events = service(store, Slow())
    await store.report(await (await filled()).events(EventQuery(parse(""), 50)))
    page = await events.page(size=50)
    assert (len(page.events), page.next_token) == (50, "")


async def test_export_goes_on_by_itself() -> None:
    """A file has everything, however many looks that takes, and no empty parts on the way."""
    views = EventViews(await filled(), Slow(step_s=1.0))
    parts = [part async for part in views.export(filter_text=RARE, form=Format.JSON, limit=0)]
    assert [number for _, number in parts] == [1]
    assert len(json.loads(b"".join(chunk for chunk, _ in parts))) == 1
    none = [
        part async for part in views.export(filter_text='message:"never said"', form=Format.JSON, limit=0)
    ]
    assert json.loads(b"".join(chunk for chunk, _ in none)) == []
    some = [part async for part in views.export(filter_text="", form=Format.NDJSON, limit=700)]
    assert sum(number for _, number in some) == 700


async def test_newest_are_looked_for_a_while() -> None:
    """Those who follow get what a second suffices to find, oldest first."""
    store = await filled()
    events = service(store, Slow(step_s=scanning.ENOUGH_S / 2))
    assert [e.message for e in await events.newest(RARE, 10)] == ["the one of all"]
    newest = await events.newest("", 3)
    assert [e.timestamp_us - START_US for e in newest] == [COUNT - 3, COUNT - 2, COUNT - 1]


async def test_a_page_is_bounded_by_its_text_too() -> None:
    """Events with long stacks come in several pages, each of which gRPC takes, and none is lost."""
    store = MemoryStore()
    long = [
        replace(one, stack_trace="x" * 32_000)
        for one in await (await filled()).events(EventQuery(parse(""), 200))
    ]
    await store.report(long)
    events = service(store, Slow())
    sizes, seen, token = [], [], ""
    while True:
        page = await events.page(size=1000, token=token)
        sizes.append(len(page.events))
        seen += [event.id for event in page.events]
        token = page.next_token
        if not token:
            break
    assert len(sizes) == 4 and max(sizes) * 32_000 <= MAX_PAGE_CHARACTERS
    assert seen == [event.id for event in long]
    one = await service(store, Slow()).page(size=1)
    assert len(one.events) == 1 and one.next_token
