"""Has rows of a page read into memory before the page comes to them.

Theory: a page walks an index and fetches every row from where it lies. In memory that takes microseconds;
from a disk it is up to a hundred reads one after the other, of which the disk could have done many at once.
So when a page is late, its keys are asked for once more, which are in the index alone and lie side by side,
and their rows are read from all over the disk at the same time. The page meets them in memory.

What is read ahead is thrown away. The page's own statement stays what it is, of one snapshot, with its time
limit; reading ahead may be late, fail or not happen, and only time is lost. It costs a page that is not late
one timer. One page of a store is helped at a time: several at once keep a disk busy by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

from seawall_control.domain.errors import ControlError
from seawall_control.store.event_walks import Dialect, Key, Walk, statement
from seawall_control.store.port import EventQuery
from seawall_control.store.statements import Questions

LATE_S: Final = 0.005
"""A page whose rows take longer than this is late."""
_ROWS: Final = 256
"""For so many rows; twice as long for twice as many."""
MOST: Final = 1024
"""Rows read ahead for one page."""


class Page:
    """A page that is being read."""

    def __init__(self, walk: Walk, query: EventQuery, until: Key | None) -> None:
        self.walk = walk
        self.query = query
        self.until = until
        self.is_read = False
        """What is read for it after that is of no use. Threads look at it, too."""


class ReadingAhead(ABC):
    """Helps late pages of a store."""

    dialect: ClassVar[Dialect]
    columns: ClassVar[str] = "timestamp_us, id"
    """What is asked of each row on the way; the indexes have it, or every row is fetched for it."""

    def __init__(self) -> None:
        self.late_s = LATE_S
        self.helped = 0
        """Pages so far."""
        self._task: asyncio.Task[None] | None = None
        self._next: tuple[Page, int] | None = None
        self._closed = False

    @contextlib.contextmanager
    def of(self, walk: Walk, query: EventQuery, until: Key | None, rows: int) -> Iterator[None]:
        """Help a page within, of about so many rows on the way, once it is late."""
        page = Page(walk, query, until)
        late_s = self.late_s * max(1.0, rows / _ROWS)
        timer = asyncio.get_running_loop().call_later(late_s, self._begin, page, min(rows, MOST))
        try:
            yield
        finally:
            page.is_read = True
            timer.cancel()

    def _begin(self, page: Page, rows: int) -> None:
        # Of those that wait for help, the one with the most still to read.
        self._next = (page, rows)
        if not self._closed and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._help(), name="seawall-store-ahead")

    async def _help(self) -> None:
        while self._next is not None:
            page, rows = self._next
            self._next = None
            if page.is_read:
                continue
            # The page itself says what is wrong.
            with contextlib.suppress(ControlError):
                found = await self._keys(page, rows)
                if found and not page.is_read:
                    self.helped += 1
                    await self.read(page, found)

    async def _keys(self, page: Page, rows: int) -> Sequence[Sequence[Any]]:
        sql, values = statement(
            page.walk,
            self.columns,
            self.dialect,
            descending=page.query.descending,
            after=page.query.after,
            until=page.until,
            limit=rows,
            with_rest=False,
        )
        return await self.asking().rows(sql, values)

    @abstractmethod
    def asking(self) -> Questions:
        """Return connections that only read."""

    @abstractmethod
    async def read(self, page: Page, found: Sequence[Sequence[Any]]) -> None:
        """Read the rows of these keys, which have the columns asked for and are in the order of the page,
        until the page is read.
        """

    async def aclose(self) -> None:
        """End what goes on, for good."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
