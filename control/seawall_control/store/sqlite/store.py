"""The store as one: its parts, its opening and its end."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from seawall_control.domain.errors import StoreUnavailable
from seawall_control.domain.fleet import ProxyRecord
from seawall_control.store import rows as r
from seawall_control.store.lanes import MAX_QUEUED
from seawall_control.store.port import Elsewhere, StoreReport
from seawall_control.store.rows import int64
from seawall_control.store.sqlite.ahead import SqliteAhead
from seawall_control.store.sqlite.checking import check_file
from seawall_control.store.sqlite.events import SqliteEvents
from seawall_control.store.sqlite.groups import SqliteGroups
from seawall_control.store.sqlite.opening import WRITER, DirectoryLock, prepare_directory, prepare_file
from seawall_control.store.sqlite.policies import SqlitePolicies
from seawall_control.store.sqlite.positions import SqlitePositions
from seawall_control.store.sqlite.readers import Readers
from seawall_control.store.sqlite.records import SqliteRecords
from seawall_control.store.sqlite.thread import SqliteStatements, WritingConnection, writing_connection
from seawall_control.store.sqlite.writer import Writer
from seawall_control.store.statements import marks

_log = logging.getLogger("seawall.control.store")


class SqliteStore(SqlitePolicies, SqliteEvents, SqlitePositions, SqliteGroups, SqliteRecords):
    """Implements `Store` on one file. Made by `open_store`."""

    def __init__(self, path: Path, lock: DirectoryLock, db: WritingConnection) -> None:
        super().__init__(Writer(db, path), Readers())
        self._ahead = SqliteAhead(self._readers, path)
        self._path = path
        self._lock = lock
        self._db = db
        self._closing: asyncio.Task[None] | None = None

    @property
    def failed(self) -> asyncio.Event:
        """See `Store.failed`."""
        return self._writer.failed

    async def open_readers(self) -> None:
        """Open the reading connections."""
        await self._readers.open(self._path)

    async def remember(self, proxy: ProxyRecord) -> None:
        """See `FleetStore.remember`."""

        async def work(db: SqliteStatements) -> None:
            row = r.proxy_row(proxy)
            await db.change(
                f"INSERT OR REPLACE INTO proxies ({r.PROXY_COLUMNS}) VALUES ({marks(len(row))})", row
            )

        await self._writer.do(work)

    async def forget(self, nodes: Sequence[str], *, unseen_since_us: int) -> None:
        """See `FleetStore.forget`."""

        async def work(db: SqliteStatements) -> None:
            await db.many(
                "DELETE FROM proxies WHERE node = ? AND last_seen_us < ?",
                [(node, int64(unseen_since_us)) for node in nodes],
            )

        await self._writer.do(work)

    async def proxies(self) -> Sequence[ProxyRecord]:
        """See `FleetStore.proxies`."""
        return [
            r.proxy_of(row)
            for row in await self._readers.rows(f"SELECT {r.PROXY_COLUMNS} FROM proxies ORDER BY node")
        ]

    def watch(self, told: Callable[[Elsewhere], None]) -> None:
        """See `Changes.watch`: the lock on the directory keeps others out, so there is nobody to tell of."""

    @property
    def is_shared(self) -> bool:
        """See `Changes.is_shared`."""
        return False

    async def leads(self) -> bool:
        """See `Changes.leads`: there is only one."""
        return True

    async def report_state(self) -> StoreReport:
        """See `Store.report_state`."""
        try:
            size = self._path.stat().st_size
        except OSError:
            size = 0
        return StoreReport(
            engine="sqlite",
            version=sqlite3.sqlite_version,
            state=self._writer.state,
            detail=self._writer.detail,
            path=str(self._path),
            size_bytes=size,
            free_bytes=self._writer.free_bytes,
            wal_bytes=self._writer.wal_bytes,
            commits=self._writer.commits,
            commit_seconds=self._writer.commit_seconds,
            queued=self._writer.queued,
            queue_limit=MAX_QUEUED,
        )

    async def findings(self) -> Sequence[str]:
        """See `Store.findings`."""
        return await asyncio.to_thread(check_file, self._path)

    async def aclose(self) -> None:
        """See `Store.aclose`. aiosqlite's threads are not daemons: one that stays open would keep the process
        from ending.
        """
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(), name="seawall-store-close")
        cancelled = False
        while not self._closing.done():
            try:
                await asyncio.shield(self._closing)
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError
        self._closing.result()

    async def _close(self) -> None:
        try:
            await self._writer.aclose()
        finally:
            try:
                await self._ahead.aclose()
                await self._readers.aclose()
            finally:
                # The last connection checkpoints and removes the log when it closes.
                await self._db.close()
                self._lock.release()


async def open_store(directory: Path) -> SqliteStore:
    """Open the store in a directory, creating both if need be. Raise `StoreRefused` with the reason and the
    remedy.
    """
    prepare_directory(directory)
    lock = DirectoryLock(directory)
    try:
        path = await asyncio.to_thread(prepare_file, directory)
        db = await writing_connection(path)
    except BaseException:
        lock.release()
        raise
    try:
        for setting in WRITER:
            await db.execute_fetchall(setting)
        mode = [row[0] for row in await db.execute_fetchall("PRAGMA journal_mode")]
        if mode != ["wal"]:
            raise StoreUnavailable(
                f"{path} is in journal mode {mode[0]}, not WAL; is {directory} on a network file system?"
            )
    except BaseException:
        await db.close()
        lock.release()
        raise
    store = SqliteStore(path, lock, db)
    try:
        await store.open_readers()
    except BaseException:
        await store.aclose()
        raise
    _log.info("store open", extra={"fields": {"path": str(path), "sqlite": sqlite3.sqlite_version}})
    return store
