"""Which pages are helped, and until when; what is read ahead is for the stores' own tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from seawall_control.domain.errors import StoreBusy
from seawall_control.domain.filters import EVERYTHING, parse
from seawall_control.store.event_walks import SQLITE, walk_of
from seawall_control.store.port import EventQuery
from seawall_control.store.reading_ahead import LATE_S, MOST, Page, ReadingAhead

WALK = walk_of(EVERYTHING)
QUERY = EventQuery(EVERYTHING, 50)


class Asked:
    """Answers every question with the same keys."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, Sequence[Any]]] = []
        self.fails = False

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """See `Questions.rows`."""
        self.statements.append((sql, values))
        if self.fails:
            raise StoreBusy("nobody has time")
        return [(2, "b"), (1, "a")]

    async def among(self, sql: str, values: Sequence[str]) -> Sequence[Sequence[Any]]:
        """See `Questions.among`."""
        raise NotImplementedError


class Held(ReadingAhead):
    """Reads nothing, for as long as it is told to."""

    dialect = SQLITE

    def __init__(self) -> None:
        super().__init__()
        self.late_s = 0.0
        self.asked = Asked()
        self.pages: list[Page] = []
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    def asking(self) -> Asked:
        """See `ReadingAhead.asking`."""
        return self.asked

    async def read(self, page: Page, found: Sequence[Sequence[Any]]) -> None:
        """See `ReadingAhead.read`."""
        assert [tuple(row) for row in found] == [(2, "b"), (1, "a")]
        self.pages.append(page)
        self.begun.set()
        await self.go.wait()


async def turns(number: int = 10) -> None:
    """Let everything go on that waits for nothing."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_page_in_time_is_not_helped() -> None:
    """All that it costs is a timer, which is taken back."""
    ahead = Held()
    with ahead.of(WALK, QUERY, None, 50):
        pass
    await turns()
    assert (ahead.asked.statements, ahead.helped) == ([], 0)


async def test_more_rows_have_more_time() -> None:
    """What is late depends on how many rows there are to be looked at: those of a large piece take a while in
    memory, too.
    """
    loop, ahead = asyncio.get_running_loop(), Held()
    ahead.late_s = LATE_S
    set_for: list[float] = []
    call_later = loop.call_later

    def heard(delay: float, *rest: Any) -> asyncio.TimerHandle:
        set_for.append(delay)
        return call_later(delay, *rest)

    loop.call_later = heard  # type: ignore[method-assign, assignment]
    for rows in (1, 256, 1024, 8192):
        with ahead.of(WALK, QUERY, None, rows):
            pass
    assert set_for == [LATE_S, LATE_S, LATE_S * 4, LATE_S * 32]


async def test_keys_are_those_of_the_page() -> None:
    """They are asked for with the page's bounds, without what is looked at row by row, so many at most."""
    ahead = Held()
    walk, until = walk_of(parse("component = c AND message:m")), (1, "a")
    with ahead.of(walk, EventQuery(EVERYTHING, 50, after=(9, "z")), until, 10_000):
        await ahead.begun.wait()
    [(sql, values)] = ahead.asked.statements
    assert sql.startswith(
        "SELECT timestamp_us, id FROM events INDEXED BY events_by_component WHERE component = ?"
    )
    assert "message" not in sql
    assert list(values) == ["c", 1, "a", 9, "z", MOST]
    ahead.go.set()
    await ahead.aclose()


async def test_one_page_is_helped_at_a_time_and_the_last_one_next() -> None:
    """Pages that are late meanwhile wait, and the last one of those that are not read is helped then."""
    ahead = Held()
    with ahead.of(WALK, QUERY, None, 50):
        await ahead.begun.wait()
        with ahead.of(WALK, QUERY, None, 50):
            await turns()
            last = EventQuery(EVERYTHING, 7)
            with ahead.of(WALK, last, None, 7):
                await turns()
                assert len(ahead.pages) == 1
                ahead.go.set()
                await turns()
    assert [page.query.limit for page in ahead.pages] == [50, 7]
    assert all(page.is_read for page in ahead.pages)
    with ahead.of(WALK, QUERY, None, 50):
        await turns()
    assert ahead.helped == 3
    await ahead.aclose()


async def test_a_page_that_was_read_meanwhile_is_not_helped() -> None:
    """Neither one that waits for help, nor one whose keys come too late."""
    ahead = Held()
    with ahead.of(WALK, QUERY, None, 50):
        await ahead.begun.wait()
        with ahead.of(WALK, QUERY, None, 50):
            await turns()
    ahead.go.set()
    await turns()
    assert (ahead.helped, len(ahead.asked.statements)) == (1, 1)
    await ahead.aclose()


async def test_failing_help_is_none() -> None:
    """The page does not notice, and the next one is helped again."""
    ahead = Held()
    ahead.asked.fails = True
    with ahead.of(WALK, QUERY, None, 50):
        await turns()
    assert (len(ahead.asked.statements), ahead.helped) == (1, 0)
    ahead.asked.fails = False
    with ahead.of(WALK, QUERY, None, 50):
        await ahead.begun.wait()
    await ahead.aclose()


async def test_closed_is_closed() -> None:
    """What goes on ends, and nothing begins."""
    ahead = Held()
    with ahead.of(WALK, QUERY, None, 50):
        await ahead.begun.wait()
        await ahead.aclose()
    with ahead.of(WALK, QUERY, None, 50):
        await turns()
    assert ahead.helped == 1
