"""What the parts of the store share: the writer and the readers.

A change is a function of a connection within a transaction, given to `self._writer.do(work)`; questions go to
`self._readers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seawall_control.store.intake import Intake
from seawall_control.store.rollup_sql import Rollups
from seawall_control.store.sqlite.readers import Readers
from seawall_control.store.sqlite.writer import Writer
from seawall_control.store.statements import marks, slices


class Adapter:
    """Base of the parts."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self._intake = Intake()
        self._rollups = Rollups()
        writer.settled = self._intake.settle


class SqliteQuestions:
    """The reading connections as `Questions`."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """See `Questions.rows`."""
        return await self._readers.rows(sql, values)

    async def among(self, sql: str, values: Sequence[str]) -> Sequence[Sequence[Any]]:
        """See `Questions.among`."""
        found: list[Sequence[Any]] = []
        for part in slices(values):
            found.extend(await self.rows(f"{sql} ({marks(len(part))})", part))
        return found
