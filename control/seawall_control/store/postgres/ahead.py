"""Reads rows ahead on PostgreSQL: a bitmap scan knows its rows before it fetches the first one, and asks the
system for many of them at once, which an index scan does not. It cannot end early either, so it is only for
what lies between two keys that are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from seawall_control.store.event_walks import POSTGRES, Dialect, Key, span
from seawall_control.store.filter_sql import numbered
from seawall_control.store.postgres.readers import Readers
from seawall_control.store.postgres.statements import PostgresQuestions
from seawall_control.store.reading_ahead import Page, ReadingAhead
from seawall_control.store.statements import slices

_TOGETHER: Final = 256
"""Rows of one statement."""


class PostgresAhead(ReadingAhead):
    """Helps late pages of a database."""

    dialect: ClassVar[Dialect] = POSTGRES

    def __init__(self, readers: Readers) -> None:
        super().__init__()
        self._readers = readers

    def asking(self) -> PostgresQuestions:
        """See `ReadingAhead.asking`."""
        return PostgresQuestions(self._readers)

    async def read(self, page: Page, found: Sequence[Sequence[Any]]) -> None:
        """See `ReadingAhead.read`."""
        after = page.query.after
        for some in slices(found, _TOGETHER):
            if page.is_read:
                return
            last: Key = (some[-1][0], some[-1][1])
            sql, values = span(
                page.walk,
                "max(latency_us)",
                POSTGRES,
                descending=page.query.descending,
                after=after,
                until=last,
            )
            await self._readers.through_bitmaps(numbered(sql), *values)
            after = last
