"""Reads rows ahead on SQLite, which itself reads one page of its file after the other: several threads, each
with a connection of its own, take rows in turn.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Final

from seawall_control.store.event_walks import SQLITE, Dialect
from seawall_control.store.reading_ahead import Page, ReadingAhead
from seawall_control.store.sqlite.adapter import SqliteQuestions
from seawall_control.store.sqlite.opening import READER
from seawall_control.store.sqlite.readers import Readers
from seawall_control.store.statements import marks, slices

THREADS: Final = 16
"""Reads at once. They are started with the first page that is late, and wait for the next one."""
_TOGETHER: Final = 2
"""Rows of one statement, whose snapshot is as short."""
_CACHE: Final = "PRAGMA cache_size = -256"
"""A connection keeps next to nothing: the file's pages are then in the system's memory."""
READ: Final = f"SELECT count(seq) FROM events WHERE n IN ({marks(_TOGETHER)})"
"""The last column: a long row is read to its end for it."""


class SqliteAhead(ReadingAhead):
    """Helps late pages of a file."""

    dialect: ClassVar[Dialect] = SQLITE
    columns: ClassVar[str] = "timestamp_us, id, n"

    def __init__(self, readers: Readers, path: Path) -> None:
        super().__init__()
        self._readers = readers
        self._path = path
        self._threads: ThreadPoolExecutor | None = None
        self._own = threading.local()
        self._all: list[sqlite3.Connection] = []

    def asking(self) -> SqliteQuestions:
        """See `ReadingAhead.asking`."""
        return SqliteQuestions(self._readers)

    async def read(self, page: Page, found: Sequence[Sequence[Any]]) -> None:
        """See `ReadingAhead.read`."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "seawall-store-ahead")
        loop, left = asyncio.get_running_loop(), iter(list(slices([row[2] for row in found], _TOGETHER)))
        reading = [loop.run_in_executor(self._threads, self._read, page, left) for _ in range(THREADS)]
        await asyncio.gather(*reading, return_exceptions=True)

    def _read(self, page: Page, left: Iterator[Sequence[int]]) -> None:
        db = self._connected()
        # An iterator of a list is safe to share: each step of it is one.
        for some in left:
            if page.is_read:
                return
            db.execute(READ, [*some, *[some[0]] * (_TOGETHER - len(some))]).fetchall()

    def _connected(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._own, "db", None)
        if found is None:
            found = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._all.append(found)
            for setting in (*READER, _CACHE):
                found.execute(setting).fetchall()
            self._own.db = found
        return found

    async def aclose(self) -> None:
        """See `ReadingAhead.aclose`."""
        await super().aclose()
        if self._threads is not None:
            await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
        for db in self._all:
            db.close()
        self._all.clear()
