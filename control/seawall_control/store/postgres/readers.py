"""Questions: a small pool of connections that only read, each for a limited time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from seawall_control.domain.errors import StoreBusy
from seawall_control.store.postgres import errors
from seawall_control.store.postgres.target import READ_LIMIT_S, READER, Lent, Pool, Target

READERS: Final = 4
BITMAPS: Final = (
    "SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; "
    # None where the system does not know how.
    "SELECT set_config(name, least(64, max_val::int)::text, true) FROM pg_settings "
    "WHERE name = 'effective_io_concurrency'"
)


class Readers:
    """A few reading connections, lent one at a time; the pool replaces those that the server has closed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def rows(self, sql: str, *parameters: Any) -> list[Any]:
        """Return all rows of a query. Raise `StoreBusy` when it takes too long, `StoreUnavailable` when there
        is no answer.

        A question changes nothing, so it is asked again when its connection was lost. What has ended all of
        them, as a server that changes hands does, is noticed one by one: the last time it is asked on a new
        one. Connections that say nothing take time, and are not tried for longer than a question may take.
        """
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + READ_LIMIT_S
        met = 0
        while True:
            try:
                return await self._asked(sql, parameters)
            except Exception as error:
                met += 1
                if not errors.is_lost(error) or met > READERS or loop.time() >= give_up_s:
                    raise errors.of_question(error, READ_LIMIT_S) from error

    async def _asked(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        async with self._lent() as db:
            return list(await db.fetch(sql, *parameters))

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Lent]:
        try:
            db = await self._pool.acquire(timeout=READ_LIMIT_S)
        except TimeoutError:
            raise StoreBusy(
                f"all {READERS} reading connections were busy for {READ_LIMIT_S:g} s; try again"
            ) from None
        try:
            yield db
        finally:
            await self._pool.release(db, timeout=READ_LIMIT_S)

    async def through_bitmaps(self, sql: str, *parameters: Any) -> None:
        """Have the rows of a statement read, by bitmap scans that fetch many at once."""
        try:
            async with self._lent() as db, db.transaction(readonly=True):
                await db.execute(BITMAPS)
                await db.execute(sql, *parameters)
        except Exception as error:
            raise errors.of_question(error, READ_LIMIT_S) from error

    async def row(self, sql: str, *parameters: Any) -> Any | None:
        """Return the first row of a query, or None."""
        rows = await self.rows(sql, *parameters)
        return rows[0] if rows else None

    async def aclose(self) -> None:
        """Close the connections, those in use too after a moment."""
        try:
            async with asyncio.timeout(2.0):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


async def open_readers(target: Target) -> Readers:
    """Open the pool. Raises what the driver raises."""
    return Readers(await target.pool(READER, READERS))
