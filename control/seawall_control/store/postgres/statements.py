"""Connections as the shared SQL sees them (store/statements.py): how its parameters, lists and rows reach the
server.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from time import monotonic
from typing import Any, Final

from seawall_control.store.filter_sql import numbered
from seawall_control.store.postgres.readers import Readers
from seawall_control.store.postgres.target import Connection
from seawall_control.store.statements import marks, slices

UPKEEP_S: Final = 0.02
"""For the statements of a piece of upkeep."""
_TOGETHER: Final = 20
"""Rows in one statement: each is in nine indexes, and where their pages have to be read first, twenty rows
take longer than that.
"""


def kinds_of(row: Sequence[Any]) -> tuple[str, ...]:
    """Return the types of the columns that rows like this one have."""
    return tuple(["text" if isinstance(value, str) else "bigint" for value in row])


@lru_cache(64)
def unnested(sql: str, kinds: tuple[str, ...], before: int = 0) -> str:
    """Return a statement with `VALUES (?, ...)` for arrays of values of these types, whose parameters come
    after so many others.
    """
    values = f"VALUES ({marks(len(kinds))})"
    head, found, tail = sql.partition(values)
    if not found:
        raise ValueError(f"not a statement with {values}: {sql}")
    arrays = ", ".join(f"${number}::text::{kind}[]" for number, kind in enumerate(kinds, start=before + 1))
    return f"{head}SELECT * FROM unnest({arrays}){tail}"


def _any_of(sql: str) -> str:
    """Return a statement that ends with `IN` for one array, so that it is prepared once for any number."""
    return f"{sql.removesuffix('IN')}= ANY(?::text[])"


def array_text(values: Sequence[Any]) -> str:
    """Return the text of an array of whole numbers or of texts, as the server reads it. The driver looks at
    each element several times to see whether it is an array itself, which costs more than all the rest.
    """
    if not values or not isinstance(values[0], str):
        # That of a list, which is made without a call for each number.
        return f"{{{str(list(values))[1:-1]}}}"
    joined = '","'.join(values)
    if joined.count('"') > 2 * (len(values) - 1) or "\\" in joined:
        joined = '","'.join([one.replace("\\", "\\\\").replace('"', '\\"') for one in values])
    return f'{{"{joined}"}}'


class PostgresStatements:
    """A connection within a transaction as `Statements`."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """See `Statements.rows`."""
        return [tuple(row) for row in await self._db.fetch(numbered(sql), *values)]

    async def among(self, sql: str, values: Sequence[str]) -> Sequence[Sequence[Any]]:
        """See `Statements.among`."""
        return await self.rows(_any_of(sql), (values,))

    async def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """See `Statements.change`."""
        done = str(await self._db.execute(numbered(sql), *values))
        # "INSERT 0 3", "UPDATE 3", "DELETE 3".
        return int(done.rpartition(" ")[2])

    async def some(self, sql: str, first: Sequence[Any], values: Sequence[Any]) -> tuple[int, int]:
        """See `Statements.some`. Others wait for the lock on their area meanwhile."""
        until = monotonic() + UPKEEP_S
        done = changed = 0
        for part in slices(values, _TOGETHER):
            changed += await self.change(f"{sql} ({marks(len(part))})", (*first, *part))
            done += len(part)
            if monotonic() > until:
                break
        return done, changed

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """See `Statements.many`."""
        if rows:
            # One statement whatever the number of rows, each column sent as one array: `executemany` has the
            # server run the statement once for each row.
            columns = map(array_text, zip(*rows, strict=True))
            await self._db.execute(unnested(sql, kinds_of(rows[0])), *columns)


class PostgresQuestions:
    """The reading connections as `Questions`."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """See `Questions.rows`."""
        return [tuple(row) for row in await self._readers.rows(numbered(sql), *values)]

    async def among(self, sql: str, values: Sequence[str]) -> Sequence[Sequence[Any]]:
        """See `Questions.among`."""
        return await self.rows(_any_of(sql), (values,))
