"""The store as one: its parts, its opening and its end."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from typing import Final

from seawall_control.domain.fleet import ProxyRecord
from seawall_control.store import rows as r
from seawall_control.store.lanes import MAX_QUEUED
from seawall_control.store.port import Elsewhere, StoreReport
from seawall_control.store.postgres.ahead import PostgresAhead
from seawall_control.store.postgres.checking import check_database
from seawall_control.store.postgres.events import PostgresEvents
from seawall_control.store.postgres.groups import PostgresGroups
from seawall_control.store.postgres.opening import Server, connect_writer, migrate, refusal
from seawall_control.store.postgres.policies import PostgresPolicies
from seawall_control.store.postgres.positions import PostgresPositions
from seawall_control.store.postgres.readers import Readers, open_readers
from seawall_control.store.postgres.records import PostgresRecords
from seawall_control.store.postgres.target import Connection, Target, target
from seawall_control.store.postgres.watch import Watch
from seawall_control.store.postgres.writer import Writer

_NAMES: Final = r.PROXY_COLUMNS.split(", ")
_REMEMBER: Final = (
    f"INSERT INTO proxies ({r.PROXY_COLUMNS}) VALUES ({', '.join(f'${i + 1}' for i in range(len(_NAMES)))}) "
    f"ON CONFLICT (node) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _NAMES[1:])}"
)

_log = logging.getLogger("seawall.control.store")


class PostgresStore(PostgresPolicies, PostgresEvents, PostgresPositions, PostgresGroups, PostgresRecords):
    """Implements `Store` on a PostgreSQL database. Made by `open_store`."""

    def __init__(self, where: Target, db: Connection, server: Server, readers: Readers) -> None:
        instance = uuid.uuid4().hex
        super().__init__(Writer(where, db, server), readers, instance)
        self._ahead = PostgresAhead(readers)
        self._target = where
        self._watch = Watch(where, server, instance)
        self._closing: asyncio.Task[None] | None = None

    @property
    def failed(self) -> asyncio.Event:
        """See `Store.failed`."""
        return self._writer.failed

    async def remember(self, proxy: ProxyRecord) -> None:
        """See `FleetStore.remember`."""

        async def work(db: Connection) -> None:
            await db.execute(_REMEMBER, *r.proxy_row(proxy))

        await self._writer.do(work, area="fleet")

    async def forget(self, nodes: Sequence[str], *, unseen_since_us: int) -> None:
        """See `FleetStore.forget`."""

        async def work(db: Connection) -> None:
            await db.execute(
                "DELETE FROM proxies WHERE node = ANY($1::text[]) AND last_seen_us < $2",
                list(nodes),
                r.int64(unseen_since_us),
            )

        await self._writer.do(work, area="fleet")

    async def proxies(self) -> Sequence[ProxyRecord]:
        """See `FleetStore.proxies`."""
        found = await self._readers.rows(f"SELECT {r.PROXY_COLUMNS} FROM proxies ORDER BY node")
        return [r.proxy_of(row) for row in found]

    def watch(self, told: Callable[[Elsewhere], None]) -> None:
        """See `Changes.watch`."""
        self._watch.add(told)

    @property
    def is_shared(self) -> bool:
        """See `Changes.is_shared`."""
        return True

    async def leads(self) -> bool:
        """See `Changes.leads`."""
        return await self._watch.leads()

    async def report_state(self) -> StoreReport:
        """See `Store.report_state`."""
        return StoreReport(
            engine="postgresql",
            version=self._writer.server.version,
            state=self._writer.state,
            detail=self._writer.detail,
            path=self._target.shown,
            size_bytes=self._watch.size_bytes,
            commits=self._writer.commits,
            commit_seconds=self._writer.commit_seconds,
            queued=self._writer.queued,
            queue_limit=MAX_QUEUED,
        )

    async def findings(self) -> Sequence[str]:
        """See `Store.findings`."""
        return await check_database(self._target)

    async def aclose(self) -> None:
        """See `Store.aclose`."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(), name="seawall-store-close")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            await self._writer.close()
        finally:
            try:
                await self._watch.aclose()
            finally:
                await self._ahead.aclose()
                await self._readers.aclose()


async def open_store(url: str) -> PostgresStore:
    """Open the database that a URL names, and bring its schema up to date. Raise `StoreRefused` with the
    reason and the remedy.
    """
    where = target(url)
    try:
        db, server = await connect_writer(where)
        try:
            await migrate(db, server, where)
            readers = await open_readers(where)
        except BaseException:
            db.terminate()
            raise
    except Exception as error:
        raise refusal(error, where) from error
    store = PostgresStore(where, db, server, readers)
    _log.info("store open", extra={"fields": {"database": where.shown, "postgresql": server.version}})
    return store
